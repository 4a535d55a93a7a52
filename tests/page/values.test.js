/* Functions of the page that only compute: blends, faders, colours, primes, labels. */

import assert from "node:assert/strict";
import test from "node:test";

import { isEven, percents, search, shares } from "../../clients/web/js/blend.js";
import { blendLabel, ControlLog, describeChange } from "../../clients/web/js/control-log.js";
import { ends, inputOf, reaching, valueOf } from "../../clients/web/js/faders.js";
import { NoteTracker } from "../../clients/web/js/notes.js";
import { Pending, showPending } from "../../clients/web/js/pending.js";
import { pitchOf, readPrime } from "../../clients/web/js/primes.js";
import { tint } from "../../clients/web/js/tint.js";

test("shares add up to one, and all zeros are no blend", () => {
  assert.deepEqual(shares({ a: 30, b: 10 }), { a: 0.75, b: 0.25 });
  assert.equal(shares({ a: 0, b: 0 }), undefined);
  assert.equal(shares({}), undefined);
});

test("percents are whole numbers that add up to 100", () => {
  for (const weights of [[1, 1, 1], [1, 2, 3, 4, 5, 6, 7], [99, 1], [1, 999, 1]]) {
    const blend = shares(Object.fromEntries(weights.map((weight, i) => [`artist ${i}`, weight])));
    const whole = Object.values(percents(blend));
    assert.equal(whole.reduce((sum, value) => sum + value, 0), 100);
    whole.forEach((value, i) => assert.ok(Math.abs(value - 100 * blend[`artist ${i}`]) < 1));
  }
  assert.deepEqual(percents({ a: 2 / 3, b: 1 / 3 }), { a: 67, b: 33 });
});

test("an even blend has every artist", () => {
  assert.ok(isEven({ a: 0.5, b: 0.5 }, ["a", "b"]));
  assert.ok(!isEven({ a: 0.5, b: 0.5 }, ["a", "b", "c"]));
  assert.ok(!isEven({ a: 0.6, b: 0.4 }, ["a", "b"]));
});

test("a search finds every word, without accents, names that begin with it first", () => {
  const artists = ["Édith Piaf", "Ed Thigpen", "Ned Rorem", "Wednesday Ed"];
  assert.deepEqual(search(artists, "ed"), ["Édith Piaf", "Ed Thigpen", "Wednesday Ed", "Ned Rorem"]);
  assert.deepEqual(search(artists, "piaf EDITH"), ["Édith Piaf"]);
  assert.deepEqual(search(artists, "nobody"), []);
  assert.deepEqual(search(artists, ""), artists);
});

test("a fader goes to its value and back, straight and curved", () => {
  const straight = { min: -12, max: 12, step: 1 };
  const curved = { min: 1, max: 101, step: 0.1, curve: 2 };
  assert.deepEqual(ends(straight), straight);
  assert.deepEqual(ends(curved), { min: 0, max: 1, step: 0.001 });
  assert.equal(valueOf(curved, 0.5), 26);
  for (const fader of [straight, curved]) {
    for (const value of [fader.min, 7, fader.max]) {
      assert.ok(Math.abs(valueOf(fader, inputOf(fader, value)) - value) < 1e-9);
    }
  }
  assert.equal(inputOf(curved, 1000), 1, "a value beyond the end is shown at the end");
  assert.equal(inputOf(curved, -5), 0);
});

test("a fader reaches the value that a model starts with", () => {
  assert.deepEqual(reaching({ min: 1, max: 30, step: 1 }, 0.5), { min: 0.5, max: 30, step: 1 });
  assert.deepEqual(reaching({ min: 1, max: 30, step: 1 }, 60), { min: 1, max: 60, step: 1 });
  assert.deepEqual(reaching({ min: 1, max: 30, step: 1 }), { min: 1, max: 30, step: 1 });
});

test("temperature is colder or warmer, and never no colour", () => {
  const [red, , blue] = tint(0).split(", ").map(Number);
  const [warmRed, , warmBlue] = tint(2).split(", ").map(Number);
  assert.ok(blue > warmBlue && warmRed > red);
  assert.equal(tint(undefined), tint(0.8));
  assert.equal(tint(50), tint(2));
  assert.equal(tint(-1), tint(0));
  assert.equal(tint(0.81), tint(0.8), "letters of nearly one temperature have one colour");
  assert.notEqual(tint(0.9), tint(0.8));
});

