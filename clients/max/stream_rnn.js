// stream-rnn in Max, by Node for Max: plays a stream on time, and controls it.
//
//   1. In a terminal:  stream-rnn serve          and, once, in this folder:  npm install osc
//   2. Open stream_rnn.maxpat; it starts this script.
//   3. Control it with the number and message boxes. You may send any action of docs/osc.md:
//        temperature 0.4      artist "Emily Dickinson" 2 "Edgar Allan Poe" 1      pause      play
//
// Output, when due:  char TEXT N   note PITCH VELOCITY SECONDS   (velocity 0: the note ends)
// and at once:  controlled NAME VALUE N   error CODE MESSAGE
//
// It also runs in a terminal, without Max: type actions as lines, and it prints its output.
//   node stream_rnn.js session=main model=lyrics

const osc = require("osc");

// Where the server is, and what it should play; `node.script stream_rnn.js model=lyrics` in the
// patch changes them as well. myPort 0 is any free port.
const settings = {
  host: "127.0.0.1",
  port: 8766,
  myPort: 0,
  session: "main",
  model: "nottingham-joint",
};
for (const argument of process.argv.slice(2)) {
  const [name, value] = argument.split("=");
  if (name in settings) settings[name] = typeof settings[name] === "number" ? +value : value;
}

// Max, or the terminal instead.
function connectMax(perform) {
  let max;
  try {
    max = require("max-api");
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    const lines = require("readline").createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      const words = line.match(/"[^"]*"|\S+/g) || [];
      perform(words.map((w) => (w.startsWith('"') ? w.slice(1, -1) : isNaN(w) ? w : +w)));
    });
    return (...values) => console.log(values.join(" "));
  }
  max.addHandler(max.MESSAGE_TYPES.ALL, (handled, ...values) => {
    if (!handled) perform(values);
  });
  return (...values) => max.outlet(...values);
}

const base = `/rnn/${settings.session}/`;
const udp = new osc.UDPPort({
  localAddress: settings.host === "127.0.0.1" ? settings.host : "0.0.0.0",
  localPort: settings.myPort,
  remoteAddress: settings.host,
  remotePort: settings.port,
  metadata: true,
});

// Numbers are sent as floats: Max does not distinguish 1. from 1 here, and the server takes either.
function send(address, ...values) {
  const args = values.map((value) => ({ type: typeof value === "number" ? "f" : "s", value }));
  udp.send({ address, args });
}

const out = connectMax(([action, ...values]) => {
  if (action !== undefined) send(base + action, ...values);
});

// Messages that wait for their time, in order of arrival: with a timer for each, those due at the
// same time could change places.
const waiting = [];
let timer;
function play() {
  clearTimeout(timer);
  while (waiting.length > 0 && waiting[0].due <= Date.now()) out(...waiting.shift().values);
  if (waiting.length > 0) timer = setTimeout(play, Math.max(1, waiting[0].due - Date.now()));
}

udp.on("message", ({ address, args }, timeTag) => {
  const values = args.map((argument) => argument.value);
  const start = address.startsWith(base) ? base : "/rnn/";
  const action = address.slice(start.length);
  if (action === "char" || action === "note") {
    // When a session pauses, its notes end at once: these messages have no time.
    waiting.push({ due: timeTag ? timeTag.native : Date.now(), values: [action, ...values] });
    play();
  } else if (action === "controlled") {
    out(action, ...values);
  } else if (action === "error" && values[0] !== "session_exists") {
    out(action, ...values.slice(0, 2));
  }
});

udp.on("error", (error) => out("error", error.code || "socket", error.message));

// Subscribing again does no harm, and finds a server that was restarted.
udp.on("ready", () => {
  send(base + "open", settings.model);
  send("/rnn/subscribe", settings.session);
  setInterval(() => send("/rnn/subscribe", settings.session), 2000);
});

udp.open();
