/* A small piano, plucked strings and a reed, scheduled on the sound card's clock. */

const LEAD = 0.03; // s by which every note is delayed: that sounds better than single late notes
const MOST_LEAD = 0.3;
const VOICES = 40;

// Each instrument's partials, from the fundamental; the level to which a note falls after the
// stroke, how fast that dies away compared with a piano, and how bright the note begins.
const TIMBRES = {
  // A struck string: falling off quickly, the seventh nearly missing.
  piano: { partials: [1, 0.46, 0.24, 0.16, 0.09, 0.05, 0.01, 0.025, 0.012, 0.008], attack: 0.004, rest: 0.45, decay: 1, bright: 7, beat: 2.5 },
  string: { partials: [1, 0.62, 0.5, 0.3, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04], attack: 0.002, rest: 0.36, decay: 0.42, bright: 11, beat: 1.2 },
  reed: { partials: [1, 0.5, 0.34, 0.26, 0.12, 0.1, 0.05, 0.03], attack: 0.022, rest: 0.8, decay: 2.6, bright: 3.4, beat: 5 },
};

/** The delay of all notes: it grows when one comes too late, and slowly shrinks again. */
export class Lead {
  value = LEAD;

  /** @param ahead s between now and when the note is due. @returns s from now to play it. */
  place(ahead) {
    const late = -(ahead + this.value);
    if (late > 0) this.value = Math.min(MOST_LEAD, this.value + late + 0.01);
    else this.value = Math.max(LEAD, this.value - 0.0002);
    return Math.max(0, ahead + this.value);
  }
}

export class Piano {
  counts = { on: 0, off: 0 };
  #context = null;
  #out;
  #mute;
  #waves;
  #voices = new Map(); // key -> voice that is held
  #ringing = new Set(); // every voice that still sounds
  #lead = new Lead();
  #muted = false;
  #onState;

  /** @param onState () => called when `audible` may have changed. */
  constructor(onState) {
    this.#onState = onState;
  }

  /** Whether notes can be heard: browsers require a click or a key first. */
  get audible() {
    return !this.#muted && this.#context?.state === "running";
  }

  get voices() {
    return this.#ringing.size;
  }

  get lead() {
    return this.#lead.value;
  }

