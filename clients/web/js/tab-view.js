/* Guitar tablature as it is played: six strings that swing, and frets that go by. */

import { drawCues, glow, playheadLine, SERIF } from "./screen.js";

const STRINGS = ["e", "B", "G", "D", "A", "E"]; // as guitarists draw them, the highest above
const HEAD = 0.8;
const NAMES = 44; // px on the left, for the strings' names
const KEEP = 200; // columns
const MONO = "'DejaVu Sans Mono', 'Liberation Mono', ui-monospace, monospace";

export class TabView {
  #screen;
  #calm;
  #frets = []; // { n, string, fret, ink, fed, struck }
  #bars = [];
  #cues = [];
  #swinging = new Array(STRINGS.length).fill(null); // each string's latest fret
  #latest = null;
  #interval = 0.125;
  #head = 0;

  constructor(screen, { calm }) {
    this.#screen = screen;
    this.#calm = calm;
  }

  get drawn() {
    return this.#frets.length;
  }

  /** Takes a column when it is due. */
  add({ n, due, text = "", event, fed, ink, cues }, controls) {
    if (text.startsWith("|") || text === "\n") this.#bars.push(n);
    this.#cues.push(...cues.map(({ label }) => ({ at: n, text: label })));
    if (event?.string) {
      const fret = { n, string: event.string - 1, fret: event.fret, ink, fed, struck: due };
      this.#frets.push(fret);
      if (!fed) this.#swinging[fret.string] = fret;
    } else if (event) {
      this.#swinging.fill(null); // a rest, or the end
    }
    this.#latest = { n, due };
    if (controls?.rate) this.#interval = 1 / controls.rate;
    for (const list of [this.#frets, this.#cues]) {
      while (list.length && (list[0].n ?? list[0].at) < n - KEEP) list.shift();
    }
    while (this.#bars.length && this.#bars[0] < n - KEEP) this.#bars.shift();
    this.#screen.touch();
  }

  clear() {
    this.#frets = [];
    this.#bars = [];
    this.#cues = [];
    this.#swinging.fill(null);
    this.#latest = null;
    this.#screen.touch();
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    if (!this.#screen.begin(playing)) return;
    const { pen, width, height } = this.#screen;
    if (this.#latest) {
      const since = playing ? Math.max(0, Math.min(1, (time - this.#latest.due) / this.#interval)) : 1;
      this.#head = this.#latest.n + (this.#calm() ? 0 : since);
    }
    const step = Math.max(16, Math.min(38, width / 40));
    const lane = Math.min(height / 8, 120);
    const top = height / 2 - 2.5 * lane;
    const x = (n) => width * HEAD + (n - this.#head) * step;

    for (const n of this.#bars) {
      pen.fillStyle = "rgba(240, 231, 214, 0.22)";
      pen.fillRect(Math.round(x(n) - step / 2), top, 1, 5 * lane);
    }
    STRINGS.forEach((name, i) => this.#drawString(pen, name, i, top + i * lane, time, playing));
    drawCues(pen, this.#cues, x, height);
    for (const fret of this.#frets) {
      const at = x(fret.n);
      if (at > NAMES + step / 2) this.#drawFret(pen, fret, at, top + fret.string * lane, lane, time, playing);
    }
    playheadLine(pen, width * HEAD, height);
  }

  #drawString(pen, name, i, y, time, playing) {
    const { width } = this.#screen;
    const swings = playing ? this.#swinging[i] : null;
    const age = swings ? Math.max(0, time - swings.struck) : 0;
    const wide = swings && !this.#calm() ? 7 * Math.exp(-age * 2.2) : 0;
    pen.lineWidth = 0.8 + i * 0.35; // the low ones are wound
    pen.strokeStyle = swings
      ? `rgba(${swings.ink}, ${0.2 + 0.5 * Math.exp(-age * 1.5)})`
      : "rgba(240, 231, 214, 0.2)";
    pen.beginPath();
    for (let at = NAMES; at <= width; at += 12) {
      const swing = wide && Math.sin((at / width) * Math.PI) * Math.sin(time * 55 + i);
      pen.lineTo(at, y + wide * swing);
    }
    pen.stroke();
    pen.fillStyle = "rgba(240, 231, 214, 0.5)";
    pen.font = `italic 18px ${SERIF}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(name, 24, y);
  }

  #drawFret(pen, { fret, ink, fed, struck, string }, x, y, lane, time, playing) {
    const age = Math.max(0, time - struck);
    const size = Math.min(lane * 0.55, 42);
    const sounds = playing && this.#swinging[string]?.struck === struck;
    const faded = Math.max(0.3, 0.85 - (this.#screen.width * HEAD - x) / 1800);
    pen.font = `${fed ? "italic " : ""}${size}px ${MONO}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const box = pen.measureText(String(fret)).width + 4;
    pen.globalCompositeOperation = "destination-out"; // cuts the string out behind a number
    pen.fillRect(x - box / 2, y - 4, box, 8);
    pen.globalCompositeOperation = "source-over";
    if (sounds && !fed) glow(pen, x, y, size * (1 + Math.exp(-age * 3)), ink, 0.55 * Math.exp(-age * 2));
    const rings = sounds ? (1 - faded) * Math.exp(-age * 1.2) : 0;
    pen.fillStyle = `rgba(${ink}, ${fed ? 0.5 : faded + rings})`;
    pen.fillText(String(fret), x, y + 1);
  }
}
