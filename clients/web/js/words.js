/* Symbols that are neither text nor frames, to be read: `on 60`, `shift 0.12`, or a row of gestures. */

/** What to show for a symbol's `event` or `gestures`; nothing for what is not known here. */
export function words({ event, gestures }) {
  if (gestures) return `${[gestures].flat().join(" ")}\n`;
  const said = Object.entries(event ?? {}).map(([kind, value]) => `${kind} ${value}`);
  return said.length ? `${said.join(" ")}${event.shift ? "\n" : "  "}` : "";
}