  /** Switches sound on; to be called from a click or a key. */
  async wake() {
    this.#muted = false;
    if (!this.#context) this.#build();
    this.#mute.gain.value = 1;
    await this.#context.resume();
    this.#onState();
  }

  mute() {
    this.#muted = true;
    if (this.#context) this.#mute.gain.value = 0;
    this.#onState();
  }

  /**
   * Begins a note.
   *
   * @param key what `noteOff` will call it. @param pitch MIDI pitch, 0 to 127.
   * @param velocity 1 to 127. @param ahead s from now until it is due; may be below 0.
   * @param timbre "piano", "string" or "reed".
   */
  noteOn(key, pitch, velocity, ahead, timbre = "piano") {
    this.counts.on += 1;
    if (!this.audible || pitch < 0 || pitch > 127) return;
    if (this.#ringing.size >= VOICES) this.#end(this.#ringing.values().next().value, this.#now, 0.02);
    const when = this.#now + this.#lead.place(ahead);
    this.#out.gain.cancelScheduledValues(this.#now);
    this.#out.gain.setTargetAtTime(1, this.#now, 0.005);
    this.#voices.set(key, this.#strike(pitch, velocity / 127, when, timbre));
  }

  noteOff(key, ahead) {
    this.counts.off += 1;
    const voice = this.#voices.get(key);
    if (!voice) return;
    this.#voices.delete(key);
    const when = this.#now + Math.max(0, ahead + this.#lead.value);
    this.#end(voice, Math.max(when, voice.struck + 0.02), 0.11);
  }

  /** Ends all held notes at a given moment. */
  releaseAll(ahead) {
    for (const key of [...this.#voices.keys()]) this.noteOff(key, ahead);
  }

  /** Ends everything now, the echo included. */
  silence() {
    this.#voices.clear();
    if (!this.#context) return;
    for (const voice of this.#ringing) this.#end(voice, this.#now, 0.03);
    this.#out.gain.cancelScheduledValues(this.#now);
    this.#out.gain.setTargetAtTime(0, this.#now, 0.06);
  }

  get #now() {
    return this.#context.currentTime;
  }

  #build() {
    const context = (this.#context = new AudioContext({ latencyHint: "interactive" }));
    context.onstatechange = () => this.#onState();
    this.#waves = Object.fromEntries(
      Object.entries(TIMBRES).map(([name, { partials }]) => {
        const sines = new Float32Array([0, ...partials]);
        return [name, context.createPeriodicWave(new Float32Array(sines.length), sines)];
      }),
    );
    this.#mute = context.createGain();
    this.#out = context.createGain();
    const limit = context.createDynamicsCompressor();
    limit.threshold.value = -16;
    limit.ratio.value = 5;
    const room = context.createConvolver();
    room.buffer = echo(context, 1.7);
    const wet = context.createGain();
    wet.gain.value = 0.2;
    this.#out.connect(limit);
    this.#out.connect(room).connect(wet).connect(limit);
    limit.connect(this.#mute).connect(context.destination);
  }

  #strike(pitch, force, when, timbre) {
    const { attack, rest, decay: dying, bright, beat } = TIMBRES[timbre];
    const context = this.#context;
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const peak = 0.05 + 0.3 * force ** 1.6;
    const decay = dying * 1.6 * 2 ** ((60 - pitch) / 26); // low strings ring longer
    // 0 from the start: a note that is cancelled before it begins must not sound at all.
    const level = new GainNode(context, { gain: 0 });
    level.gain.setValueAtTime(0, when);
    level.gain.linearRampToValueAtTime(peak, when + attack);
    level.gain.setTargetAtTime(peak * rest, when + attack, 0.12);
    level.gain.setTargetAtTime(0, when + 0.3, decay);
    const tone = context.createBiquadFilter();
    tone.type = "lowpass";
    tone.frequency.setValueAtTime(Math.min(14000, 500 + frequency * (2 + bright * force)), when);
    tone.frequency.setTargetAtTime(Math.min(9000, 250 + frequency * 1.8), when, 0.35 * decay);
    const place = context.createStereoPanner();
    place.pan.value = Math.max(-0.6, Math.min(0.6, (pitch - 62) / 60));
    // Two strings a hair apart beat as a piano's do.
    const strings = [-beat, beat].map((cents) => {
      const string = context.createOscillator();
      string.setPeriodicWave(this.#waves[timbre]);
      string.frequency.value = frequency;
      string.detune.value = cents;
      string.connect(tone);
      string.start(when);
      return string;
    });
    tone.connect(level).connect(place).connect(this.#out);
    const voice = { level, strings, struck: when };
    this.#ringing.add(voice);
    strings[0].onended = () => {
      this.#ringing.delete(voice);
      place.disconnect();
    };
    for (const string of strings) string.stop(when + 0.3 + 7 * decay);
    return voice;
  }

  #end(voice, when, fade) {
    // setTargetAtTime begins from the level at that moment, so there is no click.
    voice.level.gain.cancelScheduledValues(when);
    voice.level.gain.setTargetAtTime(0, when, fade);
    for (const string of voice.strings) string.stop(when + 8 * fade);
  }
}

/** The impulse response of a small hall: noise that dies away. */
function echo(context, seconds) {
  const length = Math.round(context.sampleRate * seconds);
  const buffer = context.createBuffer(2, length, context.sampleRate);
  for (const channel of [0, 1]) {
    const data = buffer.getChannelData(channel);
    for (let i = 0; i < length; i += 1) data[i] = (Math.random() * 2 - 1) * (1 - i / length) ** 3.2;
  }
  return buffer;
}
