/* Temperature as colour: ice at low temperatures, ember at high ones. */

const STOPS = [
  [0.0, [140, 190, 240]],
  [0.45, [190, 211, 230]],
  [0.8, [240, 231, 214]],
  [1.1, [246, 205, 146]],
  [1.5, [245, 158, 88]],
  [2.0, [240, 104, 62]],
];

/** "r, g, b" of a temperature, in steps of 0.05, so that letters of one colour can be joined. */
export function tint(temperature) {
  if (temperature === undefined) return STOPS[2][1].join(", ");
  const t = Math.min(STOPS.at(-1)[0], Math.max(0, Math.round(temperature * 20) / 20));
  const upper = Math.max(1, STOPS.findIndex(([at]) => t <= at));
  const [low, from] = STOPS[upper - 1];
  const [high, to] = STOPS[upper];
  const share = (t - low) / (high - low);
  return from.map((channel, i) => Math.round(channel + share * (to[i] - channel))).join(", ");
}
