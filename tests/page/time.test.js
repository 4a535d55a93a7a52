/* What the page does by the time: the server's clock, pauses, what is due, what a slider says. */

import assert from "node:assert/strict";
import test from "node:test";

import { ClockSync } from "../../clients/web/js/clock.js";
import { coalesce } from "../../clients/web/js/coalesce.js";
import { MusicTime } from "../../clients/web/js/music-time.js";
import { Playhead } from "../../clients/web/js/playhead.js";

test("the quickest ping says where the server's clock stands", () => {
  const clock = new ClockSync({ keep: 3 });
  clock.begin(1000, 10);
  assert.equal(clock.serverTime(11), 1001);
  assert.equal(clock.roundTrip, undefined);
  clock.add(20, 1020.3, 1020.3, 20.4); // 0.3 s there, 0.1 s back
  assert.ok(Math.abs(clock.offset - 1000.1) < 1e-9);
  clock.add(30, 1030.01, 1030.01, 30.02); // even ways
  assert.ok(Math.abs(clock.offset - 1000) < 1e-9);
  clock.add(40, 1040.9, 1040.9, 41);
  assert.ok(Math.abs(clock.offset - 1000) < 1e-9, "a slow ping changes nothing");
  assert.ok(Math.abs(clock.roundTrip - 1) < 1e-9);
  for (const t of [50, 60, 70]) clock.add(t, t + 1000.25, t + 1000.25, t + 0.1);
  assert.ok(Math.abs(clock.offset - 1000.2) < 1e-9, "old samples go, since clocks drift");
});

test("the time that the server takes between receiving and sending is not on the way", () => {
  const clock = new ClockSync();
  clock.add(0, 100.05, 105.05, 5.1);
  assert.ok(Math.abs(clock.offset - 100) < 1e-9);
  assert.ok(Math.abs(clock.roundTrip - 0.1) < 1e-9);
});

test("music stands still in a pause", () => {
  const music = new MusicTime();
  assert.equal(music.at(10, true), 10);
  assert.equal(music.at(12, false), 12);
  assert.equal(music.at(15, false), 12);
  assert.equal(music.at(16, true), 12);
  assert.equal(music.at(17, true), 13);
  assert.equal(music.of(17), 13);
  music.clear();
  assert.equal(music.at(20, true), 20);
});

function playhead() {
  const it = { time: 100, shown: [] };
  it.head = new Playhead(() => it.time, ({ n }) => it.shown.push(n));
  return it;
}

test("a symbol is shown when it is due, in the order in which it came", () => {
  globalThis.document = { hidden: false };
  const it = playhead();
  for (const n of [0, 1, 2]) it.head.push({ n, due: 100 + n / 10 });
  it.head.frame();
  assert.deepEqual(it.shown, [0]);
  it.time = 100.095; // half a frame before the next
  it.head.frame();
  assert.deepEqual(it.shown, [0, 1]);
  assert.equal(it.head.waiting, 1);
  it.head.clear();
  it.time = 200;
  it.head.frame();
  assert.deepEqual(it.shown, [0, 1]);
});

test("a clock that is wrong keeps nobody waiting for more than half a second", () => {
  globalThis.document = { hidden: false };
  const it = playhead();
  it.head.push({ n: 0, due: 5000 });
  it.time = 100.5;
  it.head.frame();
  assert.deepEqual(it.shown, [0]);
});

test("a hidden page shows what is due by a timer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.document = { hidden: true };
  const it = playhead();
  it.head.push({ n: 0, due: 100.05 });
  it.head.push({ n: 1, due: 100.15 });
  for (const [time, shown] of [[100.1, [0]], [100.2, [0, 1]]]) {
    it.time = time;
    t.mock.timers.tick(100);
    assert.deepEqual(it.shown, shown);
  }
});

test("a dragged slider is told at most every interval, and always its last value", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sent = [];
  const tell = coalesce((changes) => sent.push(changes), 50);
  tell({ temperature: 1 });
  assert.deepEqual(sent, [{ temperature: 1 }], "the first goes at once");
  tell({ temperature: 1.1 });
  tell({ temperature: 1.2, rate: 3 });
  assert.equal(sent.length, 1);
  t.mock.timers.tick(50);
  assert.deepEqual(sent[1], { temperature: 1.2, rate: 3 });
  t.mock.timers.tick(500);
  assert.equal(sent.length, 2);
  tell({ rate: 4 });
  assert.deepEqual(sent[2], { rate: 4 });
});
