/* The page's address, and what it asks the server by HTTP. */

export const query = new URLSearchParams(location.search);

/** The address of a path of this server. */
export function address(path, scheme = "http") {
  const url = new URL(path, location);
  if (scheme === "ws") url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (query.has("token")) url.searchParams.set("token", query.get("token"));
  return url;
}

/** Puts the session's name into the address, so that a reload or a friend finds it. */
export function remember(session) {
  query.set("session", session);
  query.delete("fork");
  history.replaceState(null, "", written(query));
  document.title = `${session} · stream-rnn`;
}

/** The address of this session, for the audience (`stage`) or to go another way (`fork`). */
export function linkFor(flags) {
  const changed = new URLSearchParams(query);
  for (const [name, on] of Object.entries(flags)) if (on) changed.set(name, "");
  return written(changed);
}

/** Every session there is, as `/v1/sessions` has them. */
export async function sessions() {
  try {
    const response = await fetch(address("/v1/sessions"));
    return response.ok ? (await response.json()).sessions : [];
  } catch {
    return []; // the connection says by itself that it is lost
  }
}

export async function findPosition(name) {
  return (await sessions()).find(({ session }) => session === name)?.position;
}

/** With flags as one writes them: `?stage`, not `?stage=`. */
const written = (changed) => `?${changed}`.replace(/(stage|fork)=(?=&|$)/g, "$1");
