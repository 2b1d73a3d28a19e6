// A button beside each text that is there to be copied.
"use strict";
for (const text of document.querySelectorAll("pre.copied")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy " + text.getAttribute("aria-label");
  button.addEventListener("click", async () => {
    const range = document.createRange();
    range.selectNodeContents(text);
    getSelection().removeAllRanges();
    getSelection().addRange(range); // where the clipboard is closed to pages, Ctrl-C still copies
    try { await navigator.clipboard.writeText(text.textContent); button.textContent = "Copied"; } catch { button.textContent = "Selected: press Ctrl-C"; }
  });
  text.before(button);
}
