/* Seconds of music: the server's clock without the pauses. */

export class MusicTime {
  #shift = 0; // s of pauses so far
  #stopped = null;
  #now = 0;

  /** The current time of the music; to be called once a frame. */
  at(time, playing) {
    if (playing && this.#stopped !== null) {
      this.#shift += time - this.#stopped;
      this.#stopped = null;
    } else if (!playing) {
      this.#stopped ??= time;
    }
    this.#now = (this.#stopped ?? time) - this.#shift;
    return this.#now;
  }

  /** Converts a moment of the server's clock to the time of the music. */
  of(due) {
    return due - this.#shift;
  }

  clear() {
    this.#shift = 0;
    this.#stopped = null;
  }
}
