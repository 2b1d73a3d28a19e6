// Search through the text of all problems and completions. A text file holds a chunk of problems, in lower case and
// parted by U+0001, and is searched as one long string: so 50 MB take a tenth of a second, and no index is needed.
"use strict";
llemma.search = (() => {
  const SEPARATOR = "\u0001";
  const EAGER = 80e6; // characters up to which everything is read before anyone has searched
  const { store, load } = llemma;
  let starts = []; // chunk -> where each of its problems begins
  let reading = null;
  let read = 0, total = 0;

  function begin() {
    const index = store.index[0];
    total = Math.ceil(index.ids.length / index.chunk);
    starts = []; reading = null; read = 0;
  }
  // The words of a query: those between quotation marks belong together.
  function words(query) {
    const found = [];
    for (const match of query.toLowerCase().matchAll(/"([^"]*)"?|(\S+)/g)) {
      const text = (match[1] ?? match[2]).trim();
      if (text) found.push(text);
    }
    return found.sort((a, b) => b.length - a.length); // the rarest first, as far as one can guess
  }
  function places(number, text) {
    if (!starts[number]) {
      const made = [0];
      for (let at = text.indexOf(SEPARATOR); at >= 0; at = text.indexOf(SEPARATOR, at + 1)) made.push(at + 1);
      made.push(text.length + 1);
      starts[number] = made;
    }
    return starts[number];
  }
  // Calls hit(problem) for each problem that holds all words, of the text that has been read so far.
  function find(wanted, hit) {
    const [first, ...others] = wanted, size = store.index[0].chunk;
    for (let number = 0; number < total; number++) {
      const text = store.texts[number];
      if (text === undefined) continue;
      const begins = places(number, text);
      let problem = 0;
      for (let at = text.indexOf(first); at >= 0; at = text.indexOf(first, begins[problem])) {
        while (begins[problem + 1] <= at) problem++;
        const end = begins[problem + 1] - 1;
        if (others.length === 0 || holds(text.slice(begins[problem], end), others)) hit(number * size + problem);
        if (++problem >= begins.length - 1) break;
      }
    }
  }
  const holds = (text, others) => others.every((other) => text.includes(other));

  // Reads what is missing, file after file; tells each step. Files that are not there are passed over.
  function readAll(told) {
    reading ??= (async () => {
      const mine = store.texts;
      for (let number = 0; number < total && mine === store.texts; number++) {
        try { await load("texts", number); } catch { /* counted as read: there is nothing to wait for */ }
        read = number + 1;
        told(read, total);
        if (number % 8 === 7) await new Promise((go) => setTimeout(go)); // keys and clicks come first
      }
    })();
    return reading;
  }
  return { begin, words, find, readAll, complete: () => read >= total, eager: () => store.index[0].characters <= EAGER };
})();
