/* The verse: letters glow when they come, and settle into the line.
 *
 * Only glowing letters are elements of their own. A settled letter is joined to the run before it,
 * and the oldest lines are removed, so that the page can run for weeks. The container's text is
 * exactly the stream's, form feeds included: the style sheet draws the ornaments.
 */

const GLOW = 1.5; // s, as long as the animation in style.css
const MOST_GLOWING = 250; // letters; of a long text fed at once only these glow
const KEEP = 8000; // characters
const LONGEST_RUN = 300; // characters, so that a text without lines can be removed in parts
const REST = 0.62; // where the newest line comes to rest, from the top
const PULL = 5.7; // a second: how fast it comes to rest, whatever the frame rate
const NEAR = 90; // px from there within which a reader counts as following
const TICKS_APART = 4; // symbols between two marks of a control that is being dragged

export class TextView {
  #scroller;
  #lines;
  #calm;
  #line = null;
  #characters = 0;
  #glowing = []; // { letter, settles }
  #moved = false;
  #following = true;
  #lastTick = -Infinity;
  #framed = 0; // when the last frame was

  /**
   * @param scroller the element that scrolls; @param lines the one in it that holds the text.
   * @param calm () => whether the reader wants no motion.
   * @param onFollow (following) => called when following the newest line begins or ends.
   */
  constructor(scroller, lines, { calm, onFollow }) {
    this.#scroller = scroller;
    this.#lines = lines;
    this.#calm = calm;
    const look = () => {
      const following = this.#distance() < NEAR;
      if (following !== this.#following) onFollow((this.#following = following));
    };
    // Only what a reader does counts; our own scrolling must not switch following off.
    for (const type of ["wheel", "touchmove", "keyup", "pointerup"]) {
      scroller.addEventListener(type, () => requestAnimationFrame(look), { passive: true });
    }
    this.follow = () => onFollow((this.#following = this.#moved = true));
  }

  get characters() {
    return this.#characters;
  }

  /**
   * @param n the symbol's number. @param text its character. @param ink "r, g, b".
   * @param fed whether it was fed, not drawn. @param cues the changes of controls at it.
   * @param fresh whether it glows; history does not.
   */
  add({ n, text, ink, fed, cues, fresh }, time) {
    this.#moved = true;
    this.#characters += text.length;
    if (text === "\f") return this.#boundary();
    if (this.#line === null) this.#line = this.#append("div", "line");
    if (cues.length) this.#cue(n, cues, ink);
    if (fresh && this.#glowing.length < MOST_GLOWING && !this.#calm() && text.trim()) {
      const letter = this.#run(text, ink, fed);
      letter.classList.add("fresh");
      this.#glowing.push({ letter, settles: time + GLOW });
    } else if (!this.#extend(this.#line.lastChild, text, ink, fed)) {
      this.#run(text, ink, fed);
    }
    if (text === "\n") {
      if (this.#line.textContent === "\n") this.#line.classList.add("blank");
      this.#line = null;
      this.#trim();
    } else if (this.#characters > 2 * KEEP) {
      this.#trim();
    }
  }

  /** Some symbols are lost for good. */
  gap() {
    if (!this.#characters) return;
    this.#append("div", "lost").title = "some letters were lost here";
    this.#line = null;
  }

  clear() {
    this.#lines.replaceChildren();
    this.#line = null;
    this.#characters = 0;
    this.#glowing = [];
    this.#lastTick = -Infinity;
    this.#scroller.scrollTop = 0;
    this.follow();
  }

  /** Lets letters settle, and the newest line come to rest; to be called once a frame. */
  frame(time) {
    while (this.#glowing.length && this.#glowing[0].settles <= time) {
      this.#settle(this.#glowing.shift().letter);
    }
    const passed = Math.min(0.5, Math.max(0, time - this.#framed));
    this.#framed = time;
    if (!this.#moved || !this.#following) return;
    const distance = this.#distance();
    const share = this.#calm() || Math.abs(distance) > 2000 ? 1 : 1 - Math.exp(-PULL * passed);
    const step = distance * share;
    if (Math.abs(distance) < 1) this.#moved = false;
    else this.#scroller.scrollTop += Math.abs(step) < 1 ? Math.sign(step) : step;
  }

  /** How far to scroll until the newest line is at its resting place. */
  #distance() {
    const box = this.#scroller;
    const bottom = this.#lines.offsetTop + this.#lines.offsetHeight;
    const most = box.scrollHeight - box.clientHeight;
    return Math.min(most, Math.max(0, bottom - box.clientHeight * REST)) - box.scrollTop;
  }

  #boundary() {
    // The last line may end without a newline.
    this.#line = null;
    const boundary = this.#append("div", "boundary");
    boundary.textContent = "\f";
    boundary.setAttribute("role", "separator");
  }

  #cue(n, cues, ink) {
    const line = this.#line;
    const known = JSON.parse(line.dataset.cues ?? "{}");
    for (const { name, label } of cues) known[name] = label;
    line.dataset.cues = JSON.stringify(known);
    let label = line.querySelector(".cue");
    if (!label) {
      label = document.createElement("i");
      label.className = "cue";
      line.prepend(label);
    }
    label.dataset.label = Object.values(known).join("\n");
    label.style.setProperty("--ink", ink);
    if (n - this.#lastTick >= TICKS_APART) {
      const tick = document.createElement("i");
      tick.className = "tick";
      tick.style.setProperty("--ink", ink);
      line.append(tick);
    }
    this.#lastTick = n;
  }

  #append(name, className) {
    const element = document.createElement(name);
    element.className = className;
    this.#lines.append(element);
    return element;
  }

  #run(text, ink, fed) {
    const run = document.createElement("span");
    run.className = fed ? "run fed" : "run";
    run.style.setProperty("--ink", ink);
    run.dataset.ink = ink;
    run.append(text);
    this.#line.append(run);
    return run;
  }

  /** Appends to a run, if it consists of settled letters of the same kind. */
  #extend(run, text, ink, fed) {
    if (!run || run.className !== (fed ? "run fed" : "run") || run.dataset.ink !== ink) return false;
    if (run.firstChild.length + text.length > LONGEST_RUN) return false;
    run.firstChild.appendData(text);
    return true;
  }

  #settle(letter) {
    if (!letter.isConnected) return;
    letter.classList.remove("fresh");
    for (const run of [letter, letter.nextSibling]) {
      if (!run?.dataset?.ink || run.classList.contains("fresh")) continue;
      const fed = run.classList.contains("fed");
      if (this.#extend(run.previousSibling, run.textContent, run.dataset.ink, fed)) run.remove();
    }
  }

  #trim() {
    if (this.#characters < KEEP * 1.2) return;
    const before = this.#lines.offsetHeight;
    while (this.#characters > KEEP) {
      const first = this.#lines.firstChild;
      const oldest = first === this.#line ? first.firstChild : first;
      this.#characters -= oldest.textContent.length;
      oldest.remove();
    }
    this.#scroller.scrollTop -= before - this.#lines.offsetHeight;
  }
}
