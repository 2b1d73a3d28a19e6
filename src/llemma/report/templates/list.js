// The list of problems. Only the lines in sight are in the page, so a hundred thousand cost no more than thirty.
"use strict";
llemma.list = (box, space, line, chosen) => {
  const ROW = 58; // pixels of a line, as in style.css
  const { node } = llemma.nodes;
  const { store, load } = llemma;
  const asked = new Set(); // blocks of lines on their way
  let shown = [], current = -1;

  function text(i) {
    const size = store.index[0].block, number = Math.floor(i / size);
    const rows = store.rows[number];
    if (rows) return rows[i % size];
    if (!asked.has(number)) { // once for all lines that wait for it
      asked.add(number);
      load("rows", number).then(() => { asked.delete(number); soon(); }, () => {}); // a missing file is asked for once
    }
    return "";
  }
  let due = false;
  function soon() {
    if (!due) requestAnimationFrame(() => { due = false; draw(); });
    due = true;
  }
  function row(position) {
    const i = shown[position];
    const made = node("div", "row" + (i === current ? " current" : ""), ...line(i, text(i)));
    made.id = "row-" + i;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", i === current ? "true" : "false");
    made.setAttribute("aria-posinset", position + 1);
    made.setAttribute("aria-setsize", shown.length);
    made.style.transform = `translateY(${position * ROW}px)`;
    made.addEventListener("click", () => chosen(i));
    return made;
  }
  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 5);
    const last = Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 5);
    const rows = [];
    for (let position = first; position < last; position++) rows.push(row(position));
    space.replaceChildren(...rows);
    if (document.getElementById("row-" + current)) box.setAttribute("aria-activedescendant", "row-" + current);
    else box.removeAttribute("aria-activedescendant");
  }
  // Lists these problems; stays where the reader is, or goes to the top.
  function show(problems, stay) {
    shown = problems;
    space.style.height = shown.length * ROW + "px";
    if (!stay) box.scrollTop = 0;
    draw();
  }
  function mark(i) { current = i; draw(); }
  function into(position) {
    if (position < 0) return;
    if (position * ROW < box.scrollTop) box.scrollTop = position * ROW;
    if ((position + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (position + 1) * ROW - box.clientHeight;
    draw();
  }
  // The problem `by` lines after the current one, undefined in an empty list.
  function next(by) {
    const at = shown.indexOf(current);
    const position = at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by));
    into(position);
    return shown[position];
  }
  box.addEventListener("scroll", soon, { passive: true });
  window.addEventListener("resize", draw);
  const page = () => Math.max(1, Math.floor(box.clientHeight / ROW) - 1);
  return { show, mark, next, page, reveal: (i) => into(shown.indexOf(i)), size: () => shown.length };
};
