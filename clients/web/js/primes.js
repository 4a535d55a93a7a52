/* Translates a performer's prime into the form that the model takes. */

const LETTERS = { c: 0, d: 2, e: 4, f: 5, g: 7, a: 9, b: 11 };
const HELD = 4; // frames for which a written chord lasts

export const PLACEHOLDERS = {
  abc: "M:6/8 K:D A2 d",
  tablature: "|D0 - - - D2 -",
  pianoroll: "C4 E4 G4 | F4 A4",
};

/** A text stays as it is; for piano rolls, chords of note names or MIDI pitches, separated by |. */
export function readPrime(domain, text) {
  if (domain !== "pianoroll") return PLACEHOLDERS[domain] || domain === "text" || domain === "playlist" ? text : "";
  if (!text.trim()) return "";
  return text.split(/[|,]/).flatMap((chord) => {
    const frame = chord.trim().split(/\s+/).map(pitchOf).filter((pitch) => pitch >= 21 && pitch <= 108);
    return Array.from({ length: HELD }, () => [...new Set(frame)].sort((a, b) => a - b));
  });
}

/** The MIDI pitch of `60`, `C4`, `f#3` or `Bb2`; NaN for anything else. */
export function pitchOf(name) {
  const found = /^([a-g])([#♯b♭]?)(-?\d)$/i.exec(name);
  if (!found) return /^\d+$/.test(name) ? Number(name) : NaN;
  const by = { "#": 1, "♯": 1, b: -1, "♭": -1 }[found[2]] ?? 0;
  return 12 * (Number(found[3]) + 1) + LETTERS[found[1].toLowerCase()] + by;
}
