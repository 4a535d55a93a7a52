/* The performer's desk: shows the controls in force, and emits the performer's changes. */

import { Blend } from "./blend.js";
import { round } from "./control-log.js";
import { ends, inputOf, reaching, valueOf } from "./faders.js";
import { PLACEHOLDERS, readPrime } from "./primes.js";
import { tint } from "./tint.js";

const FIRST = "lyrics"; // the model of a first visit, if it is there
const BUSY = 400; // ms after a touch during which the server's values do not move a slider

// The controls that have a fader here, and how their values are shown.
const DIALS = [
  { name: "temperature", text: round },
  { name: "rate", text: (value) => `${round(value)} a second` },
  { name: "density", text: (value) => (value > 0 ? "+" : "") + round(value) },
  { name: "velocity", text: String },
  { name: "transpose", text: (value) => (value > 0 ? "+" : "") + value },
];

// What `rate` counts a second, if not symbols.
const RATES = {
  abc: "sixteenth notes a second",
  performance: "20 is the tempo it was played in",
  ensemble: "4 is a gesture a second",
  touch: "60 is the speed of a hand",
};

export const SCALES = [
  "major", "minor", "harmonic minor", "dorian", "phrygian", "lydian", "mixolydian",
  "major pentatonic", "minor pentatonic", "blues", "whole tone",
];
export const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];

export class Panel extends EventTarget {
  #models = [];
  #controls = {}; // the table of controls in `hello`
  #faders = {};
  #model = null;
  #blend;
  #touched = {};

  constructor(root) {
    super();
    const find = (this.find = (id) => root.querySelector(`#${id}`));
    this.#blend = new Blend(find("blend"), (artist) => this.#change({ artist }));
    for (const { name } of DIALS) {
      find(name).addEventListener("input", (event) => {
        this.#touched[name] = performance.now();
        const value = valueOf(this.#faders[name], Number(event.target.value));
        this.#label(name, value);
        this.#change({ [name]: value });
      });
    }
    for (const [id, list] of [["scale", SCALES], ["tonic", TONICS]]) {
      find(id).append(...list.map((name) => new Option(name.replace("#", "♯"), name)));
      find(id).addEventListener("change", () => this.#pitches());
    }
    find("seed").addEventListener("change", () => this.#seed());
    find("dice").addEventListener("click", () => {
      find("seed").value = Math.floor(Math.random() * 1e9);
      this.#seed();
    });
    find("model").addEventListener("change", (event) => {
      this.showModel(event.target.value);
      this.#say("model", this.#model);
    });
    find("prime-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.prime) this.#say("prime", this.prime);
    });
    for (const type of ["play", "pause", "rewind", "reset"]) {
      find(type).addEventListener("click", () => this.#say(type));
    }
  }

  /** The chosen model, as `hello` describes it. */
  get model() {
    return this.#model;
  }

  /** The prime in the field, in the model's form. */
  get prime() {
    return readPrime(this.#model?.domain, this.find("prime").value);
  }

  /** The seed in the field; undefined for one that the server draws. */
  get seed() {
    const text = this.find("seed").value.trim();
    return /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  }

  /** Takes the models and controls of `hello`; keeps the chosen model if it is still there. */
  setModels(models, controls) {
    this.#models = models;
    this.#controls = controls;
    const select = this.find("model");
    select.replaceChildren(...models.map(({ name }) => new Option(name, name)));
    const kept = models.find(({ name }) => name === this.#model?.name);
    if (kept) select.value = kept.name;
    if (kept) this.#setFaders(kept);
    else this.showModel((models.find(({ name }) => name === FIRST) ?? models[0])?.name);
  }

  showModel(name) {
    const model = this.#models.find((candidate) => candidate.name === name);
    if (!model || model === this.#model) return;
    if (model.domain !== this.#model?.domain) this.find("prime").value = "";
    this.#model = model;
    this.find("model").value = name;
    this.find("title").textContent = model.title;
    for (const element of document.querySelectorAll("[data-domain]")) {
      element.hidden = !element.dataset.domain.split(" ").includes(model.domain);
    }
    for (const element of document.querySelectorAll("[data-control]")) {
      const { domains } = this.#controls[element.dataset.control];
      element.hidden = domains !== undefined && !domains.includes(model.domain);
    }
    this.#setFaders(model);
    this.find("prime").placeholder = PLACEHOLDERS[model.domain] ?? "";
    this.find("rate-value").title = this.find("rate").title = RATES[model.domain] ?? "";
    this.#blend.setArtists(model.artists);
    this.find("primes").replaceChildren(
      ...model.primes.map((prime) => {
        const chip = document.createElement("button");
        Object.assign(chip, { type: "button", className: "chip", textContent: prime.trim() });
        chip.addEventListener("click", () => {
          this.find("prime").value = prime;
          this.#say("prime", prime);
        });
        return chip;
      }),
    );
    this.find("seed").value = "";
    this.#touched = {};
    this.show(model.controls);
    this.find("seed").value = "";
  }

  /** Shows the controls in force. */
  show(controls) {
    for (const { name } of DIALS) {
      if (performance.now() - (this.#touched[name] ?? -BUSY) < BUSY) continue;
      if (controls[name] === undefined) continue;
      this.find(name).value = inputOf(this.#faders[name], controls[name]);
      this.#label(name, controls[name]);
    }
    this.#blend.show(controls.artist ?? {});
    if (document.activeElement !== this.find("seed")) this.find("seed").value = controls.seed;
    this.#showPitches(controls.pitches);
  }

  /** Marks the transport button of a state as pressed. */
  setState(state) {
    const down = { playing: "play", engine: "play", paused: "pause" }[state];
    for (const key of ["play", "pause"]) {
      this.find(key).setAttribute("aria-pressed", String(key === down));
    }
  }

  #setFaders(model) {
    for (const { name } of DIALS) {
      this.#faders[name] = reaching(this.#controls[name].fader, model.controls[name]);
      Object.assign(this.find(name), ends(this.#faders[name]));
    }
  }

  #label(name, value) {
    const text = DIALS.find((dial) => dial.name === name).text(value);
    const slider = this.find(name);
    this.find(`${name}-value`).textContent = text;
    slider.setAttribute("aria-valuetext", text);
    const share = (slider.value - slider.min) / (slider.max - slider.min);
    slider.style.setProperty("--share", `${share * 100}%`);
    if (name === "temperature") {
      document.documentElement.style.setProperty("--heat", tint(value));
    }
  }

  #pitches() {
    const scale = this.find("scale").value;
    this.find("tonic").disabled = !scale;
    this.#change({ pitches: scale ? `${this.find("tonic").value} ${scale}` : null });
  }

  #showPitches(pitches) {
    const select = this.find("scale");
    select.querySelector("[value=custom]")?.remove();
    let [tonic, scale] = ["C", ""];
    if (Array.isArray(pitches)) {
      select.append(new Option(`${pitches.length} chosen keys`, "custom"));
      scale = "custom";
    } else if (pitches) {
      const [first, ...rest] = pitches.split(" ");
      const named = TONICS.includes(first) || rest.length > 0;
      [tonic, scale] = SCALES.includes(pitches) || !named ? ["C", pitches] : [first, rest.join(" ")];
    }
    select.value = scale;
    this.find("tonic").value = tonic;
    this.find("tonic").disabled = !scale || scale === "custom";
  }

  #seed() {
    if (this.seed !== undefined) this.#change({ seed: this.seed });
  }

  #change(changes) {
    this.#say("change", changes);
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
