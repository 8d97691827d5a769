// Draws and changes zones and lines on a live view, with mouse, pen or finger.

import { ask, cameraPath, put } from "./api.js";
import { ClassPicker } from "./classes.js";
import { element, write } from "./dom.js";
import { LINE, ZONE, drawHandle, drawLine, drawTag, drawZone } from "./draw.js";

const MOST_CORNERS = 64;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export class Editor {
  constructor(node, onclose) {
    this.node = node;
    this.active = false;
    this._onclose = onclose;
    this._build();
    addEventListener("beforeunload", (event) => this.changed && event.preventDefault());
    addEventListener("keydown", (event) => this.active && this._key(event));
  }

  get changed() {
    return this.active && JSON.stringify(this._places) !== this._saved;
  }

  async open(view, names) {
    const { value, tag } = await ask(cameraPath(view.camera, "places"));
    Object.assign(this, { _view: view, _names: names, _tag: tag, _places: value, _saved: JSON.stringify(value), active: true });
    [this._chosen, this._draft, this._drag, this._pointer, this._corner] = [null, null, null, null, null];
    this._listeners = new AbortController();
    const on = (type, call) => view.canvas.addEventListener(type, call, { signal: this._listeners.signal });
    on("pointerdown", (event) => this._down(event));
    on("pointermove", (event) => this._move(event));
    on("pointerup", (event) => this._up(event));
    on("pointercancel", () => (this._drag = null));
    view.overlay = (...where) => this._draw(...where);
    view.canvas.classList.add("editing");
    this.node.hidden = false;
    write(this._error, "");
    this._show();
  }

  cancel() {
    if (this.changed && !confirm("Leave without saving the changes?")) return;
    this._close();
  }

  async _save() {
    if (this._draft) this._finish();
    const wrong = this._places.zones.concat(this._places.lines).find(({ name }) => !NAME.test(name));
    if (wrong) {
      this._chosen = wrong;
      this._show();
      write(this._error, `The name “${wrong.name}” must be 1 to 64 letters without accents, digits, - and _.`);
      return;
    }
    this._saveButton.disabled = true;
    try {
      const { value } = await put(cameraPath(this._view.camera, "places"), this._places, { "If-Match": this._tag });
      this._view.places = value;
      this._close();
    } catch (error) {
      write(this._error, error.status === 412 ? `${error.message}. Cancel, and begin again from theirs.` : error.message);
    } finally {
      this._saveButton.disabled = false;
    }
  }

  _close() {
    this._listeners.abort();
    this._view.overlay = null;
    this._view.canvas.classList.remove("editing");
    this._view.draw();
    this.active = false;
    this.node.hidden = true;
    this._onclose();
  }

  // What the panel looks like.

  _build() {
    const button = (text, call, attributes = {}) => element("button", { type: "button", onclick: call, ...attributes }, text);
    this._error = element("p", { className: "error", role: "alert" });
    this._mark = element("span", { className: "unsaved" }, "Unsaved changes");
    this._hint = element("p", { className: "hint" });
    this._list = element("div", { className: "chips" });
    this._done = button("Done", () => this._finish());
    this._undo = button("Undo corner", () => this._undoCorner());
    this._stop = button("Discard", () => this._stopDrawing());
    this._saveButton = button("Save", () => this._save(), { className: "primary", id: "save-places" });
    this._name = element("input", { type: "text", maxLength: 64, spellcheck: false, oninput: () => this._set("name", this._name.value.trim()) });
    this._dwell = element("input", { type: "number", min: 0.1, max: 86400, step: "any", placeholder: "never", oninput: () => this._setDwell() });
    this._picker = new ClassPicker("Only for classes", (classes) => this._set("classes", classes));
    this._dwellField = element("label", { className: "field" }, element("span", {}, "Tell of a stay of (s)"), this._dwell);
    this._swap = button("Swap direction", () => this._swapDirection());
    this._removeCorner = button("Remove corner", () => this._deleteCorner());
    this._form = element(
      "div",
      { className: "place" },
      element("label", { className: "field" }, element("span", {}, "Name"), this._name),
      this._dwellField,
      this._picker.node,
      element("div", { className: "row end" }, this._swap, this._removeCorner, button("Delete", () => this._delete(), { className: "danger", id: "delete-place" })),
    );
    this.node.append(
      element(
        "div",
        { className: "row wrap" },
        button("+ Zone", () => this._begin("zones"), { id: "new-zone" }),
        button("+ Line", () => this._begin("lines"), { id: "new-line" }),
        element("span", { className: "space" }),
        button("Cancel", () => this.cancel(), { id: "cancel-places" }),
        this._saveButton,
      ),
      element("div", { className: "row wrap" }, this._hint, this._done, this._undo, this._stop),
      this._list,
      this._form,
      this._mark,
      this._error,
    );
  }

  _show() {
    const draft = this._draft;
    const chosen = this._chosen;
    this._mark.hidden = !this.changed;
    write(this._hint, this._hintText());
    this._done.hidden = !(draft?.kind === "zones" && draft.points.length >= 3);
    this._undo.hidden = !(draft?.kind === "zones" && draft.points.length);
    this._stop.hidden = !draft;
    const all = [...this._places.zones, ...this._places.lines];
    this._list.replaceChildren(
      ...all.map((place) =>
        element("button", { type: "button", className: `chip ${place.points ? "zone" : "line"}${place === chosen ? " chosen" : ""}`, onclick: () => this._choose(place) }, place.name || "(no name)"),
      ),
    );
    this._form.hidden = !chosen;
    if (chosen) {
      const isZone = Boolean(chosen.points);
      if (this._name.value.trim() !== chosen.name) this._name.value = chosen.name;
      if (document.activeElement !== this._dwell) this._dwell.value = chosen.dwell_s ?? "";
      this._dwellField.hidden = !isZone;
      this._swap.hidden = isZone;
      this._removeCorner.hidden = !isZone || chosen.points.length <= 3 || this._corner === null;
      this._picker.set(this._names, chosen.classes);
    }
    this._view.draw();
  }

  _hintText() {
    if (this._draft?.kind === "zones") {
      const count = this._draft.points.length;
      return count < 3 ? `Tap the corners in the image, 3 or more (${count} so far).` : "Tap the first corner again, or Done, to finish.";
    }
    if (this._draft) return this._draft.points.length ? "Tap where the line ends." : "Tap where the line begins, then where it ends.";
    if (this._chosen) return this._chosen.points ? "Drag corners; drag a small dot to add one; drag the inside to move it all." : "Drag the ends. The arrow points to the side that is “in”.";
    return this._places.zones.length + this._places.lines.length ? "Tap a zone or line to change it." : "A zone tells who enters, leaves and stays; a line, who crosses it.";
  }

  // What the panel changes.

  _begin(kind) {
    [this._draft, this._chosen, this._corner] = [{ kind, points: [] }, null, null];
    this._show();
  }

  _choose(place) {
    [this._chosen, this._draft, this._corner] = [place, null, null];
    this._show();
  }

  _set(key, value) {
    this._chosen[key] = value;
    write(this._error, "");
    this._show();
  }

  _setDwell() {
    const seconds = this._dwell.valueAsNumber;
    this._set("dwell_s", Number.isFinite(seconds) && seconds > 0 ? seconds : null);
  }

  _swapDirection() {
    [this._chosen.start, this._chosen.end] = [this._chosen.end, this._chosen.start];
    this._show();
  }

  _delete() {
    for (const kind of ["zones", "lines"]) this._places[kind] = this._places[kind].filter((place) => place !== this._chosen);
    this._choose(null);
  }

  _deleteCorner() {
    this._chosen.points.splice(this._corner, 1);
    this._corner = null;
    this._show();
  }

  _undoCorner() {
    this._draft.points.pop();
    this._show();
  }

  _stopDrawing() {
    this._draft = null;
    this._show();
  }

  _finish() {
    const { kind, points } = this._draft;
    this._draft = null;
    if (kind === "zones" && points.length >= 3) {
      this._add(kind, { name: this._freeName("zone"), points, classes: null, dwell_s: null });
    } else if (kind === "lines" && points.length === 2) {
      this._add(kind, { name: this._freeName("line"), start: points[0], end: points[1], classes: null });
    } else this._show();
  }

  _add(kind, place) {
    this._places[kind].push(place);
    this._choose(place);
  }

  _freeName(stem) {
    const taken = new Set([...this._places.zones, ...this._places.lines].map(({ name }) => name));
    let number = 1;
    while (taken.has(`${stem}-${number}`)) number += 1;
    return `${stem}-${number}`;
  }

  _key(event) {
    if (event.target.closest?.("input, textarea, dialog")) return;
    if (event.key === "Escape") this._draft ? this._stopDrawing() : this._choose(null);
    else if (event.key === "Enter" && this._draft) this._finish();
    else if (event.key === "Backspace" && this._draft?.points.length) this._undoCorner();
    else if (event.key === "Delete" && this._chosen) this._delete();
    else return;
    event.preventDefault();
  }

  // What the pointer does. Points are fractions of the image.

  _down(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this._view.canvas.setPointerCapture(event.pointerId);
    const point = this._at(event);
    this._reach = event.pointerType === "touch" ? 24 : 12;
    this._pointer = point;
    if (this._draft) this._drawAt(point);
    else this._grab(point);
    this._show();
  }

  _drawAt(point) {
    const { kind, points } = this._draft;
    if (kind === "zones" && points.length >= 3 && this._near(point, points[0])) {
      this._finish();
    } else if (kind === "lines" && points.length === 1 && !this._near(point, points[0])) {
      points.push(point);
      this._finish();
    } else if (points.length < (kind === "zones" ? MOST_CORNERS : 1)) {
      points.push(point);
      this._drag = { draft: true, from: point };
    }
  }

  _grab(point) {
    const corner = this._chosen ? corners(this._chosen).findIndex((at) => this._near(point, at)) : -1;
    if (corner >= 0) {
      this._corner = corner;
      this._drag = { corner };
      return;
    }
    const side = this._chosen?.points?.length < MOST_CORNERS ? middles(this._chosen.points).findIndex((at) => this._near(point, at)) : -1;
    if (side >= 0) {
      this._chosen.points.splice(side + 1, 0, point);
      this._corner = side + 1;
      this._drag = { corner: side + 1 };
      return;
    }
    this._corner = null;
    const hit = [...this._places.lines].reverse().find((line) => this._isOn(point, line.start, line.end)) ?? [...this._places.zones].reverse().find((zone) => isInside(point, zone.points));
    this._chosen = hit ?? null;
    this._drag = hit ? { whole: true, from: point } : null;
  }

  _move(event) {
    this._pointer = this._at(event);
    const drag = this._drag;
    if (drag?.corner !== undefined) setCorner(this._chosen, drag.corner, this._pointer);
    else if (drag?.whole) {
      const [dx, dy] = fitting(corners(this._chosen), this._pointer[0] - drag.from[0], this._pointer[1] - drag.from[1]);
      corners(this._chosen).forEach(([x, y], i) => setCorner(this._chosen, i, [round(x + dx), round(y + dy)]));
      drag.from = this._pointer;
    }
    if (drag && !drag.draft) this._show();
    else if (this._draft) this._view.draw();
  }

  _up(event) {
    const drag = this._drag;
    this._drag = null;
    if (!drag?.draft || !this._draft) return;
    const point = this._at(event);
    if (this._draft.kind === "lines" && !this._near(point, drag.from)) {
      this._draft.points.push(point); // a line drawn in one go
      this._finish();
    } else this._show();
  }

  _at(event) {
    const { left, top, width, height } = this._view.canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((v) => round(Math.min(1, Math.max(0, v))));
  }

  _pixels([ax, ay], [bx, by]) {
    const { clientWidth, clientHeight } = this._view.canvas;
    return Math.hypot((ax - bx) * clientWidth, (ay - by) * clientHeight);
  }

  _near(a, b) {
    return this._pixels(a, b) <= this._reach;
  }

  _isOn(point, start, end) {
    return this._pixels(point, start) + this._pixels(point, end) - this._pixels(start, end) <= this._reach / 4;
  }

  // What stands on the image.

  _draw(context, size, unit) {
    for (const zone of this._places.zones) {
      drawZone(context, zone.points, size, unit, { chosen: zone === this._chosen });
      if (zone !== this._chosen) drawTag(context, zone.name, zone.points[0][0] * size.width, zone.points[0][1] * size.height, ZONE, size, unit);
    }
    for (const line of this._places.lines) {
      drawLine(context, line.start, line.end, size, unit, { chosen: line === this._chosen });
      if (line !== this._chosen) drawTag(context, line.name, line.start[0] * size.width, line.start[1] * size.height, LINE, size, unit);
    }
    if (this._chosen) {
      const color = this._chosen.points ? ZONE : LINE;
      if (this._chosen.points) middles(this._chosen.points).forEach((at) => drawHandle(context, at, size, unit, color, true));
      corners(this._chosen).forEach((at, i) => drawHandle(context, at, size, unit, i === this._corner ? "#fff" : color));
    }
    if (this._draft?.points.length) this._drawDraft(context, size, unit);
  }

  _drawDraft(context, size, unit) {
    const { kind, points } = this._draft;
    const drawn = this._pointer ? [...points, this._pointer] : points;
    if (kind === "zones") drawZone(context, drawn, size, unit, { open: true, chosen: true });
    else if (drawn.length === 2) drawLine(context, drawn[0], drawn[1], size, unit, { chosen: true });
    points.forEach((at) => drawHandle(context, at, size, unit, kind === "zones" ? ZONE : LINE));
  }
}

const round = (value) => Math.round(value * 1e4) / 1e4;
const corners = (place) => place.points ?? [place.start, place.end];
const middles = (points) => points.map(([x, y], i) => [(x + points[(i + 1) % points.length][0]) / 2, (y + points[(i + 1) % points.length][1]) / 2]);

function setCorner(place, i, point) {
  if (place.points) place.points[i] = point;
  else place[i ? "end" : "start"] = point;
}

// A move that keeps every corner in the image.
function fitting(points, dx, dy) {
  const within = (values, d) => Math.max(-Math.min(...values), Math.min(1 - Math.max(...values), d));
  return [within(points.map(([x]) => x), dx), within(points.map(([, y]) => y), dy)];
}

function isInside([x, y], points) {
  let inside = false;
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  });
  return inside;
}
