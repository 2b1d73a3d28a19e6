"""A task is a value made of functions: where its problems come from, how they are asked, who judges the answers."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from llemma.core import jsonl, registry
from llemma.core.errors import DataError, MissingError, RecipeError, UsageError
from llemma.core.types import Problem
from llemma.evals.answers import Judge
from llemma.evals.programs import Program, unfenced

STOP = ("\n\nProblem:", "Problem:")
"""Where a base model leaves its solution and runs on into a problem of its own."""

_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")


Protocol = Literal["default", "llemma"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
"""`llemma` judges as the paper's own code did, faults and all; `default` is right."""


class Example(msgspec.Struct, frozen=True):
    """A worked problem shown before the question; its solution ends in words that give the answer."""

    problem: str
    solution: str
    answer: str


class Sampling(NamedTuple):
    """How a task's maj@k was published: samples a problem, temperature, top-p. 1 sample means greedy alone."""

    k: int = 1
    temperature: float = 0.6
    top_p: float = 0.95


UNPUBLISHED = Sampling()
"""Of a task that was never published: the paper's temperature and top-p for GSM8K and MATH."""


class Source(msgspec.Struct, frozen=True):
    """Where the problems of a task came from; part of the results.

    `origin` is a file's name below its data folder, or `hub:` and a data set's id; `sha256` is of the content without
    compression (of several files: of the list of their checksums); `revision` is the data set's commit on the hub.
    """

    origin: str
    sha256: str
    revision: str = ""


class Layout(NamedTuple):
    """The shape of a prompt: `ask` around each problem (at `{}`), `gap` before each solution, `between` two blocks."""

    ask: str
    gap: str = "\n"
    between: str = "\n\n"

    def prompt(self, problem: Problem, examples: Sequence[Example]) -> str:
        """The worked examples, then the problem; it ends where the solution begins."""
        blocks = [self.ask.format(example.problem) + self.gap + example.solution for example in examples]
        return self.between.join([*blocks, self.ask.format(problem.text)])


MINERVA = Layout("Problem:\n{}\n\nSolution:")
"""Lewkowycz et al. 2022 (Minerva), the prompt of MATH."""

few_shot = MINERVA.prompt
"""`Problem:`, text, blank line, `Solution:`; worked examples before it, joined by blank lines."""

few_shot_programs = Layout("Problem:\n{}\n\nProgram:").prompt
"""The same, with `Program:` in the place of `Solution:`."""


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
    sampling: Sampling = UNPUBLISHED
    """Of the k samples, where neither the recipe nor the user says otherwise."""
    protocol: Protocol = "default"
    prompts: str = "own"
    """Whose examples are shown: `own`, `lm-eval` with its version, or a file with its checksum."""
    source: Callable[[], Source] | None = None
    """Where the problems are; raises `MissingError` where they are not."""

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


def open_task(
    spec: str, *, data: Path | None = None, protocol: Protocol = "default", prompts: str | None = None, **options: Any
) -> Task:
    """The registered task called `spec` (`-` and `_` are one), or the task of a user's own file.

    `data`: the folder of local benchmarks; `prompts`: `own`, `lm-eval` or a file of worked examples; `options` go to
    the task's factory, as these three do where they are given. Raises `RecipeError` with a suggestion for an unknown
    name, `MissingError` for a file that is not there.
    """
    prompts = "lm-eval" if prompts == "lm_eval" else prompts  # the package's name and the command's
    given = {"data": data, "protocol": protocol, "prompts": prompts}
    if spec.endswith(_SUFFIXES):
        return _own_file(Path(spec), protocol, prompts, options)
    name = spec if spec in registry.names("task") else spec.replace("-", "_")
    factory = registry.find("task", name if name in registry.names("task") else spec, where="eval.tasks")
    options |= {key: value for key, value in given.items() if value not in (None, "default")}
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        raise UsageError(f"the task '{name}' does not take these options: {error}", where="eval.tasks") from error
    task: Task = factory(**options)
    return task


def _own_file(path: Path, protocol: str, prompts: str | None, options: dict[str, Any]) -> Task:
    if protocol != "default":
        raise UsageError(
            f"the protocol {protocol} has no rules for a file of one's own",
            where=str(path),
            mend="leave --protocol out for this task",
        )
    if prompts == "lm-eval":
        raise UsageError("lm-eval has no prompts for a file of one's own", where=str(path), mend="give --prompts FILE")
    if prompts not in (None, "own"):
        options = {"examples": Path(prompts), **options}
    return jsonl_task(path, **options)


def jsonl_task(
    path: Path,
    *,
    name: str | None = None,
    examples: Sequence[Example | dict[str, str]] | Path | None = None,
    shots: int | None = None,
    max_tokens: int = 512,
    judge: str = "default",
    programs: bool = False,
) -> Task:
    """The task of a file of rows `{problem, answer, id?, ...}`; the other fields go to `Problem.meta`.

    `programs`: the solutions are Python programs, and their values the answers.
    `examples`: worked problems, or the path of a file of them; without it our own four. `shots`: all if not given.
    """
    if not path.is_file():
        raise MissingError(f"no problem file '{path}'", where="eval.tasks", mend="check the path")
    worked, shown_from = _examples(examples)
    title = name or path.name.split(".jsonl")[0]
    return Task(
        name=title,
        version=1,
        load=partial(read_problems, path, title),
        prompt=few_shot_programs if programs else few_shot,
        judge="program" if programs else judge,
        max_tokens=max_tokens,
        shots=len(worked) if shots is None else shots,
        examples=worked,
        program=Program(unfenced) if programs else None,
        prompts=shown_from,
        source=partial(file_source, path, path.name),
    )


def _examples(given: Sequence[Example | dict[str, str]] | Path | None) -> tuple[tuple[Example, ...], str]:
    """The examples, and what to call them in results."""
    if given is None:
        return own_examples("word_problems"), "own"
    if isinstance(given, Path):
        return read_examples(given), named(given)
    return tuple(msgspec.convert(list(given), list[Example])), "given"


def named(path: Path) -> str:
    """A file of examples as results name it: its name, and the beginning of its SHA-256."""
    return f"{path.name} {file_source(path, path.name).sha256[:12]}"


def file_source(path: Path, origin: str) -> Source:
    """The `Source` of one local file, plain or compressed."""
    digest = hashlib.sha256()
    try:
        with jsonl.open_lines(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except jsonl.damage() as error:
        raise DataError(f"damaged file: {error}", where=str(path), mend="get it again") from error
    return Source(origin, digest.hexdigest())


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
