"""What the sample explorer shows of a problem: what each model answered, how it was judged, and what stands in the
corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from llemma.core.types import Completion, Problem, Verdict
from llemma.report import journal, read
from llemma.report.cells import cells
from llemma.report.formulas import Piece, pieces
from llemma.report.overlaps import Found
from llemma.report.text import shorten, visible

FORMULAS = 32  # samples of a problem and model whose formulas are set; of the others they are shown as written
OUTPUT = 1_000  # characters of what a program printed
MISSING = "not judged"


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
    overlap: Found | None = None


class Chunk(msgspec.Struct, frozen=True):
    """A script file: problems, and the beginnings that their prompts share."""

    beginnings: list[str]
    items: list[Item]


class Judged(msgspec.Struct, frozen=True):
    """One evaluation by problem id and reading (`greedy`, `maj`)."""

    label: str
    problems: dict[str, Problem]
    completions: dict[tuple[str, str], list[Completion]]
    verdicts: dict[tuple[str, str, int], Verdict]
    ran: dict[tuple[str, str, int], read.Ending | None]

    def sampled(self, problem: str) -> list[Completion]:
        """The samples of the vote on a problem, in their order."""
        return sorted(self.completions.get((problem, "maj"), []), key=lambda completion: completion.sample)


def judged(evaluation: read.Evaluation) -> Judged:
    """Load one evaluation's samples, of one that is still running those that are there."""
    completions: dict[tuple[str, str], list[Completion]] = defaultdict(list)
    for completion in journal.completions(evaluation):
        completions[read.request_parts(completion.request)].append(completion)
    verdicts = {(*read.request_parts(v.problem), v.sample): v for v in read.verdicts(evaluation)}
    problems = {problem.id: problem for problem in read.problems(evaluation)}
    golds = {problem: verdict.gold for (problem, _, _), verdict in verdicts.items()}
    for problem, _ in completions:
        problems.setdefault(problem, Problem(problem, "", "", golds.get(problem, "")))
    ran = {(*read.request_parts(row.request), row.sample): row.execution for row in read.executions(evaluation)}
    return Judged(read.label(evaluation.name), problems, dict(completions), verdicts, ran)


def chunk(problems: Sequence[Problem], models: Sequence[Judged], overlap: Mapping[str, Found]) -> Chunk:
    """All that is to be shown of `problems`."""
    prompts = [as_text(problem.meta.get("prompt")) for problem in problems]
    beginnings = _beginnings(problems, prompts)
    known = {task: number for number, task in enumerate(beginnings)}
    items = [
        _item(problem, (known[problem.task], prompt[len(beginnings[problem.task]) :]), models, overlap)
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


def _item(problem: Problem, prompt: tuple[int, str], models: Sequence[Judged], overlap: Mapping[str, Found]) -> Item:
    hidden = ("prompt", "solution")
    facts = {k: v for k, v in sorted(problem.meta.items()) if k not in hidden}
    return Item(
        id=visible(problem.id),
        task=visible(problem.task),
        text=pieces(problem.text),
        gold=visible(problem.answer),
        solution=cells(as_text(problem.meta.get("solution"))),
        facts={visible(k): shorten(visible(as_text(v)), 200) for k, v in facts.items()},
        prompt=(prompt[0], visible(prompt[1])),
        sides=[side(problem.id, model) for model in models],
        overlap=overlap.get(problem.id),
    )


def as_text(value: Any) -> str:
    """A fact of a problem as text: JSON where it is none."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def side(problem: str, model: Judged) -> Side:
    """The greedy completion and the votes of one model on one problem."""
    greedy = [
        _sample(completion, "greedy", problem, model) for completion in model.completions.get((problem, "greedy"), [])
    ]
    votes = count_votes([_sample(completion, "maj", problem, model) for completion in model.sampled(problem)])
    vote = model.verdicts.get((problem, "vote", 0))
    return Side(greedy[0] if greedy else None, votes, (vote.outcome, visible(vote.why)) if vote else None)


def _sample(completion: Completion, reading: str, problem: str, model: Judged) -> Sample:
    place = (problem, reading, completion.sample)
    verdict = model.verdicts.get(place)
    return Sample(
        # a program holds no formulas, whatever its dollar signs are for
        text=[visible(completion.text)]
        if place in model.ran or completion.sample >= FORMULAS
        else cells(completion.text),
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
