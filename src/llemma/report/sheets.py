"""The tables of the pages as plain cells, for Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llemma.core.console import count, duration
from llemma.core.types import Score
from llemma.report import compare, corpora, details, overlaps, read, tables
from llemma.report.changes import BITS, PROVED
from llemma.report.facts import Cost
from llemma.report.overlaps import Half, Length, words
from llemma.report.paper import Sheet
from llemma.report.published import Beside

NONE = "–"


def cell(score: Score | None) -> str:
    """`82.5 (78.1 to 86.0)`: in per cent, or in bits."""
    if score is None:
        return NONE
    bits = score.metric == BITS
    value = tables.number(score.value, not bits).removesuffix(" %")
    if score.n < 2 and score.low == score.high:
        return value
    ends = [f"{end:.3f}" if bits else f"{100 * end:.1f}" for end in (score.low, score.high)]
    return f"{value} ({ends[0]} to {ends[1]})"


def of_run(run: read.Run, beside: Sequence[Beside]) -> Iterator[Sheet]:
    """Every table that the run has."""
    table = tables.compare(run.evaluations, run.provings)
    yield from scores(table)
    for number, found in enumerate(beside):
        yield published(found, number)
    for number, part in enumerate(details.parts(run.evaluations)):
        yield parts(part, table.models, number)
    for number, (task, lines) in enumerate(details.curves(run.evaluations).items()):
        yield curves(task, lines, table.models, number)
    if rows := details.costs(run.evaluations):
        yield costs(rows, table.models)
    yield from _inputs(run)


def _inputs(run: read.Run) -> Iterator[Sheet]:
    if found := tables.subsets(run):
        heads = ["subset", "split", "documents", "bytes", "tokens"]
        rows = [[r.subset, r.split, f"{r.documents:,}", f"{r.bytes:,}", _whole(r.tokens)] for r in found]
        yield Sheet("corpus", f"The corpus of {run.name}", heads, rows, 2)
    if run.stats and (kept := tables.sources(run.stats)):
        heads = ["source", "subset", "read", "kept", "bytes kept"]
        lines = [[r.source, r.subset, f"{r.read:,}", f"{r.kept:,}", f"{r.bytes:,}"] for r in kept]
        yield Sheet("sources", f"Sources of {run.name}", heads, lines, 2)
        yield drops(run)
    if run.stats and (languages := corpora.languages(run.stats)):
        heads = ["language", "documents", "bytes"]
        yield Sheet("languages", f"Languages of {run.name}", heads, [[n, f"{d:,}", f"{b:,}"] for n, d, b in languages])
    for training in run.trainings:
        if mixture := tables.mixture(training):
            heads = ["source", "share, %", "tokens", "available", "epochs"]
            rows = [
                [m.source, f"{100 * m.share:.1f}", f"{m.tokens:,}", f"{m.available:,}", f"{m.epochs:.2f}"]
                for m in mixture
            ]
            name = f"mixture-{run.trainings.index(training)}"
            yield Sheet(name, f"Mixture of {read.label(training.name)}", heads, rows)


def _whole(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def drops(run: read.Run) -> Sheet:
    """What was dropped, by source, step and reason."""
    assert run.stats is not None
    rows = [
        [row.source, loss.step, loss.reason, f"{loss.documents:,}"]
        for row in tables.sources(run.stats)
        for loss in row.losses
    ]
    return Sheet("dropped", f"Documents dropped from {run.name}", ["source", "step", "reason", "documents"], rows, 3)


def scores(table: tables.BeforeAfter) -> Iterator[Sheet]:
    """Shares in per cent, and bits per byte, each with intervals in brackets."""
    kinds = (
        ("solved", "Problems solved, %", [row for row in table.rows if row.is_share and row.metric != PROVED]),
        ("proved", "Theorems proved, %", [row for row in table.rows if row.metric == PROVED]),
        ("bits", "Bits per byte of held-out text", [row for row in table.rows if not row.is_share]),
    )
    for name, title, rows in kinds:
        if rows:
            heads = ["task", "metric", *table.models, *(["change"] if table.compares else []), "n"]
            yield Sheet(name, f"{title} (95 % intervals)", heads, [_score_line(row, table) for row in rows], 2)


def _score_line(row: tables.Row, table: tables.BeforeAfter) -> list[str]:
    line = [row.task, row.label, *map(cell, row.scores)]
    if table.compares:
        moved = row.change
        line.append(
            f"{tables.signed(moved.value, row.is_share)} ({tables.span(moved, row.is_share)})" if moved else NONE
        )
    return [*line, f"{row.n:,}"]


def published(found: Beside, number: int) -> Sheet:
    """Published figures beside an evaluation's own."""
    heads = ["model", *(f"{task} {metric}" for task, metric in found.columns)]
    rows = [[line.name, *(NONE if c is None else f"{c.value:.1f}" for c in line.cells)] for line in found.lines]
    return Sheet(f"published-{number}", f"{found.model} beside published figures, %", heads, rows)


