// One camera's live view: asks for the next image when it has shown the last one, and for none while it is hidden.

import { cameraPath } from "./api.js";
import { element, total, write } from "./dom.js";
import { LINE, ZONE, drawDetections, drawLine, drawTag, drawZone } from "./draw.js";

const RETRY_MS = 2000;

export class LiveView {
  constructor(camera, show, { small = false } = {}) {
    this.camera = camera;
    this.show = show;
    this.small = small;
    this.places = { zones: [], lines: [] };
    this.counts = {};
    this.onfirst = null; // called when there is an image
    this.overlay = null; // draws instead of the places while they are edited
    this.shown = 0;
    this.age = null;
    this.canvas = element("canvas", { className: "image", width: 16, height: 9 });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Live image of ${camera}`);
    this.notice = element("p", { className: "notice" }, "Waiting for the first image");
    this.caption = element("figcaption", {}, element("span", { className: "dot" }), camera, element("span", { className: "muted" }));
    this.figure = element("figure", { className: small ? "view small" : "view" }, this.canvas, this.notice, small ? this.caption : null);
    this._image = null;
    this._about = null;
    this._socket = null;
    this._wanted = false;
    this._retry = 0;
    this._reason = "";
    this._state = "";
    this._resized = new ResizeObserver(() => this.draw());
    this._resized.observe(this.figure);
    this._seen = small ? new IntersectionObserver(([entry]) => this._setVisible(entry.isIntersecting)) : null;
    this._visible = !small;
    this._seen?.observe(this.figure);
  }

  open() {
    this._wanted = true;
    this._connect();
  }

  pause() {
    this._wanted = false;
    clearTimeout(this._retry);
    this._socket?.close();
    this._socket = null;
  }

  close() {
    this.pause();
    this._resized.disconnect();
    this._seen?.disconnect();
    this._image?.close();
    this._image = null;
    this.figure.remove();
  }

  // What the camera does, in words, over the image; empty: nothing to tell.
  setState(words) {
    this._state = words;
    this._tell();
  }

  draw() {
    if (!this._about) return;
    this.canvas.style.setProperty("--ratio", this._about.width / this._about.height);
    const width = this.canvas.clientWidth;
    if (!width) return;
    const unit = Math.min(2, window.devicePixelRatio || 1);
    const size = { width: Math.round(width * unit), height: Math.round((width * unit * this._about.height) / this._about.width) };
    const canvas = this.canvas;
    if (canvas.width !== size.width || canvas.height !== size.height) [canvas.width, canvas.height] = [size.width, size.height];
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(this._image, 0, 0, size.width, size.height);
    const show = { boxes: this.show.boxes, labels: this.show.labels && !this.small };
    if (this.overlay) {
      drawDetections(context, this._about, size, unit, { boxes: show.boxes, labels: false });
      this.overlay(context, size, unit);
      return;
    }
    if (this.show.places) this._drawPlaces(context, size, unit);
    drawDetections(context, this._about, size, unit, show);
  }

  get size() {
    return this._about ? { width: this._about.width, height: this._about.height } : null;
  }

  _drawPlaces(context, size, unit) {
    for (const zone of this.places.zones) {
      drawZone(context, zone.points, size, unit);
      if (!this.small) {
        const [x, y] = zone.points.reduce((best, point) => (point[0] + point[1] < best[0] + best[1] ? point : best));
        drawTag(context, this._tag(zone.name), x * size.width + 5 * unit, y * size.height + 22 * unit, ZONE, size, unit);
      }
    }
    for (const line of this.places.lines) {
      drawLine(context, line.start, line.end, size, unit);
      if (!this.small) drawTag(context, this._tag(line.name), line.start[0] * size.width, line.start[1] * size.height - 6 * unit, LINE, size, unit);
    }
  }

  _tag(name) {
    const inside = this.counts[name]?.inside;
    return inside === undefined ? name : `${name}: ${total(inside)}`;
  }

  _setVisible(visible) {
    this._visible = visible;
    if (visible) this._connect();
    else this._socket?.close();
  }

  _connect() {
    if (!this._wanted || !this._visible || this._socket) return;
    const url = new URL(cameraPath(this.camera, "live"), document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this._socket = socket;
    socket.onopen = () => this._ask(socket);
    socket.onmessage = ({ data }) => this._take(socket, data);
    socket.onclose = ({ reason, code }) => {
      if (this._socket === socket) this._socket = null;
      if (!this._wanted) return;
      this._reason = code === 1013 || code === 1011 ? reason : "No connection. Trying again.";
      this._tell();
      clearTimeout(this._retry);
      this._retry = setTimeout(() => this._connect(), RETRY_MS);
    };
  }

  _ask(socket) {
    if (socket !== this._socket || socket.readyState !== WebSocket.OPEN) return;
    const width = this.canvas.clientWidth * Math.min(2, window.devicePixelRatio || 1);
    socket.send(String(Math.max(1, Math.min(4096, Math.round(width)))));
  }

  async _take(socket, data) {
    this._reason = "";
    if (typeof data !== "string") {
      const length = new DataView(data).getUint32(0);
      const about = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      let image;
      try {
        image = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
      } catch {
        this._ask(socket);
        return;
      }
      if (socket !== this._socket) {
        image.close();
        return;
      }
      await new Promise(requestAnimationFrame);
      this._image?.close();
      [this._image, this._about, this.age] = [image, about, about.age_ms];
      if (this.shown === 0) this.onfirst?.();
      this.shown += 1;
      this.figure.dataset.shown = this.shown;
      this.draw();
    }
    this._tell();
    this._ask(socket);
  }

  _tell() {
    const words = this._reason || this._state || (this._about ? "" : "Waiting for the first image");
    write(this.notice, words);
    this.notice.hidden = !words;
  }
}
