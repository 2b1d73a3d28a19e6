"""Results for a terminal: one line a score, then compact tables of the parts, the curves and what it has cost.

And a few completions to look at: what a model has written goes to the terminal only as characters that print.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from llemma.core import jsonl
from llemma.core.console import duration, table
from llemma.core.types import Completion, Score, Verdict
from llemma.evals.cost import Cost, Latency
from llemma.evals.perplexity import METRIC
from llemma.evals.results import Facts, Results, split_id
from llemma.evals.runner import COMPLETIONS, VERDICTS
from llemma.evals.tally import GREEDY, SAMPLED

SAMPLES = 3
_SHOWN = 300  # characters of a completion: its end, where the answer is
_ANSWER = 40


def text(results: Results) -> str:
    """All scores: value, 95 % interval, count, how the items ended; then by subject and level, by k, and the cost."""
    facts = results.llemma
    scores = table(("task", "metric", "value", "95 % interval", "n", "outcomes"), [_line(s) for s in facts.scores])
    ran = [f"programs of {task.task}: {_counts(task.programs)}" for task in facts.tasks if task.programs]
    lost = list(_cut(facts))
    return "\n\n".join(["\n".join([scores, *ran, *lost]), *_parts(facts), *_curves(facts), *_costs(facts.costs)])


def _cut(facts: Facts) -> Iterator[str]:
    """A warning for each task whose prompts were too long: worked examples are lost first."""
    asked = {task.task: task.asked for task in facts.tasks}
    for cost in facts.costs:
        if cost.cut:
            yield (
                f"warning: {cost.cut:,} of {asked.get(cost.task, 0):,} prompts of {cost.task} were too long for the "
                "model's context and lost their beginning"
            )


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in numbers.items() if n)


def _line(score: Score) -> tuple[str, ...]:
    bits = score.metric == METRIC
    scale, unit = (1, "") if bits else (100, " %")
    value = f"{score.value * scale:.{3 if bits else 1}f}{unit}"
    interval = (
        "no interval"
        if score.n < 2 and score.low == score.high
        else f"{score.low * scale:.{3 if bits else 1}f} to {score.high * scale:.{3 if bits else 1}f}"
    )
    ends = _counts(score.outcomes)
    return score.task, score.metric, value, interval, f"{score.n:,}", ends or "-"


def _parts(facts: Facts) -> Iterator[str]:
    """A table a task and fact: one line a part, its readings side by side, the outcomes of the first."""
    groups: dict[tuple[str, str], dict[str, list[Score]]] = {}
    for part in facts.parts:
        groups.setdefault((part.score.task, part.by), {}).setdefault(part.name, []).append(part.score)
    for (task, by), parts in groups.items():
        metrics = list(dict.fromkeys(score.metric for scores in parts.values() for score in scores))
        heads = [f"{task} by {by}", *metrics, "n", f"outcomes ({metrics[0]})"]
        yield table(heads, [_part(name, scores, metrics) for name, scores in parts.items()])


def _part(name: str, scores: Sequence[Score], metrics: Sequence[str]) -> list[str]:
    found = {score.metric: score for score in scores}
    first = scores[0]
    return [name, *(_cell(found.get(metric)) for metric in metrics), f"{first.n:,}", _counts(first.outcomes)]


def _cell(score: Score | None) -> str:
    return f"{_percent(score.value)} ({_percent(score.low)} to {_percent(score.high)})" if score else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _curves(facts: Facts) -> Iterator[str]:
    """maj@k and pass@k over k, in per cent, with what is among the scores (`maj@K`, `pass@1`) at its place."""
    if not facts.curves:
        return
    lines: dict[tuple[str, str], dict[int, float]] = {}
    for score in (*facts.curves, *facts.scores):
        kind, mark, k = score.metric.partition("@")
        if mark:
            lines.setdefault((score.task, kind), {})[int(k)] = score.value
        if score.metric == "pass@1":  # the vote of a single sample is the sample
            lines.setdefault((score.task, "maj"), {})[1] = score.value
    ks = sorted({k for line in lines.values() for k in line})
    rows = [
        [f"{task} {kind}@k", *(_percent(line[k]) if k in line else "-" for k in ks)]
        for (task, kind), line in sorted(lines.items())
    ]
    yield table(["in %, k =", *map(str, ks)], rows)


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    if not costs:
        return
    heads = ("cost", "samples", "tokens", "time", "tokens/s", "greedy p50, p99", "k samples p50, p99", "judging")
    yield table(heads, [_cost(cost) for cost in costs])


def _cost(cost: Cost) -> tuple[str, ...]:
    rate = cost.tokens_per_second
    return (
        cost.task,
        f"{cost.samples:,}",
        f"{cost.tokens:,}" if cost.tokens else "-",
        duration(cost.seconds) if cost.seconds else "-",
        f"{rate:,.0f}" if rate else "-",
        _waited(cost.latencies.get(GREEDY)),
        _waited(cost.latencies.get(SAMPLED)),
        f"{cost.judging:.1f}s",
    )


def samples(out: Path) -> str:
    """Three greedy completions of the evaluation in `out`: a right one, a wrong one, one that is neither, if any.

    Each is its end, where the answer is, with its outcome, its answer and the gold one.
    """
    chosen = _choose(jsonl.read(out / VERDICTS, Verdict))
    texts: dict[str, str] = {}
    for completion in jsonl.read(out / COMPLETIONS, Completion) if chosen else ():
        if completion.request in chosen:
            texts[completion.request] = completion.text
            if len(texts) == len(chosen):
                break
    return "\n".join(_sample(verdict, texts.get(request, "")) for request, verdict in chosen.items())


def _choose(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The first verdict of each kind, and where kinds are lacking, the first others."""
    kinds: dict[str, Verdict] = {}
    others: list[Verdict] = []
    for verdict in verdicts:
        if split_id(verdict.problem)[1] != GREEDY:
            continue
        kind = verdict.outcome if verdict.outcome in ("right", "wrong") else "neither"
        if kind not in kinds:
            kinds[kind] = verdict
        elif len(others) < SAMPLES:
            others.append(verdict)
        if len(kinds) == SAMPLES:
            break
    return {verdict.problem: verdict for verdict in list(chain(kinds.values(), others))[:SAMPLES]}


def _sample(verdict: Verdict, text: str) -> str:
    mark = {"right": "✓ right", "wrong": "✗ wrong"}.get(verdict.outcome, f"– {verdict.outcome.replace('_', ' ')}")
    answer = f", answer {_short(verdict.answer)}" if verdict.answer is not None else ""
    head = f"{mark}  {printable(split_id(verdict.problem)[0])}{answer}, gold {_short(verdict.gold)}"
    shown = (
        printable(" ".join(text.split())) if len(text) <= _SHOWN else "… " + printable(" ".join(text[-_SHOWN:].split()))
    )
    return f"{head}\n    {shown or '(empty)'}"


def _short(text: str) -> str:
    return printable(text if len(text) <= _ANSWER else text[:_ANSWER] + "…")


def printable(text: str, keep: str = "") -> str:
    """`text` with every character escaped that does not print by itself, `keep` excepted.

    Control characters, so that no model's output steers a terminal, and marks that turn the direction of a line.
    """
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _waited(latency: Latency | None) -> str:
    return f"{latency.median:.2f}s, {latency.p99:.2f}s" if latency else "-"
