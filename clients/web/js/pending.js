/* Pending changes of controls, which wait for their beat or bar, and how the page shows them. */

import { blendLabel, round } from "./control-log.js";

/** The pending change of each control: { position, value } by name, with `bpm` as a rate. */
export class Pending {
  #coming = new Map();

  /** Takes a `controlled`, or an entry of the `pending` list in `opened`. */
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

// The element that shows each control's value, and the value's text.
const PLACES = {
  temperature: ["#temperature-value", round],
  rate: ["#rate-value", round],
  density: ["#density-value", round],
  velocity: ["#velocity-value", String],
  transpose: ["#transpose-value", String],
  artist: ["#blend h2", blendLabel],
  pitches: ["label[for=scale]", (value) => (typeof value === "string" ? value : value ? "chosen keys" : "all keys")],
};

/** Shows the pending value beside each control's value. */
export function showPending(pending, root) {
  for (const [name, [place, text]] of Object.entries(PLACES)) {
    const element = root.querySelector(place);
    const coming = pending.get(name);
    if (coming) element.dataset.next = text(coming.value);
    else delete element.dataset.next;
  }
}
