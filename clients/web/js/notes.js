/* Frames to notes: a pitch in successive frames is one held note, until a frame lacks it. */

export class NoteTracker {
  #held = new Set();
  #last = null;

  /** Takes a frame; returns the notes that begin and end with it.
   *
   * @param n the frame's number; after a missing frame every note is struck again.
   * @param pitches MIDI pitches that sound in it.
   * @returns { on, off }: pitches.
   */
  frame(n, pitches) {
    const off = [];
    if (this.#last !== null && n !== this.#last + 1) off.push(...this.release());
    this.#last = n;
    const sounding = new Set(pitches);
    for (const pitch of this.#held) if (!sounding.has(pitch)) off.push(pitch);
    const on = [...sounding].filter((pitch) => !this.#held.has(pitch));
    this.#held = sounding;
    return { on, off };
  }

  /** Ends all notes; returns those that were held. */
  release() {
    const held = [...this.#held];
    this.#held = new Set();
    this.#last = null;
    return held;
  }
}
