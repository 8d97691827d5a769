// Numbers with a curve of the last minutes, made of what the page itself has asked for once a second.

import { element, write } from "./dom.js";

const MINUTES = 3;
const GAP_MS = 4000;
const SVG = "http://www.w3.org/2000/svg";

// One number: `lines` tells how many curves it has, the last one lies behind the first.
export class Tile {
  constructor(title, unit, { curves = 1, digits = 0, least = 1 } = {}) {
    Object.assign(this, { digits, least, unit });
    this._value = element("span", { className: "number" }, "–");
    this._more = element("p", { className: "more muted" });
    this._top = element("span", { className: "axis top" });
    this._svg = document.createElementNS(SVG, "svg");
    this._svg.setAttribute("viewBox", "0 0 100 40");
    this._svg.setAttribute("preserveAspectRatio", "none");
    this._svg.setAttribute("aria-hidden", "true");
    this._paths = Array.from({ length: curves }, (_, i) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", i ? "curve second" : "curve");
      this._svg.prepend(path);
      return path;
    });
    this.node = element(
      "section",
      { className: "card tile" },
      element("h3", {}, title),
      element("p", { className: "big" }, this._value, element("span", { className: "unit" }, unit)),
      element("div", { className: "chart" }, this._svg, this._top, element("span", { className: "axis zero" }, "0")),
      element("p", { className: "axis time" }, element("span", {}, `−${MINUTES} min`), element("span", {}, "now")),
      this._more,
    );
  }

  show(history, value, more) {
    write(this._value, value === null || value === undefined ? "–" : value.toFixed(this.digits));
    write(this._more, more);
    const now = Date.now();
    const most = Math.max(this.least, ...history.flatMap(({ values }) => values.filter((v) => v !== null)));
    const top = niceAbove(most);
    write(this._top, `${top} ${this.unit}`);
    this._paths.forEach((path, curve) => path.setAttribute("d", trace(history, curve, now, top)));
  }
}

// Keeps the last minutes of some numbers.
export class History {
  constructor() {
    this.points = [];
  }

  add(values) {
    const now = Date.now();
    this.points.push({ at: now, values });
    while (this.points.length && this.points[0].at < now - MINUTES * 60000 - 2000) this.points.shift();
  }
}

function trace(points, curve, now, top) {
  let path = "";
  let last = null;
  for (const { at, values } of points) {
    const value = values[curve];
    if (value === null || value === undefined) {
      last = null;
      continue;
    }
    const x = 100 - ((now - at) / (MINUTES * 60000)) * 100;
    const y = 38 - (Math.min(value, top) / top) * 36;
    path += `${last !== null && at - last < GAP_MS ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`;
    last = at;
  }
  return path;
}

// The next of 1, 2, 5, 10, 20, 50 and so on.
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}
