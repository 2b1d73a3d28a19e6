// One problem: what was asked, what each model answered, how that was judged, and what stands in the corpus.
"use strict";
llemma.sample = (() => {
  const { node, badge, cell, rich } = llemma.nodes;
  const ENDED = { length: "ended at the length limit", error: "ended in an error" };

  function fold(title, ...children) {
    return node("details", "fold", node("summary", "", title), ...children);
  }
  function sample(one, gold) {
    const facts = node("p", "sample-facts", badge(one.outcome), ...against(one, gold),
      one.tokens ? node("span", "quiet", `${one.tokens} tokens`) : null,
      one.finish === "stop" || one.outcome === "cut_off" ? null : node("span", "quiet", ENDED[one.finish] || one.finish));
    const body = one.ran ? program(one) : [rich(one.text, "completion")];
    return node("div", "sample", facts, one.why ? node("p", "why", one.why) : null, ...body);
  }
  // The answer that was found in the completion, against the gold answer.
  function against(one, gold) {
    if (one.answer === null) return [];
    return [node("span", "", "answer ", node("code", "", one.answer)),
      one.outcome === "right" && one.answer === gold ? null : node("span", "quiet", "gold ", node("code", "", gold))];
  }
  const program = (one) => [cell("code", one.text.join("")), node("p", "why", "the program ended: " + one.ran[0]),
    one.ran[1] ? cell("output", one.ran[1]) : null];

  function votes(side, gold) {
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
      box.addEventListener("toggle", () => {
        if (box.open && box.childElementCount === 1) box.append(...vote.samples.map((one) => sample(one, gold)));
      });
      made.append(box);
    }
    return made;
  }
  function column(side, number, name, gold) {
    return node("section", "side-of m" + number, node("h3", "", node("i", "model"), name),
      side.greedy ? node("h4", "", "Greedy completion") : null,
      side.greedy ? sample(side.greedy, gold) : node("p", "quiet", "no greedy completion"), votes(side, gold));
  }

  // The shared words, marked, once in the item and once in the document.
  function hit(one) {
    const passage = (title, before, after) => node("div", "", node("h4", "", title),
      node("p", "passage text", before ? "… " + before + " " : "", node("mark", "", one.run), after ? " " + after + " …" : ""));
    const facts = [`${one.shared} words shared`, one.gold ? `gold answer ${one.gold} in what follows` : null,
      one.repeated ? `the completion repeats ${one.repeated} words of what follows` : null];
    return node("div", "hit", node("p", "sample-facts", node("b", "", one.kind), node("code", "", one.item),
      ...facts.filter(Boolean).map((fact) => node("span", "quiet", fact))),
      node("div", "columns", passage("In the " + one.kind, one.item_before, one.item_after),
        passage(`${one.document} · ${one.subset}`, one.before, one.after)));
  }
  function overlap(found) {
    if (!found) return null;
    const pairs = Object.values(found.pairs).reduce((sum, counts) => sum + Math.max(...Object.values(counts)), 0);
    const rest = pairs > found.hits.length ? `, ${found.hits.length} of them here` : "";
    const box = fold(`In the training corpus: ${pairs} ${pairs === 1 ? "hit" : "hits"}${rest}`, ...found.hits.map(hit));
    box.classList.add("overlap");
    box.open = pairs <= 3;
    return box;
  }

  // The whole view of a problem; `models` are their names, `prompt` the whole prompt.
  return (item, prompt, models) => {
    const facts = Object.entries(item.facts).map(([name, value]) => node("span", "", name + " ", node("b", "", value)));
    const link = node("a", "permalink", item.id);
    link.href = "#p=" + encodeURIComponent(item.id);
    link.title = "a link to this problem";
    return node("article", "",
      node("p", "facts", link, item.task ? node("span", "", item.task) : null, ...facts),
      node("h2", "hidden", "Problem " + item.id),
      item.text.length ? rich(item.text, "problem") : node("p", "quiet", "The problem itself is not in the run folder yet."),
      !item.gold ? null : node("p", "gold", node("span", "", "Gold answer"), node("code", "", item.gold)),
      item.solution.length ? fold("Reference solution", rich(item.solution)) : null,
      prompt ? fold("Prompt", node("pre", "", prompt)) : null,
      overlap(item.overlap),
      node("div", "columns", ...item.sides.map((side, number) => column(side, number, models[number], item.gold))));
  };
})();
