/* Messages that appear long enough to be read. */

const STAY = 6000;
const MOST = 3;

export function makeToaster(root) {
  return (text) => {
    if (root.lastChild?.textContent === text) root.lastChild.remove(); // replaces the same message
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = text;
    root.append(toast);
    while (root.childElementCount > MOST) root.firstChild.remove();
    setTimeout(() => toast.remove(), STAY);
  };
}
