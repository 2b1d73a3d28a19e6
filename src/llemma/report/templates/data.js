// The data of the explorer: script files beside the page, each read once, by a checked name.
"use strict";
window.llemma = (() => {
  const store = { index: {}, rows: {}, texts: {}, chunks: {} };
  const waiting = new Map();
  // Of a run that is followed live: the number of the build that this page belongs to.
  let version = document.documentElement.dataset.version ? "?v=" + document.documentElement.dataset.version : "";
  const NAME = /^samples-(index|(rows-|texts-)?\d{3,})\.js(\?v=\d{1,9})?$/;
  const checked = (name) => { if (NAME.test(name)) return name; throw new TypeError(name); };
  const scripts = window.trustedTypes ? window.trustedTypes.createPolicy("llemma-chunks", { createScriptURL: checked })
    : { createScriptURL: checked };
  const fileOf = (kind, number) => "samples-" + (kind === "index" ? "index" : (kind === "chunks" ? "" : kind + "-") +
    String(number).padStart(3, "0")) + ".js" + version;

  // A promise of one piece of data.
  function load(kind, number) {
    if (store[kind][number] !== undefined) return Promise.resolve(store[kind][number]);
    const name = fileOf(kind, number);
    if (!waiting.has(name)) waiting.set(name, new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = scripts.createScriptURL(name);
      const end = (settle) => { waiting.delete(name); script.remove(); settle(); };
      script.onload = () => end(() => done(store[kind][number]));
      script.onerror = () => end(() => fail(new Error("cannot read " + name)));
      document.head.append(script);
    }));
    return waiting.get(name);
  }
  // Forget everything and read the index of a later version.
  function renew(number) {
    version = "?v=" + number;
    for (const kind of Object.keys(store)) store[kind] = {};
    return load("index", 0);
  }
  return { store, load, renew, put: (kind, number, value) => { store[kind][number] = value; } };
})();
