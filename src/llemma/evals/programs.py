"""Program-aided answers: the programs that completions hold are run in the sandbox, and their values are judged.

Running is a step of its own between completions and verdicts, kept on disk (`executions.jsonl.zst`), so that judging
again runs nothing. A program that fails gives no answer, and the verdict says how it failed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from llemma.core.console import Console
from llemma.core.files import digest
from llemma.core.types import Completion
from llemma.evals.answers import Judge, Judgement
from llemma.evals.answers.python_values import answer_text
from llemma.evals.journal import Journal, Part
from llemma.tools import Execution, Sandbox, SandboxConfig

VERSION = 1
"""Of what is run and kept; another version runs again."""

BATCH = 128  # programs that are kept on disk together
_KEPT = 4_000  # characters kept of what a program prints
_SAID = 160  # characters of an error in a reason
FENCE = re.compile(r"^[ \t]{0,8}```[^\n`]{0,20}$", re.MULTILINE)


class Program(msgspec.Struct, frozen=True):
    """How a task's completions become programs."""

    source: Callable[[str], str]
    """From a completion's text to the program; an empty text when it holds none."""
    call: str | None = None
    """The function whose value is the answer; without it the variable `answer` or the last expression."""


class Ran(msgspec.Struct, frozen=True):
    """A row of `executions.jsonl.zst`: the sample whose program ran, and its end; None where there was no program."""

    request: str
    sample: int
    execution: Execution | None


def unfenced(text: str) -> str:
    """The program in a completion: all of it up to a fence, or the inside of a fence that opens the program.

    A fence opens when nothing but blanks stands before it, or when it names Python behind words; else it closes what
    the prompt has opened. A block that is not closed reaches to the end.
    """
    fence = FENCE.search(text)
    if fence is None:
        return text
    if text[: fence.start()].strip() and not fence.group().strip().lower().startswith("```py"):
        return text[: fence.start()]
    return FENCE.split(text[fence.end() :], maxsplit=1)[0]


def run_programs(
    completions: Iterable[Completion],
    program: Program,
    config: SandboxConfig,
    journal: Journal,
    console: Console,
    total: int,
) -> Iterator[Ran]:
    """Run the program of each completion, in order; what an earlier, interrupted call has run is read from `journal`.

    Each distinct program of a batch runs once. Raises `MissingError` where the machine lacks what the sandbox needs.
    """
    with _Lazy(config) as lazy, console.progress("programs", total, "programs") as bar:
        seen: Counter[str] = Counter()
        for batch in _batches(completions, BATCH):
            sources = [program.source(c.text) if c.finish != "error" else "" for c in batch]
            path = journal.path("programs", VERSION, program.call, msgspec.to_builtins(config), digest(sources))
            if path.is_file():
                ran = journal.read(path, Ran).records
            else:
                ran = list(_run(batch, sources, program.call, lazy))
                journal.write(path, Part(0.0, ran))
            seen.update(row.execution.outcome if row.execution else "no program" for row in ran)
            bar.advance(len(ran), ", ".join(f"{name} {count}" for name, count in seen.most_common()))
            yield from ran


class _Lazy:
    """A sandbox that starts with the first program: a run whose programs are all on disk needs none."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config, self.box = config, Sandbox(config)
        self.started = False

    def __enter__(self) -> _Lazy:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.started:
            self.box.close()

    def map(self, programs: Sequence[str], call: str | None) -> Iterator[Execution]:
        if programs and not self.started:
            self.started = True
            self.box.open()
        return self.box.map(programs, call)


def _batches(completions: Iterable[Completion], size: int) -> Iterator[list[Completion]]:
    batch: list[Completion] = []
    for completion in completions:
        batch.append(completion)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _run(batch: Sequence[Completion], sources: Sequence[str], call: str | None, box: _Lazy) -> Iterator[Ran]:
    distinct = [source for source in dict.fromkeys(sources) if source.strip()]
    ends = dict(zip(distinct, box.map(distinct, call), strict=True))
    for completion, source in zip(batch, sources, strict=True):
        end = ends.get(source)
        short = msgspec.structs.replace(end, stdout=end.stdout[:_KEPT]) if end else None
        yield Ran(completion.request, completion.sample, short)


def judge_program(completion: Completion, end: Execution | None, gold: str, by: Judge) -> Judgement:
    """The verdict on what a completion's program gave.

    `timeout` is told as such. A program that fails, prints and returns nothing, or is not there is `no_answer` with the
    reason, or `cut_off` when the completion was broken off at its limit.
    """
    if completion.finish == "error":
        return Judgement("error", None, completion.error or "the backend reported an error")
    if end is not None and end.outcome == "timeout":
        return Judgement("timeout", None, f"the program did not end within its time ({end.seconds:.1f} s)")
    answer = _answer(end, by) if end is not None and end.outcome == "ok" else None
    if end is None or answer is None:
        if completion.finish == "length":
            return Judgement("cut_off", None, f"no whole program within {completion.tokens or 'the allowed'} tokens")
        return Judgement("no_answer", None, _reason(end))
    equal, why = by.compare(answer, gold)
    return Judgement("right" if equal else "wrong", answer, f"{why} [found by: program; judge: {by.name}]")


def _answer(end: Execution, by: Judge) -> str | None:
    """The answer of a program that ended well: its value, else the last line that it printed."""
    if by.exact_values:
        return end.srepr or end.value
    if end.value is not None and end.value != "None":
        return answer_text(end.value)
    lines = end.stdout.strip().splitlines()
    return answer_text(lines[-1]) if lines else None


def _reason(end: Execution | None) -> str:
    if end is None:
        return "no program in the text"
    if end.outcome == "ok":
        return "the program ended without a value"
    return f"the program ended in {end.outcome}: {(end.error or 'no message')[:_SAID]}"
