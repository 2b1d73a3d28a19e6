// The sample explorer. Everything from a model is put into the page as text nodes; nothing is ever parsed as markup.
"use strict";
(() => {
  const data = window.llemma.index;
  const chunks = window.llemma.chunks;
  const ROW = 58; // pixels of a list row, as in style.css
  const GLYPH = { right: "✓", wrong: "✗", no_answer: "∅", cut_off: "…", timeout: "◷", error: "!", "not judged": "?" };
  const $ = (id) => document.getElementById(id);
  const list = $("list"), space = $("space"), detail = $("detail"), search = $("search"), deep = $("deep");
  const place = new Map(data.ids.map((id, i) => [id, i]));
  const outcomes = data.facets.filter((f) => f.key.startsWith("outcome"));
  const chosen = new Map(); // facet key -> Set of codes
  let folded = null; // lower-case text of every problem, made at the first search
  let deepText = new Map(); // chunk -> lower-case text of its problems' completions
  let shown = data.ids.map((_, i) => i);
  let current = -1;

  // ---- nodes ----
  function node(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }
  const word = (outcome) => outcome.replaceAll("_", " ");
  const slug = (outcome) => outcome.replaceAll(" ", "_");
  const MATH = "http://www.w3.org/1998/Math/MathML";
  const TAGS = new Set(("math mrow mi mn mo mtext ms mspace mfrac msqrt mroot msub msup msubsup munder mover munderover " +
    "mmultiscripts mprescripts none mtable mtr mtd mpadded mphantom mstyle menclose merror").split(" "));

  function formula(tree) {
    const [tag, attributes, ...children] = tree;
    const made = document.createElementNS(MATH, TAGS.has(tag) ? tag : "mrow");
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    for (const child of children) made.append(typeof child === "string" ? child : formula(child));
    return made;
  }
  function rich(pieces, className) {
    const made = node("div", "text " + (className || ""));
    for (const piece of pieces) {
      if (typeof piece === "string") { made.append(piece); continue; }
      const [display, tree, source] = piece;
      const math = formula(tree);
      if (display) math.setAttribute("display", "block");
      const box = node("span", display ? "math shown" : "math", math);
      box.title = source;
      made.append(box);
    }
    return made;
  }
  const plain = (pieces) => pieces.map((piece) => (typeof piece === "string" ? piece : piece[2])).join("");
  function badge(outcome) {
    return node("span", "badge o-" + slug(outcome), node("span", "glyph", GLYPH[outcome] || "?"), " " + word(outcome));
  }

  // ---- chunks: one script each, by a checked name ----
  const scripts = window.trustedTypes ? window.trustedTypes.createPolicy("llemma-chunks", {
    createScriptURL: (name) => { if (/^samples-\d{3,}\.js$/.test(name)) return name; throw new TypeError(name); },
  }) : { createScriptURL: (name) => name };
  const waiting = new Map();
  function load(number) {
    if (chunks[number]) return Promise.resolve(chunks[number]);
    if (!waiting.has(number)) waiting.set(number, new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = scripts.createScriptURL("samples-" + String(number).padStart(3, "0") + ".js");
      script.onload = () => done(chunks[number]);
      script.onerror = () => { waiting.delete(number); fail(new Error("cannot read " + number)); };
      document.head.append(script);
    }));
    return waiting.get(number);
  }

  // ---- the list ----
  function row(position) {
    const i = shown[position];
    const made = node("div", "row" + (i === current ? " current" : ""));
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", i === current ? "true" : "false");
    made.dataset.i = i;
    made.style.transform = `translateY(${position * ROW}px)`;
    const marks = node("span", "marks", ...outcomes.map((facet) => {
      const outcome = facet.values[facet.codes[i]];
      const mark = node("span", "mark o-" + slug(outcome), GLYPH[outcome] || "?");
      mark.title = facet.label + ": " + word(outcome);
      return mark;
    }));
    made.append(marks, node("span", "snippet", data.texts[i] || data.ids[i]), node("span", "id", data.ids[i]));
    return made;
  }
  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 5);
    const rows = [];
    for (let position = first; position < last; position++) rows.push(row(position));
    space.replaceChildren(...rows);
  }
  function redraw() {
    space.style.height = shown.length * ROW + "px";
    $("count").textContent = shown.length === data.ids.length ? `${shown.length} problems`
      : `${shown.length} of ${data.ids.length} problems`;
    const active = [...chosen.values()].reduce((sum, set) => sum + set.size, 0);
    $("active").textContent = active ? `(${active})` : "";
    $("clear").hidden = !active && !search.value;
    draw();
  }

  // ---- search and facets ----
  function textOf(i) {
    const number = Math.floor(i / data.chunk);
    if (!deepText.has(number) && chunks[number]) {
      deepText.set(number, chunks[number].items.map((item) => [plain(item.text), ...item.sides.flatMap((side) =>
        [side.greedy, ...side.votes.flatMap((vote) => vote.samples)].map((s) => (s ? plain(s.text) : "")))].join("\n").toLowerCase()));
    }
    return deepText.has(number) ? deepText.get(number)[i % data.chunk] : "";
  }
  function matches(i, wanted) {
    return folded[i].includes(wanted) || (deep.checked && textOf(i).includes(wanted));
  }
  function filter() {
    const wanted = search.value.trim().toLowerCase();
    if (wanted && !folded) folded = data.ids.map((id, i) => (id + "\n" + data.texts[i] + "\n" + data.answers[i]).toLowerCase());
    const tests = data.facets.filter((f) => chosen.get(f.key)?.size).map((f) => [f.codes, chosen.get(f.key)]);
    shown = [];
    for (let i = 0; i < data.ids.length; i++) {
      if (tests.every(([codes, set]) => set.has(codes[i])) && (!wanted || matches(i, wanted))) shown.push(i);
    }
    list.scrollTop = 0;
    redraw();
  }
  async function filterDeep() {
    filter();
    if (!deep.checked || !search.value.trim()) return;
    const total = Math.ceil(data.ids.length / data.chunk);
    for (let number = 0; number < total; number++) {
      if (chunks[number]) continue;
      $("count").textContent = `reading completions, part ${number + 1} of ${total}`;
      try { await load(number); } catch { continue; }
      if (!deep.checked) break;
    }
    filter();
  }
  function counts(facet) {
    const made = new Array(facet.values.length).fill(0);
    for (const code of facet.codes) made[code]++;
    return made;
  }
  function facets() {
    $("facets").replaceChildren(...data.facets.map((facet) => {
      const numbers = counts(facet);
      return node("fieldset", "", node("legend", "", facet.label), ...facet.values.map((value, code) => {
        const box = node("input");
        box.type = "checkbox";
        box.checked = !!chosen.get(facet.key)?.has(code);
        box.onchange = () => {
          const set = chosen.get(facet.key) || new Set();
          if (box.checked) set.add(code); else set.delete(code);
          chosen.set(facet.key, set);
          filter(); remember();
        };
        const dot = /^(outcome|vote)/.test(facet.key) ? node("i", "dot o-" + slug(value)) : null;
        return node("label", "", box, dot, word(value), node("span", "n", String(numbers[code])));
      }));
    }));
  }

  // ---- the problem ----
  function fold(title, ...children) {
    return node("details", "fold", node("summary", "", title), ...children);
  }
  function sample(one) {
    const facts = node("p", "sample-facts", badge(one.outcome),
      one.answer === null ? null : node("span", "", "answer ", node("code", "", one.answer)),
      one.tokens ? node("span", "quiet", `${one.tokens} tokens`) : null,
      one.finish === "stop" || one.outcome === "cut_off" ? null : node("span", "quiet", one.finish === "length" ? "ended at the length limit" : "ended in an error"));
    const program = one.ran ? [node("pre", "completion", one.text.join("")),
      node("p", "why", "the program ended: " + one.ran[0]), one.ran[1] ? node("pre", "completion", one.ran[1]) : null] : [rich(one.text, "completion")];
    return node("div", "sample", facts, one.why ? node("p", "why", one.why) : null, ...program);
  }
  function votes(side) {
    const total = side.votes.reduce((sum, vote) => sum + vote.samples.length, 0);
    if (!total) return null;
    const made = node("div", "votes", node("h4", "", `${total} sampled answers`));
    if (side.verdict) made.append(node("p", "sample-facts", "majority", badge(side.verdict[0])), node("p", "why", side.verdict[1]));
    for (const vote of side.votes) {
      const bar = node("span", "bar-fill " + (vote.right ? "o-right" : vote.answer === null ? "o-no_answer" : "o-wrong"));
      bar.style.width = (100 * vote.samples.length) / total + "%";
      const line = node("summary", "", node("span", "vote-answer", vote.answer === null ? "no answer" : vote.answer),
        node("span", "bar-rail", bar), node("span", "vote-n", String(vote.samples.length)));
      const box = node("details", "vote", line);
      // Samples are built when the bar is opened: most are never read.
      box.addEventListener("toggle", () => { if (box.open && box.childElementCount === 1) box.append(...vote.samples.map(sample)); });
      made.append(box);
    }
    return made;
  }
  function column(side, number) {
    return node("section", "side-of m" + number, node("h3", "", node("i", "model"), data.models[number]),
      side.greedy ? node("h4", "", "Greedy completion") : null,
      side.greedy ? sample(side.greedy) : node("p", "quiet", "no greedy completion"), votes(side));
  }
  function show(item, chunk) {
    const facts = Object.entries(item.facts).map(([name, value]) => node("span", "", name + " ", node("b", "", value)));
    const prompt = (chunk.beginnings[item.prompt[0]] || "") + item.prompt[1];
    const link = node("a", "permalink", item.id);
    link.href = "#p=" + encodeURIComponent(item.id);
    const back = node("button", "back", "← list");
    back.type = "button";
    back.onclick = close;
    detail.replaceChildren(node("article", "", back,
      node("p", "facts", link, item.task ? node("span", "", item.task) : null, ...facts),
      rich(item.text, "problem"),
      node("p", "gold", node("span", "", "Gold answer"), node("code", "", item.gold)),
      item.solution.length ? fold("Reference solution", rich(item.solution)) : null,
      prompt ? fold("Prompt", node("pre", "", prompt)) : null,
      node("div", "columns", ...item.sides.map(column))));
    detail.scrollTop = 0;
    window.scrollTo(0, 0);
  }
  async function open(i, keep) {
    current = i;
    draw();
    if (!keep) remember();
    const number = Math.floor(i / data.chunk);
    try {
      const chunk = await load(number);
      if (current === i) { show(chunk.items[i % data.chunk], chunk); document.body.classList.add("open"); }
    } catch {
      detail.replaceChildren(node("p", "note", `The file with this problem (part ${number}) is missing beside this page.`));
    }
  }
  function close() { document.body.classList.remove("open"); list.focus(); }
  function step(by) {
    const at = shown.indexOf(current);
    const next = Math.min(shown.length - 1, Math.max(0, at < 0 ? 0 : at + by));
    if (!shown.length) return;
    if (next * ROW < list.scrollTop) list.scrollTop = next * ROW;
    if ((next + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (next + 1) * ROW - list.clientHeight;
    open(shown[next]);
  }

  // ---- the address: #p=ID&q=words&flip=gained,lost ----
  function remember() {
    const state = new URLSearchParams();
    if (current >= 0) state.set("p", data.ids[current]);
    if (search.value) state.set("q", search.value);
    for (const facet of data.facets) {
      const set = chosen.get(facet.key);
      if (set?.size) state.set(facet.key, [...set].sort((a, b) => a - b).map((code) => facet.values[code]).join(","));
    }
    history.replaceState(null, "", "#" + state.toString());
  }
  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") || "";
    for (const facet of data.facets) {
      const wanted = (state.get(facet.key) || "").split(",");
      chosen.set(facet.key, new Set(facet.values.flatMap((value, code) => (wanted.includes(value) ? [code] : []))));
    }
    facets(); filter();
    const wanted = state.get("p");
    if (wanted !== null && place.has(wanted)) {
      list.scrollTop = Math.max(0, shown.indexOf(place.get(wanted)) - 2) * ROW;
      open(place.get(wanted), true);
    } else if (wanted !== null) {
      detail.replaceChildren(node("p", "note", "No problem of this report is called “" + wanted + "”."));
    } else if (shown.length && window.matchMedia("(min-width: 861px)").matches) open(shown[0], true);
  }

  let timer = 0;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => { filterDeep(); remember(); }, 80); });
  deep.addEventListener("change", filterDeep);
  $("clear").addEventListener("click", () => { search.value = ""; chosen.clear(); facets(); filter(); remember(); });
  list.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  list.addEventListener("click", (event) => {
    const line = event.target.closest(".row");
    if (line) open(Number(line.dataset.i));
  });
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", recall);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === search;
    if (event.key === "Escape") { if (typing) search.blur(); else close(); }
    else if (typing) { if (event.key === "Enter") { search.blur(); step(0); } }
    else if (event.key === "/") { event.preventDefault(); search.focus(); search.select(); }
    else if (event.key === "j" || (event.key === "ArrowDown" && event.target === list)) { event.preventDefault(); step(1); }
    else if (event.key === "k" || (event.key === "ArrowUp" && event.target === list)) { event.preventDefault(); step(-1); }
  });
  recall();
})();
