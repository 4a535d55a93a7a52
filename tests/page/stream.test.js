/* A page that follows a session: every symbol once and in order, whatever the connection does. */

import assert from "node:assert/strict";
import test from "node:test";

import { Stream } from "../../clients/web/js/stream.js";

const EVENTS = [
  "opened", "symbol", "touch", "controlled", "pending", "state", "cleared", "gap", "failed",
];

/** A server of one session: what is asked for is kept until it is answered. */
class Server extends EventTarget {
  up = true;
  asked = [];

  request(message) {
    return new Promise((resolve, reject) => {
      this.asked.push({ ...message, resolve, reject });
    });
  }

  say(message) {
    this.dispatchEvent(new CustomEvent("message", { detail: { session: "s", ...message } }));
  }

  down() {
    this.dispatchEvent(new CustomEvent("down"));
  }
}

function following({ position = 0, ...options } = {}) {
  const it = { server: new Server(), position, heard: [], shown: [] };
  it.stream = new Stream(it.server, async () => it.position ?? undefined, options);
  for (const type of EVENTS) {
    it.stream.addEventListener(type, ({ detail }) => {
      it.heard.push(type);
      if (type === "cleared") it.shown = [];
      if (type === "symbol") it.shown.push(detail.n);
      if (type === "gap") it.gap = detail;
      if (type === "failed") it.failed = detail;
    });
  }
  it.opened = (fields = {}) => ({
    type: "opened", session: "s", model: "verse", controls: { temperature: 1 }, playing: true,
    position: 0, epoch: 0, pending: [], ...fields,
  });
  it.settle = () => new Promise((resolve) => setImmediate(resolve));
  it.answer = async (fields) => {
    await it.settle();
    it.server.asked.at(-1).resolve(it.opened(fields));
    await it.settle();
  };
  it.refuse = async (code) => {
    await it.settle();
    it.server.asked.at(-1).reject(Object.assign(new Error(code), { code }));
    await it.settle();
  };
  it.symbols = (...numbers) => {
    for (const n of numbers) it.server.say({ type: "symbol", n, due: n / 8 });
  };
  it.open = async (fields) => {
    it.stream.open({ name: "s", model: "verse" });
    await it.answer(fields);
  };
  it.last = () => {
    const { type, after, epoch, model } = it.server.asked.at(-1);
    return { type, after, epoch, model };
  };
  return it;
}

test("a session is opened, and its symbols are shown in order, each once", async () => {
  const it = following();
  await it.open();
  assert.equal(it.stream.state, "playing");
  it.symbols(0, 1, 1, 0, 2);
  assert.deepEqual(it.shown, [0, 1, 2]);
});

test("symbols that come before the answer are of another past, and are not shown", async () => {
  const it = following();
  it.stream.open({ name: "s", model: "verse" });
  await it.settle();
  it.symbols(0);
  await it.answer();
  it.symbols(0);
  assert.deepEqual(it.shown, [0]);
});

test("a session that exists already is joined, with the latest of its history", async () => {
  const it = following({ position: 5000 });
  it.stream.open({ name: "s", model: "verse" });
  await it.refuse("session_exists");
  assert.deepEqual(it.last(), { type: "attach", after: 2999, epoch: undefined, model: undefined });
  await it.answer({ position: 5000 });
  it.symbols(3000, 3001);
  assert.deepEqual(it.shown, [3000, 3001]);
});

test("after a lost connection it goes on after what was seen, in the same past", async () => {
  const it = following();
  await it.open({ epoch: 3 });
  it.symbols(0, 1, 2);
  it.server.down();
  assert.equal(it.stream.state, "joining");
  it.stream.resume();
  await it.settle();
  assert.deepEqual(it.last(), { type: "attach", after: 1, epoch: 3, model: undefined });
  await it.answer({ epoch: 3 });
  it.symbols(2, 3);
  assert.deepEqual(it.shown, [0, 1, 2, 3]);
});

test("a server that was started anew, and counts from 0, is noticed by the symbol itself", async () => {
  const it = following();
  await it.open();
  it.symbols(0, 1, 2);
  it.server.down();
  it.stream.resume();
  await it.answer();
  it.server.say({ type: "symbol", n: 2, due: 77 });
  await it.settle();
  assert.equal(it.last().type, "attach");
  assert.equal(it.last().epoch, undefined, "from scratch");
  await it.answer();
  it.symbols(0);
  assert.deepEqual(it.shown, [0]);
});

test("a session that came back with another server goes on, though its clock is another", async () => {
  const it = following();
  it.stream.meet("one");
  await it.open();
  it.symbols(0, 1, 2);
  it.server.down();
  it.stream.meet("two");
  it.stream.resume();
  await it.answer();
  it.server.say({ type: "symbol", n: 2, due: 77 });
  it.symbols(3);
  assert.deepEqual(it.shown, [0, 1, 2, 3]);
});

