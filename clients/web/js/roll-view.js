/* The piano roll: frames go from the playhead to the left, and what sounds glows.
 *
 * Time is counted in frames, not in seconds, so that a pause stands still and goes on without a
 * hole, and a change of rate is seen as a change of speed.
 */

const LOWEST = 21;
const HIGHEST = 108;
const HEAD = 0.8; // where the playhead stands, from the left
const KEEP = 400; // frames, beyond what the widest screen shows
const SETTLED = 90; // frames after which a roll that does not play has come to rest
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export class RollView {
  #canvas;
  #pen;
  #calm;
  #notes = []; // { pitch, from, to, ink, fed, struck }
  #cues = []; // { n, text }
  #held = new Map(); // pitch -> note
  #latest = null; // { n, due }
  #stepsPerBeat = 4;
  #interval = 0.125;
  #low = 48;
  #high = 84;
  #head = 0;
  #size = { width: 0, height: 0 };
  #still = 0; // frames drawn since anything moved

  constructor(canvas, { calm }) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    this.#calm = calm;
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  get notes() {
    return this.#notes.length;
  }

  /** Takes a frame when it is due. */
  add({ n, due, notes, fed, ink, cues }, controls) {
    if (this.#latest && n !== this.#latest.n + 1) this.#held.clear();
    const sounding = new Set(notes);
    for (const pitch of this.#held.keys()) if (!sounding.has(pitch)) this.#held.delete(pitch);
    for (const pitch of sounding) {
      const held = this.#held.get(pitch);
      if (held && held.fed === Boolean(fed)) {
        held.to = n + 1;
        continue;
      }
      const note = { pitch, from: n, to: n + 1, ink, fed: Boolean(fed), struck: due };
      this.#held.set(pitch, note);
      this.#notes.push(note);
    }
    for (const { label } of cues) this.#cues.push({ n, text: label });
    this.#latest = { n, due };
    this.#still = 0;
    if (controls?.rate) {
      this.#interval = 1 / controls.rate;
      this.#stepsPerBeat = Math.max(1, Math.round((controls.rate * 60) / controls.bpm));
    }
    this.#forget(n - KEEP);
  }

  clear() {
    this.#notes = [];
    this.#cues = [];
    this.#held.clear();
    this.#latest = null;
    this.#still = 0;
  }

  /** Draws; `time` on the server's clock. */
  frame(time, playing) {
    const { width, height } = this.#size;
    const pen = this.#pen;
    this.#still = playing ? 0 : this.#still + 1;
    if (!width || this.#still > SETTLED) return; // a paused roll costs nothing
    pen.clearRect(0, 0, width, height);
    const step = Math.max(9, Math.min(22, width / 70));
    if (this.#latest) {
      const since = playing ? Math.max(0, Math.min(1, (time - this.#latest.due) / this.#interval)) : 1;
      this.#head = this.#latest.n + (this.#calm() ? 1 : since);
    }
    const first = this.#head - (width * HEAD) / step - 1;
    const x = (n) => width * HEAD + (n - this.#head) * step;
    const visible = this.#notes.filter((note) => note.to > first);
    this.#fit(visible);
    const lane = height / (this.#high - this.#low + 1);
    const y = (pitch) => height - (pitch - this.#low + 1) * lane;

    this.#drawGrid(pen, first, x, y, lane);
    for (const note of visible) this.#drawNote(pen, note, x, y, lane, time, playing);
    this.#drawHead(pen, width * HEAD, height);
  }

  /** Keeps the range of what is seen in view, without jumps. */
  #fit(visible) {
    if (!visible.length) return;
    const pitches = visible.map((note) => note.pitch);
    const centre = (Math.min(...pitches) + Math.max(...pitches)) / 2;
    const reach = Math.max(15, (Math.max(...pitches) - Math.min(...pitches)) / 2 + 4);
    const ease = this.#calm() ? 1 : 0.04;
    this.#low += (Math.max(LOWEST - 1, centre - reach) - this.#low) * ease;
    this.#high += (Math.min(HIGHEST + 1, centre + reach) - this.#high) * ease;
  }

  #drawGrid(pen, first, x, y, lane) {
    const { width, height } = this.#size;
    pen.font = "italic 13px 'Iowan Old Style', 'Palatino Linotype', Palatino, P052, Georgia, serif";
    pen.textBaseline = "middle";
    pen.lineWidth = 1;
    for (let pitch = Math.ceil(this.#low); pitch <= this.#high; pitch += 1) {
      if (pitch % 12 !== 0) continue;
      const at = Math.round(y(pitch) + lane) + 0.5;
      pen.strokeStyle = "rgba(240, 231, 214, 0.07)";
      pen.beginPath();
      pen.moveTo(0, at);
      pen.lineTo(width, at);
      pen.stroke();
      pen.fillStyle = "rgba(240, 231, 214, 0.34)";
      pen.fillText(`C${pitch / 12 - 1}`, 14, at - lane / 2);
    }
    const beat = this.#stepsPerBeat;
    for (let n = Math.max(0, Math.ceil(first / beat) * beat); n <= this.#head + 60; n += beat) {
      const bar = n % (beat * 4) === 0;
      pen.strokeStyle = `rgba(240, 231, 214, ${bar ? 0.085 : 0.03})`;
      pen.beginPath();
      pen.moveTo(Math.round(x(n)) + 0.5, 0);
      pen.lineTo(Math.round(x(n)) + 0.5, height);
      pen.stroke();
    }
    let row = 0;
    for (const cue of this.#cues) {
      if (cue.n < first - 40) continue;
      pen.fillStyle = "rgba(246, 205, 146, 0.26)";
      pen.fillRect(Math.round(x(cue.n)), 0, 1, height);
      pen.fillStyle = "rgba(246, 205, 146, 0.8)";
      pen.fillText(cue.text, x(cue.n) + 7, height - 16 - (row % 4) * 18);
      row += 1;
    }
  }

  #drawNote(pen, note, x, y, lane, time, playing) {
    const left = x(note.from) + 1;
    const right = Math.min(x(note.to), x(this.#head)) - 1;
    const width = Math.max(2, right - left);
    const thick = Math.max(3, Math.min(lane - 2, 20));
    const top = y(note.pitch) + (lane - thick) / 2;
    const sounds = playing && this.#held.get(note.pitch) === note && !note.fed;
    const age = Math.max(0, time - note.struck);
    const distance = Math.max(0, this.#head - note.to) / 60;
    const light = sounds ? 1 : Math.max(0.22, 0.72 - distance * 0.45);
    pen.beginPath();
    pen.roundRect(left, top, width, thick, Math.min(thick / 2, width / 2));
    if (note.fed) {
      pen.strokeStyle = `rgba(${note.ink}, 0.5)`;
      pen.stroke();
      return;
    }
    pen.fillStyle = `rgba(${note.ink}, ${light})`;
    pen.fill();
    if (!sounds) return;
    const strength = 0.16 + 0.5 * Math.exp(-age * 4);
    const middle = top + thick / 2;
    const radius = thick * (2.2 + 2.5 * Math.exp(-age * 3));
    const glow = pen.createRadialGradient(right, middle, 0, right, middle, radius);
    glow.addColorStop(0, `rgba(${note.ink}, ${strength})`);
    glow.addColorStop(1, `rgba(${note.ink}, 0)`);
    pen.fillStyle = glow;
    pen.fillRect(right - radius, middle - radius, 2 * radius, 2 * radius);
    pen.fillStyle = `rgba(${note.ink}, 0.8)`;
    pen.fillText(`${NAMES[note.pitch % 12]}`, right + 14, middle);
  }

  #drawHead(pen, at, height) {
    const line = pen.createLinearGradient(0, 0, 0, height);
    line.addColorStop(0, "rgba(240, 231, 214, 0)");
    line.addColorStop(0.5, "rgba(240, 231, 214, 0.32)");
    line.addColorStop(1, "rgba(240, 231, 214, 0)");
    pen.fillStyle = line;
    pen.fillRect(Math.round(at), 0, 1, height);
  }

  #forget(n) {
    if (this.#notes.length && this.#notes[0].to < n) {
      this.#notes = this.#notes.filter((note) => note.to >= n);
    }
    while (this.#cues.length && this.#cues[0].n < n) this.#cues.shift();
  }

  #resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.#still = 0;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.#size = { width, height };
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
}
