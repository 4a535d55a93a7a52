/* Holds symbols until they are due, and then shows them.
 *
 * While the page is visible, the queue is checked once a frame. A hidden page gets no frames, so
 * there a timer, though often late, keeps the queue from growing.
 */

const HALF_FRAME = 0.008; // s; a symbol due within the next frame belongs to it
const FURTHEST = 0.5; // s; the server never sends so far ahead, so then our clock must be wrong

export class Playhead {
  #queue = [];
  #serverTime;
  #show;
  #timer = null;

  /**
   * @param serverTime () => the time on the server's clock.
   * @param show (symbol, time) => shows one.
   */
  constructor(serverTime, show) {
    this.#serverTime = serverTime;
    this.#show = show;
  }

  get waiting() {
    return this.#queue.length;
  }

  push(symbol) {
    const at = Math.min(symbol.due, this.#serverTime() + FURTHEST);
    this.#queue.push({ symbol, at });
    if (document.hidden) this.#timer ??= setTimeout(() => this.#tick(), 100);
  }

  /** Shows what is due; to be called once a frame. */
  frame() {
    const time = this.#serverTime();
    let count = 0;
    while (count < this.#queue.length && this.#queue[count].at <= time + HALF_FRAME) {
      this.#show(this.#queue[count].symbol, time);
      count += 1;
    }
    if (count) this.#queue.splice(0, count);
  }

  clear() {
    this.#queue = [];
  }

  #tick() {
    this.frame();
    const more = this.#queue.length && document.hidden;
    this.#timer = more ? setTimeout(() => this.#tick(), 100) : null;
  }
}
