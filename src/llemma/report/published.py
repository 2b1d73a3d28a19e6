"""Published figures to set beside one's own: those of the paper's models on the paper's tasks, and how they were asked.

Source: Azerbayev et al. 2023, "Llemma: An Open Language Model For Mathematics" (arXiv 2310.10631), table 1 (greedy) and
table 2 (majority voting). The rows of Minerva are quoted there from Lewkowycz et al. 2022.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.core.console import table
from llemma.report import read
from llemma.report.facts import Facts, TaskFacts
from llemma.report.text import shorten, visible

SOURCE = "Azerbayev et al. 2023 (arXiv 2310.10631), tables 1 and 2; Minerva as quoted there from Lewkowycz et al. 2022"


class Asked(msgspec.Struct, frozen=True):
    """How a task was published: worked examples, problems, and k, temperature and top-p of the votes (table 2)."""

    shots: int
    problems: int
    k: int
    temperature: float
    top_p: float = 0.95


TASKS = {
    "gsm8k": Asked(8, 1319, 100, 0.6),
    "ocw_courses": Asked(4, 272, 100, 0.6),
    "mmlu_stem": Asked(4, 3018, 16, 0.3),
    "sat_math": Asked(4, 32, 16, 0.3),
    "math": Asked(4, 5000, 256, 0.6),
}
"""The five tasks in the order of the tables' columns."""


class Figures(msgspec.Struct, frozen=True):
    """A model's accuracies in per cent, in the order of `TASKS`; None where nothing was published. `peers` names the
    sizes of Llemma that it is set beside."""

    model: str
    size: str
    greedy: tuple[float | None, ...]
    voted: tuple[float | None, ...]
    peers: tuple[str, ...]

    @property
    def name(self) -> str:
        """`Llemma 7B`."""
        return f"{self.model} {self.size}"


_NONE = (None,) * len(TASKS)
FIGURES = (
    Figures("Llama 2", "7B", (11.8, 3.7, 29.9, 25.0, 3.2), _NONE, ("7B",)),
    Figures("Code Llama", "7B", (10.5, 4.4, 25.1, 9.4, 4.5), _NONE, ("7B",)),
    Figures("Llemma", "7B", (36.4, 7.7, 37.7, 53.1, 18.0), (54.0, 14.3, 49.9, 78.1, 33.5), ("7B",)),
    Figures("Minerva", "8B", (16.2, 7.7, 35.6, None, 14.1), (28.4, 12.5, 43.4, None, 25.4), ("7B",)),
    Figures("Code Llama", "34B", (29.6, 7.0, 40.5, 40.6, 12.2), _NONE, ("34B",)),
    Figures("Llemma", "34B", (51.5, 11.8, 49.0, 71.9, 25.0), (69.3, 18.4, 59.7, 81.3, 43.1), ("34B",)),
    Figures("Minerva", "62B", (52.4, 12.0, 53.9, None, 27.6), (68.5, 23.5, 63.5, None, 43.4), ("34B",)),
    Figures("Minerva", "540B", (58.8, 17.6, 63.9, None, 33.6), (78.5, 30.8, 75.0, None, 50.3), ()),
)

# One part of a path or name, whole: what goes on after the size (-instruct, -python, _muinstruct) is another model.
_NAME = re.compile(
    r"(?:models--)?(?:[\w.]+--)?(llemma|code-?llama|llama-?2)-(7b|34b)(?:-hf)?"
    r"(?:-(?:bf16|fp16|f16|float16|bfloat16))?(?:\.jsonl?(?:\.zst|\.gz)?|\.gguf)?"
)
_MODELS = {"llemma": "Llemma", "codellama": "Code Llama", "llama2": "Llama 2"}


class Cell(msgspec.Struct, frozen=True):
    """A figure in per cent, with a note where it was not asked as the column says."""

    value: float
    note: str = ""


class Line(msgspec.Struct, frozen=True):
    """A row of the table: ours, or a published model (`same`: the one that was evaluated)."""

    name: str
    cells: list[Cell | None]
    ours: bool = False
    same: bool = False


