"""Two evaluations of the same problems, compared problem by problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.core.console import table
from llemma.core.errors import DataError, MissingError
from llemma.core.types import Problem, Score
from llemma.report import paired, read
from llemma.report.changes import Items, change, items, kind
from llemma.report.facts import TaskFacts
from llemma.report.tables import number, signed
from llemma.report.text import visible

NAMED = 6  # flipped problems of each direction on a terminal
KINDS = ("greedy", "maj", "pass")
SETTINGS = {
    "version": "version of the task",
    "shots": "worked examples",
    "prompts": "source of the worked examples",
    "max_tokens": "most tokens",
    "stop": "stop strings",
    "protocol": "protocol",
    "judge": "judge",
    "judge_version": "version of the judge",
}
SAMPLING = {"k": "samples a problem", "temperature": "temperature", "top_p": "top-p"}


class Pair(msgspec.Struct, frozen=True):
    """One reading of one task, or of a part of it, under both models; `value` is B minus A.

    The interval of greedy accuracy is Newcombe's for paired proportions, those of votes and of the mean over samples
    are from a bootstrap over problems. `p` is McNemar's exact test, None where a problem is no yes or no. `by` and
    `part` are empty for the whole task; `both`, `only_a`, `only_b`, `neither` count problems by who solved them.
    """

    task: str
    by: str
    part: str
    metrics: tuple[str, str]
    n: int
    a: float
    b: float
    value: float
    low: float
    high: float
    p: float | None = None
    both: int | None = None
    only_a: int | None = None
    only_b: int | None = None
    neither: int | None = None

    @property
    def metric(self) -> str:
        """`maj@8`, or `maj@8 and maj@16` where the two were asked for different numbers of samples."""
        return " and ".join(dict.fromkeys(self.metrics))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low < self.high and (self.low > 0 or self.high < 0)


class Flip(msgspec.Struct, frozen=True):
    """A problem that one model solved and the other did not; outcomes and answers are (A's, B's)."""

    task: str
    kind: str
    problem: str
    gained: bool
    outcomes: tuple[str, str]
    answers: tuple[str | None, str | None]
    gold: str


class Comparison(msgspec.Struct, frozen=True):
    """What a comparison has found. `names` and `models` are (A's, B's); `warnings` say where like meets unlike."""

    names: tuple[str, str]
    models: tuple[str, str]
    warnings: list[str]
    pairs: list[Pair]
    flips: list[Flip]

    def text(self, marks: str = "AB") -> str:
        """The tables for a terminal, the whole tasks first; then the problems that flipped. `marks` name the two."""
        a, b = marks[0], marks[1]
        cells = ["both", f"only {a}", f"only {b}", "neither"]
        heads = ["task", "metric", a, b, f"{b} - {a}", "95 % interval", "McNemar p", *cells, "n"]
        whole = table(heads, [_line(pair.task, pair) for pair in self.pairs if not pair.by])
        named = [f"{side}: {name} ({model})" for side, name, model in zip(marks, self.names, self.models, strict=True)]
        return visible(
            "\n\n".join(["\n".join(named), whole, *self._parts(heads[1:]), "\n".join(self._flips(marks))]).rstrip()
        )

    def _parts(self, heads: list[str]) -> Iterator[str]:
        groups: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.pairs:
            if pair.by and kind(pair.metrics[0]) == "greedy":
                groups.setdefault((pair.task, pair.by), []).append(pair)
        for (task, by), pairs in groups.items():
            yield table([f"{task} by {by}", *heads], [_line(pair.part, pair) for pair in pairs])

    def _flips(self, marks: str) -> Iterator[str]:
        lines: dict[tuple[str, str, bool], list[str]] = {}
        for flip in self.flips:
            lines.setdefault((flip.task, flip.kind, flip.gained), []).append(flip.problem)
        for (task, reading, gained), ids in lines.items():
            more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
            yield f"{task}, {reading}: {len(ids):,} only {marks[gained]}: {', '.join(ids[:NAMED])}{more}"


def _line(name: str, pair: Pair) -> list[str]:
    cells = (pair.both, pair.only_a, pair.only_b, pair.neither)
    return [
        name,
        pair.metric,
        number(pair.a, True),
        number(pair.b, True),
        signed(pair.value, True),
        f"{signed(pair.low, True)} to {signed(pair.high, True)}",
        p_value(pair.p),
        *("-" if cell is None else f"{cell:,}" for cell in cells),
        f"{pair.n:,}",
    ]


def p_value(p: float | None) -> str:
    """`0.031`, `< 0.001`, `-` where there is none."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def evaluation(folder: Path) -> read.Evaluation:
    """The evaluation in `folder`, or the last one of a run: of a reproduction, its final model's."""
    found = read.run(folder).evaluations
    if not found:
        raise MissingError("no evaluation in the folder", where=str(folder), mend="name a folder with results.json")
    last = found[-1]
    name = last.folder.resolve().name if last.folder == folder else f"{folder.resolve().name}/{last.name}"
    return msgspec.structs.replace(last, name=name)


