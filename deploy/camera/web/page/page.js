// The page: asks for the status once a second while somebody looks, and shows it.

import { ask, cameraPath, put, throttled } from "./api.js";
import { History, Tile } from "./charts.js";
import { ClassPicker } from "./classes.js";
import { byId, element, write } from "./dom.js";
import { Editor } from "./editor.js";
import { LiveView } from "./live.js";
import { duration, showCounts, showEvents, showSinks, showVisible, tellTimes, whole } from "./panels.js";

const POLL_MS = 1000;
const PLACES_EVERY = 5; // polls: somebody else may have changed them
const ALL = Symbol("all cameras");

const show = { boxes: true, labels: true, places: true };
const views = new Map();
const histories = new Map();
const machine = { cpu: new History(), memory: new History() };
let cameras = [];
let current = null;
let status = null;
let polls = 0;
let timer = 0;
let newestEvent;
let settled = 0; // no answer from before this time moves the slider or the classes back

const tiles = {
  fps: new Tile("Frames", "/s", { digits: 1, least: 10 }),
  inference: new Tile("Inference", "ms", { curves: 2, digits: 1, least: 10 }),
  age: new Tile("Age of results", "ms", { curves: 2, least: 50 }),
  dropped: new Tile("Left out", "/s", { digits: 1 }),
  cpu: new Tile("Processor", "%", { least: 100 }),
  memory: new Tile("Memory", "MB", { least: 100 }),
};
const ofCamera = [tiles.fps, tiles.inference, tiles.age, tiles.dropped];
const picker = new ClassPicker("Classes", (classes) => change({ classes }));
const editor = new Editor(byId("editor"), stoppedEditing);

// Cameras and their views.

function setCameras(names) {
  if (names.length === cameras.length && names.every((name, i) => name === cameras[i])) return;
  cameras = names;
  const tab = (what, ...content) => {
    const button = element("button", { type: "button", onclick: () => select(what) }, ...content);
    button.camera = what;
    return button;
  };
  const tabs = names.map((name) => tab(name, element("span", { className: "dot" }), name));
  if (names.length > 1) tabs.unshift(tab(ALL, "All"));
  byId("tabs").replaceChildren(...tabs);
  byId("tabs").hidden = names.length < 2;
  const wanted = decodeURIComponent(location.hash.slice(1));
  select(names.includes(wanted) ? wanted : names.length > 1 && wanted === "" ? ALL : names[0]);
}

function select(camera) {
  if (editor.active) {
    editor.cancel();
    if (editor.active) return;
  }
  current = camera;
  history.replaceState(null, "", camera === ALL ? "#" : `#${encodeURIComponent(camera)}`);
  for (const view of views.values()) view.close();
  views.clear();
  for (const name of camera === ALL ? cameras : [camera]) {
    const view = new LiveView(name, show, { small: camera === ALL });
    if (camera === ALL) {
      view.figure.addEventListener("click", () => select(name));
      view.figure.title = `Show ${name}`;
    }
    view.onfirst = () => (byId("edit").disabled = false);
    views.set(name, view);
    byId("views").append(view.figure);
    if (!document.hidden) view.open();
  }
  byId("views").classList.toggle("grid", camera === ALL);
  byId("edit").hidden = camera === ALL;
  byId("edit").disabled = true;
  for (const button of byId("tabs").children) button.setAttribute("aria-current", String(button.camera === camera));
  byId("numbers").replaceChildren(...(camera === ALL ? [tiles.cpu, tiles.memory] : Object.values(tiles)).map(({ node }) => node));
  loadPlaces();
  if (status) present(status);
}

async function loadPlaces() {
  for (const [name, view] of [...views]) {
    try {
      view.places = (await ask(cameraPath(name, "places"))).value;
      if (!view.overlay) view.draw();
    } catch {
      return; // the status tells
    }
  }
}

const STATES = { running: "Running", waiting: "Waiting", ended: "Ended" };

function stateWords({ state, error }) {
  if (state === "running") return error ?? "";
  if (state === "waiting") return `The camera is opened again: ${error ?? "it gave no image"}`;
  return error ? `Ended: ${error}` : "Ended: there are no more images";
}

// The status.

async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  const asked = Date.now();
  try {
    const { value } = await ask("api/status");
    status = value;
    remember(value);
    setCameras(Object.keys(value.cameras));
    present(value, asked);
    if (polls++ % PLACES_EVERY === 0 && !editor.active) loadPlaces();
    if (value.page.newest_event !== newestEvent) {
      newestEvent = value.page.newest_event;
      showEvents((await ask("api/events")).value.events);
    }
    tellTimes();
  } catch (error) {
    trouble(error.message);
  }
  clearTimeout(timer);
  timer = setTimeout(poll, Math.max(200, POLL_MS - (Date.now() - asked)));
}

function remember(value) {
  for (const [name, camera] of Object.entries(value.cameras)) {
    if (!histories.has(name)) histories.set(name, { fps: new History(), inference: new History(), age: new History(), dropped: new History(), last: null });
    const kept = histories.get(name);
    const now = Date.now();
    kept.fps.add([camera.fps]);
    kept.inference.add([camera.inference_ms?.p50 ?? null, camera.inference_ms?.p95 ?? null]);
    kept.age.add([camera.age_ms?.p50 ?? null, camera.age_ms?.p95 ?? null]);
    const rate = kept.last && now - kept.last.now < 4000 ? Math.max(0, ((camera.dropped - kept.last.dropped) * 1000) / (now - kept.last.now)) : null;
    kept.dropped.add([rate]);
    kept.rate = rate;
    kept.last = { now, dropped: camera.dropped };
  }
  machine.cpu.add([(value.cpu_share ?? 0) * 100]);
  machine.memory.add([value.memory_mb ?? null]);
}

