/* Puts the page together: connection → stream → playhead → verse or roll and piano. */

import { Piano } from "./audio.js";
import { ClockSync, now } from "./clock.js";
import { coalesce } from "./coalesce.js";
import { Connection } from "./connection.js";
import { ControlLog, describeChange } from "./control-log.js";
import { NoteTracker } from "./notes.js";
import { Panel } from "./panel.js";
import { Playhead } from "./playhead.js";
import { RollView } from "./roll-view.js";
import { Stream } from "./stream.js";
import { TextView } from "./text-view.js";
import { tint } from "./tint.js";
import { makeToaster } from "./toast.js";
import { words } from "./words.js";

const FRESH = 1.0; // s; what was due longer ago is history, and neither glows nor sounds
const STATES = {
  idle: "ready",
  joining: "joining",
  playing: "",
  paused: "paused",
  engine: "the engine is coming back",
  waiting: "waiting for the session",
};

const query = new URLSearchParams(location.search);
const isStage = query.has("stage");
const find = (id) => document.getElementById(id);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const calm = () => reducedMotion.matches;

const clock = new ClockSync();
const serverTime = () => clock.serverTime(now());
const connection = new Connection(address("/v1/stream", "ws"), clock);
const stream = new Stream(connection, findPosition, { reopens: true });
const panel = new Panel(document);
const toast = makeToaster(find("toasts"));
const log = new ControlLog();
const tracker = new NoteTracker();
const piano = new Piano(showSound);
const text = new TextView(find("scroller"), find("verse"), { calm, onFollow: showFollowing });
const roll = new RollView(find("roll"), { calm });
const playhead = new Playhead(serverTime, showSymbol);

let changed = {}; // what the performer set before there is a session
let cuedUpTo = -1; // cues of symbols up to here are on the page
let lateness = 0;
let shown = 0;
let connected = false;
let welcomed = false;

// The stream

connection.addEventListener("up", ({ detail: hello }) => {
  connected = true;
  panel.setModels(hello.models);
  if (welcomed) stream.resume();
  else if (query.get("session")) stream.join(query.get("session"));
  else if (isStage) followAny();
  welcomed = true;
  showState();
});

connection.addEventListener("down", () => {
  connected = false;
  silence();
  showState();
});

stream.addEventListener("opened", ({ detail }) => {
  panel.showModel(detail.model);
  panel.show(detail.controls);
  log.add(detail.position, detail.controls);
  cuedUpTo = detail.position;
  changed = {};
  remember(detail.session);
});

stream.addEventListener("state", ({ detail: state }) => {
  if (state !== "playing") silence();
  panel.setState(state);
  showState();
});

stream.addEventListener("cleared", () => {
  playhead.clear();
  log.clear();
  if (stream.controls) log.add(0, stream.controls);
  cuedUpTo = -1;
  text.clear();
  roll.clear();
  silence();
  showState();
});

stream.addEventListener("controlled", ({ detail }) => {
  const before = log.at(detail.position) ?? {};
  log.add(detail.position, detail.controls, describeChange(before, detail.controls));
  panel.show(detail.controls);
});

stream.addEventListener("symbol", ({ detail: symbol }) => {
  if (symbol.notes) sound(symbol);
  playhead.push(symbol);
  if (document.body.dataset.view === "front") showState();
});

stream.addEventListener("gap", () => {
  text.gap();
  silence();
});

stream.addEventListener("failed", ({ detail: error }) => toast(error.message));

function showSymbol(symbol, time) {
  const { n, due, fed } = symbol;
  const controls = log.at(n);
  const cues = log.cues(cuedUpTo, n);
  const fresh = time - due < FRESH;
  cuedUpTo = Math.max(cuedUpTo, n);
  shown += 1;
  if (fresh) lateness += (Math.max(0, time - due) - lateness) * 0.1;
  const ink = tint(controls?.temperature);
  if (symbol.notes) roll.add({ ...symbol, ink, cues }, controls);
  else text.add({ n, text: symbol.text ?? words(symbol), ink, fed: Boolean(fed), cues, fresh }, time);
}

// Sound

let heldUntil = Infinity; // when notes must end if no frame comes any more

function sound({ n, due, notes, fed }) {
  const { velocity = 80, transpose = 0, rate = 8 } = log.at(n) ?? {};
  const ahead = due - serverTime();
  // What comes after its frame is over is not played, but a note held on from it is, then.
  const audible = !fed && ahead > -Math.max(0.1, 1 / rate);
  const { on, off } = tracker.frame(n, audible ? notes : []);
  for (const pitch of off) piano.noteOff(pitch, ahead);
  for (const pitch of on) piano.noteOn(pitch, pitch + transpose, velocity, ahead);
  heldUntil = due + 2 / rate + 0.3;
}

function silence() {
  tracker.release();
  heldUntil = Infinity;
  piano.silence();
}

/** A frame that never comes must not leave a note sounding. */
setInterval(() => serverTime() > heldUntil && silence(), 250);

addEventListener("pagehide", silence);

function showSound() {
  const on = piano.audible;
  find("sound").textContent = on ? "Sound off" : "Sound on";
  find("sound").setAttribute("aria-pressed", String(on));
}

find("sound").addEventListener("click", () => {
  if (piano.audible) {
    piano.mute();
  } else {
    silence(); // so that what is held now is struck when it can be heard
    piano.wake();
  }
});

