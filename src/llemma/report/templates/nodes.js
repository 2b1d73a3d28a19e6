// Nodes of the page. Everything from a model is put in as text nodes; nothing is ever parsed as markup.
"use strict";
llemma.nodes = (() => {
  const MATH = "http://www.w3.org/1998/Math/MathML";
  const TAGS = new Set(("math mrow mi mn mo mtext ms mspace mfrac msqrt mroot msub msup msubsup munder mover munderover " +
    "mmultiscripts mprescripts none mtable mtr mtd mpadded mphantom mstyle menclose merror").split(" "));
  const GLYPH = { right: "✓", wrong: "✗", no_answer: "∅", cut_off: "…", timeout: "◷", error: "!", "not judged": "?" };
  const MEANING = {
    right: "the judge found the answer equal to the gold answer", wrong: "an answer was found, and it is not the gold answer",
    no_answer: "no answer could be found in the text", cut_off: "the text ended at the length limit before an answer",
    timeout: "the program took too long", error: "the program or the backend failed", "not judged": "there is no verdict (yet)",
  };

  function node(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }
  function button(text, className, work) {
    const made = node("button", className, text);
    made.type = "button";
    made.addEventListener("click", work);
    return made;
  }
  const word = (outcome) => outcome.replaceAll("_", " ");
  const slug = (outcome) => outcome.replaceAll(" ", "_");
  function mark(outcome, label) {
    const made = node("span", "mark o-" + slug(outcome), GLYPH[outcome] || "?");
    made.title = label + ": " + word(outcome);
    return made;
  }
  function badge(outcome) {
    const made = node("span", "badge o-" + slug(outcome), node("span", "glyph", GLYPH[outcome] || "?"), " " + word(outcome));
    made.title = MEANING[outcome] || "";
    return made;
  }
  function formula(tree) {
    const [tag, attributes, ...children] = tree;
    const made = document.createElementNS(MATH, TAGS.has(tag) ? tag : "mrow");
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    for (const child of children) made.append(typeof child === "string" ? child : formula(child));
    return made;
  }
  function piece(part) {
    if (typeof part === "string") return part;
    const [kind, content, source] = part;
    if (kind === "code" || kind === "output") return cell(kind, content);
    const math = formula(content);
    if (kind) math.setAttribute("display", "block");
    const box = node("span", kind ? "math shown" : "math", math);
    box.title = source;
    return box;
  }
  // Code that a model wrote, or what it printed.
  const cell = (kind, text) => node("pre", "cell " + kind, text.replace(/^[ \t]*\n+/, ""));
  const rich = (pieces, className) => node("div", "text " + (className || ""), ...pieces.map(piece));
  return { node, button, word, slug, mark, badge, cell, rich };
})();
