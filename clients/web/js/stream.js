/* One session as this page follows it: every symbol exactly once and in order, whatever happens.
 *
 * Emits "opened", "symbol", "touch" (between an ensemble's symbols), "led", "controlled" (controls
 * now in force), "pending" (the pending changes are others), "state" (detail: the state), "cleared"
 * (the symbols shown are void), "gap" (symbols lost for good) and "failed" (detail: the error).
 *
 * States: "idle" (no session), "joining", "playing", "paused", "engine" (the session plays, but its
 * engine is being restarted), "waiting" (for a session of this name to appear).
 */

import { Pending } from "./pending.js";

const HISTORY = 2000; // symbols that a page asks for when it joins; nobody scrolls further back
const WAIT = 1500; // ms between two attempts to find a session that does not exist yet

/** What a symbol is, whenever it was due. */
const what = ({ due, ...symbol }) => JSON.stringify(symbol);

export class Stream extends EventTarget {
  name = null;
  model = null;
  controls = null;
  pending = new Pending();
  state = "idle";
  last = -1; // the newest n that was emitted

  #connection;
  #findPosition;
  #reopens;
  #latest = null; // that symbol
  #instance = null; // of the server that we know
  #restarted = false; // whether it is another than the one that sent our last symbol
  #past = []; // { n, due } of the latest symbols
  #recheck = false; // whether the next symbol is our last one, requested again to compare
  #askedAfter = null; // `last` when a gap made us attach again
  #attempt = 0; // the number of the latest open or attach: answers to older ones are void
  #epoch = 0; // the epoch of the past that is shown; it counts rewinds, resets and model changes
  #settled = false; // whether incoming symbols belong to the past that is shown
  #closing = null;

