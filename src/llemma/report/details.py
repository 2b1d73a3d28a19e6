"""The finer tables of evaluations: scores by subject and level, curves over k, costs, and a few samples to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from llemma.core.types import Completion, Problem, Score, Verdict
from llemma.report import read
from llemma.report.changes import kind
from llemma.report.facts import Cost

SHOWN_PROBLEM, SHOWN_TEXT = 400, 900  # characters of a sample's problem and completion
KINDS = {"right": ("right",), "wrong": ("wrong",), "without an answer": ("no_answer", "cut_off", "timeout")}


class PartRow(msgspec.Struct, frozen=True):
    """A subject or level: its problems, and one score a column of its table."""

    name: str
    n: int
    scores: list[Score | None]


class PartTable(msgspec.Struct, frozen=True):
    """A task by subject or by level; `columns` are (number of the model, kind of metric, metric)."""

    task: str
    by: str
    columns: list[tuple[int, str, str]]
    rows: list[PartRow]


def parts(evaluations: Sequence[read.Evaluation]) -> list[PartTable]:
    """One table for each task and fact that any evaluation has scores for."""
    found: dict[tuple[str, str], dict[str, dict[tuple[int, str, str], Score]]] = {}
    for number, evaluation in enumerate(evaluations):
        for part in evaluation.facts.parts:
            column = (number, kind(part.score.metric), part.score.metric)
            found.setdefault((part.score.task, part.by), {}).setdefault(part.name, {})[column] = part.score
    return [_part_table(task, by, rows) for (task, by), rows in found.items()]


def _part_table(task: str, by: str, found: dict[str, dict[tuple[int, str, str], Score]]) -> PartTable:
    order = {"greedy": 0, "maj": 1, "pass": 2}
    columns = sorted({column for row in found.values() for column in row}, key=lambda c: (order.get(c[1], 3), c[0]))
    rows = [
        PartRow(name, max(score.n for score in scores.values()), [scores.get(column) for column in columns])
        for name, scores in found.items()
    ]
    return PartTable(task, by, columns, rows)


class CurveLine(msgspec.Struct, frozen=True):
    """maj@k or pass@k of one model on one task, over rising k."""

    task: str
    model: int
    kind: str
    points: list[tuple[int, Score]]


def curves(evaluations: Sequence[read.Evaluation]) -> dict[str, list[CurveLine]]:
    """Task -> its curves, from the smaller k and the whole; both begin with the mean over single samples."""
    found: dict[str, list[CurveLine]] = {}
    for number, evaluation in enumerate(evaluations):
        facts = evaluation.facts
        for task in dict.fromkeys(score.task for score in facts.curves):
            scores = {s.metric: s for s in (*facts.scores, *facts.curves) if s.task == task and "@" in s.metric}
            for name in ("maj", "pass"):
                points = {int(m.partition("@")[2]): s for m, s in scores.items() if kind(m) == name}
                if "pass@1" in scores:  # the vote of a single sample is the sample
                    points[1] = scores["pass@1"]
                if len(points) > 1:
                    found.setdefault(task, []).append(CurveLine(task, number, name, sorted(points.items())))
    return found


def costs(evaluations: Sequence[read.Evaluation]) -> list[tuple[int, Cost]]:
    """(number of the model, cost of a task), task by task."""
    rows = [(number, cost) for number, one in enumerate(evaluations) for cost in one.facts.costs if cost.samples]
    order = list(dict.fromkeys(cost.task for _, cost in rows))
    return sorted(rows, key=lambda row: (order.index(row[1].task), row[0]))


class Shown(msgspec.Struct, frozen=True):
    """A greedy completion to read beside the scores: shortened, with the verdict on it."""

    task: str
    label: str
    problem: str
    text: str
    completion: str
    outcome: str
    answer: str | None
    gold: str
    why: str


def samples(evaluation: read.Evaluation) -> dict[str, list[Shown]]:
    """Task -> its first greedy completion that is right, that is wrong, and that has no answer, where there are any."""
    problems = {problem.id: problem for problem in read.problems(evaluation)}
    chosen = _choose(evaluation, problems)
    found: dict[str, list[Shown]] = {}
    for completion in read.completions(evaluation):
        if completion.request in chosen:
            shown = _shown(completion, chosen[completion.request], problems)
            found.setdefault(shown.task, []).append(shown)
    order = list(KINDS)
    return {task: sorted(rows, key=lambda row: order.index(row.label)) for task, rows in found.items()}


def _choose(evaluation: read.Evaluation, problems: dict[str, Problem]) -> dict[str, tuple[str, Verdict]]:
    """Request -> (why it was chosen, its verdict)."""
    chosen: dict[tuple[str, str], Verdict] = {}
    for verdict in read.verdicts(evaluation):
        name, reading = read.request_parts(verdict.problem)
        if reading == "greedy" and name in problems:
            for label, outcomes in KINDS.items():
                if verdict.outcome in outcomes:
                    chosen.setdefault((problems[name].task, label), verdict)
    return {verdict.problem: (label, verdict) for (_, label), verdict in chosen.items()}


def _shown(completion: Completion, choice: tuple[str, Verdict], problems: dict[str, Problem]) -> Shown:
    label, verdict = choice
    problem = problems[read.request_parts(completion.request)[0]]
    return Shown(
        task=problem.task,
        label=label,
        problem=problem.id,
        text=_cut(problem.text, SHOWN_PROBLEM),
        completion=_cut(completion.text, SHOWN_TEXT),
        outcome=verdict.outcome,
        answer=verdict.answer,
        gold=verdict.gold,
        why=verdict.why,
    )


def _cut(text: str, limit: int) -> str:
    stripped = text.strip()
    return stripped if len(stripped) <= limit else f"{stripped[:limit].rstrip()} …"


def readings(evaluations: Sequence[read.Evaluation]) -> Iterator[str]:
    """The readings that any cost has latencies of, greedy first."""
    seen = {name for evaluation in evaluations for cost in evaluation.facts.costs for name in cost.latencies}
    yield from (name for name in ("greedy", "maj") if name in seen)
