// Asks the server; a mistake becomes an Error with the server's own words.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000), ...options });
  } catch {
    throw new Refused(0, "The device does not answer.");
  }
  const value = await answer.json().catch(() => ({}));
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Refused(answer.status, value.error ?? `The device answered ${answer.status}.`);
  return { value, tag: answer.headers.get("ETag") };
}

export const put = (path, value, headers = {}) =>
  ask(path, { method: "PUT", body: JSON.stringify(value), headers: { "Content-Type": "application/json", ...headers } });

export const cameraPath = (name, what) => `api/cameras/${encodeURIComponent(name)}/${what}`;

// Calls at once, then at most every `pauseMs`; the last call is never lost.
export function throttled(call, pauseMs) {
  let waiting = null;
  let timer = 0;
  return (...values) => {
    if (timer) {
      waiting = values;
      return;
    }
    call(...values);
    timer = setTimeout(function again() {
      timer = 0;
      if (waiting) {
        const next = waiting;
        waiting = null;
        call(...next);
        timer = setTimeout(again, pauseMs);
      }
    }, pauseMs);
  };
}
