// The cards beside the image: events, counts, outputs, and what is in the image.

import { byId, element, total, write } from "./dom.js";

const MOST_EVENTS = 40;

const SAYS = {
  enter: ({ label, place }) => `${label} entered ${place}`,
  leave: ({ label, place, inside_s }) => `${label} left ${place}${inside_s === null ? "" : ` after ${seconds(inside_s)}`}`,
  dwell: ({ label, place, inside_s }) => `${label} has stayed in ${place}${inside_s === null ? "" : ` for ${seconds(inside_s)}`}`,
  cross: ({ label, place, direction }) => `${label} crossed ${place}${direction === null ? "" : `, ${direction}`}`,
};
const SIGNS = { enter: "→", leave: "←", dwell: "◷", in: "↘", out: "↖" };

export function showEvents(events) {
  const list = byId("events");
  const first = !list.dataset.filled;
  list.dataset.filled = "yes";
  const there = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const wanted = events.slice(0, MOST_EVENTS).map((event) => there.get(event.id) ?? eventItem(event, !first));
  const same = wanted.length === list.children.length && wanted.every((item, i) => item === list.children[i]);
  if (!same) list.replaceChildren(...wanted);
  byId("no-events").hidden = events.length > 0;
  tellTimes();
}

export function tellTimes() {
  for (const time of byId("events").querySelectorAll("time")) write(time, when(Number(time.dataset.at)));
}

function eventItem(event, isNew) {
  const says = (SAYS[event.kind] ?? (({ label, kind, place }) => `${label}: ${kind} ${place}`))(event);
  const path = `api/events/${encodeURIComponent(event.id)}.jpg`;
  const image = element("img", { src: path, alt: "", loading: "lazy", width: 96, height: 64 });
  image.addEventListener("error", () => image.classList.add("missing"));
  const about = `${says} · ${event.camera} · ${new Date(event.time * 1000).toLocaleString()}`;
  const sign = element("span", { className: `sign ${event.kind}` }, SIGNS[event.direction ?? event.kind] ?? "•");
  const time = element("time", { dateTime: new Date(event.time * 1000).toISOString(), title: new Date(event.time * 1000).toLocaleString() });
  time.dataset.at = event.time;
  const item = element(
    "li",
    { className: isNew ? "new" : "" },
    element("button", { type: "button", className: "thumb", title: "Larger", onclick: () => enlarge(path, about) }, image),
    element("div", {}, element("p", { className: "says" }, sign, says), element("p", { className: "muted" }, `${event.camera} · #${event.track} · ${event.score.toFixed(2)} · `, time)),
  );
  item.dataset.id = event.id;
  return item;
}

function enlarge(path, about) {
  byId("viewer-image").src = path;
  write(byId("viewer-text"), about);
  byId("viewer").showModal();
}

// `cameras`: name -> what the status says of it.
export function showCounts(cameras) {
  const node = byId("counts");
  const several = Object.keys(cameras).length > 1;
  const rows = [];
  for (const [camera, { places }] of Object.entries(cameras)) {
    for (const [place, counts] of Object.entries(places ?? {})) rows.push([several ? `${camera} · ${place}` : place, Object.entries(counts ?? {})]);
  }
  const now = JSON.stringify(rows);
  if (node.dataset.now === now) return;
  node.dataset.now = now;
  if (!rows.length) {
    node.replaceChildren(element("p", { className: "muted" }, "No zones and lines yet."));
    return;
  }
  node.replaceChildren(
    ...rows.map(([name, counts]) =>
      element("div", { className: "count" }, element("span", { className: "name", title: name }, name), element("span", { className: "kinds" }, ...counts.map(([kind, value]) => countOf(kind, value)))),
    ),
  );
}

function countOf(kind, value) {
  const byClass = value !== null && typeof value === "object";
  const title = byClass ? Object.entries(value).map(([label, n]) => `${label} ${n}`).join(", ") : "";
  return element("span", { className: "kind", title }, element("b", {}, String(total(value))), ` ${kind.replaceAll("_", " ")}`);
}

export function showSinks(sinks) {
  const node = byId("sinks");
  const now = JSON.stringify(sinks);
  if (node.dataset.now === now) return;
  node.dataset.now = now;
  const items = Object.entries(sinks).map(([name, { written, dropped, waiting, error }]) => {
    const more = [`${whole(written)} written`, waiting ? `${whole(waiting)} waiting` : null, dropped ? `${whole(dropped)} dropped` : null];
    return element(
      "li",
      {},
      element("p", {}, element("span", { className: `dot ${error ? "bad" : "good"}` }), name, element("span", { className: "value" }, more.filter(Boolean).join(" · "))),
      error ? element("p", { className: "error" }, error) : null,
    );
  });
  node.replaceChildren(...(items.length ? items : [element("li", { className: "muted" }, "None: results are shown here only.")]));
}

export function showVisible(visible) {
  const node = byId("visible");
  const items = Object.entries(visible ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const now = JSON.stringify(items);
  if (node.dataset.now === now) return;
  node.dataset.now = now;
  node.replaceChildren(...items.map(([label, n]) => element("li", { className: "chip" }, element("b", {}, String(n)), ` ${label}`)));
}

export const whole = (value) => (typeof value === "number" ? value.toLocaleString("en-GB") : "–");

function seconds(value) {
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function duration(value) {
  const [days, hours, minutes] = [Math.floor(value / 86400), Math.floor(value / 3600) % 24, Math.floor(value / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(value)} s`;
}

function when(time) {
  const ago = Date.now() / 1000 - time;
  if (ago < 5) return "now";
  if (ago < 60) return `${Math.round(ago)} s ago`;
  if (ago < 3600) return `${Math.round(ago / 60)} min ago`;
  return new Date(time * 1000).toLocaleString([], { dateStyle: ago < 43200 ? undefined : "short", timeStyle: "short" });
}
