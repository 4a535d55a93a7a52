/* The page's connection: it comes back by itself, and says what is wrong where it can find out. */

import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

globalThis.addEventListener = () => {};
globalThis.location = { search: "?session=s&stage&token=secret", hash: "", pathname: "/p/", protocol: "https:" };
globalThis.history = { replaceState: (_state, _title, url) => (globalThis.replaced = url) };
globalThis.document = {};
globalThis.sessionStorage = {
  kept: {},
  setItem(key, value) {
    this.kept[key] = value;
  },
  getItem(key) {
    return this.kept[key] ?? null;
  },
};

const { ClockSync } = await import("../../clients/web/js/clock.js");
const { backoff, Connection } = await import("../../clients/web/js/connection.js");
const { Trouble } = await import("../../clients/web/js/trouble.js");
const page = await import("../../clients/web/js/address.js");

const sockets = [];
globalThis.WebSocket = class {
  sent = [];
  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  hear(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
};
beforeEach(() => sockets.splice(0));

function connected(t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const connection = new Connection("ws://here", new ClockSync());
  const heard = [];
  for (const type of ["up", "down", "message"]) {
    connection.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  }
  connection.start();
  sockets[0].hear({ type: "hello", time: 5 });
  return { connection, heard, socket: sockets[0] };
}

test("an answer finds its request, also one that refuses", async (t) => {
  const { connection, heard, socket } = connected(t);
  assert.equal(socket.protocol, "stream-rnn.v1");
  assert.ok(connection.up);
  const opened = connection.request({ type: "open" });
  const closed = connection.request({ type: "close" });
  const [first, second] = socket.sent.slice(-2);
  socket.hear({ type: "error", id: second.id, code: "unknown_session", message: "no such session" });
  socket.hear({ type: "opened", id: first.id, session: "s" });
  assert.equal((await opened).session, "s");
  await assert.rejects(closed, { code: "unknown_session", message: "no such session" });
  assert.deepEqual(heard.map(([type]) => type), ["up", "message"]);
});

test("a lost connection refuses what waits, and tries again after a while", async (t) => {
  const { connection, heard, socket } = connected(t);
  const waiting = connection.request({ type: "open" });
  socket.onclose();
  await assert.rejects(waiting, { code: "disconnected" });
  await assert.rejects(connection.request({ type: "open" }), { code: "disconnected" });
  assert.equal(connection.send({ type: "ping" }), false);
  const [, { retryIn, failed }] = heard.at(-1);
  assert.equal(failed, 0);
  t.mock.timers.tick(retryIn + 1);
  assert.equal(sockets.length, 2);
  sockets[1].onclose();
  assert.equal(heard.at(-1)[1].failed, 1);
});

test("a server that answers no ping is given up", (t) => {
  const clock = { now: 0 };
  t.mock.method(performance, "now", () => clock.now);
  const { connection, socket } = connected(t);
  for (; clock.now < 12_000; clock.now += 100) t.mock.timers.tick(100);
  assert.ok(socket.sent.filter(({ type }) => type === "ping").length >= 4);
  assert.ok(socket.closed);
  assert.equal(connection.up, false);
});

test("waits grow, and never all at the same time", () => {
  const waits = [0, 1, 2, 3, 9].map((attempt) => backoff(attempt, 0.5));
  assert.deepEqual(waits, [250, 500, 1000, 2000, 8000]);
  assert.ok(backoff(2, 0) < backoff(2, 1));
});

async function trouble(answer, url = "http://here/v1/stream") {
  globalThis.fetch = answer;
  return new Trouble(new URL(url)).find();
}

const said = (status, text = "", type = "text/html") => async () =>
  new Response(text, { status, headers: { "content-type": type } });

test("why no connection comes about is said in words", async () => {
  const nobody = async () => {
    throw new TypeError("failed to fetch");
  };
  assert.equal(await trouble(nobody), "");
  assert.match(await trouble(said(401)), /asks for a token/);
  assert.match(await trouble(said(401), "http://here/v1/stream?token=x"), /does not take this token/);
  assert.match(await trouble(said(403, "this page's origin is not allowed", "text/plain")), /origin/);
  assert.match(await trouble(said(502)), /proxy/i);
  assert.match(await trouble(said(404)), /404/);
});

test("a server that lets us in has perhaps just come back; if not, a proxy is in between", async () => {
  globalThis.fetch = said(200);
  const it = new Trouble(new URL("http://here/v1/stream"));
  assert.equal(await it.find(), "");
  assert.ok(it.isOver);
  assert.match(await it.find(), /Upgrade/);
  it.clear();
  assert.equal(await it.find(), "");
});

test("the token leaves the address, is kept for a reload, and goes along", () => {
  assert.ok(page.hasToken);
  assert.equal(globalThis.replaced, "?session=s&stage");
  assert.deepEqual(Object.values(sessionStorage.kept), ["secret"]);
  const url = page.address("v1/stream", "ws");
  assert.equal(url.searchParams.get("token"), "secret");
  assert.equal(new URLSearchParams(page.linkFor({ fork: true })).get("token"), "secret");
});

test("a session's name is remembered in the address", () => {
  page.remember("mine");
  assert.equal(globalThis.replaced, "?session=mine&stage");
  assert.match(document.title, /^mine/);
  assert.match(page.linkFor({ fork: true }), /^\?session=mine&stage&fork&token=secret$/);
});

test("the position of a session, if the server tells it", async () => {
  globalThis.fetch = async () => Response.json({ sessions: [{ session: "s", position: 7 }] });
  assert.equal(await page.findPosition("s"), 7);
  assert.equal(await page.findPosition("other"), undefined);
  globalThis.fetch = said(500);
  assert.deepEqual(await page.sessions(), []);
});
