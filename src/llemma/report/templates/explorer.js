// The sample explorer: filters, keys and the address; list.js draws the list, sample.js a problem.
"use strict";
(() => {
  const { store, load, renew, search: texts } = llemma;
  const { node, button, word, slug, mark } = llemma.nodes;
  const $ = (id) => document.getElementById(id);
  const box = $("list"), detail = $("detail"), search = $("search"), help = $("help");
  const chosen = new Map(); // facet key -> Set of values
  let index, outcomes, place, shown = [], matched = null, current = -1;
  const list = llemma.list(box, $("space"), line, open);

  function line(i, text) {
    const marks = outcomes.map((facet) => mark(facet.values[facet.numbers[i]], facet.label));
    return [node("span", "marks", ...marks), node("span", "snippet", text || index.ids[i]), node("span", "id", index.ids[i])];
  }

  // ---- data ----
  function take() {
    index = store.index[0];
    const code = new Uint8Array(128);
    for (let n = 0; n < index.letters.length; n++) code[index.letters.charCodeAt(n)] = n;
    for (const facet of index.facets) {
      facet.numbers = new Uint8Array(index.ids.length);
      for (let i = 0; i < index.ids.length; i++) facet.numbers[i] = code[facet.codes.charCodeAt(i)];
    }
    outcomes = index.facets.filter((facet) => facet.key.startsWith("outcome"));
    place = null;
    texts.begin();
  }
  function find(id) {
    place ??= new Map(index.ids.map((name, i) => [name, i]));
    return place.has(id) ? place.get(id) : -1;
  }

  // ---- search and filters ----
  function filter(stay) {
    const tests = index.facets.filter((facet) => chosen.get(facet.key)?.size).map((facet) => {
      const wanted = chosen.get(facet.key);
      return [facet.numbers, facet.values.map((value) => wanted.has(value))];
    });
    shown = [];
    const passes = (i) => { for (const [numbers, wanted] of tests) if (!wanted[numbers[i]]) return; shown.push(i); };
    const words = texts.words(search.value);
    if (words.length) texts.find(words, passes);
    else for (let i = 0; i < index.ids.length; i++) passes(i);
    list.show(shown, stay);
    tell();
    if ($("facets-box").open) facets();
  }
  function tell() {
    const all = index.ids.length, partial = search.value.trim() && !texts.complete();
    $("count").textContent = (shown.length === all ? `${all} problems` : `${shown.length} of ${all} problems`) +
      (partial ? ", reading on …" : "");
    const active = [...chosen.values()].reduce((sum, set) => sum + set.size, 0);
    $("active").textContent = active ? `(${active})` : "";
    $("clear").hidden = !active && !search.value;
  }
  let last = 0;
  function progress(read, total) {
    if (!search.value.trim() || (read < total && performance.now() - last < 400)) return;
    filter(true);
    if (current < 0) first();
    last = performance.now();
  }
  function facets() {
    const counts = (facet) => {
      const made = new Array(facet.values.length).fill(0);
      for (const i of shown) made[facet.numbers[i]]++;
      return made;
    };
    const focus = document.activeElement?.dataset?.facet;
    $("facets").replaceChildren(...index.facets.map((facet) => {
      const numbers = counts(facet);
      return node("fieldset", "", node("legend", "", facet.label),
        ...facet.values.map((value, code) => option(facet, value, numbers[code])));
    }));
    if (focus) [...$("facets").querySelectorAll("input")].find((input) => input.dataset.facet === focus)?.focus();
  }
  function option(facet, value, count) {
    const input = node("input");
    input.type = "checkbox";
    input.dataset.facet = facet.key + "=" + value;
    input.checked = !!chosen.get(facet.key)?.has(value);
    input.addEventListener("change", () => {
      const set = chosen.get(facet.key) || new Set();
      if (input.checked) set.add(value); else set.delete(value);
      chosen.set(facet.key, set);
      filter(); remember();
    });
    const dot = /^(outcome|vote)/.test(facet.key) ? node("i", "dot o-" + slug(value)) : null;
    return node("label", count ? "" : "none", input, dot, word(value), node("span", "n", String(count)));
  }
  function clear() { search.value = ""; chosen.clear(); filter(); facets(); remember(); }

  // ---- the problem ----
  async function open(i, keep) {
    if (i === undefined) return;
    current = i;
    list.mark(i);
    if (!keep) remember();
    const number = Math.floor(i / index.chunk);
    try {
      const chunk = await load("chunks", number);
      if (current !== i) return;
      const item = chunk.items[i % index.chunk];
      const prompt = (chunk.beginnings[item.prompt[0]] || "") + item.prompt[1];
      detail.replaceChildren(button("← list", "back", close), llemma.sample(item, prompt, index.models));
      detail.scrollTop = 0;
      document.title = item.id + " · " + title;
      document.body.classList.add("open");
    } catch {
      note(`The file with this problem (part ${number}) is missing beside this page.`);
    }
  }
  const title = document.title;
  const note = (text) => detail.replaceChildren(node("p", "note", text));
  function close() { document.body.classList.remove("open"); box.focus(); }

  // ---- the address: #p=ID&q=words&flip=gained,lost ----
  function remember() {
    const state = new URLSearchParams();
    if (current >= 0) state.set("p", index.ids[current]);
    if (search.value) state.set("q", search.value);
    for (const facet of index.facets) {
      const set = chosen.get(facet.key);
      if (set?.size) state.set(facet.key, facet.values.filter((value) => set.has(value)).map(encodeURIComponent).join(","));
    }
    history.replaceState(null, "", "#" + state.toString());
  }
  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") || "";
    chosen.clear();
    for (const facet of index.facets) {
      const wanted = new Set((state.get(facet.key) || "").split(",").map(decoded));
      const set = facet.values.filter((value) => wanted.has(value));
      if (set.length) chosen.set(facet.key, new Set(set));
    }
    if (chosen.size && window.matchMedia("(min-width: 861px)").matches) $("facets-box").open = true;
    filter();
    if (search.value) texts.readAll(progress);
    const wanted = state.get("p");
    const i = wanted === null ? -1 : find(wanted);
    if (i >= 0) { list.reveal(i); open(i, true); }
    else if (wanted !== null) note("No problem of this report is called “" + wanted + "”.");
    else first();
  }
  // Where there is room for it, the first problem is open from the start.
  function first() { if (shown.length && window.matchMedia("(min-width: 861px)").matches) open(shown[0], true); }
  function decoded(text) { try { return decodeURIComponent(text); } catch { return text; } }

  // ---- keys ----
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { texts.readAll(progress); filter(); remember(); }, 60);
  });
  $("clear").addEventListener("click", clear);
  $("facets-box").addEventListener("toggle", () => { if ($("facets-box").open) facets(); });
  $("show-help").addEventListener("click", () => help.showModal());
  window.addEventListener("hashchange", recall);
  const KEYS = { j: 1, k: -1 }, LIST_KEYS = { ArrowDown: 1, ArrowUp: -1 };
  const step = (by) => open(list.next(by));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const typing = event.target === search, inList = event.target === box || event.target === document.body;
    const move = typing ? 0 : KEYS[event.key] || (inList && LIST_KEYS[event.key]) ||
      (inList && { PageDown: list.page(), PageUp: -list.page(), Home: -Infinity, End: Infinity }[event.key]);
    if (move) step(move);
    else if (event.key === "Escape") { if (typing) { search.blur(); box.focus(); } else close(); return; }
    else if (event.key === "Enter" && typing) { search.blur(); box.focus(); step(0); }
    else if (event.key === "Enter" && event.target === box) { step(0); detail.focus(); }
    else if (event.key === "/" && !typing) { search.focus(); search.select(); }
    else if (event.key === "f" && !typing) { $("facets-box").open = !$("facets-box").open; $("facets-box").querySelector("summary").focus(); }
    else if (event.key === "?" && !typing) help.showModal();
    else return;
    event.preventDefault();
  });

  // A run that is followed live has new data: everything anew, and the reader stays where he is.
  llemma.refresh = async (version) => {
    const id = index.ids[current], top = detail.scrollTop;
    await renew(version);
    take();
    // Found in half of the texts, the list would be short for a moment and lose the reader's place.
    if (search.value.trim()) await texts.readAll(() => {});
    else if (texts.eager()) texts.readAll(progress);
    filter(true);
    current = id === undefined ? -1 : find(id);
    list.mark(current);
    if (current >= 0) {
      const unfolded = [...detail.querySelectorAll("details")].map((one) => one.open);
      await open(current, true);
      detail.querySelectorAll("details").forEach((one, i) => { if (unfolded[i]) one.open = true; });
      detail.scrollTop = top;
    }
  };

  take();
  recall();
  performance.mark("list"); // the list stands; what is read from here on comes in the background
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200));
  if (texts.eager()) requestAnimationFrame(() => idle(() => texts.readAll(progress)));
  if (index.searched) $("searched").textContent = `Of each problem the first ${index.searched} samples are searched.`;
})();
