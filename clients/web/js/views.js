/* The view of each domain: written text, drawn music, or both. */

import { BandView } from "./band-view.js";
import { EventRoll } from "./event-roll.js";
import { FrameRoll } from "./frame-roll.js";
import { Screen } from "./screen.js";
import { TabView } from "./tab-view.js";
import { TouchView } from "./touch-view.js";

const WRITTEN = ["text", "abc", "playlist"];

export class Views {
  #text;
  #drawn;

  /** @param canvas where music is drawn; @param text a TextView. @param calm () => no motion. */
  constructor(canvas, text, { calm }) {
    const screen = new Screen(canvas);
    const events = new EventRoll(screen, { calm });
    this.#text = text;
    this.#drawn = {
      pianoroll: new FrameRoll(screen, { calm }),
      performance: events,
      abc: events,
      tablature: new TabView(screen, { calm }),
      ensemble: new BandView(screen, { calm }),
      touch: new TouchView(screen),
    };
  }

  /** Whether a domain is music. */
  sounds(domain) {
    return domain in this.#drawn;
  }

  /** How many items a domain's view has drawn. */
  count(domain) {
    return this.#drawn[domain]?.drawn ?? 0;
  }

  /** Shows a symbol or a touch; with `ink`, `cues` and whether it is `fresh`. */
  add(domain, message, controls, time) {
    const view = this.#drawn[domain];
    view?.add(message, controls);
    if (message.touch || (view && !WRITTEN.includes(domain))) return;
    const { n, text = "", ink, fed, cues, fresh } = message;
    this.#text.add({ n, text, ink, fed: Boolean(fed), cues: view ? [] : cues, fresh }, time);
  }

  /** Draws; to be called once a frame. */
  frame(domain, time, playing) {
    const view = this.#drawn[domain];
    view?.frame(time, playing);
    if (!view || WRITTEN.includes(domain)) this.#text.frame(time);
  }

  clear() {
    this.#text.clear();
    for (const view of Object.values(this.#drawn)) view.clear();
  }
}