// The performer

const sendChanges = coalesce((controls) => stream.command("control", { controls }));

panel.addEventListener("change", ({ detail }) => {
  if (stream.live) sendChanges(detail);
  else Object.assign(changed, detail);
});

panel.addEventListener("model", async () => {
  const playing = stream.state === "playing";
  changed = {};
  await stream.close();
  if (playing) play();
  showState();
});

panel.addEventListener("prime", ({ detail: symbols }) => {
  if (stream.live) stream.command("feed", { symbols });
  else play();
});

panel.addEventListener("play", play);
panel.addEventListener("pause", () => stream.live && stream.command("pause"));
panel.addEventListener("reset", async () => {
  if (!stream.live) return;
  const reset = await stream.command("reset");
  if (reset && panel.prime) stream.command("feed", { symbols: panel.prime });
});

function play() {
  if (!connected) return toast("There is no connection to the server yet.");
  if (panel.model?.domain === "pianoroll" && !piano.audible) piano.wake();
  if (stream.live) return stream.command("play");
  if (stream.state === "joining") return undefined;
  const { seed, ...controls } = changed;
  return stream.open({
    model: panel.model.name,
    controls,
    seed: seed ?? panel.seed,
    prime: panel.prime,
  });
}

function toggle() {
  if (stream.state === "playing" || stream.state === "engine") stream.command("pause");
  else play();
}

// Space plays and pauses, except where it writes, or presses a button that the keyboard chose.
function isForPlaying({ key, target, ctrlKey, altKey, metaKey }) {
  if (key !== " " || ctrlKey || altKey || metaKey) return false;
  if (target.matches("select, textarea, input:not([type=range])")) return false;
  return !(target.matches("button, a") && target.matches(":focus-visible"));
}
addEventListener("keydown", (event) => {
  if (!isForPlaying(event)) return;
  event.preventDefault();
  if (!event.repeat) toggle();
});
addEventListener("keyup", (event) => isForPlaying(event) && event.preventDefault());

// The page

function showState() {
  const domain = panel.model?.domain ?? "text";
  const empty = stream.last < 0;
  document.body.dataset.view = empty ? "front" : domain;
  document.body.dataset.state = connected ? stream.state : "offline";
  const said = connected ? STATES[stream.state] : welcomed ? "reconnecting" : "connecting";
  find("state").textContent = said;
  find("front-title").textContent = panel.model?.title ?? "";
  find("front-hint").textContent =
    stream.state === "waiting" && isStage ? "waiting for the performer" : "press Play, or the space bar";
}

function showFollowing(following) {
  find("newest").hidden = following;
}
find("newest").addEventListener("click", () => text.follow());

function showFigures() {
  const trip = clock.roundTrip;
  find("position").textContent = (stream.last + 1).toLocaleString("en");
  find("late").textContent = `${Math.round(lateness * 1000)} ms`;
  find("trip").textContent = trip === undefined ? "–" : `${(trip * 1000).toFixed(trip < 0.01 ? 1 : 0)} ms`;
}
setInterval(showFigures, 250);

/** Puts the session's name into the address, so that a reload or a friend finds it. */
function remember(session) {
  query.set("session", session);
  history.replaceState(null, "", `?${query}`.replace("stage=", "stage"));
  document.title = `${session} · stream-rnn`;
  const stage = new URLSearchParams(query);
  stage.set("stage", "");
  find("stage-link").href = `?${stage}`.replace("stage=", "stage");
}

function address(path, scheme = "http") {
  const url = new URL(path, location);
  if (scheme === "ws") url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (query.has("token")) url.searchParams.set("token", query.get("token"));
  return url;
}

async function sessions() {
  try {
    const response = await fetch(address("/v1/sessions"));
    return response.ok ? (await response.json()).sessions : [];
  } catch {
    return []; // the connection says by itself that it is lost
  }
}

async function findPosition(name) {
  return (await sessions()).find(({ session }) => session === name)?.position;
}

/** A stage that was told no session shows the one that plays. */
async function followAny() {
  const all = await sessions();
  const best = all.find(({ status }) => status === "playing") ?? all[0];
  if (best) stream.join(best.session);
  else setTimeout(followAny, 1500);
}

function frame() {
  playhead.frame();
  const time = serverTime();
  if (document.body.dataset.view === "pianoroll") roll.frame(time, stream.state === "playing");
  else text.frame(time);
  requestAnimationFrame(frame);
}

document.body.classList.toggle("stage", isStage);
find("link").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    toast("The link is copied: whoever opens it sees and plays this session.");
  } catch {
    toast(location.href);
  }
});
showSound();
showState();
panel.setState("idle");
connection.start();
requestAnimationFrame(frame);

/** For tests and the curious: what the page knows. Nothing here is needed to play. */
window.streamRnn = {
  get session() { return stream.name; },
  get state() { return stream.state; },
  get connected() { return connected; },
  get last() { return stream.last; },
  get shown() { return shown; },
  get text() { return find("verse").textContent; },
  get notes() { return { ...piano.counts, voices: piano.voices, drawn: roll.notes, lead: piano.lead }; },
  get lateness() { return lateness; },
  get roundTrip() { return clock.roundTrip; },
};