function present(value, asked = Infinity) {
  const { page, model } = value;
  trouble(page.healthy ? "" : page.health);
  write(byId("health"), page.healthy ? "All well" : "Needs attention");
  byId("health").className = `pill ${page.healthy ? "good" : "bad"}`;
  byId("health").title = page.health;
  write(byId("model"), `${model.name} · ${model.input_size[1]} × ${model.input_size[0]} · ${model.names.length} ${model.names.length === 1 ? "class" : "classes"} · up ${duration(value.uptime_s)}`);
  byId("sign-out").hidden = !page.signed_in;
  for (const button of byId("tabs").children) {
    const camera = value.cameras[button.camera];
    if (camera) button.firstChild.className = `dot ${camera.state}`;
  }
  for (const [name, view] of views) {
    const camera = value.cameras[name];
    if (!camera) continue;
    view.setState(stateWords(camera));
    view.counts = camera.places ?? {};
    if (view.small) {
      view.caption.firstChild.className = `dot ${camera.state}`;
      const seen = Object.values(camera.visible ?? {}).reduce((sum, n) => sum + n, 0);
      write(view.caption.lastChild, camera.state === "running" ? `${one(camera.fps)} frames/s · ${seen} in sight` : STATES[camera.state]);
    }
  }
  presentNumbers(value);
  showCounts(Object.fromEntries([...views.keys()].filter((name) => value.cameras[name]).map((name) => [name, value.cameras[name]])));
  showSinks(value.sinks);
  const seen = {};
  for (const name of views.keys()) for (const [label, n] of Object.entries(value.cameras[name]?.visible ?? {})) seen[label] = (seen[label] ?? 0) + n;
  showVisible(seen);
  if (asked > settled) presentSettings(value);
}

function presentNumbers(value) {
  const cores = value.cpu_share ?? null;
  tiles.cpu.show(machine.cpu.points, cores === null ? null : cores * 100, "100 % is one core");
  tiles.memory.show(machine.memory.points, value.memory_mb, `${whole(page(value).viewers)} of ${page(value).max_viewers} live views open`);
  const camera = value.cameras[current];
  const kept = histories.get(current);
  if (!camera || !kept) return;
  tiles.fps.show(kept.fps.points, camera.fps, `${whole(camera.processed)} of ${whole(camera.captured)} captured`);
  tiles.inference.show(kept.inference.points, camera.inference_ms?.p50, `p95 ${one(camera.inference_ms?.p95)} · p99 ${one(camera.inference_ms?.p99)} ms`);
  tiles.age.show(kept.age.points, camera.age_ms?.p50, `p95 ${one(camera.age_ms?.p95, 0)} · p99 ${one(camera.age_ms?.p99, 0)} ms`);
  tiles.dropped.show(kept.dropped.points, kept.rate, `${whole(camera.dropped)} in all · ${whole(camera.reconnects)} reconnects · ${whole(camera.failed)} failed`);
}

const page = (value) => value.page;
const one = (value, digits = 1) => (typeof value === "number" ? value.toFixed(digits) : "–");

function trouble(words) {
  write(byId("trouble"), words);
  byId("trouble").hidden = !words;
  if (words && !status) write(byId("health"), "no connection");
}

// Settings.

function presentSettings(value) {
  byId("score").value = value.score;
  write(byId("score-now"), value.score.toFixed(2));
  picker.set(value.model.names, value.classes);
}

async function change(wanted) {
  settled = Infinity;
  try {
    await put("api/settings", wanted);
    write(byId("settings-error"), "");
  } catch (error) {
    write(byId("settings-error"), error.message);
  }
  settled = Date.now();
}

const changeScore = throttled((score) => change({ score }), 200);

byId("score").addEventListener("input", () => {
  settled = Infinity;
  write(byId("score-now"), Number(byId("score").value).toFixed(2));
  changeScore(Number(byId("score").value));
});

// Tools.

for (const what of Object.keys(show)) {
  byId(`show-${what}`).addEventListener("change", ({ target }) => {
    show[what] = target.checked;
    for (const view of views.values()) view.draw();
  });
}

byId("edit").addEventListener("click", async () => {
  const view = views.get(current);
  if (!view?.size || !status) return;
  try {
    await editor.open(view, status.model.names);
    byId("tools").hidden = true;
  } catch (error) {
    trouble(error.message);
  }
});

function stoppedEditing() {
  byId("tools").hidden = false;
  poll();
}

byId("full").hidden = !document.fullscreenEnabled;
byId("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : byId("views").requestFullscreen()));
byId("viewer-close").addEventListener("click", () => byId("viewer").close());
byId("viewer").addEventListener("click", ({ target }) => target === byId("viewer") && byId("viewer").close());

let shownBefore = 0;
setInterval(() => {
  const view = views.get(current);
  if (!view || document.hidden) {
    write(byId("pace"), "");
    return;
  }
  const rate = Math.max(0, view.shown - shownBefore) / 2;
  shownBefore = view.shown;
  write(byId("pace"), view.age === null ? "" : `${rate.toFixed(0)} images/s · ${Math.round(view.age)} ms old`);
}, 2000);

document.addEventListener("visibilitychange", () => {
  for (const view of views.values()) document.hidden ? view.pause() : view.open();
  if (!document.hidden) poll();
});

byId("numbers").replaceChildren(...ofCamera.map(({ node }) => node));
byId("classes").append(picker.node);
poll();
