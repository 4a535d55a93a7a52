/* Nine gestures under the hand, to lead an ensemble with: by click, or by the keys 1 to 9. */

import { GESTURES } from "./band-view.js";

export class LeadPad {
  #buttons;
  #free;
  #lead;
  #held = null;

  /** @param lead (gesture or null) => takes the lead's part, or gives it back. */
  constructor(root, lead) {
    this.#lead = lead;
    this.#buttons = GESTURES.map((name, gesture) => this.#button(name, gesture, `${gesture + 1}`));
    this.#free = this.#button("let the network lead", null, "0");
    root.append(...this.#buttons, this.#free);
    this.show(null);
  }

  /** Shows what the lead holds; null while the network leads. */
  show(gesture) {
    this.#held = gesture;
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === gesture)));
    this.#free.disabled = gesture === null;
  }

  /** Whether a key was for the pad. */
  key({ key, target, ctrlKey, altKey, metaKey, repeat }) {
    if (ctrlKey || altKey || metaKey || !/^\d$/.test(key)) return false;
    if (target.matches("select, textarea, input:not([type=range])")) return false;
    if (!repeat) this.#lead(key === "0" ? null : Number(key) - 1);
    return true;
  }

  #button(name, gesture, key) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `Key ${key}`;
    button.append(Object.assign(document.createElement("kbd"), { textContent: key }), ` ${name}`);
    button.addEventListener("click", () => this.#lead(gesture === this.#held ? null : gesture));
    return button;
  }
}