  /**
   * @param connection a Connection.
   * @param findPosition async (name) => the position of a session, or undefined.
   * @param reopens whether to open a session again that the server no longer knows.
   */
  constructor(connection, findPosition, { reopens = true } = {}) {
    super();
    this.#connection = connection;
    this.#findPosition = findPosition;
    this.#reopens = reopens;
    connection.addEventListener("message", ({ detail }) => this.#receive(detail));
    connection.addEventListener("down", () => this.#down());
  }

  get live() {
    return ["playing", "paused", "engine"].includes(this.state);
  }

  /** Opens a session; joins it instead if one of that name exists. */
  async open({ name = this.name, model, controls = {}, seed, prime = "", play = true }) {
    const message = { type: "open", model, controls, prime, play };
    if (name) message.session = name;
    if (seed !== undefined) message.seed = seed;
    this.#setState("joining");
    try {
      await this.#enter(message, () => this.#forget());
    } catch (error) {
      if (error.code === "session_exists") return this.join(name);
      this.#setState("idle");
      this.#fail(error);
    }
  }

  /** Views a session, with the latest of its history. */
  async join(name) {
    this.name = name;
    this.#setState("joining");
    const attempt = ++this.#attempt; // voids earlier attempts while we look up the position
    this.#settled = false;
    const position = await this.#findPosition(name);
    if (attempt !== this.#attempt) return;
    await this.#attach(Math.max(-1, (position ?? 0) - 1 - HISTORY), { fresh: true });
  }

  /** Takes the instance in a `hello`: another one has another clock. */
  meet(instance) {
    this.#restarted = this.#instance !== null && this.#instance !== instance;
    this.#instance = instance;
  }

  /** After a reconnect: goes on after the last symbol that was seen. */
  async resume() {
    if (!this.name) return;
    if (this.last < 0) return this.join(this.name);
    this.#setState("joining");
    // By the epoch the server can tell whether the session was rewound or reset meanwhile. We ask
    // for our last symbol again: if it differs, the server was restarted without its sessions.
    await this.#attach(this.last - 1, { recheck: true });
  }

  /** Forks the session under another name, and views the fork. */
  async fork(name, as) {
    try {
      await this.#connection.request({ type: "fork", session: name, as });
    } catch (error) {
      if (error.code !== "session_exists") this.#fail(error);
    }
    await this.join(as);
  }

  /** Ends the session for everybody. */
  async close() {
    const name = this.name;
    this.#attempt++;
    this.#settled = false;
    this.#forget();
    this.#closing = name;
    this.#setState("idle");
    try {
      if (name) await this.#connection.request({ type: "close", session: name });
    } catch (error) {
      if (error.code !== "unknown_session") this.#fail(error);
    }
    this.#closing = null;
  }

  /** The number of the first symbol due within so many seconds of the latest. */
  ago(seconds) {
    const since = this.#past.at(-1).due - seconds;
    return this.#past.find(({ due }) => due >= since).n;
  }

  /** Sends a request for this session; emits its error as "failed". */
  async command(type, fields = {}) {
    try {
      return await this.#connection.request({ type, session: this.name, ...fields });
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  async #attach(after, { fresh = false, recheck = false } = {}) {
    const message = { type: "attach", session: this.name, after };
    if (!fresh) message.epoch = this.#epoch;
    try {
      await this.#enter(message, () => {
        if (fresh) this.#forget();
        if (fresh) this.last = after;
        this.#recheck = recheck;
      });
    } catch (error) {
      // The session was reset or rewound, and has not reached our position again.
      if (error.code === "bad_position" && after >= 0) return this.#attach(-1, { fresh: true });
      if (error.code === "unknown_session") return this.#missing();
      if (error.code !== "disconnected") this.#fail(error);
    }
  }

  /** Sends an open or attach; `prepare` runs on the answer, before the symbols come. */
  async #enter(message, prepare) {
    const attempt = ++this.#attempt;
    this.#settled = false;
    let opened;
    try {
      opened = await this.#connection.request(message);
    } catch (error) {
      if (attempt === this.#attempt) throw error;
      return;
    }
    if (attempt !== this.#attempt) return;
    prepare();
    this.#settled = true;
    this.name = opened.session;
    this.#show(opened);
  }

  #show(opened) {
    // Either the pasts part only after the symbols shown, or `rewound` comes next.
    this.#epoch = opened.epoch;
    this.model = opened.model;
    this.controls = opened.controls;
    this.#setPending(opened.pending);
    this.#emit("opened", opened);
    this.#setState(opened.playing ? "playing" : "paused");
  }

  /** The server knows no session of our name. */
  #missing() {
    if (this.model && this.#reopens) {
      // The server was restarted. With the old seed the session would repeat itself: send none.
      const { seed, bpm, channel, ...controls } = this.controls;
      if (Object.keys(controls.artist ?? {}).length === 0) delete controls.artist;
      return this.open({ model: this.model, controls });
    }
    this.#wait();
  }

  #wait() {
    this.#setState("waiting");
    const attempt = ++this.#attempt;
    this.#settled = false;
    setTimeout(async () => {
      if (attempt !== this.#attempt || !this.#connection.up) return;
      const position = await this.#findPosition(this.name);
      if (attempt !== this.#attempt) return;
      if (position === undefined) this.#wait();
      else this.join(this.name);
    }, WAIT);
  }

  #down() {
    this.#attempt++;
    this.#settled = false;
    if (this.state !== "idle") this.#setState(this.name ? "joining" : "idle");
  }

  #receive(message) {
    if (message.session !== this.name || this.name === null) {
      if (message.type === "error" && !message.session) this.#fail(message);
      return;
    }
    switch (message.type) {
      case "symbol":
        if (this.#settled) this.#symbol(message);
        break;
      case "gap":
        if (this.#settled) this.#gap(message);
        break;
      case "touch":
        if (this.#settled) this.#emit("touch", message);
        break;
      case "led":
        this.#emit("led", message);
        break;
      case "controlled":
        this.pending.take(message);
        this.#emit("pending");
        if (message.pending) break;
        this.controls = message.controls;
        this.#emit("controlled", message);
        break;
      case "playing":
        if (this.live) this.#setState("playing");
        break;
      case "paused":
        if (this.live) this.#setState(message.reason === "engine" ? "engine" : "paused");
        break;
      case "opened":
        // Another model plays in this session. Our own request's answer is handled by its awaiter.
        if (this.#settled && message.model !== this.model) this.#show(message);
        break;
      case "reset":
        this.#epoch = message.epoch;
        this.#setPending();
        if (!this.#settled) this.join(this.name);
        else this.#forget();
        break;
      case "rewound":
        this.join(this.name);
        break;
      case "closed":
        if (this.#closing === null) {
          this.#forget();
          this.model = null;
          this.#wait(); // a performer may close a session and open it again
        }
        break;
      case "error":
        this.#fail(message);
        break;
    }
  }

  #symbol(message) {
    if (this.#recheck) {
      this.#recheck = false;
      if (message.n === this.last && !this.#isLast(message)) return this.join(this.name);
    }
    if (message.n <= this.last) return;
    if (message.n > this.last + 1) return this.#gap({ before: message.n });
    this.last = message.n;
    this.#latest = message;
    this.#past.push({ n: message.n, due: message.due });
    if (this.#past.length > HISTORY) this.#past.shift();
    this.#askedAfter = null;
    this.#emit("symbol", message);
  }

  #isLast(message) {
    if (!this.#restarted) return message.due === this.#latest.due;
    // Due times are on the clock of a server, but a session that has come back has the same symbols.
    return what(message) === what(this.#latest);
  }

  #gap({ before }) {
    if (before - 1 <= this.last) return;
    if (this.#askedAfter !== this.last && this.last >= 0) {
      this.#askedAfter = this.last; // we read too slowly; the server still keeps the missed symbols
      this.#attach(this.last);
      return;
    }
    const after = this.last;
    this.last = before - 1;
    this.#emit("gap", { after, before });
  }

  #forget() {
    this.last = -1;
    this.#latest = null;
    this.#past = [];
    this.#recheck = false;
    this.#askedAfter = null;
    this.#emit("cleared");
  }

  #setPending(list = []) {
    this.pending.clear();
    for (const coming of list) this.pending.take(coming);
    this.#emit("pending");
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", state);
  }

  #fail(error) {
    this.#emit("failed", error);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
