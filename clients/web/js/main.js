/* Puts the page together: connection → stream → playhead → the domain's view, and its sound. */

import { address, findPosition, hasToken, linkFor, query, remember, sessions } from "./address.js";
import { Piano } from "./audio.js";
import { copy } from "./clipboard.js";
import { ClockSync, now } from "./clock.js";
import { coalesce } from "./coalesce.js";
import { Connection } from "./connection.js";
import { ControlLog, describeChange } from "./control-log.js";
import { LeadPad } from "./lead-pad.js";
import { Panel } from "./panel.js";
import { showPending } from "./pending.js";
import { Playhead } from "./playhead.js";
import { showsPointer } from "./pointer.js";
import { Sounding } from "./sounding.js";
import { Stream } from "./stream.js";
import { TextView } from "./text-view.js";
import { tint } from "./tint.js";
import { makeToaster } from "./toast.js";
import { Trouble } from "./trouble.js";
import { Views } from "./views.js";
import { WakeLock } from "./wake-lock.js";

const FRESH = 1.0; // s; symbols due longer ago are history, and neither glow nor sound
const GIVES_UP = 12; // attempts to connect, about a minute, after which the screen may go dark
const BACK = 4; // s by which "rewind" goes back
const STATES = {
  idle: "ready",
  joining: "joining",
  playing: "",
  paused: "paused",
  engine: "the engine is coming back",
  waiting: "waiting for the session",
};

const isStage = query.has("stage");
const find = (id) => document.getElementById(id);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const calm = () => reducedMotion.matches;

const clock = new ClockSync();
const serverTime = () => clock.serverTime(now());
const connection = new Connection(address("v1/stream", "ws"), clock);
const trouble = new Trouble(address("v1/stream"));
const stream = new Stream(connection, findPosition, { reopens: true });
const panel = new Panel(document);
const toast = makeToaster(find("toasts"));
const log = new ControlLog();
const piano = new Piano(showSound);
const text = new TextView(find("scroller"), find("verse"), { calm, onFollow: showFollowing });
const views = new Views(find("roll"), text, { calm });
const sounding = new Sounding(piano, (due) => due - serverTime());
const pad = new LeadPad(find("pad"), (gesture) => stream.live && stream.command("lead", { gesture }));
const playhead = new Playhead(serverTime, show);
const wakeLock = new WakeLock();

let changed = {}; // controls that the performer set before there is a session
let cuedUpTo = -1; // cues of symbols up to this one are on the page
let lateness = 0;
let shown = 0;
let connected = false;
let welcomed = false;
let wrong = ""; // why there is no connection, as far as the page can find out

// The stream

connection.addEventListener("up", ({ detail: hello }) => {
  connected = true;
  wrong = "";
  trouble.clear();
  panel.setModels(hello.models, hello.controls);
  stream.meet(hello.instance);
  if (welcomed) stream.resume();
  else if (query.has("fork") && query.get("session")) fork(query.get("session"));
  else if (query.get("session")) stream.join(query.get("session"));
  else if (isStage) followAny();
  welcomed = true;
  showState();
});

connection.addEventListener("down", async ({ detail: { failed } }) => {
  connected = false;
  silence();
  showState();
  if (!failed) return;
  if (failed > GIVES_UP) wakeLock.want(false);
  const found = await trouble.find();
  if (connected) return;
  if (trouble.isOver) connection.hurry();
  // An audience sees that there is no connection, but not why.
  if (found && found !== wrong && !isStage && document.body.dataset.view !== "front") toast(found);
  wrong = found;
  showState();
});

stream.addEventListener("opened", ({ detail }) => {
  panel.showModel(detail.model);
  panel.show(detail.controls);
  log.add(detail.position, detail.controls);
  cuedUpTo = detail.position;
  changed = {};
  remember(detail.session);
  find("stage-link").href = linkFor({ stage: true });
  find("fork-link").href = linkFor({ fork: true });
  find("fork-link").hidden = false;
});

stream.addEventListener("state", ({ detail: state }) => {
  if (state !== "playing") silence();
  panel.setState(state);
  // The screen stays on while a lost connection comes back.
  if (state !== "joining") wakeLock.want(state === "playing" || state === "engine");
  showState();
});

stream.addEventListener("cleared", () => {
  playhead.clear();
  log.clear();
  if (stream.controls) log.add(0, stream.controls);
  cuedUpTo = -1;
  views.clear();
  pad.show(null);
  silence();
  showState();
});

stream.addEventListener("controlled", ({ detail }) => {
  const before = log.at(detail.position) ?? {};
  log.add(detail.position, detail.controls, describeChange(before, detail.controls));
  panel.show(detail.controls);
});

stream.addEventListener("pending", () => showPending(stream.pending, document));

