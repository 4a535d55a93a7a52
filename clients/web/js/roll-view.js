/* A piano roll: notes move from the playhead to the left, and sounding ones glow.
 *
 * Positions are in units: frames, or seconds of music. `frame-roll.js` and `event-roll.js` say
 * which notes begin and end, and where the head is.
 */

import { drawCues, glow, playheadLine, SERIF } from "./screen.js";

const LOWEST = 21;
const HIGHEST = 108;
export const HEAD = 0.8; // the playhead's place, as a share of the width from the left
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export class RollView {
  cues = []; // { at, text }
  #screen;
  #calm;
  #notes = []; // { pitch, from, to, ink, fed, force, struck }
  #held = new Map(); // pitch -> note
  #low = 48;
  #high = 84;

  constructor(screen, { calm }) {
    this.#screen = screen;
    this.#calm = calm;
  }

  get drawn() {
    return this.#notes.length;
  }

  get calm() {
    return this.#calm();
  }

  get held() {
    return this.#held;
  }

  /** A note begins. `force` 0 to 1; `struck` the time of the stroke, for its glow. */
  strike(pitch, { from, to, ink, fed, force = 0.8, struck }) {
    const note = { pitch, from, to, ink, fed: Boolean(fed), force, struck };
    this.#held.set(pitch, note);
    this.#notes.push(note);
    return note;
  }

  letGo(pitch) {
    const note = this.#held.get(pitch);
    this.#held.delete(pitch);
    return note;
  }

  /** Something is new; notes and cues before `oldest` are dropped. */
  moved(oldest) {
    this.#screen.touch();
    if (this.#notes.length && this.#notes[0].to < oldest) {
      this.#notes = this.#notes.filter((note) => note.to >= oldest);
    }
    while (this.cues.length && this.cues[0].at < oldest) this.cues.shift();
  }

  clear() {
    this.#notes = [];
    this.cues = [];
    this.#held.clear();
    this.#screen.touch();
  }

  /**
   * Draws.
   *
   * @param head the playhead's position; @param step pixels for each unit.
   * @param lines vertical lines: [{ at, light }].
   */
  draw(time, playing, head, step, lines) {
    if (!this.#screen.begin(playing)) return;
    const { pen, width, height } = this.#screen;
    const first = head - (width * HEAD) / step - 1;
    const x = (at) => width * HEAD + (at - head) * step;
    const visible = this.#notes.filter((note) => note.to > first);
    this.#fit(visible);
    const lane = height / (this.#high - this.#low + 1);
    const y = (pitch) => height - (pitch - this.#low + 1) * lane;

    this.#drawOctaves(pen, y, lane);
    for (const { at, light } of lines) {
      pen.fillStyle = `rgba(240, 231, 214, ${light})`;
      pen.fillRect(Math.round(x(at)), 0, 1, height);
    }
    drawCues(pen, this.cues.filter(({ at }) => at > first - 40), x, height);
    for (const note of visible) {
      const right = Math.min(x(note.to), x(head)) - 1;
      const sounds = playing && this.#held.get(note.pitch) === note && !note.fed;
      const distance = Math.max(0, x(head) - right) / 1200;
      const top = y(note.pitch);
      this.#drawNote(pen, note, { left: x(note.from) + 1, right, top, lane, distance, sounds, time });
    }
    playheadLine(pen, width * HEAD, height);
  }

  /** Pixels for each unit if the width shows so many units, within bounds. */
  step(units, least, most) {
    return Math.max(least, Math.min(most, this.#screen.width / units));
  }

  /** How many units the screen shows. */
  span(step) {
    return this.#screen.width / step;
  }

  /** Keeps the pitches of the visible notes in view, without jumps. */
  #fit(visible) {
    if (!visible.length) return;
    const pitches = visible.map((note) => note.pitch);
    const centre = (Math.min(...pitches) + Math.max(...pitches)) / 2;
    const reach = Math.max(15, (Math.max(...pitches) - Math.min(...pitches)) / 2 + 4);
    const ease = this.#calm() ? 1 : 0.04;
    this.#low += (Math.max(LOWEST - 1, centre - reach) - this.#low) * ease;
    this.#high += (Math.min(HIGHEST + 1, centre + reach) - this.#high) * ease;
  }

  #drawOctaves(pen, y, lane) {
    pen.font = `italic 13px ${SERIF}`;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (let pitch = Math.ceil(this.#low); pitch <= this.#high; pitch += 1) {
      if (pitch % 12 !== 0) continue;
      const at = Math.round(y(pitch) + lane);
      pen.fillStyle = "rgba(240, 231, 214, 0.07)";
      pen.fillRect(0, at, this.#screen.width, 1);
      pen.fillStyle = "rgba(240, 231, 214, 0.34)";
      pen.fillText(`C${pitch / 12 - 1}`, 14, at - lane / 2);
    }
  }

  #drawNote(pen, note, { left, right, top, lane, distance, sounds, time }) {
    const width = Math.max(2, right - left);
    const thick = Math.max(3, Math.min(lane - 2, 20) * (0.55 + 0.56 * note.force));
    const middle = top + lane / 2;
    const light = (sounds ? 1 : Math.max(0.22, 0.72 - distance * 0.45)) * (0.45 + 0.69 * note.force);
    pen.beginPath();
    pen.roundRect(left, middle - thick / 2, width, thick, Math.min(thick / 2, width / 2));
    if (note.fed) {
      pen.strokeStyle = `rgba(${note.ink}, 0.5)`;
      pen.stroke();
      return;
    }
    pen.fillStyle = `rgba(${note.ink}, ${Math.min(1, light)})`;
    pen.fill();
    if (!sounds) return;
    const age = Math.max(0, time - note.struck);
    const radius = thick * (2.2 + 2.5 * Math.exp(-age * 3));
    glow(pen, right, middle, radius, note.ink, (0.16 + 0.5 * Math.exp(-age * 4)) * (0.3 + 0.9 * note.force));
    pen.fillStyle = `rgba(${note.ink}, 0.8)`;
    pen.fillText(NAMES[note.pitch % 12], right + 14, middle);
  }
}
