/* A WebSocket that reconnects by itself, with requests and answers matched by `id`.
 *
 * Emits "up" (detail: the hello), "down" (detail: { retryIn, failed }, where `failed` counts failed
 * attempts in a row) and "message" (every message except answers to pings). It knows nothing of
 * sessions: see stream.js.
 */

import { now } from "./clock.js";

const PING_EVERY = 2000;
const FIRST_PINGS = [0, 150, 350, 700]; // the clock has to be right before the first letter
const SILENCE = 7000; // ms without an answer to a ping after which the connection is dead
const BACKOFF = [250, 500, 1000, 2000, 4000, 8000];

export class RequestError extends Error {
  constructor({ code, message, field }) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

export const backoff = (attempt, random = Math.random()) =>
  BACKOFF[Math.min(attempt, BACKOFF.length - 1)] * (0.75 + 0.5 * random);

export class Connection extends EventTarget {
  #url;
  #clock;
  #socket = null;
  #open = false;
  #attempt = 0;
  #failed = 0;
  #nextId = 1;
  #waiting = new Map(); // id -> { resolve, reject }
  #timers = new Set();
  #heard = 0;

  constructor(url, clock) {
    super();
    this.#url = url;
    this.#clock = clock;
    // When a laptop wakes up or finds its network again, try at once, without the backoff.
    addEventListener("online", () => this.hurry());
    addEventListener("pageshow", (event) => event.persisted && this.hurry());
  }

  get up() {
    return this.#open;
  }

  start() {
    this.#clearTimers();
    const socket = (this.#socket = new WebSocket(this.#url, "stream-rnn.v1"));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = () => socket === this.#socket && this.#lost();
    // Without this a host that drops packets would keep us waiting for minutes.
    this.#later(SILENCE, () => !this.#open && socket === this.#socket && this.#lost());
  }

  /** Sends without waiting for the answer; false while there is no connection. */
  send(message) {
    if (!this.#open) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends, and resolves with the answer; rejects with a RequestError. */
  request(message) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.send({ ...message, id })) this.#waiting.set(id, { resolve, reject });
      else reject(new RequestError({ code: "disconnected", message: "not connected" }));
    });
  }

  /** Drops the connection and makes another: the way to stop viewing a session. */
  restart() {
    this.#attempt = 0;
    this.#lost();
  }

  /** Tries again now, if there is no connection. */
  hurry() {
    if (!this.#open && !this.#socket) this.start();
  }

  #receive(message) {
    this.#heard = now();
    if (message.type === "hello") return this.#welcome(message);
    if (message.type === "pong") {
      return this.#clock.add(message.t0, message.t1, message.t2, now());
    }
    // "message" listeners get an answer before the request resolves, so they have handled it by then.
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (waiting && message.type === "error") return waiting.reject(new RequestError(message));
    if (waiting) waiting.resolve(message);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #welcome(hello) {
    this.#open = true;
    this.#attempt = 0;
    this.#failed = 0;
    this.#clock.begin(hello.time, now());
    for (const delay of FIRST_PINGS) this.#later(delay, () => this.#ping());
    this.#later(PING_EVERY, () => this.#keepAlive());
    this.dispatchEvent(new CustomEvent("up", { detail: hello }));
  }

  #ping() {
    this.send({ type: "ping", t0: now() });
  }

  #keepAlive() {
    if ((now() - this.#heard) * 1000 > SILENCE) return this.#lost();
    this.#ping();
    this.#later(PING_EVERY, () => this.#keepAlive());
  }

  #lost() {
    const socket = this.#socket;
    this.#failed = this.#open ? 0 : this.#failed + 1;
    this.#socket = null;
    socket?.close();
    this.#open = false;
    this.#clearTimers();
    for (const { reject } of this.#waiting.values()) {
      reject(new RequestError({ code: "disconnected", message: "the connection was lost" }));
    }
    this.#waiting.clear();
    const retryIn = backoff(this.#attempt++);
    this.#later(retryIn, () => this.start());
    this.dispatchEvent(new CustomEvent("down", { detail: { retryIn, failed: this.#failed } }));
  }

  #later(milliseconds, action) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, milliseconds);
    this.#timers.add(timer);
  }

  #clearTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
