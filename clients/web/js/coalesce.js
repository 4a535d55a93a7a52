/* A dragged slider changes sixty times a second. This sends the latest value of each control at
 * most every `interval` milliseconds, and always the last value.
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
