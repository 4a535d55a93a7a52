/* The page's address, and what it asks the server by HTTP.
 *
 * A proxy may offer the server under a path, so whatever the page asks for is found from where its
 * own files are.
 */

const root = new URL("..", import.meta.url);

export const query = new URLSearchParams(location.search);

const token = takeToken();
export const hasToken = token !== null;

/** The token, which is not left where anybody can read it over one's shoulder, or on a screenshot. */
function takeToken() {
  const place = `stream-rnn token ${root.pathname}`; // two servers may share an origin
  const given = query.get("token");
  query.delete("token");
  if (given !== null) history.replaceState(null, "", written(query) + location.hash);
  try {
    if (given !== null) sessionStorage.setItem(place, given); // for a reload
    return sessionStorage.getItem(place);
  } catch {
    return given; // no storage is allowed: it is asked for again after a reload
  }
}

/** The address of a path of this server. */
export function address(path, scheme = "http") {
  const url = new URL(path, root);
  if (scheme === "ws") url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (hasToken) url.searchParams.set("token", token);
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
export function linkFor(flags = {}) {
  const changed = new URLSearchParams(query);
  for (const [name, on] of Object.entries(flags)) if (on) changed.set(name, "");
  if (hasToken) changed.set("token", token); // or whoever follows it may not come in
  return written(changed);
}

/** Every session there is, as `/v1/sessions` has them. */
export async function sessions() {
  try {
    const response = await fetch(address("v1/sessions"));
    return response.ok ? (await response.json()).sessions : [];
  } catch {
    return []; // the connection says by itself that it is lost
  }
}

export async function findPosition(name) {
  return (await sessions()).find(({ session }) => session === name)?.position;
}

/** With flags as one writes them: `?stage`, not `?stage=`. */
function written(changed) {
  const search = changed.toString().replace(/(^|&)(stage|fork)=(?=&|$)/g, "$1$2");
  return search ? `?${search}` : location.pathname;
}
