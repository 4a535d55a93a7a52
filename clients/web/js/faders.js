/* The fader ranges from `hello`, and their mapping to range inputs.
 *
 * The input of a linear fader holds the control's value itself. That of a curved one holds the
 * fader's position, from 0 to 1, and the curve gives the value.
 */

const PLACES = { min: 0, max: 1, step: 0.001 };

/** The range input's attributes: { min, max, step }. */
export function ends({ min, max, step, curve = 1 }) {
  return curve === 1 ? { min, max, step } : PLACES;
}

/** The control's value for a value of the input. */
export function valueOf({ min, max, curve = 1 }, input) {
  return curve === 1 ? input : min + input ** curve * (max - min);
}

/** The input's value for a value of the control. */
export function inputOf({ min, max, curve = 1 }, value) {
  if (curve === 1) return value;
  return Math.min(1, Math.max(0, (value - min) / (max - min))) ** (1 / curve);
}

/** The fader, widened to include a value such as the default of a slow model. */
export function reaching(fader, value = fader.min) {
  return { ...fader, min: Math.min(fader.min, value), max: Math.max(fader.max, value) };
}
