/* Finds out why there is no connection, and says so in words.
 *
 * A browser does not tell a page why a WebSocket failed. So the page sends a request to the same
 * address by HTTP, with a method for which browsers also send the page's origin, and shows the
 * server's answer.
 */

const PROXY = 'see docs/installing.md, "Behind a proxy"';

export class Trouble {
  #url;
  #reached = 0; // how often in a row the server answered and would have admitted us

  /** @param url the WebSocket's address, as http: or https:. */
  constructor(url) {
    this.#url = url;
  }

  /** Whether the server may have come back just now. */
  get isOver() {
    return this.#reached === 1;
  }

  /** Call this when a connection is made. */
  clear() {
    this.#reached = 0;
  }

  /** What is wrong after a WebSocket failed; "" if the server just does not answer. */
  async find() {
    let response;
    try {
      response = await fetch(this.#url, { method: "OPTIONS", cache: "no-store" });
    } catch {
      this.#reached = 0;
      return "";
    }
    this.#reached = response.ok ? this.#reached + 1 : 0;
    return this.isOver ? "" : said(response, this.#url.searchParams.has("token"));
  }
}

async function said(response, withToken) {
  const { ok, status, statusText, headers } = response;
  if (ok) {
    return (
      "The server is there, but no WebSocket gets through to it. A proxy in between has to forward " +
      `the headers Upgrade and Connection: ${PROXY}.`
    );
  }
  if (status === 401) {
    return withToken
      ? "The server does not take this token: open the page with the right one, as ?token=… in its address."
      : "The server asks for a token: open the page with ?token=… in its address.";
  }
  if (headers.get("content-type")?.startsWith("text/plain")) {
    return `The server says: ${(await response.text()).trim()}`;
  }
  const what = `${status} ${statusText}`.trim();
  return status >= 500
    ? `A proxy answers ${what}: it does not reach the server.`
    : `There is no stream-rnn at this address, which answers ${what}: ${PROXY}.`;
}
