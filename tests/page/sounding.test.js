/* What a message sounds, on a piano that only writes down what it is asked for. */

import assert from "node:assert/strict";
import test from "node:test";

import { Sounding } from "../../clients/web/js/sounding.js";

function sounding(time = 0) {
  const it = { time, played: [] };
  const note = (what) => (...args) => it.played.push([what, ...args]);
  const piano = {
    noteOn: (key, pitch, velocity, ahead, timbre) =>
      it.played.push(["on", key, pitch, velocity, ...(timbre ? [timbre] : [])]),
    noteOff: (key) => it.played.push(["off", key]),
    releaseAll: note("release"),
    silence: note("silence"),
  };
  it.sound = new Sounding(piano, (due) => due - it.time);
  it.take = (message, controls) => {
    it.played.length = 0;
    it.sound.take({ due: it.time, ...message }, controls);
    return it.played;
  };
  return it;
}

test("a note that goes on over frames is struck once", () => {
  const it = sounding();
  assert.deepEqual(it.take({ n: 0, notes: [60] }, { velocity: 90 }), [["on", 60, 60, 90]]);
  assert.deepEqual(it.take({ n: 1, notes: [60] }), []);
  assert.deepEqual(it.take({ n: 2, notes: [] }), [["off", 60]]);
});

test("velocity and transposition are the controls'", () => {
  const it = sounding();
  const controls = { velocity: 300, transpose: -12 };
  assert.deepEqual(it.take({ n: 0, notes: [60] }, controls), [["on", 60, 48, 127]]);
});

test("what is fed is shown and does not sound", () => {
  const it = sounding();
  assert.deepEqual(it.take({ n: 0, notes: [60], fed: true }), []);
  assert.deepEqual(it.take({ n: 1, event: { on: 60 }, fed: true }), []);
  assert.deepEqual(it.take({ n: 2, sounds: [{ pitch: 60, seconds: 1 }], fed: true }), []);
});

test("what comes far too late is not struck, but a key that goes up does", () => {
  const it = sounding();
  assert.deepEqual(it.take({ n: 0, event: { on: 60 }, due: -1 }), []);
  assert.deepEqual(it.take({ n: 1, event: { off: 60 }, due: -1 }), [["off", 60]]);
  assert.deepEqual(it.take({ n: 2, notes: [60], due: -1 }), []);
});

test("a performance's own velocity is scaled, 80 leaving it as it is", () => {
  const it = sounding();
  const strike = (velocity) => it.take({ n: 0, event: { on: 60 }, velocity: 40 }, { velocity });
  assert.deepEqual(strike(80), [["off", 60], ["on", 60, 60, 40]]);
  assert.deepEqual(strike(120).at(-1), ["on", 60, 60, 60]);
});

test("the end of a piece releases every key", () => {
  assert.equal(sounding().take({ n: 0, event: { end: 1 } })[0][0], "release");
});

test("a spelt note has its length", () => {
  const played = sounding().take({ n: 0, sounds: [{ pitch: 62, seconds: 0.5 }, { pitch: null, seconds: 1 }] });
  assert.deepEqual(played, [["on", "spelt 62", 62, 80, "reed"], ["off", "spelt 62"]]);
});

test("players of an ensemble have a voice each, and keep a note that they hold", () => {
  const it = sounding();
  const touch = (player, pitch, down) => it.take({ touch: { player, pitch, down, y: 0.5 } });
  assert.deepEqual(touch(1, 60, 1), [["on", "player 1", 60, 80, "reed"]]);
  assert.deepEqual(touch(1, 60, 1), []);
  assert.deepEqual(touch(2, 60, 1), [["on", "player 2", 60, 80, "string"]]);
  assert.deepEqual(touch(1, 62, 1), [["off", "player 1"], ["on", "player 1", 62, 80, "reed"]]);
  assert.deepEqual(touch(1, 62, 0), [["off", "player 1"]]);
});

test("a frame that does not come ends its notes, and a release ends all", () => {
  const it = sounding(10);
  it.take({ n: 0, notes: [60] }, { rate: 10 });
  assert.equal(it.sound.overdue(10.4), false);
  assert.equal(it.sound.overdue(10.6), true);
  it.sound.release();
  assert.deepEqual(it.played.at(-1), ["silence"]);
  assert.equal(it.sound.overdue(100), false);
});
