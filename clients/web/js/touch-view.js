/* A finger and its fading trace on a dark surface. */

import { drawTrail, glow, SERIF } from "./screen.js";

const TRAIL = 5; // s
const NEW_STROKE = 0.6; // s without a report after which the finger has been lifted

export class TouchView {
  #screen;
  #row = {};
  #trace = []; // { x, y, pressure, at, ink }

  constructor(screen) {
    this.#screen = screen;
  }

  get drawn() {
    return this.#trace.length;
  }

  /** Takes a value; the last of a row makes a point. */
  add({ due, event = {}, ink }) {
    if (event.end) this.#row = {};
    else Object.assign(this.#row, event);
    if (event.end || event.dt !== undefined) return;
    const { x = 0.5, y = 0.5, pressure = 0.5 } = this.#place();
    const last = this.#trace.at(-1);
    if (last?.at === due) Object.assign(last, { x, y, pressure });
    else this.#trace.push({ x, y, pressure, at: due, ink });
    while (due - this.#trace[0].at > 2 * TRAIL) this.#trace.shift();
    this.#screen.touch();
  }

  /** The first three values of a row, whatever they are called. */
  #place() {
    const [x, y, pressure] = Object.entries(this.#row).filter(([name]) => name !== "dt").map(([, value]) => value);
    return { x, y, pressure };
  }

  clear() {
    this.#row = {};
    this.#trace = [];
    this.#screen.touch();
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    if (!this.#screen.begin(playing)) return;
    const { pen, width, height } = this.#screen;
    const place = ({ x, y }) => [width * (0.06 + 0.88 * x), height * (0.94 - 0.88 * y)];
    const now = playing ? time : (this.#trace.at(-1)?.at ?? time);
    const points = this.#trace.map((point, k) => {
      const left = Math.max(0, 1 - Math.max(0, now - point.at) / TRAIL);
      const begins = k > 0 && point.at - this.#trace[k - 1].at > NEW_STROKE;
      const [x, y] = place(point);
      return { x, y, wide: 1.5 + 16 * point.pressure * left, light: 0.75 * left ** 1.5, begins };
    });
    drawTrail(pen, points, this.#trace.at(-1)?.ink);
    const tip = this.#trace.at(-1);
    if (!tip) return;
    const [x, y] = place(tip);
    glow(pen, x, y, 40 + 80 * tip.pressure, tip.ink, 0.5);
    pen.fillStyle = `rgb(${tip.ink})`;
    pen.beginPath();
    pen.arc(x, y, 4 + 12 * tip.pressure, 0, 7);
    pen.fill();
    pen.fillStyle = "rgba(240, 231, 214, 0.4)";
    pen.font = `italic 15px ${SERIF}`;
    pen.textAlign = "right";
    pen.textBaseline = "alphabetic";
    const values = Object.entries(this.#row).filter(([name]) => name !== "dt").slice(0, 8);
    pen.fillText(values.map(([name, value]) => `${name} ${value.toFixed(2)}`).join("   "), width - 34, height - 4);
  }
}
