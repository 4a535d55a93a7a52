/* Frames on a piano roll.
 *
 * Time is counted in frames, not in seconds, so that the roll stands still in a pause, goes on
 * without a hole, and shows a change of rate as a change of speed.
 */

import { RollView } from "./roll-view.js";

const KEEP = 400; // frames: more than the widest screen shows

export class FrameRoll extends RollView {
  #latest = null; // { n, due }
  #stepsPerBeat = 4;
  #interval = 0.125;
  #head = 0;

  /** Takes a frame when it is due. */
  add({ n, due, notes, fed, ink, cues }, controls) {
    if (this.#latest && n !== this.#latest.n + 1) this.held.clear();
    const sounding = new Set(notes);
    for (const pitch of this.held.keys()) if (!sounding.has(pitch)) this.letGo(pitch);
    for (const pitch of sounding) {
      const held = this.held.get(pitch);
      if (held && held.fed === Boolean(fed)) held.to = n + 1;
      else this.strike(pitch, { from: n, to: n + 1, ink, fed, struck: due });
    }
    this.cues.push(...cues.map(({ label }) => ({ at: n, text: label })));
    this.#latest = { n, due };
    if (controls?.rate) {
      this.#interval = 1 / controls.rate;
      this.#stepsPerBeat = Math.max(1, Math.round((controls.rate * 60) / controls.bpm));
    }
    this.moved(n - KEEP);
  }

  clear() {
    super.clear();
    this.#latest = null;
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    if (this.#latest) {
      const since = playing ? Math.max(0, Math.min(1, (time - this.#latest.due) / this.#interval)) : 1;
      this.#head = this.#latest.n + (this.calm ? 1 : since);
    }
    const step = this.step(70, 9, 22);
    this.draw(time, playing, this.#head, step, this.#lines(step));
  }

  #lines(step) {
    const [lines, beat] = [[], this.#stepsPerBeat];
    const first = Math.max(0, Math.ceil((this.#head - this.span(step)) / beat) * beat);
    for (let at = first; at <= this.#head + 60; at += beat) {
      lines.push({ at, light: at % (beat * 4) === 0 ? 0.085 : 0.03 });
    }
    return lines;
  }
}
