"""A task is a value made of functions: where its problems come from, how they are asked, who judges the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl, registry
from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.types import Problem
from llemma.evals.answers import Judge
from llemma.evals.programs import Program

STOP = ("\n\nProblem:", "Problem:")
"""Where a base model leaves its solution and runs on into a problem of its own."""

_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")


class Example(msgspec.Struct, frozen=True):
    """A worked problem shown before the question; its solution ends in words that give the answer."""

    problem: str
    solution: str
    answer: str


@dataclass(frozen=True)
class Task:
    """Problems and how to ask them. `version` changes whenever a score could: with prompt, data or stop strings."""

    name: str
    version: int
    load: Callable[[], Iterable[Problem]]
    """All problems in a fixed order, with ids unique over the task."""
    prompt: Callable[[Problem, Sequence[Example]], str]
    """The whole prompt: the examples, then the problem."""
    judge: str = "default"
    """Name of the judge that finds and compares answers."""
    stop: tuple[str, ...] = STOP
    max_tokens: int = 512
    shots: int = 4
    examples: tuple[Example, ...] = field(default=(), repr=False)
    program: Program | None = None
    """How completions become programs, for a task whose answers are what these give."""

    def shown(self, shots: int | None = None) -> tuple[Example, ...]:
        """The first `shots` examples (the task's own number without it); more than there are is a `RecipeError`."""
        wanted = self.shots if shots is None else shots
        if wanted > len(self.examples):
            raise RecipeError(
                f"task '{self.name}' has {len(self.examples)} examples, {wanted} are asked for",
                where="eval.shots",
                mend=f"set shots to {len(self.examples)} or less, or give more examples",
            )
        return self.examples[:wanted]

    def find_judge(self) -> Judge:
        """The judge called `self.judge`."""
        judge: Judge = registry.find("judge", self.judge, where=f"task '{self.name}'")
        return judge


def few_shot(problem: Problem, examples: Sequence[Example]) -> str:
    """`Problem:`, text, blank line, `Solution:`; worked examples before it, joined by blank lines (Minerva's shape)."""
    blocks = [f"Problem:\n{example.problem}\n\nSolution:\n{example.solution}" for example in examples]
    return "\n\n".join([*blocks, f"Problem:\n{problem.text}\n\nSolution:"])


def open_task(spec: str, **options: Any) -> Task:
    """The registered task called `spec`, or the task of a user's own file; `options` go to its factory.

    Raises `RecipeError` with a suggestion for an unknown name, `MissingError` for a file that is not there.
    """
    if spec.endswith(_SUFFIXES):
        return jsonl_task(Path(spec), **options)
    task: Task = registry.find("task", spec, where="eval.tasks")(**options)
    return task


def jsonl_task(
    path: Path,
    *,
    name: str | None = None,
    examples: Sequence[Example | dict[str, str]] | Path | None = None,
    shots: int | None = None,
    max_tokens: int = 512,
    judge: str = "default",
) -> Task:
    """The task of a file of rows `{problem, answer, id?, ...}`; the other fields go to `Problem.meta`.

    `examples`: worked problems, or the path of a file of them; without it our own four. `shots`: all if not given.
    """
    if not path.is_file():
        raise MissingError(f"no problem file '{path}'", where="eval.tasks", mend="check the path")
    worked = _examples(examples)
    title = name or path.name.split(".jsonl")[0]
    return Task(
        name=title,
        version=1,
        load=partial(read_problems, path, title),
        prompt=few_shot,
        judge=judge,
        max_tokens=max_tokens,
        shots=len(worked) if shots is None else shots,
        examples=worked,
    )


def _examples(given: Sequence[Example | dict[str, str]] | Path | None) -> tuple[Example, ...]:
    if given is None:
        return own_examples("word_problems")
    return read_examples(given) if isinstance(given, Path) else tuple(msgspec.convert(list(given), list[Example]))


def own_examples(name: str) -> tuple[Example, ...]:
    """The worked examples called `name` that the toolkit ships in `prompts/`."""
    return read_examples(Path(__file__).parent / "prompts" / f"{name}.json")


def read_examples(path: Path) -> tuple[Example, ...]:
    """Worked examples from a JSON list, or from JSON lines, of `{problem, solution, answer}`."""
    if path.name.endswith(_SUFFIXES):
        return tuple(jsonl.read(path, Example))
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=list[Example]))
    except FileNotFoundError as error:
        raise MissingError(f"no example file '{path}'", where="examples", mend="check the path") from error
    except msgspec.DecodeError as error:
        raise DataError(
            f"bad examples: {error}", where=str(path), mend="a list of problem, solution, answer"
        ) from error


def read_problems(path: Path, task: str) -> list[Problem]:
    """The problems of a file, each with an id of its own; a row that lacks something is an error that names it."""
    problems: dict[str, Problem] = {}
    for number, row in enumerate(jsonl.read(path, dict[str, msgspec.Raw]), start=1):
        where = f"{path} row {number}"
        name = _text(row.pop("id"), "id", where) if "id" in row else f"{task}-{number}"
        if name in problems:
            raise DataError(f"two problems have the id '{name}'", where=where, mend="give each row an id of its own")
        lacking = [key for key in ("problem", "answer") if key not in row]
        if lacking:
            raise DataError(f"a row without '{lacking[0]}'", where=where, mend="rows are {problem, answer, id?, ...}")
        text, answer = (_text(row.pop(key), key, where) for key in ("problem", "answer"))
        meta = {key: msgspec.json.decode(value) for key, value in row.items()}
        problems[name] = Problem(id=name, task=task, text=text, answer=answer, meta=meta)
    if not problems:
        raise DataError("no problems in the file", where=str(path), mend="write rows {problem, answer, id?, ...}")
    return list(problems.values())


def _text(raw: msgspec.Raw, key: str, where: str) -> str:
    value = msgspec.json.decode(raw)
    if isinstance(value, str) and (value.strip() or key == "id"):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bytes(raw).decode()  # the number as written: 0.10 and 12345678901234567890 keep all their digits
    raise DataError(f"'{key}' is neither text nor a number", where=where, mend="write it as a string")
