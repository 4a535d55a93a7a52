/* Shows the pointer, and the buttons for it, only while it moves: an audience wants neither. */

const STAYS = 4000; // ms

/** Marks an element with the class `pointed` while the pointer moves, and a while longer. */
export function showsPointer(element) {
  let timer = null;
  const show = () => {
    element.classList.add("pointed");
    clearTimeout(timer);
    timer = setTimeout(() => element.classList.remove("pointed"), STAYS);
  };
  for (const type of ["pointermove", "pointerdown", "keydown"]) addEventListener(type, show);
  show();
}