def parts(table: details.PartTable, models: Sequence[str], number: int) -> Sheet:
    """A task by subject or level."""
    many = len(models) > 1
    heads = [table.by, *(f"{metric} {models[m]}" if many else metric for m, _, metric in table.columns), "n"]
    rows = [[row.name, *map(cell, row.scores), f"{row.n:,}"] for row in table.rows]
    return Sheet(f"parts-{number}", f"{table.task} by {table.by}, %", heads, rows)


def curves(task: str, lines: Sequence[details.CurveLine], models: Sequence[str], number: int) -> Sheet:
    """maj@k and pass@k over k."""
    many = len(models) > 1
    heads = ["k", *(f"{line.kind}@k {models[line.model]}" if many else f"{line.kind}@k" for line in lines)]
    values = [dict(line.points) for line in lines]
    ks = sorted({k for line in values for k in line})
    return Sheet(
        f"curves-{number}",
        f"{task}: share of problems solved with k samples, %",
        heads,
        [[str(k), *(cell(line.get(k)) for line in values)] for k in ks],
    )


def costs(rows: Sequence[tuple[int, Cost]], models: Sequence[str]) -> Sheet:
    """What each task has cost each model."""
    heads = ["task", "model", "samples", "tokens", "time", "tokens/s", "judging, s"]
    lines = [
        [
            cost.task,
            models[model],
            f"{cost.samples:,}",
            f"{cost.tokens:,}",
            duration(cost.seconds),
            count(cost.tokens / cost.seconds) if cost.seconds else NONE,
            f"{cost.judging:.1f}",
        ]
        for model, cost in rows
    ]
    return Sheet("cost", "Cost of the evaluation", heads, lines, 2)


def of_study(study: overlaps.Study, number: int) -> Iterator[Sheet]:
    """The tables of an overlap study."""
    for name, rows in (("overlap", study.summary.unique), ("similar", study.summary.fuzzy)):
        if rows:
            subsets = list(dict.fromkeys(row.subset for row in rows))
            cells = {(r.kind, r.n, r.subset): f"{r.items:,} / {r.documents:,}" for r in rows}
            keys = list(dict.fromkeys((row.kind, row.n) for row in rows))
            lines = [[looked_for(*key), *(cells.get((*key, subset), NONE) for subset in subsets)] for key in keys]
            yield Sheet(f"{name}-{number}", "Unique items / unique documents", ["", *subsets], lines)
    if study.summary.accuracy:
        heads = ["task", "items", "level", "hits, %", "n", "rest, %", "n", "difference", "Fisher's p"]
        lines = [_split_line(row) for row in study.summary.accuracy if row.hits.n]
        yield Sheet(f"accuracy-{number}", "Right answers where a problem has a hit, and on the rest", heads, lines, 3)


def looked_for(kind: str, n: Length) -> str:
    """`problems, 30 words`."""
    return f"{kind}s" if n == 0 else f"{kind}s, {words(n)}"


def _split_line(row: overlaps.Split) -> list[str]:
    moved = NONE
    if row.difference is not None and row.low is not None and row.high is not None:
        low, high = tables.signed(row.low, True), tables.signed(row.high, True)
        moved = f"{tables.signed(row.difference, True)} ({low} to {high})"
    return [
        row.task,
        looked_for(row.kind, row.n),
        row.level,
        *_half(row.hits),
        *_half(row.rest),
        moved,
        NONE if row.p is None else compare.p_value(row.p),
    ]


def _half(half: Half) -> tuple[str, str]:
    if half.share is None:
        return NONE, "0"
    return f"{100 * half.share:.1f} ({100 * half.low:.1f} to {100 * half.high:.1f})", f"{half.n:,}"


def of_comparison(found: compare.Comparison, marks: str, name: str) -> Sheet:
    """Two models on the same problems."""
    a, b = marks[0], marks[1]
    heads = ["task", "part", "metric", a, b, f"{b} − {a}", "McNemar's p", "both", f"only {a}", f"only {b}", "neither"]
    rows = [
        [
            pair.task,
            pair.part or "all",
            pair.metric,
            f"{100 * pair.a:.1f}",
            f"{100 * pair.b:.1f}",
            f"{tables.signed(pair.value, True)} ({tables.signed(pair.low, True)} to {tables.signed(pair.high, True)})",
            NONE if pair.p is None else compare.p_value(pair.p),
            *(_whole(n) for n in (pair.both, pair.only_a, pair.only_b, pair.neither)),
        ]
        for pair in found.pairs
    ]
    return Sheet(name, f"{a}: {found.names[0]}; {b}: {found.names[1]}", heads, rows, 3)
