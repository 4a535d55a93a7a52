/* The server's clock, as seen from here.
 *
 * Each ping gives four times: t0 sent and t3 received on our clock, t1 received and t2 sent on
 * the server's. The shorter a round trip, the less its two ways can have differed, so the quickest
 * of the last pings gives the best estimate. Older samples are dropped, since the clocks drift.
 */

export const now = () => performance.now() / 1000;

export class ClockSync {
  #samples = [];
  #keep;
  #guess = 0;

  constructor({ keep = 12 } = {}) {
    this.#keep = keep;
  }

  /** Starts again from the time in a `hello`: too low by the time that the message travelled. */
  begin(serverTime, local) {
    this.#samples = [];
    this.#guess = serverTime - local;
  }

  /** Takes a ping's four times, in seconds. */
  add(t0, t1, t2, t3) {
    const delay = Math.max(0, t3 - t0 - (t2 - t1));
    this.#samples.push({ offset: (t1 + t2 - t0 - t3) / 2, delay });
    if (this.#samples.length > this.#keep) this.#samples.shift();
  }

  /** The server's clock minus ours. */
  get offset() {
    return this.#best()?.offset ?? this.#guess;
  }

  /** The round trip of the latest ping, in seconds; undefined before the first. */
  get roundTrip() {
    return this.#samples.at(-1)?.delay;
  }

  /** The time on the server's clock. */
  serverTime(local) {
    return local + this.offset;
  }

  #best() {
    return this.#samples.reduce((a, b) => (a && a.delay <= b.delay ? a : b), undefined);
  }
}