def compare(a: read.Evaluation, b: read.Evaluation, marks: str = "AB") -> Comparison:
    """Compare the tasks that both evaluations have; `marks` name the two in warnings. `DataError` where there is none,
    or where a task's problems or gold answers are not the same."""
    tasks = [task for task in a.facts.tasks if any(task.task == other.task for other in b.facts.tasks)]
    if not tasks:
        raise DataError(
            "the evaluations have no task in common",
            where=f"{a.folder} has {_names(a)}; {b.folder} has {_names(b)}",
            mend="evaluate both models on the same tasks",
        )
    both = [{problem.id: problem for problem in read.problems(one)} for one in (a, b)]
    warnings = [
        *_missing(a, b, marks),
        *(line for task in tasks for line in _check(task, _task(b, task.task), a, b, both, marks)),
    ]
    measured = [items(a), items(b)]
    pairs = [pair for task in tasks for pair in _pairs(task.task, a, b, measured, both[0])]
    flips = list(_flips([task.task for task in tasks], (a, b), both[0]))
    return Comparison((a.name, b.name), (a.facts.model, b.facts.model), warnings, pairs, flips)


def _names(one: read.Evaluation) -> str:
    return ", ".join(task.task for task in one.facts.tasks) or "none"


def _task(one: read.Evaluation, name: str) -> TaskFacts:
    return next(task for task in one.facts.tasks if task.task == name)


def _missing(a: read.Evaluation, b: read.Evaluation, marks: str) -> Iterator[str]:
    names = [{task.task for task in one.facts.tasks} for one in (a, b)]
    for side, lacking in zip(marks, (sorted(names[0] - names[1]), sorted(names[1] - names[0])), strict=True):
        if lacking:
            yield f"only in {side}, not compared: {', '.join(lacking)}"


def _check(
    one: TaskFacts,
    other: TaskFacts,
    a: read.Evaluation,
    b: read.Evaluation,
    both: Sequence[dict[str, Problem]],
    marks: str,
) -> Iterator[str]:
    """Refuse other problems; yield a line for each setting that differs."""
    first, second = ({p.id: p for p in problems.values() if p.task == one.task} for problems in both)
    where = f"task '{one.task}' of {marks[0]} = {a.folder} and {marks[1]} = {b.folder}"
    mend = "evaluate both models on the same data with the same --limit"
    if first.keys() != second.keys():
        only = [sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys())]
        counts = ", ".join(f"{len(ids)} only in {s} (as '{ids[0]}')" for s, ids in zip(marks, only, strict=True) if ids)
        raise DataError(f"these are not the same problems: {counts}", where=where, mend=mend)
    golds = [name for name in first if first[name].answer != second[name].answer]
    if golds:
        shown = f"'{first[golds[0]].answer}' and '{second[golds[0]].answer}' for '{golds[0]}'"
        raise DataError(f"{len(golds)} gold answers are not the same: {shown}", where=where, mend=mend)
    yield from _unlike(one, other, [(first[name], second[name]) for name in first], marks)


def _unlike(one: TaskFacts, other: TaskFacts, problems: Sequence[tuple[Problem, Problem]], marks: str) -> Iterator[str]:
    asked = SETTINGS | (SAMPLING if one.k > 1 and other.k > 1 else {})
    for key, word in asked.items():
        if getattr(one, key) != getattr(other, key):
            sides = zip(marks, (_setting(getattr(each, key)) for each in (one, other)), strict=True)
            yield f"{one.task}: {word}: {', '.join(f'{value} in {mark}' for mark, value in sides)}"
    texts = sum(x.text != y.text for x, y in problems)
    if texts:
        yield f"{one.task}: the text of {texts:,} problems is not the same"
    elif (one.shots, one.prompts) == (other.shots, other.prompts):
        prompts = sum(x.meta.get("prompt") != y.meta.get("prompt") for x, y in problems)
        if prompts:
            yield f"{one.task}: the prompts of {prompts:,} problems are not the same"


