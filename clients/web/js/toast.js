/* Messages that come, can be read, and go. */

const STAY = 6000;
const MOST = 3;

export function makeToaster(root) {
  return (text) => {
    if (root.lastChild?.textContent === text) root.lastChild.remove(); // said again, not twice
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = text;
    root.append(toast);
    while (root.childElementCount > MOST) root.firstChild.remove();
    setTimeout(() => toast.remove(), STAY);
  };
}
