// Draws on a canvas: detections, zones and lines. Sizes are in CSS pixels; `unit` is the canvas's pixels for one.

// A narrow image has room for smaller and shorter words.
const isNarrow = (size, unit) => size.width / unit < 520;

export function drawDetections(context, about, size, unit, show) {
  const sx = size.width / about.width;
  const sy = size.height / about.height;
  const worstFirst = [...about.detections].reverse();
  context.lineJoin = "round";
  if (show.boxes) {
    for (const { box, color } of worstFirst) {
      const [left, top, right, bottom] = [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy];
      context.strokeStyle = "rgb(0 0 0 / 45%)";
      context.lineWidth = 4 * unit;
      context.strokeRect(left, top, right - left, bottom - top);
      context.strokeStyle = color;
      context.lineWidth = 2 * unit;
      context.strokeRect(left, top, right - left, bottom - top);
    }
  }
  if (show.labels) {
    for (const { box, color, label, score, track } of worstFirst) {
      const number = track === null ? "" : ` #${track}`;
      const text = isNarrow(size, unit) ? label + number : `${label}${number} ${score.toFixed(2)}`;
      drawTag(context, text, box[0] * sx, box[1] * sy, color, size, unit);
    }
  }
}

// A plate with text whose lower left corner is at (x, y), moved into the image.
export function drawTag(context, text, x, y, color, size, unit) {
  const letters = (isNarrow(size, unit) ? 10 : 12) * unit;
  context.font = `600 ${letters}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const height = 1.5 * letters;
  const width = context.measureText(text).width + 0.8 * letters;
  const left = Math.max(0, Math.min(x - unit, size.width - width));
  const top = Math.max(0, Math.min(y - height, size.height - height));
  context.fillStyle = color;
  context.beginPath();
  context.roundRect(left, top, width, height, 3 * unit);
  context.fill();
  context.fillStyle = inkOn(color);
  context.fillText(text, left + 0.4 * letters, top + height / 2 + 0.5 * unit);
}

export const ZONE = "#14b8a6";
export const LINE = "#f59e0b";

export function drawZone(context, points, size, unit, { chosen = false, open = false } = {}) {
  if (points.length === 0) return;
  context.beginPath();
  points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x * size.width, y * size.height));
  if (!open) context.closePath();
  context.fillStyle = chosen ? "rgb(20 184 166 / 30%)" : "rgb(20 184 166 / 14%)";
  if (!open) context.fill();
  outline(context, ZONE, unit, chosen);
}

// The arrow stands in the middle and points to the side that is "in".
export function drawLine(context, start, end, size, unit, { chosen = false } = {}) {
  const [ax, ay, bx, by] = [start[0] * size.width, start[1] * size.height, end[0] * size.width, end[1] * size.height];
  context.beginPath();
  context.moveTo(ax, ay);
  context.lineTo(bx, by);
  outline(context, LINE, unit, chosen);
  const length = Math.hypot(bx - ax, by - ay);
  if (length < 8 * unit) return;
  const [nx, ny] = [-(by - ay) / length, (bx - ax) / length]; // to the right of who walks from start to end
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  const reach = (isNarrow(size, unit) ? 18 : 30) * unit;
  const [tx, ty] = [mx + nx * reach, my + ny * reach];
  context.beginPath();
  context.moveTo(mx, my);
  context.lineTo(tx, ty);
  context.moveTo(tx - nx * 9 * unit - ny * 7 * unit, ty - ny * 9 * unit + nx * 7 * unit);
  context.lineTo(tx, ty);
  context.lineTo(tx - nx * 9 * unit + ny * 7 * unit, ty - ny * 9 * unit - nx * 7 * unit);
  outline(context, LINE, unit, chosen);
  context.font = `700 ${12 * unit}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 3 * unit;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.fillStyle = "#fff";
  const [lx, ly] = [tx + nx * 12 * unit, ty + ny * 12 * unit];
  context.strokeText("in", lx, ly);
  context.fillText("in", lx, ly);
  context.textAlign = "start";
}

export function drawHandle(context, [x, y], size, unit, color, small = false) {
  context.beginPath();
  context.arc(x * size.width, y * size.height, (small ? 4 : 7) * unit, 0, 2 * Math.PI);
  context.fillStyle = small ? "rgb(255 255 255 / 70%)" : "#fff";
  context.fill();
  context.lineWidth = (small ? 1.5 : 3) * unit;
  context.strokeStyle = color;
  context.stroke();
}

function outline(context, color, unit, chosen) {
  context.lineCap = "round";
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.lineWidth = (chosen ? 5.5 : 4) * unit;
  context.stroke();
  context.strokeStyle = color;
  context.lineWidth = (chosen ? 3 : 2) * unit;
  context.stroke();
}

function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 130 ? "#000" : "#fff";
}
