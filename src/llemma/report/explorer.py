"""The sample explorer's data: every problem with what each model answered, cut into script files of at most 500
problems.

A page opened by double click may load scripts but not `fetch`, so data travel as assignments to `window.llemma`. The
index (one light row a problem) is loaded with the page, a chunk when one of its problems is opened or searched through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.types import OUTCOMES, Completion, Problem, Verdict
from llemma.report import read
from llemma.report.formulas import Piece, pieces
from llemma.report.text import shorten, visible

CHUNK = 500  # problems of a script file, fewer where they have many samples
CHUNK_SAMPLES = 5_000
FORMULAS = 32  # samples of a problem and model whose formulas are set; of the others they are shown as written
SNIPPET = 280  # characters of a problem kept in the index, for the list and the quick search
OUTPUT = 1_000  # characters of what a program printed
MISSING = "not judged"
SHARES = ("no votes", "below 25 %", "25 to 49 %", "50 to 74 %", "75 to 99 %", "all agree")
META_FACETS = ("subject", "level", "type", "kind", "difficulty")
MAX_FACET_VALUES = 40


class Sample(msgspec.Struct, frozen=True):
    """One completion with its verdict, ready to show."""

    text: list[Piece]
    outcome: str
    answer: str | None
    why: str
    finish: str
    tokens: int
    ran: tuple[str, str] | None = None
    """How the sample's program ended and what it printed or gave; None where samples are no programs."""


class Vote(msgspec.Struct, frozen=True):
    """Samples that gave the same answer; `answer` None gathers those without one."""

    answer: str | None
    right: bool
    samples: list[Sample]


class Side(msgspec.Struct, frozen=True):
    """What one model made of one problem; `verdict` is (outcome, why) of the vote over the samples."""

    greedy: Sample | None
    votes: list[Vote]
    verdict: tuple[str, str] | None


class Item(msgspec.Struct, frozen=True):
    """A problem with each model's side; `prompt` is (number of the shared beginning, the rest)."""

    id: str
    task: str
    text: list[Piece]
    gold: str
    solution: list[Piece]
    facts: dict[str, str]
    prompt: tuple[int, str]
    sides: list[Side]


class Chunk(msgspec.Struct, frozen=True):
    """A script file: problems, and the beginnings that their prompts share."""

    beginnings: list[str]
    items: list[Item]


class Facet(msgspec.Struct, frozen=True):
    """A question that splits the list: for each problem, the place of its answer in `values`."""

    key: str
    label: str
    values: list[str]
    codes: list[int]


class Index(msgspec.Struct, frozen=True):
    """The list of all problems, column by column."""

    models: list[str]
    chunk: int
    ids: list[str]
    texts: list[str]
    answers: list[str]
    facets: list[Facet]


class Judged(msgspec.Struct, frozen=True):
    """One evaluation by problem id and reading (`greedy`, `maj`)."""

    label: str
    problems: dict[str, Problem]
    completions: dict[tuple[str, str], list[Completion]]
    verdicts: dict[tuple[str, str, int], Verdict]
    ran: dict[tuple[str, str, int], read.Ending | None]


def judged(evaluation: read.Evaluation) -> Judged:
    """Load one evaluation's samples."""
    completions: dict[tuple[str, str], list[Completion]] = defaultdict(list)
    for completion in read.completions(evaluation):
        completions[read.request_parts(completion.request)].append(completion)
    verdicts = {(*read.request_parts(v.problem), v.sample): v for v in read.verdicts(evaluation)}
    problems = {problem.id: problem for problem in read.problems(evaluation)}
    golds = {problem: verdict.gold for (problem, _, _), verdict in verdicts.items()}
    for problem, _ in completions:
        problems.setdefault(problem, Problem(problem, "", "", golds.get(problem, "")))
    ran = {(*read.request_parts(row.request), row.sample): row.execution for row in read.executions(evaluation)}
    return Judged(read.label(evaluation.name), problems, dict(completions), verdicts, ran)


def write(evaluations: Sequence[read.Evaluation], folder: Path, tasks: Collection[str] | None = None) -> int:
    """Write `samples-index.js` and `samples-NNN.js` into `folder`, of all tasks or of `tasks`; returns the number of
    problems."""
    models = [judged(evaluation) for evaluation in evaluations]
    problems: dict[str, Problem] = {}
    for model in models:
        problems = {**model.problems, **problems}
    ordered = [problem for problem in problems.values() if tasks is None or problem.task in tasks]
    size = chunk_size(ordered, models)
    for number, start in enumerate(range(0, len(ordered), size)):
        _script(folder, f"{number:03d}", f"chunks[{number}]", _chunk(ordered[start : start + size], models))
    _script(folder, "index", "index", _index(ordered, models, size))
    return len(ordered)