def _setting(value: object) -> str:
    return ", ".join(repr(item) for item in value) if isinstance(value, list) else str(value)


def _pairs(
    task: str, a: read.Evaluation, b: read.Evaluation, measured: Sequence[Items], problems: dict[str, Problem]
) -> Iterator[Pair]:
    """The whole task, then its parts; of each first greedy, then the votes, then the mean over samples."""
    scores = [_scores(one, task) for one in (a, b)]
    places = dict.fromkeys((by, part) for by, part, _ in scores[0])
    for by, part in places:
        members = {p.id for p in problems.values() if not by or str(p.meta.get(by, "unknown")) == part}
        for reading in KINDS:
            place = (by, part, reading)
            if place in scores[0] and place in scores[1]:
                chosen = [_within(one.get((task, reading), {}), members) for one in measured]
                yield _pair(by, part, scores[0][place], scores[1][place], chosen, a.facts.seed)


def _scores(one: read.Evaluation, task: str) -> dict[tuple[str, str, str], Score]:
    """(fact, part, kind of metric) -> score; fact and part are empty for the whole task, which comes first."""
    found = {("", "", kind(score.metric)): score for score in one.facts.scores if score.task == task}
    parts = {(p.by, p.name, kind(p.score.metric)): p.score for p in one.facts.parts if p.score.task == task}
    return found | parts


def _within(found: dict[str, tuple[float, float]], members: set[str]) -> dict[str, tuple[float, float]]:
    return {name: item for name, item in found.items() if name in members}


def _pair(by: str, part: str, a: Score, b: Score, chosen: Sequence[dict[str, tuple[float, float]]], seed: int) -> Pair:
    first, second = chosen
    if first.keys() != second.keys() or len(first) != a.n:
        raise DataError(
            f"not every problem of '{a.task}' is judged in both evaluations",
            mend="run both evaluations to their end, or `llemma rescore` them",
        )
    reading = kind(a.metric)
    made = change(a, b, [{(a.task, reading): one} for one in chosen])
    low, high = made.low, made.high
    moved = [second[name][0] - first[name][0] for name in first]
    if reading != "greedy" and len(set(moved)) > 1:  # resampling equal differences shows no spread
        low, high = paired.bootstrap(moved, seed)
    pair = Pair(a.task, by, part, (a.metric, b.metric), a.n, a.value, b.value, made.value, low, high)
    if reading == "pass":
        return pair
    cells = Counter((first[name][0] == 1, second[name][0] == 1) for name in first)
    only_a, only_b = cells[True, False], cells[False, True]
    return msgspec.structs.replace(
        pair,
        p=paired.mcnemar(only_a, only_b),
        both=cells[True, True],
        only_a=only_a,
        only_b=only_b,
        neither=cells[False, False],
    )


def _flips(tasks: Sequence[str], sides: Sequence[read.Evaluation], problems: dict[str, Problem]) -> Iterator[Flip]:
    """The flipped problems of each task and reading, first those that only B solved."""
    ends = [_ends(one) for one in sides]
    for task in tasks:
        for reading, mark in (("greedy", "greedy"), ("maj", "vote")):
            found = []
            for problem in (p for p in problems.values() if p.task == task):
                a, b = (one.get((problem.id, mark)) for one in ends)
                if a and b and (a[0] == "right") != (b[0] == "right"):
                    gained = b[0] == "right"
                    found.append(Flip(task, reading, problem.id, gained, (a[0], b[0]), (a[1], b[1]), problem.answer))
            yield from sorted(found, key=lambda flip: not flip.gained)


def _ends(one: read.Evaluation) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(problem, `greedy` or `vote`) -> outcome and answer."""
    ends = ((read.request_parts(verdict.problem), verdict) for verdict in read.verdicts(one))
    return {place: (verdict.outcome, verdict.answer) for place, verdict in ends if place[1] in ("greedy", "vote")}
