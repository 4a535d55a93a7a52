/* Plays each message of a stream on the instruments, whatever its domain. */

import { NoteTracker } from "./notes.js";

const TOO_LATE = 0.15; // s of lateness beyond which an event's note is not struck
const PLAYERS = ["piano", "reed", "string", "string"]; // the timbres of an ensemble
const DEGREES = [0, 2, 4, 7, 9]; // of the pentatonic scale that a finger draws on

export class Sounding {
  #piano;
  #ahead;
  #tracker = new NoteTracker();
  #finger = { pitch: null };
  #heldUntil = Infinity; // when notes must end if no further message comes

  /** @param ahead (due) => seconds until then. */
  constructor(piano, ahead) {
    this.#piano = piano;
    this.#ahead = ahead;
  }

  /** Takes a symbol, or a touch between symbols, as soon as it comes. */
  take(message, controls = {}) {
    const { velocity = 80, transpose = 0, rate = 8 } = controls;
    const { notes, sounds, event, touch, fed, due, velocity: own = 80 } = message;
    const ahead = this.#ahead(due);
    const how = { ahead, velocity, transpose, audible: ahead > -TOO_LATE };
    if (notes) {
      // A frame that comes after its end is not played; notes that it holds on begin in the next.
      const audible = !fed && ahead > -Math.max(0.1, 1 / rate);
      this.#frame(message.n, audible ? notes : [], how);
      this.#heldUntil = due + 2 / rate + 0.3;
    } else if (touch) {
      this.#touch(touch, how);
    } else if (!fed && sounds) {
      this.#spelt(sounds, how);
    } else if (!fed && event) {
      this.#event(event, { ...how, own });
    }
  }

  /** Ends all notes. */
  release() {
    this.#tracker.release();
    this.#heldUntil = Infinity;
    this.#finger = { pitch: null };
    this.#piano.silence();
  }

  /** Whether the next frame is overdue, so that sounding notes must end. */
  overdue(time) {
    return time > this.#heldUntil;
  }

  #on(key, pitch, { velocity, transpose, ahead }, timbre) {
    this.#piano.noteOn(key, pitch + transpose, Math.min(127, Math.max(1, velocity)), ahead, timbre);
  }

  #frame(n, pitches, how) {
    const { on, off } = this.#tracker.frame(n, pitches);
    for (const pitch of off) this.#piano.noteOff(pitch, how.ahead);
    for (const pitch of on) this.#on(pitch, pitch, how);
  }

  #spelt(sounds, how) {
    for (const { pitch, seconds } of how.audible ? sounds : []) {
      if (pitch === null) continue;
      const key = `spelt ${pitch}`;
      this.#on(key, pitch, how, "reed");
      this.#piano.noteOff(key, how.ahead + seconds * 0.94);
    }
  }

  #event(event, how) {
    if (event.off !== undefined) this.#piano.noteOff(event.off, how.ahead);
    if (event.end || event.rest) this.#piano.releaseAll(how.ahead);
    if (!how.audible) return;
    if (event.on !== undefined) {
      const velocity = Math.round((how.own * how.velocity) / 80);
      this.#piano.noteOff(event.on, how.ahead);
      this.#on(event.on, event.on, { ...how, velocity });
    } else if (event.string) {
      const key = `string ${event.string}`;
      this.#piano.noteOff(key, how.ahead);
      this.#on(key, event.note, how, "string");
    } else if (event.x !== undefined || event.pressure !== undefined) {
      this.#draw(event, how);
    }
  }

  /** A drawing finger plays a scale: x is the pitch, pressure the loudness. */
  #draw(event, how) {
    Object.assign(this.#finger, event);
    if (event.pressure === undefined) return;
    const { x = 0.5, pressure, pitch: before } = this.#finger;
    const degree = Math.min(14, Math.floor(x * 15));
    const pitch = pressure > 0.04 ? 50 + 12 * Math.floor(degree / 5) + DEGREES[degree % 5] : null;
    if (pitch === before) return;
    this.#finger.pitch = pitch;
    this.#piano.noteOff("finger", how.ahead);
    if (pitch !== null) this.#on("finger", pitch, { ...how, velocity: 30 + Math.round(80 * pressure) }, "string");
  }

  #touch({ player, pitch, down, y }, how) {
    const key = `player ${player}`;
    const held = this.#finger[key];
    if (down && held === pitch) return;
    if (held !== undefined) this.#piano.noteOff(key, how.ahead);
    delete this.#finger[key];
    if (!down || !how.audible) return;
    this.#finger[key] = pitch;
    const velocity = Math.round(how.velocity * (0.5 + y));
    this.#on(key, pitch, { ...how, velocity }, PLAYERS[player % PLAYERS.length]);
  }
}