def chunk_size(problems: Sequence[Problem], models: Sequence[Judged]) -> int:
    """Problems of a script file, so that none holds many more than `CHUNK_SAMPLES` samples."""
    samples = sum(len(group) for model in models for group in model.completions.values())
    return max(1, min(CHUNK, CHUNK_SAMPLES * len(problems) // max(1, samples)))


def _script(folder: Path, name: str, target: str, value: Any) -> None:
    setup = b"window.llemma=window.llemma||{chunks:{}};window.llemma."
    (folder / f"samples-{name}.js").write_bytes(setup + target.encode() + b"=" + script_json(value) + b";\n")


def script_json(value: Any) -> bytes:
    """JSON that is safe wherever a script stands: no tag, comment or line separator can appear in it."""
    encoded = msgspec.json.encode(value)
    for raw in ("<", ">", "&", "\u2028", "\u2029"):
        encoded = encoded.replace(raw.encode(), f"\\u{ord(raw):04x}".encode())
    return encoded


def _chunk(problems: Sequence[Problem], models: Sequence[Judged]) -> Chunk:
    prompts = [_text(problem.meta.get("prompt")) for problem in problems]
    beginnings = _beginnings(problems, prompts)
    known = {task: number for number, task in enumerate(beginnings)}
    items = [
        _item(problem, (known[problem.task], prompt[len(beginnings[problem.task]) :]), models)
        for problem, prompt in zip(problems, prompts, strict=True)
    ]
    return Chunk([visible(text) for text in beginnings.values()], items)


def _beginnings(problems: Sequence[Problem], prompts: Sequence[str]) -> dict[str, str]:
    """Task -> what all its prompts begin with (the worked examples), kept once instead of 500 times."""
    by_task: dict[str, list[str]] = defaultdict(list)
    for problem, prompt in zip(problems, prompts, strict=True):
        by_task[problem.task].append(prompt)
    return {task: shared_beginning(texts) if len(texts) > 1 else "" for task, texts in by_task.items()}


def shared_beginning(texts: Sequence[str]) -> str:
    """The longest text that all of `texts` begin with."""
    first, last = min(texts), max(texts)  # whatever these two share, all between them share
    differs = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differs, len(first))]


