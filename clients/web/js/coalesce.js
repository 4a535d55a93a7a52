/* A dragged slider says something new sixty times a second. The server is told at most every
 * `interval` milliseconds, of the latest value of each control, and always of the last.
 */
export function coalesce(send, interval = 50) {
  let waiting = {};
  let timer = null;

  function flush() {
    const changes = waiting;
    waiting = {};
    timer = Object.keys(changes).length ? setTimeout(flush, interval) : null;
    if (timer !== null) send(changes);
  }

  return (changes) => {
    Object.assign(waiting, changes);
    if (timer === null) flush();
  };
}
