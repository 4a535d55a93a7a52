/* Changes of controls that wait for their beat or bar: what is told of them, and what is shown. */

import { blendLabel, round } from "./control-log.js";

/** What is to change of each control: { position, value } by name, `bpm` as the rate that it is. */
export class Pending {
  #coming = new Map();

  /** Takes a `controlled`, or one of the list in `opened`. */
  take({ position, controls, changed, cancelled = [], pending = false }) {
    for (const gone of cancelled) {
      for (const name of gone.changed.map(control)) {
        if (this.#coming.get(name)?.position === gone.position) this.#coming.delete(name);
      }
    }
    for (const name of changed.map(control)) {
      if (pending) this.#coming.set(name, { position, value: controls[name] });
      else this.#coming.delete(name);
    }
  }

  clear() {
    this.#coming.clear();
  }

  get(name) {
    return this.#coming.get(name);
  }
}

const control = (name) => (name === "bpm" ? "rate" : name);

// Where each control's value reads, and how.
const PLACES = {
  temperature: ["#temperature-value", round],
  rate: ["#rate-value", round],
  density: ["#density-value", round],
  velocity: ["#velocity-value", String],
  transpose: ["#transpose-value", String],
  artist: ["#blend h2", blendLabel],
  pitches: ["label[for=scale]", (value) => (typeof value === "string" ? value : value ? "chosen keys" : "all keys")],
};

/** Shows, beside each control's value, what it will be. */
export function showPending(pending, root) {
  for (const [name, [place, text]] of Object.entries(PLACES)) {
    const element = root.querySelector(place);
    const coming = pending.get(name);
    if (coming) element.dataset.next = text(coming.value);
    else delete element.dataset.next;
  }
}
