"""Results for a terminal: one line a score, then compact tables of the parts, the curves and what it has cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llemma.core.console import duration, table
from llemma.core.types import Score
from llemma.evals.cost import Cost, Latency
from llemma.evals.perplexity import METRIC
from llemma.evals.results import Facts, Results
from llemma.evals.tally import GREEDY, SAMPLED


def text(results: Results) -> str:
    """All scores: value, 95 % interval, count, how the items ended; then by subject and level, by k, and the cost."""
    facts = results.llemma
    scores = table(("task", "metric", "value", "95 % interval", "n", "outcomes"), [_line(s) for s in facts.scores])
    ran = [f"programs of {task.task}: {_counts(task.programs)}" for task in facts.tasks if task.programs]
    return "\n\n".join(["\n".join([scores, *ran]), *_parts(facts), *_curves(facts), *_costs(facts.costs)])


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


def _waited(latency: Latency | None) -> str:
    return f"{latency.median:.2f}s, {latency.p99:.2f}s" if latency else "-"
