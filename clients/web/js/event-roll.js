/* Events on a piano roll: keys that go down and up with their velocity, and the notes of ABC. */

import { MusicTime } from "./music-time.js";
import { RollView } from "./roll-view.js";

const KEEP = 40; // s
const LONGEST = 5; // s; a network may forget to release a key, and the server ends it after that

export class EventRoll extends RollView {
  #music = new MusicTime();
  #bars = []; // where bar lines are
  #barAhead = false; // whether a bar line stands behind the note being read

  /** Takes a symbol when it is due. */
  add({ due, event, velocity = 64, sounds, text, fed, ink, cues }) {
    const at = this.#music.of(due);
    this.cues.push(...cues.map(({ label }) => ({ at, text: label })));
    for (const [pitch, note] of this.held) {
      if (at - note.from > LONGEST) this.#end(pitch, note.from + LONGEST);
    }
    if (sounds) this.#spelt(sounds, text, at, { ink, fed, struck: due });
    else this.#performed(event ?? {}, at, { force: velocity / 127, ink, fed, struck: due });
    this.moved(at - KEEP);
    while (this.#bars.length && this.#bars[0] < at - KEEP) this.#bars.shift();
  }

  clear() {
    super.clear();
    this.#music.clear();
    this.#bars = [];
    this.#barAhead = false;
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    const head = this.#music.at(time, playing);
    const step = this.step(9, 70, 150);
    this.draw(time, playing, head, step, this.#bars.map((at) => ({ at, light: 0.1 })));
  }

  #performed({ on, off, end }, at, look) {
    if (end) for (const pitch of [...this.held.keys()]) this.#end(pitch, at);
    if (off !== undefined) this.#end(off, at);
    if (on === undefined) return;
    this.#end(on, at);
    this.strike(on, { from: at, to: Infinity, ...look });
  }

  #spelt(sounds, text, at, look) {
    this.#barAhead ||= /^[:|]/.test(text);
    if (!sounds.length) return;
    for (const pitch of [...this.held.keys()]) this.#end(pitch, at);
    for (const { pitch, seconds } of sounds) {
      if (pitch !== null) this.strike(pitch, { from: at, to: at + seconds * 0.96, ...look });
      if (this.#barAhead) this.#bars.push(at + seconds);
    }
    this.#barAhead = false;
  }

  #end(pitch, at) {
    const note = this.letGo(pitch);
    if (note) note.to = Math.min(note.to, at);
  }
}
