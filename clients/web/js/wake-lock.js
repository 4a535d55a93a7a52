/* Keeps the screen on while something plays: nobody touches a phone on a music stand.
 *
 * Browsers grant the lock in secure contexts only (https, or the same machine), release it whenever
 * the page is hidden, and may refuse it, as when the battery is low. None of that is an error.
 */

export class WakeLock {
  #locks;
  #page;
  #lock = null;
  #wanted = false;
  #asking = false;

  /** @param locks `navigator.wakeLock`, or undefined. @param page the document. */
  constructor(locks = navigator.wakeLock, page = document) {
    this.#locks = locks;
    this.#page = page;
    page.addEventListener("visibilitychange", () => this.#ask());
    page.addEventListener("pointerdown", () => this.#ask()); // some want a gesture first
  }

  get held() {
    return this.#lock !== null;
  }

  /** Says whether the screen has to stay on from now on. */
  want(wanted) {
    this.#wanted = wanted;
    if (wanted) this.#ask();
    else this.#letGo();
  }

  async #ask() {
    if (!this.#locks || !this.#wanted || this.#lock || this.#asking || this.#page.hidden) return;
    this.#asking = true;
    try {
      const lock = await this.#locks.request("screen");
      this.#lock = lock;
      lock.addEventListener("release", () => {
        if (this.#lock === lock) this.#lock = null;
      });
      if (lock.released) this.#lock = null; // hidden meanwhile
    } catch {
      // Refused; it is asked for again when the page is seen or touched again.
    }
    this.#asking = false;
    if (!this.#wanted) this.#letGo(); // paused meanwhile
  }

  #letGo() {
    const lock = this.#lock;
    this.#lock = null;
    lock?.release().catch(() => {});
  }
}
