/* The canvas that the views of music draw on, one at a time; sharp on every display. */

const SETTLED = 90; // frames without news after which nothing moves, and drawing stops

export class Screen {
  width = 0;
  height = 0;
  pen;
  #canvas;
  #still = 0; // frames drawn since anything moved

  constructor(canvas) {
    this.#canvas = canvas;
    this.pen = canvas.getContext("2d");
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  /** Something is new: drawing goes on. */
  touch() {
    this.#still = 0;
  }

  /** An empty canvas to draw on; false if nothing has moved for a while. */
  begin(playing) {
    this.#still = playing ? 0 : this.#still + 1;
    if (!this.width || this.#still > SETTLED) return false;
    this.pen.clearRect(0, 0, this.width, this.height);
    return true;
  }

  #resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.#still = 0;
    this.width = this.#canvas.clientWidth;
    this.height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.width * ratio);
    this.#canvas.height = Math.round(this.height * ratio);
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
}

export const SERIF = "'Iowan Old Style', 'Palatino Linotype', Palatino, P052, Georgia, serif";

/** A light that fades outwards. */
export function glow(pen, x, y, radius, ink, strength) {
  const light = pen.createRadialGradient(x, y, 0, x, y, radius);
  light.addColorStop(0, `rgba(${ink}, ${strength})`);
  light.addColorStop(1, `rgba(${ink}, 0)`);
  pen.fillStyle = light;
  pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}

/** The vertical line of the playhead. */
export function playheadLine(pen, at, height) {
  const line = pen.createLinearGradient(0, 0, 0, height);
  line.addColorStop(0, "rgba(240, 231, 214, 0)");
  line.addColorStop(0.5, "rgba(240, 231, 214, 0.32)");
  line.addColorStop(1, "rgba(240, 231, 214, 0)");
  pen.fillStyle = line;
  pen.fillRect(Math.round(at), 0, 1, height);
}

/** A change by the performer, at its place in time. */
export function drawCues(pen, cues, x, height) {
  pen.font = `italic 13px ${SERIF}`;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  cues.forEach((cue, row) => {
    pen.fillStyle = "rgba(246, 205, 146, 0.26)";
    pen.fillRect(Math.round(x(cue.at)), 0, 1, height);
    pen.fillStyle = "rgba(246, 205, 146, 0.8)";
    pen.fillText(cue.text, x(cue.at) + 7, height - 16 - (row % 4) * 18);
  });
}

/**
 * The trace of a finger: [{ x, y, wide, light, begins }], in pixels, from the oldest.
 *
 * Each part is a curve from the middle of one segment to the middle of the next, with the point
 * between as its control point, so that the trace is round. The parts do not overlap, so that it
 * shines evenly.
 */
export function drawTrail(pen, points, ink) {
  pen.lineCap = "butt";
  for (let k = 1; k < points.length; k += 1) {
    const [from, to] = [points[k - 1], points[k]];
    if (to.begins || to.light <= 0) continue;
    const first = k === 1 || from.begins;
    const last = !points[k + 1] || points[k + 1].begins;
    const before = first ? from : points[k - 2];
    const [endX, endY] = last ? [to.x, to.y] : [(from.x + to.x) / 2, (from.y + to.y) / 2];
    pen.strokeStyle = `rgba(${ink}, ${to.light})`;
    pen.lineWidth = to.wide;
    pen.beginPath();
    pen.moveTo((before.x + from.x) / 2, (before.y + from.y) / 2);
    pen.quadraticCurveTo(from.x, from.y, endX, endY);
    pen.stroke();
    const ahead = Math.atan2(to.y - from.y, to.x - from.x);
    pen.fillStyle = pen.strokeStyle;
    if (first) roundEnd(pen, from, to.wide, ahead + Math.PI);
    if (last) roundEnd(pen, to, to.wide, ahead);
  }
}

function roundEnd(pen, { x, y }, wide, ahead) {
  pen.beginPath();
  pen.arc(x, y, wide / 2, ahead - Math.PI / 2, ahead + Math.PI / 2);
  pen.fill();
}
