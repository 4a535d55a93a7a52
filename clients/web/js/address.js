/* The page's address, and its HTTP requests to the server.
 *
 * A proxy may serve the page under a path, so all addresses are relative to the page's own files.
 */

const root = new URL("..", import.meta.url);

export const query = new URLSearchParams(location.search);

const token = takeToken();
export const hasToken = token !== null;

/** The token. It is removed from the address, where an onlooker or a screenshot would show it. */
function takeToken() {
  const place = `stream-rnn token ${root.pathname}`; // two servers may share an origin
  const given = query.get("token");
  query.delete("token");
  if (given !== null) history.replaceState(null, "", written(query) + location.hash);
  try {
    if (given !== null) sessionStorage.setItem(place, given); // for a reload
    return sessionStorage.getItem(place);
  } catch {
    return given; // no storage is allowed: after a reload it has to be given again
  }
}

/** The address of a path of this server. */
export function address(path, scheme = "http") {
  const url = new URL(path, root);
  if (scheme === "ws") url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (hasToken) url.searchParams.set("token", token);
  return url;
}

/** Puts the session's name into the address, for a reload or for sharing it. */
export function remember(session) {
  query.set("session", session);
  query.delete("fork");
  history.replaceState(null, "", written(query));
  document.title = `${session} · stream-rnn`;
}

/** The address of this session, for the audience (`stage`) or for a fork of it (`fork`). */
export function linkFor(flags = {}) {
  const changed = new URLSearchParams(query);
  for (const [name, on] of Object.entries(flags)) if (on) changed.set(name, "");
  if (hasToken) changed.set("token", token); // without it the link would be refused
  return written(changed);
}

/** All sessions, as `/v1/sessions` lists them. */
export async function sessions() {
  try {
    const response = await fetch(address("v1/sessions"));
    return response.ok ? (await response.json()).sessions : [];
  } catch {
    return []; // the WebSocket reports a lost connection by itself
  }
}

export async function findPosition(name) {
  return (await sessions()).find(({ session }) => session === name)?.position;
}

/** The query string, with flags as people write them: `?stage`, not `?stage=`. */
function written(changed) {
  const search = changed.toString().replace(/(^|&)(stage|fork)=(?=&|$)/g, "$1$2");
  return search ? `?${search}` : location.pathname;
}