stream.addEventListener("symbol", ({ detail: symbol }) => {
  sounding.take(symbol, log.at(symbol.n));
  playhead.push(symbol);
  if (document.body.dataset.view === "front") showState();
});

stream.addEventListener("touch", ({ detail: message }) => {
  sounding.take(message, stream.controls);
  playhead.push(message);
});

stream.addEventListener("led", ({ detail }) => detail.player === 0 && pad.show(detail.gesture));

stream.addEventListener("gap", () => {
  text.gap();
  silence();
});

stream.addEventListener("failed", ({ detail: error }) => toast(error.message));

function show(message, time) {
  const { n, due, touch } = message;
  const domain = panel.model?.domain;
  if (touch) return views.add(domain, message, stream.controls, time);
  const controls = log.at(n);
  const cues = log.cues(cuedUpTo, n);
  const fresh = time - due < FRESH;
  cuedUpTo = Math.max(cuedUpTo, n);
  shown += 1;
  if (fresh) lateness += (Math.max(0, time - due) - lateness) * 0.1;
  // Controls from before this page joined are unknown; they were most likely those of now.
  const ink = tint((controls ?? stream.controls)?.temperature);
  views.add(domain, { ...message, ink, cues, fresh }, controls, time);
}

// Sound

const silence = () => sounding.release();

/** If the next frame never comes, its predecessor's notes must not sound on. */
setInterval(() => sounding.overdue(serverTime()) && silence(), 250);

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
    silence(); // so that held notes are struck again, now that they can be heard
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
  changed = {};
  if (stream.state === "playing" && views.sounds(panel.model.domain) && !piano.audible) piano.wake();
  if (stream.live) await stream.command("control", { model: panel.model.name, controls: {} });
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

panel.addEventListener("rewind", () => {
  if (stream.live && stream.last >= 0) stream.command("rewind", { to: stream.ago(BACK) });
});

/** Makes a session with the same past, and views that one instead. */
function fork(name) {
  query.delete("fork");
  return stream.fork(name, `${name.slice(0, 56)}-${Math.random().toString(36).slice(2, 6)}`);
}

function play() {
  if (!connected) return toast("There is no connection to the server yet.");
  if (views.sounds(panel.model?.domain) && !piano.audible) piano.wake();
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

// Space plays and pauses, except in a text field, or on a button that has the keyboard focus.
function isForPlaying({ key, target, ctrlKey, altKey, metaKey }) {
  if (key !== " " || ctrlKey || altKey || metaKey) return false;
  if (target.matches("select, textarea, input:not([type=range])")) return false;
  return !(target.matches("button, a") && target.matches(":focus-visible"));
}
addEventListener("keydown", (event) => {
  if (panel.model?.domain === "ensemble" && pad.key(event)) return;
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
  const trying = wrong ? "no connection" : welcomed ? "reconnecting" : "connecting";
  const said = connected ? STATES[stream.state] : trying;
  find("state").textContent = said;
  find("front-title").textContent = panel.model?.title ?? "";
  const waits = stream.state === "waiting" && isStage;
  const hint = waits ? "waiting for the performer" : "press Play, or the space bar";
  find("front-hint").textContent = connected ? hint : wrong;
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

/** A stage without a session in its address shows one that plays. */
async function followAny() {
  const all = await sessions();
  const best = all.find(({ status }) => status === "playing") ?? all[0];
  if (best) stream.join(best.session);
  else setTimeout(followAny, 1500);
}

function frame() {
  playhead.frame();
  views.frame(document.body.dataset.view, serverTime(), stream.state === "playing");
  requestAnimationFrame(frame);
}

document.body.classList.toggle("stage", isStage);
if (isStage) showsPointer(document.body);
find("link").addEventListener("click", async () => {
  try {
    await copy(new URL(linkFor(), location).href);
    toast("The link is copied. Anybody who opens it can watch and play this session.");
  } catch {
    toast(hasToken ? `${location.href} and the token, as &token=…` : location.href);
  }
});
find("stage-link").href = linkFor({ stage: true });
showSound();
showState();
panel.setState("idle");
connection.start();
requestAnimationFrame(frame);

/** The page's state, for tests and the curious. Playing does not need it. */
window.streamRnn = {
  get session() { return stream.name; },
  get state() { return stream.state; },
  get connected() { return connected; },
  get last() { return stream.last; },
  get shown() { return shown; },
  get text() { return find("verse").textContent; },
  get notes() { return { ...piano.counts, voices: piano.voices, drawn: views.count(panel.model?.domain), lead: piano.lead }; },
  get lateness() { return lateness; },
  get roundTrip() { return clock.roundTrip; },
  get awake() { return wakeLock.held; },
};