test("pitches are read by number and by name", () => {
  const read = { 60: 60, C4: 60, c4: 60, "f#3": 54, Bb2: 46, "e♭4": 63, "C-1": 0, B3: 59 };
  for (const [name, pitch] of Object.entries(read)) assert.equal(pitchOf(name), pitch, name);
  for (const name of ["", "H4", "C", "4C", "C#b4", "60.5"]) assert.ok(Number.isNaN(pitchOf(name)));
});

test("a prime for a roll becomes frames, and is left as it is for texts", () => {
  const chord = [60, 64, 67];
  assert.deepEqual(readPrime("pianoroll", "G4 C4 E4 C4 | 12 A4"), [
    chord, chord, chord, chord, [69], [69], [69], [69],
  ]);
  assert.equal(readPrime("pianoroll", "  "), "");
  assert.equal(readPrime("text", "O Romeo"), "O Romeo");
  assert.equal(readPrime("abc", "K:D"), "K:D");
  assert.equal(readPrime("performance", "C4"), "", "a performance takes no written prime");
});

test("a note held over frames begins and ends once", () => {
  const tracker = new NoteTracker();
  assert.deepEqual(tracker.frame(0, [60, 64]), { on: [60, 64], off: [] });
  assert.deepEqual(tracker.frame(1, [60]), { on: [], off: [64] });
  assert.deepEqual(tracker.frame(2, [60, 67]), { on: [67], off: [] });
  assert.deepEqual(tracker.release(), [60, 67]);
  assert.deepEqual(tracker.frame(9, [60]), { on: [60], off: [] });
});

test("after a missing frame every note begins anew", () => {
  const tracker = new NoteTracker();
  tracker.frame(0, [60]);
  assert.deepEqual(tracker.frame(2, [60]), { on: [60], off: [60] });
});

test("each symbol finds the controls that it obeyed", () => {
  const log = new ControlLog();
  assert.equal(log.at(0), undefined);
  log.add(20, { temperature: 2 }, [{ name: "temperature", label: "temperature 2" }]);
  log.add(5, { temperature: 1 }, [{ name: "temperature", label: "temperature 1" }]);
  assert.equal(log.at(4), undefined);
  assert.deepEqual([5, 19, 20].map((n) => log.at(n).temperature), [1, 1, 2]);
  assert.deepEqual(log.cues(5, 19), []);
  assert.deepEqual(log.cues(0, 20).map((cue) => cue.label), ["temperature 2"], "the latest of each");
  log.clear();
  assert.equal(log.at(20), undefined);
});

test("a change is described in words", () => {
  const before = { temperature: 1, top_k: 0, transpose: 0, artist: {} };
  const after = { temperature: 1.2345, top_k: 5, transpose: 3, artist: { "Emily Dickinson": 1 } };
  assert.deepEqual(describeChange(before, after).map(({ label }) => label), [
    "temperature 1.23", "transpose +3", "top 5", "Emily Dickinson",
  ]);
  assert.deepEqual(describeChange(after, after), []);
  assert.equal(blendLabel({ "Emily Dickinson": 0.75, "John Keats": 0.25 }), "Dickinson 75%, Keats 25%");
  assert.equal(blendLabel({ a: 0.25, b: 0.25, c: 0.25, d: 0.25 }), "4 voices");
});

test("a pending change is shown until it is in force, replaced or cancelled", () => {
  const pending = new Pending();
  const change = (position, bpm, more) => ({
    position, controls: { rate: bpm / 15, temperature: 1 }, changed: ["bpm"], ...more,
  });
  pending.take(change(32, 120, { pending: true }));
  assert.deepEqual(pending.get("rate"), { position: 32, value: 8 }, "a tempo shows as the rate it is");
  pending.take(change(16, 90, { pending: true, cancelled: [change(32, 120)] }));
  assert.deepEqual(pending.get("rate"), { position: 16, value: 6 });
  pending.take(change(16, 90));
  assert.equal(pending.get("rate"), undefined);
  pending.take(change(48, 60, { pending: true }));
  pending.clear();
  assert.equal(pending.get("rate"), undefined);
});

test("what is pending stands beside its control", () => {
  const elements = new Map();
  const root = {
    querySelector(place) {
      if (!elements.has(place)) elements.set(place, { dataset: {} });
      return elements.get(place);
    },
  };
  const pending = new Pending();
  pending.take({
    position: 8, controls: { temperature: 0.456 }, changed: ["temperature"], pending: true,
  });
  showPending(pending, root);
  assert.equal(elements.get("#temperature-value").dataset.next, "0.46");
  pending.clear();
  showPending(pending, root);
  assert.equal("next" in elements.get("#temperature-value").dataset, false);
});
