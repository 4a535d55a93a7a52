/* The artists in the blend: a slider for each, and a search field to add one.
 *
 * Weights run from 0 to 100 and need not add up to 100; the shares beside them do. If none is
 * chosen, the blend is even over all artists, the default of a session.
 */

const SHOW_ALL = 6; // a model with so few artists shows them all
const SHOWN = 80; // options listed at once

/** Shares of weights, adding up to 1; undefined if all are 0. */
export function shares(weights) {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return undefined;
  return Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, w / total]));
}

/** Shares as whole percents that add up to 100, by the largest remainders. */
export function percents(blend) {
  const entries = Object.entries(blend).map(([name, share]) => [name, share * 100]);
  const whole = Object.fromEntries(entries.map(([name, value]) => [name, Math.floor(value)]));
  const left = 100 - Object.values(whole).reduce((sum, value) => sum + value, 0);
  entries.sort((a, b) => (b[1] % 1) - (a[1] % 1));
  for (const [name] of entries.slice(0, left)) whole[name] += 1;
  return whole;
}

/** Whether a blend is the even one of all artists. */
export function isEven(blend, artists) {
  const even = 1 / artists.length;
  return artists.every((name) => Math.abs((blend[name] ?? 0) - even) < 1e-6);
}

/** Artists whose name has every word of the query, those that begin with it first. */
export function search(artists, query) {
  const words = plain(query).split(/\s+/).filter(Boolean);
  const begins = (name) => plain(name).split(" ").some((part) => part.startsWith(words[0] ?? ""));
  const found = artists.filter((name) => words.every((word) => plain(name).includes(word)));
  return [...found.filter(begins), ...found.filter((name) => !begins(name))];
}

const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

export class Blend {
  #root;
  #sliders;
  #field;
  #options;
  #note;
  #artists = [];
  #weights = {};
  #onChange;
  #active = 0;
  #touched = 0;

  /** @param onChange (blend: name -> share) => called when the performer changes it. */
  constructor(root, onChange) {
    this.#root = root;
    this.#sliders = root.querySelector("#voices");
    this.#field = root.querySelector("#add-artist");
    this.#options = root.querySelector("#artists");
    this.#note = root.querySelector("#voices-note");
    this.#onChange = onChange;
    this.#field.addEventListener("input", () => this.#list());
    this.#field.addEventListener("focus", () => this.#list());
    this.#field.addEventListener("blur", () => this.#close());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    // "mousedown" comes before the field loses the focus, which closes the list.
    this.#options.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#options.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#add(option.textContent);
    });
  }

  /** Shows another model's artists. */
  setArtists(artists) {
    this.#artists = artists;
    this.#weights = {};
    this.#root.hidden = artists.length === 0;
    this.#root.querySelector(".adder").hidden = artists.length <= SHOW_ALL;
    this.#build();
  }

  /** Shows the session's blend, unless the sliders already show it. */
  show(blend) {
    if (!this.#artists.length || performance.now() - this.#touched < 400) return;
    const ours = shares(this.#weights) ?? {};
    const names = new Set([...Object.keys(ours), ...Object.keys(blend)]);
    if ([...names].every((n) => Math.abs((ours[n] ?? 0) - (blend[n] ?? 0)) < 0.002)) return;
    const even = isEven(blend, this.#artists);
    if (even && this.#artists.length > SHOW_ALL) this.#weights = {};
    else {
      const most = Math.max(...Object.values(blend));
      const kept = this.#artists.length <= SHOW_ALL ? this.#artists : Object.keys(blend);
      this.#weights = Object.fromEntries(
        kept.map((name) => [name, Math.round(((blend[name] ?? 0) / most) * 100)]),
      );
    }
    this.#build();
  }

  #changed() {
    this.#touched = performance.now();
    const blend = shares(this.#weights);
    this.#label();
    if (blend) return this.#onChange(blend);
    if (Object.keys(this.#weights).length === 0) {
      this.#onChange(Object.fromEntries(this.#artists.map((n) => [n, 1 / this.#artists.length])));
    }
  }

  #build() {
    this.#sliders.replaceChildren(...Object.keys(this.#weights).map((name) => this.#slider(name)));
    this.#label();
  }

  #slider(name) {
    const row = document.createElement("div");
    row.className = "dial voice";
    row.dataset.name = name;
    const label = Object.assign(document.createElement("label"), { textContent: name });
    const share = document.createElement("output");
    const slider = Object.assign(document.createElement("input"), {
      type: "range", min: 0, max: 100, step: 1, value: this.#weights[name],
      id: `voice-${this.#artists.indexOf(name)}`,
    });
    label.htmlFor = share.htmlFor = slider.id;
    slider.addEventListener("input", () => {
      this.#weights[name] = Number(slider.value);
      this.#changed();
    });
    row.append(label, share, slider);
    if (this.#artists.length > SHOW_ALL) {
      const remove = Object.assign(document.createElement("button"), {
        type: "button", className: "remove", textContent: "×",
      });
      remove.setAttribute("aria-label", "Remove");
      remove.setAttribute("aria-description", name);
      remove.addEventListener("click", () => {
        delete this.#weights[name];
        this.#build();
        this.#changed();
      });
      row.append(remove);
    }
    return row;
  }

  #label() {
    const blend = shares(this.#weights);
    const shown = blend ? percents(blend) : {};
    for (const row of this.#sliders.children) {
      const share = blend ? `${shown[row.dataset.name]}%` : "–";
      const slider = row.querySelector("input");
      row.querySelector("output").textContent = share;
      slider.style.setProperty("--share", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${share} of the blend`);
    }
    const chosen = this.#sliders.children.length;
    this.#note.textContent = chosen ? "" : `all ${this.#artists.length}, evenly`;
  }

  #add(name) {
    this.#field.value = "";
    this.#close();
    const weights = Object.values(this.#weights);
    this.#weights[name] ??= weights.length ? Math.max(...weights, 1) : 100;
    this.#build();
    this.#changed();
  }

  #list() {
    const free = this.#artists.filter((name) => !(name in this.#weights));
    const found = search(free, this.#field.value).slice(0, SHOWN);
    this.#options.replaceChildren(
      ...found.map((name, i) => {
        const option = Object.assign(document.createElement("li"), {
          id: `artist-${i}`, textContent: name,
        });
        option.setAttribute("role", "option");
        return option;
      }),
    );
    this.#options.hidden = found.length === 0;
    this.#field.setAttribute("aria-expanded", String(found.length > 0));
    this.#mark(0);
  }

  #mark(index) {
    const options = [...this.#options.children];
    this.#active = Math.max(0, Math.min(options.length - 1, index));
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.#active)));
    const active = options[this.#active];
    this.#field.setAttribute("aria-activedescendant", active?.id ?? "");
    active?.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.#options.hidden = true;
    this.#field.setAttribute("aria-expanded", "false");
  }

  #key(event) {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (this.#options.hidden) this.#list();
      else this.#mark(this.#active + (key === "ArrowDown" ? 1 : -1));
    } else if (key === "Enter" && !this.#options.hidden) {
      this.#add(this.#options.children[this.#active].textContent);
    } else if (key === "Escape") {
      this.#close();
    } else return;
    event.preventDefault();
  }
}
