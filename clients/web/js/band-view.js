/* An ensemble: its players, what each is doing, and where the fingers are. */

import { drawTrail, glow, SERIF } from "./screen.js";

export const GESTURES = [
  "rest", "fast taps", "slow taps", "fast swipe", "faster and faster",
  "very slow swirl", "big swirl", "small swirl", "a bit of all",
];
const PLAYERS = ["lead", "first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
const INKS = [
  "246, 205, 146", "150, 196, 240", "190, 225, 170", "235, 160, 170",
  "205, 180, 245", "140, 220, 215", "240, 225, 130", "215, 190, 170",
];
const SHAPE = 1.6; // width to height of a player's place, as far as there is room
const TRAIL = 1.4; // s for which a finger's trace is visible

/** The places of all players, in rows that fill the width, so that no place is empty. If the rows
 * differ, the upper ones have fewer players, so that the lead has more room.
 *
 * @returns [{ x, y, wide, high }] in the units of `width`, `height` and `gap`.
 */
export function seats(count, width, height, gap) {
  let best = [];
  let least = Infinity;
  for (let rows = 1; rows <= count; rows += 1) {
    const high = (height - (rows - 1) * gap) / rows;
    const places = [];
    for (let row = 0; row < rows; row += 1) {
      const here = Math.floor(((row + 1) * count) / rows) - Math.floor((row * count) / rows);
      const wide = (width - (here - 1) * gap) / here;
      for (let k = 0; k < here; k += 1) places.push({ x: k * (wide + gap), y: row * (high + gap), wide, high });
    }
    const off = places.reduce((sum, { wide }) => sum + Math.abs(Math.log(wide / high / SHAPE)), 0);
    if (off < least) [best, least] = [places, off];
  }
  return best;
}

export class BandView {
  #screen;
  #calm;
  #players = []; // as many as symbols have named so far

  constructor(screen, { calm }) {
    this.#screen = screen;
    this.#calm = calm;
  }

  get drawn() {
    return this.#players.filter(({ gesture }) => gesture !== null).length;
  }

  /** Takes a gesture, or a touch, when it is due. */
  add({ due, event, touch, fed }) {
    this.#screen.touch();
    if (touch) {
      const player = this.#player(touch.player);
      const began = touch.down && !player.trace.at(-1)?.down;
      player.trace.push({ ...touch, at: due, began });
      while (player.trace.length > 200 || due - player.trace[0]?.at > TRAIL) player.trace.shift();
      return;
    }
    if (event?.end) for (const player of this.#players) Object.assign(player, this.#nobody());
    if (event?.player === undefined) return;
    const player = this.#player(event.player);
    if (player.gesture !== event.gesture) Object.assign(player, { gesture: event.gesture, since: due });
    player.led = Boolean(fed);
  }

  clear() {
    this.#players = [];
    this.#screen.touch();
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    if (!this.#screen.begin(playing)) return;
    const { width, height } = this.#screen;
    const gap = Math.min(26, width / 40);
    const side = Math.max(gap, width * 0.03);
    const places = seats(this.#players.length, width - 2 * side, height - 8, gap);
    places.forEach(({ x, y, wide, high }, i) => {
      this.#drawPlayer(this.#players[i], i, { x: side + x, y: 4 + y, wide, high }, time, playing);
    });
  }

  #player(number) {
    const place = number % PLAYERS.length;
    while (this.#players.length <= place) this.#players.push(this.#nobody());
    return this.#players[place];
  }

  #nobody() {
    return { gesture: null, since: 0, led: false, trace: [] };
  }

  #drawPlayer({ gesture, since, led, trace }, i, { x, y, wide, high }, time, playing) {
    const { pen } = this.#screen;
    const ink = INKS[i];
    const busy = playing && gesture > 0;
    const fresh = playing ? Math.exp(-Math.max(0, time - since) * 1.4) : 0;
    const scale = Math.max(0.4, Math.min(1.6, wide / SHAPE / 300, high / 300)); // of texts and lines
    const margin = Math.max(11, Math.min(30, 22 * scale));
    pen.save();
    pen.beginPath();
    pen.roundRect(x, y, wide, high, Math.max(10, 18 * scale));
    pen.fillStyle = `rgba(${ink}, ${(busy ? 0.05 : 0.018) + 0.09 * fresh})`;
    pen.fill();
    pen.lineWidth = led ? 2 : 1;
    pen.strokeStyle = `rgba(${ink}, ${led ? 0.75 : busy ? 0.28 : 0.12})`;
    pen.stroke();
    pen.clip();
    if (playing) this.#drawTrace(trace, ink, { x, y, wide, high, scale }, time);
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    pen.fillStyle = `rgba(${ink}, 0.72)`;
    const small = Math.max(15, Math.min(34, 22 * scale));
    pen.font = `italic ${small}px ${SERIF}`;
    pen.fillText(PLAYERS[i] + (led ? " · led by hand" : ""), x + margin, y + margin + 0.75 * small);
    const name = gesture === null ? "…" : GESTURES[gesture] ?? `gesture ${gesture}`;
    let size = Math.max(17, Math.min(high * 0.24, wide / 8.2));
    pen.font = `${size}px ${SERIF}`;
    size *= Math.min(1, (wide - 2 * margin) / pen.measureText(name).width);
    pen.font = `${size}px ${SERIF}`;
    pen.fillStyle = `rgba(${gesture ? "240, 231, 214" : ink}, ${gesture ? 0.78 + 0.22 * fresh : 0.4})`;
    pen.fillText(name, x + margin, y + high - 1.2 * margin);
    pen.restore();
  }

  #drawTrace(trace, ink, { x, y, wide, high, scale }, time) {
    const { pen } = this.#screen;
    const place = (point) => [x + wide * (0.08 + 0.84 * point.x), y + high * (0.92 - 0.84 * point.y)];
    const points = trace.map((point, k) => {
      const left = Math.max(0, 1 - Math.max(0, time - point.at) / TRAIL);
      const [px, py] = place(point);
      const begins = point.began || !trace[k - 1]?.down;
      return { x: px, y: py, wide: scale * (2 + 7 * left), light: 0.75 * left, begins, began: point.began, left };
    });
    drawTrail(pen, points, ink);
    pen.lineWidth = 2 * Math.max(0.6, scale);
    for (const { x: px, y: py, began, left } of points) {
      if (!began || !left) continue;
      pen.strokeStyle = `rgba(${ink}, ${0.8 * left})`;
      pen.beginPath();
      pen.arc(px, py, scale * (this.#calm() ? 16 : 10 + 46 * (1 - left)), 0, 7);
      pen.stroke();
    }
    const last = trace.at(-1);
    if (last?.down) glow(pen, ...place(last), 46 * scale, ink, 0.7);
  }
}
