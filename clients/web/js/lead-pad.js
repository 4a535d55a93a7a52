/* Nine buttons, one for each gesture, to lead an ensemble: by click, or by the keys 1 to 9. */

import { GESTURES } from "./band-view.js";

export class LeadPad {
  #buttons;
  #free;
  #lead;
  #held = null;

  /** @param lead (gesture or null) => plays the lead's part, or gives it back to the network. */
  constructor(root, lead) {
    this.#lead = lead;
    this.#buttons = GESTURES.map((name, gesture) => this.#button(name, gesture, `${gesture + 1}`));
    this.#free = this.#button("let the network lead", null, "0");
    root.append(...this.#buttons, this.#free);
    this.show(null);
  }

  /** Shows the lead's gesture; null while the network leads. */
  show(gesture) {
    this.#held = gesture;
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === gesture)));
    this.#free.disabled = gesture === null;
  }

  /** Handles a key; returns whether it was one of the pad's. */
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