test("a session that another server began anew is noticed by its symbols", async () => {
  const it = following();
  it.stream.meet("one");
  await it.open();
  it.symbols(0, 1, 2);
  it.server.down();
  it.stream.meet("two");
  it.stream.resume();
  await it.answer();
  it.server.say({ type: "symbol", n: 2, due: 77, text: "another" });
  await it.settle();
  assert.equal(it.last().epoch, undefined, "from scratch");
});

test("a hole is asked for once, and then told", async () => {
  const it = following();
  await it.open();
  it.symbols(0, 1, 5);
  assert.deepEqual([it.last().type, it.last().after], ["attach", 1]);
  await it.answer({ position: 6 });
  it.server.say({ type: "gap", before: 5 });
  assert.deepEqual(it.gap, { after: 1, before: 5 });
  it.symbols(5);
  assert.deepEqual(it.shown, [0, 1, 5]);
});

test("after a rewind the session is joined anew", async () => {
  const it = following({ position: 3 });
  await it.open();
  it.symbols(0, 1, 2);
  it.server.say({ type: "rewound", position: 1, controls: {}, epoch: 1 });
  await it.answer({ epoch: 1 });
  it.symbols(0, 1);
  assert.deepEqual(it.shown, [0, 1]);
});

test("a reset clears what is shown", async () => {
  const it = following();
  await it.open();
  it.symbols(0, 1);
  it.server.say({ type: "reset", epoch: 1 });
  assert.deepEqual(it.shown, []);
  it.symbols(0);
  assert.deepEqual(it.shown, [0]);
});

test("an answer to an older question is void", async () => {
  const it = following();
  it.stream.open({ name: "s", model: "verse" });
  await it.settle();
  const [first] = it.server.asked;
  it.stream.open({ name: "t", model: "kernel" });
  await it.settle();
  first.resolve(it.opened());
  await it.settle();
  assert.equal(it.stream.model, null);
  await it.answer({ session: "t", model: "kernel" });
  assert.deepEqual([it.stream.name, it.stream.model], ["t", "kernel"]);
});

test("a session that the server lost is opened anew, with its controls but another seed", async () => {
  const it = following();
  await it.open({ controls: { temperature: 0.5, seed: 7, bpm: 120, channel: 1, artist: {} } });
  it.symbols(0);
  it.server.down();
  it.stream.resume();
  await it.refuse("unknown_session");
  await it.settle();
  const asked = it.server.asked.at(-1);
  assert.deepEqual([asked.type, asked.model, asked.controls], ["open", "verse", { temperature: 0.5 }]);
});

test("an audience waits for a session to appear", async (t) => {
  const it = following({ position: null, reopens: false });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  it.stream.join("s");
  await it.refuse("unknown_session");
  assert.equal(it.stream.state, "waiting");
  t.mock.timers.tick(1500);
  await it.settle();
  assert.equal(it.server.asked.length, 1, "it is not there yet");
  it.position = 10;
  t.mock.timers.tick(1500);
  await it.answer();
  assert.equal(it.stream.state, "playing");
});

test("pauses by a person and by the engine are told apart", async () => {
  const it = following();
  await it.open();
  it.server.say({ type: "paused", reason: "engine" });
  assert.equal(it.stream.state, "engine");
  it.server.say({ type: "playing" });
  it.server.say({ type: "paused", reason: "asked" });
  assert.equal(it.stream.state, "paused");
});

test("controls hold when they are in force, and are pending before", async () => {
  const it = following();
  await it.open();
  const controls = { temperature: 2 };
  const change = { type: "controlled", position: 8, controls, changed: ["temperature"] };
  it.server.say({ ...change, pending: true });
  assert.equal(it.stream.controls.temperature, 1);
  assert.deepEqual(it.stream.pending.get("temperature"), { position: 8, value: 2 });
  it.server.say(change);
  assert.equal(it.stream.controls.temperature, 2);
  assert.equal(it.stream.pending.get("temperature"), undefined);
});

test("what went wrong is told, and what belongs to other sessions is not", async () => {
  const it = following();
  await it.open();
  it.server.say({ type: "error", session: "s", code: "bad_value", message: "too hot" });
  assert.equal(it.failed.message, "too hot");
  it.failed = null;
  it.server.say({ type: "error", session: "other", code: "bad_value", message: "no" });
  assert.equal(it.failed, null);
  it.server.say({ type: "symbol", session: "other", n: 0, due: 0 });
  assert.deepEqual(it.shown, []);
});

test("how far back some seconds are", async () => {
  const it = following();
  await it.open();
  it.symbols(...Array(50).keys());
  assert.equal(it.stream.ago(1), 41);
  assert.equal(it.stream.ago(100), 0);
});