def _item(problem: Problem, prompt: tuple[int, str], models: Sequence[Judged]) -> Item:
    hidden = ("prompt", "solution")
    return Item(
        id=problem.id,
        task=visible(problem.task),
        text=pieces(problem.text),
        gold=visible(problem.answer),
        solution=pieces(_text(problem.meta.get("solution"))),
        facts={visible(k): shorten(visible(_text(v)), 200) for k, v in sorted(problem.meta.items()) if k not in hidden},
        prompt=(prompt[0], visible(prompt[1])),
        sides=[side(problem.id, model) for model in models],
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def side(problem: str, model: Judged) -> Side:
    """The greedy completion and the votes of one model on one problem."""
    greedy = [
        _sample(completion, "greedy", problem, model) for completion in model.completions.get((problem, "greedy"), [])
    ]
    sampled = sorted(model.completions.get((problem, "maj"), []), key=lambda completion: completion.sample)
    votes = count_votes([_sample(completion, "maj", problem, model) for completion in sampled])
    vote = model.verdicts.get((problem, "vote", 0))
    return Side(greedy[0] if greedy else None, votes, (vote.outcome, visible(vote.why)) if vote else None)


def _sample(completion: Completion, reading: str, problem: str, model: Judged) -> Sample:
    place = (problem, reading, completion.sample)
    verdict = model.verdicts.get(place)
    return Sample(
        # a program holds no formulas, whatever its dollar signs are for
        text=[visible(completion.text)]
        if place in model.ran or completion.sample >= FORMULAS
        else pieces(completion.text),
        outcome=verdict.outcome if verdict else MISSING,
        answer=visible(verdict.answer) if verdict and verdict.answer is not None else None,
        why=visible(verdict.why if verdict else completion.error),
        finish=completion.finish,
        tokens=completion.tokens,
        ran=_ended(model.ran[place]) if place in model.ran else None,
    )


def _ended(end: read.Ending | None) -> tuple[str, str]:
    if end is None:
        return "no program", ""
    said = [end.stdout.rstrip("\n"), f"value: {end.value}" if end.value is not None else "", end.error or ""]
    return end.outcome, visible("\n".join(line for line in said if line)[:OUTPUT])


def count_votes(samples: Sequence[Sample]) -> list[Vote]:
    """Samples by answer, most votes first, ties to the earliest sample, those without an answer last.

    Answers are grouped as they are written, but all that were judged right are one answer.
    """
    groups: dict[tuple[bool, str | None], list[Sample]] = {}
    for sample in samples:
        right = sample.outcome == "right"
        groups.setdefault((right, None if right else _written(sample)), []).append(sample)
    votes = [Vote(_written(group[0]), right, group) for (right, _), group in groups.items()]
    return sorted(votes, key=lambda vote: (vote.answer is None, -len(vote.samples)))


def _written(sample: Sample) -> str | None:
    return (sample.answer or "").strip() or None


def _index(problems: Sequence[Problem], models: Sequence[Judged], chunk: int) -> Index:
    return Index(
        models=[visible(model.label) for model in models],
        chunk=chunk,
        ids=[problem.id for problem in problems],
        texts=[shorten(visible(problem.text), SNIPPET) for problem in problems],
        answers=[shorten(visible(problem.answer), 60) for problem in problems],
        facets=list(_facets(problems, models)),
    )


def _facets(problems: Sequence[Problem], models: Sequence[Judged]) -> Iterator[Facet]:
    """Outcome by model, what flipped, agreement of the votes, task, and the problems' own facts."""
    outcomes = [[_outcome(problem.id, "greedy", model) for problem in problems] for model in models]
    for number, (model, column) in enumerate(zip(models, outcomes, strict=True)):
        yield _facet(f"outcome{number}", visible(model.label), column, (*OUTCOMES, MISSING))
    if len(models) > 1:
        flips = [flip(before, after) for before, after in zip(outcomes[0], outcomes[1], strict=True)]
        yield _facet("flip", "Change", flips, ("gained", "lost", "both right", "both not"))
    for number, model in enumerate(models):
        if any(reading == "maj" for _, reading in model.completions):
            votes = [_outcome(problem.id, "vote", model) for problem in problems]
            if set(votes) != {MISSING}:
                yield _facet(f"vote{number}", f"Majority, {visible(model.label)}", votes, (*OUTCOMES, MISSING))
            column = [_agreement(problem.id, model) for problem in problems]
            yield _facet(f"share{number}", f"Agreement, {visible(model.label)}", column, SHARES)
    columns = {"task": [problem.task for problem in problems]}
    columns |= {key: [_text(problem.meta.get(key)) for problem in problems] for key in META_FACETS}
    for key, column in columns.items():
        values = sorted(set(column))
        if 1 < len(values) <= MAX_FACET_VALUES:
            yield _facet(key, key.capitalize(), [visible(value) or "none" for value in column], ())


def _facet(key: str, label: str, column: list[str], order: Sequence[str]) -> Facet:
    present = set(column)
    values = [value for value in order if value in present] + sorted(present.difference(order))
    codes = {value: number for number, value in enumerate(values)}
    return Facet(key, label, values, [codes[value] for value in column])


def _outcome(problem: str, reading: str, model: Judged) -> str:
    verdict = model.verdicts.get((problem, reading, 0))
    return verdict.outcome if verdict else MISSING


def flip(before: str, after: str) -> str:
    """What became of a problem between two models, by their greedy outcomes."""
    if before == "right":
        return "both right" if after == "right" else "lost"
    return "gained" if after == "right" else "both not"


def _agreement(problem: str, model: Judged) -> str:
    """The agreement class of `SHARES`, without building the samples again."""
    outcomes = [
        (v.outcome == "right", "" if v.outcome == "right" else (v.answer or "").strip())
        for c in model.completions.get((problem, "maj"), [])
        if (v := model.verdicts.get((problem, "maj", c.sample))) is not None
    ]
    counts = [outcomes.count(answer) for answer in set(outcomes) if answer[0] or answer[1]]
    if not counts:
        return SHARES[0]
    share = max(counts) / len(outcomes)
    return SHARES[5] if share == 1 else SHARES[1 + int(share * 4)]
