/* The ranges of the faders, as `hello` has them; and how a range input goes through them.
 *
 * A straight fader counts in the control's own unit. A curved one counts its place, from 0 to 1,
 * so that each millimetre of it is worth what the curve says.
 */

const PLACES = { min: 0, max: 1, step: 0.001 };

/** How the range input goes from end to end: { min, max, step }. */
export function ends({ min, max, step, curve = 1 }) {
  return curve === 1 ? { min, max, step } : PLACES;
}

/** The control's value, of the input's. */
export function valueOf({ min, max, curve = 1 }, input) {
  return curve === 1 ? input : min + input ** curve * (max - min);
}

/** The input's value, of the control's. */
export function inputOf({ min, max, curve = 1 }, value) {
  if (curve === 1) return value;
  return Math.min(1, Math.max(0, (value - min) / (max - min))) ** (1 / curve);
}

/** A fader that reaches a value, too, such as what a slow model starts with. */
export function reaching(fader, value = fader.min) {
  return { ...fader, min: Math.min(fader.min, value), max: Math.max(fader.max, value) };
}
