/* Which controls each symbol obeyed, as far as this page knows. */

const KEEP = 256; // symbols are shown within milliseconds, so few entries are ever looked up

export class ControlLog {
  #entries = []; // { position, controls, cues }, by position

  clear() {
    this.#entries = [];
  }

  /** From `position` on these controls hold; the cues say what changed. */
  add(position, controls, cues = []) {
    this.#entries.push({ position, controls, cues });
    // A change that waits for the next bar may have been entered before this one.
    this.#entries.sort((a, b) => a.position - b.position);
    if (this.#entries.length > KEEP) this.#entries.shift();
  }

  /** The controls that symbol `n` obeyed; undefined for symbols from before this page joined. */
  at(n) {
    return this.#entries.findLast((entry) => entry.position <= n)?.controls;
  }

  /** The changes after symbol `seen` up to symbol `n`: the latest of each control. */
  cues(seen, n) {
    const entries = this.#entries.filter((e) => e.position > seen && e.position <= n);
    const cues = new Map(entries.flatMap((e) => e.cues.map((cue) => [cue.name, cue])));
    return [...cues.values()];
  }
}

const LABELS = {
  temperature: (value) => `temperature ${round(value)}`,
  rate: (value) => `rate ${round(value)}`,
  density: (value) => `density ${round(value)}`,
  velocity: (value) => `velocity ${value}`,
  transpose: (value) => `transpose ${value > 0 ? "+" : ""}${value}`,
  pitches: (value) => (typeof value === "string" ? value : value ? "chosen keys" : "all keys"),
  top_k: (value) => (value ? `top ${value}` : "top all"),
  top_p: (value) => `top p ${round(value)}`,
  seed: () => "another seed",
  artist: blendLabel,
};

/** The differences between two sets of controls, with labels for people: [{ name, label }]. */
export function describeChange(before, after) {
  return Object.entries(LABELS)
    .filter(([name]) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map(([name, label]) => ({ name, label: label(after[name]) }));
}

export function blendLabel(weights) {
  const shares = Object.entries(weights ?? {}).sort((a, b) => b[1] - a[1]);
  if (shares.length === 1) return shares[0][0];
  if (shares.length > 3) return `${shares.length} voices`;
  return shares.map(([name, share]) => `${name.split(" ").at(-1)} ${percent(share)}`).join(", ");
}

export const round = (value) => String(Math.round(value * 100) / 100);
const percent = (share) => `${Math.round(share * 100)}%`;
