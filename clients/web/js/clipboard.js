/* Puts a text into the clipboard. */

/** Rejects where the browser does not let us. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // A page by http:// from another machine has only the old way.
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser does not let us copy");
}