class Beside(msgspec.Struct, frozen=True):
    """Published figures beside an evaluation's own: `columns` are (task, metric as published), `unlike` says for each
    task how ours was asked otherwise."""

    model: str
    recognised: str
    columns: list[tuple[str, str]]
    lines: list[Line]
    unlike: list[tuple[str, list[str]]]

    def text(self) -> str:
        """For a terminal."""
        heads = ["published, in %", *(f"{task} {metric}" for task, metric in self.columns)]
        rows = [[line.name, *(_cell(cell) for cell in line.cells)] for line in self.lines]
        notes = [f"{task}, not asked as published: {'; '.join(how)}" for task, how in self.unlike]
        return visible("\n".join([table(heads, rows), *notes, f"published: {SOURCE}"]))


def _cell(cell: Cell | None) -> str:
    return "-" if cell is None else f"{cell.value:.1f}" + (f" ({cell.note})" if cell.note else "")


def recognise(model: str) -> Figures | None:
    """The published row of a model by its name: `hf:EleutherAI/llemma_7b`, a folder or a server's model of that name.

    Our own checkpoints (`run:`), fine-tuned or instructed descendants and other sizes are none of the paper's models.
    """
    scheme, _, name = model.partition(":")
    if scheme == "run":
        return None
    for part in re.split(r"[/\\#:@]+", name.lower().replace("_", "-")):
        found = _NAME.fullmatch(part)
        if found:
            wanted = (_MODELS[found[1].replace("-", "")], found[2].upper())
            return next((row for row in FIGURES if (row.model, row.size) == wanted), None)
    return None


def beside(facts: Facts, everything: bool = False) -> Beside | None:
    """The published figures for the tasks of an evaluation: with `everything` all of them, else those of the model and
    of its peers. None where the model or the tasks are not the paper's."""
    known = recognise(facts.model)
    asked = {task.task: task for task in facts.tasks if task.task in TASKS}
    if not asked or (known is None and not everything):
        return None
    columns = [(name, metric) for name in TASKS if name in asked for metric in ("greedy", f"maj@{TASKS[name].k}")]
    rows = [row for row in FIGURES if everything or row is known or (known and set(row.peers) & set(known.peers))]
    lines = [Line(shorten(facts.model, 40), [_ours(facts, asked[task], m) for task, m in columns], ours=True)]
    lines += [Line(row.name, [_theirs(row, *column) for column in columns], same=row is known) for row in rows]
    unlike = [(name, how) for name, task in asked.items() if (how := list(differences(task)))]
    return Beside(facts.model, known.name if known else "", columns, lines, unlike)


def _ours(facts: Facts, task: TaskFacts, metric: str) -> Cell | None:
    kind = metric.partition("@")[0]
    found = [s for s in facts.scores if s.task == task.task and s.metric.partition("@")[0] == kind]
    if not found:
        return None
    return Cell(100 * found[0].value, "" if found[0].metric == metric else found[0].metric)


def _theirs(row: Figures, task: str, metric: str) -> Cell | None:
    value = (row.greedy if metric == "greedy" else row.voted)[list(TASKS).index(task)]
    return None if value is None else Cell(value)


def differences(task: TaskFacts) -> Iterator[str]:
    """How a task of the paper was asked and judged otherwise than published."""
    published = TASKS[task.task]
    if task.asked != published.problems:
        yield f"{task.asked:,} of {published.problems:,} problems"
    if task.shots != published.shots:
        yield f"{task.shots} worked examples, not {published.shots}"
    if task.prompts != "lm-eval" or task.task not in ("gsm8k", "math"):
        yield f"worked examples: {task.prompts or 'unknown'}, not the published ones"
    if task.protocol != "llemma":
        yield f"judged by the protocol {task.protocol or 'unknown'}, not the paper's own (llemma)"
    if task.k > 1:
        drawn = (("k", task.k, published.k), ("temperature", task.temperature, published.temperature))
        for name, ours, theirs in (*drawn, ("top-p", task.top_p, published.top_p)):
            if ours != theirs:
                yield f"{name} {ours:g}, not {theirs:g}"


def told(folder: Path) -> str:
    """What to print below the scores of the evaluation in `folder`: nothing for a model that is not the paper's."""
    found = [one for evaluation in read.run(folder).evaluations if (one := beside(evaluation.facts)) is not None]
    return "".join(f"\n\n{one.text()}" for one in found)


def all_beside(evaluations: Sequence[read.Evaluation], everything: bool) -> list[Beside]:
    """`beside` for each evaluation that has any."""
    return [one for evaluation in evaluations if (one := beside(evaluation.facts, everything)) is not None]
