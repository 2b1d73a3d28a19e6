"""Run folders, read as they lie on disk: what is there becomes a record, what is not is named.

This is the only module of the room that knows file names. Records here ignore unknown fields, so that other rooms may
add facts to their files without breaking old reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.files import read_json
from llemma.core.types import Completion, Dropped, Problem, RunRecord, Verdict
from llemma.report.facts import Facts, ProvingFacts

T = TypeVar("T")

# The two models of a reproduction come first, in this order; others follow by name.
LABELS = {"base": "Base", "math": "Continued"}


class Count(msgspec.Struct, frozen=True):
    """Documents and the bytes of their text in UTF-8."""

    docs: int = 0
    bytes: int = 0


class SourceStats(msgspec.Struct, frozen=True):
    """What became of a source: kept, dropped by step and reason, or (`skipped`) why it was left out."""

    subset: str = ""
    kept: Count = Count()
    dropped: dict[str, dict[str, int]] = {}
    skipped: str = ""
    languages: dict[str, Count] = {}


class CorpusStats(msgspec.Struct, frozen=True):
    """`corpus/stats.json`: subset -> split -> size, and every source."""

    subsets: dict[str, dict[str, Count]] = {}
    sources: dict[str, SourceStats] = {}


class Store(msgspec.Struct, frozen=True):
    """`store.json` of a token store; `text_bytes` is the UTF-8 size of the text behind the tokens."""

    tokens: int = 0
    documents: int = 0
    text_bytes: int = 0
    vocab_size: int = 0
    tokenizer_digest: str = ""


class PlannedPart(msgspec.Struct, frozen=True):
    """What a training run draws from a source: tokens, of how many available, and the epochs they amount to."""

    source: str
    tokens: int = 0
    available: int = 0
    epochs: float = 0.0


class TrainPlan(msgspec.Struct, frozen=True):
    """`plan.json` of a training run."""

    parameters: int = 0
    tokens: int = 0
    steps: int = 0
    flops: float = 0.0
    mixture: list[PlannedPart] = []


class Metric(msgspec.Struct, frozen=True):
    """A row of `metrics.jsonl`: a training step (loss in nats a token) or a validation (bits a byte by subset).

    `drawn`, where a run writes it, is the tokens drawn from each source so far. A row with an `event` is the guard's:
    at `step` it left out an update or went back (`to` a step, passing the `places` of the data), and `why`.
    """

    step: int = 0
    tokens: int | None = None
    loss: float | None = None
    lr: float | None = None
    tokens_per_second: float | None = None
    seconds: float | None = None
    validation: dict[str, float | None] | None = None
    drawn: dict[str, int] | None = None
    grad_norm: float | None = None
    mfu: float | None = None
    event: str | None = None
    why: str = ""
    to: int | None = None
    places: list[int] | None = None


class Training(msgspec.Struct, frozen=True):
    """A training run inside a run folder."""

    name: str
    record: RunRecord | None
    plan: TrainPlan | None
    metrics: list[Metric]


class _Results(msgspec.Struct, frozen=True):
    llemma: Facts = Facts()


class Scored(msgspec.Struct, frozen=True):
    """A row of `likelihoods.jsonl.zst`: a model's nats for a passage of a document, None where they are no number."""

    subset: str
    document: str
    nats: float | None = None
    bytes: int = 0


class Evaluation(msgspec.Struct, frozen=True):
    """An evaluation folder; its facts and scores are read, its samples stay on disk until asked for."""

    name: str
    folder: Path
    facts: Facts = Facts()


class Proving(msgspec.Struct, frozen=True):
    """A folder of attempted theorems."""

    name: str
    folder: Path
    facts: ProvingFacts


class ProofRow(msgspec.Struct, frozen=True):
    """A line of `proofs.jsonl`; `tree` is the file of the search, below the folder."""

    id: str
    outcome: str
    proof: str = ""
    why: str = ""
    seconds: float = 0.0
    axioms: list[str] = []
    expansions: int = 0
    tried: int = 0
    tree: str = ""


class Tried(msgspec.Struct, frozen=True):
    """A node of a search: a tactic tried below `parent`, and what became of it. Node 0 is the statement."""

    number: int = -1
    parent: int = -1
    tactic: str = ""
    score: float = 0.0
    status: str = ""
    text: str = ""
    order: int = 0


class Stage(msgspec.Struct, frozen=True):
    """A mark: a finished unit of the run's work and what it took."""

    unit: str
    seconds: float = 0.0


class Run(msgspec.Struct, frozen=True):
    """One run folder. `absent` says, in words, what is not there or cannot be read."""

    folder: Path
    name: str
    record: RunRecord | None
    recipe: str
    stats: CorpusStats | None
    stores: dict[str, dict[str, Store]]
    trainings: list[Training]
    evaluations: list[Evaluation]
    provings: list[Proving]
    stages: list[Stage]
    absent: list[str]


def label(name: str) -> str:
    """The word for a model or training run on a page."""
    return LABELS.get(name, name)


def run(folder: Path) -> Run:
    """Read a run folder: a reproduction, or a training run or evaluation alone. MissingError if there is none."""
    if not folder.is_dir():
        raise MissingError(f"no run folder {folder}", mend="check the path, or make one with `llemma reproduce`")
    absent: list[str] = []
    record = _optional(folder / "run.json", RunRecord, absent)
    stats = _optional(folder / "corpus" / "stats.json", CorpusStats, absent)
    result = Run(
        folder=folder,
        name=folder.resolve().name,
        record=record,
        recipe=_text(folder / "recipe.toml"),
        stats=stats,
        stores=_stores(folder / "tokens", absent),
        trainings=_trainings(folder, absent),
        evaluations=_evaluations(folder, absent),
        provings=_provings(folder, absent),
        stages=_stages(folder / "marks", absent),
        absent=absent,
    )
    absent.extend(_gaps(result))
    return result


def _gaps(found: Run) -> Iterator[str]:
    if found.record is None:
        yield "run.json: nothing says when and on what this was run"
    if found.trainings and not found.evaluations and not found.provings:
        yield "evaluations: no model has been evaluated yet"
    if not (found.folder / "corpus").is_dir() and (found.folder / "recipe.toml").is_file() and not _alone(found.folder):
        yield "corpus: not built yet"
    if found.record and found.record.kind == "eval" and not found.evaluations:
        yield "completions: no batch of them is finished yet"
    if found.evaluations and all(not e.facts.scores for e in found.evaluations):
        yield "scores: no results.json holds scores yet"


def _alone(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("metrics.jsonl", "results.json", "verdicts.jsonl.zst", "parts"))


def _optional(path: Path, kind: type[T], absent: list[str]) -> T | None:
    if not path.is_file():
        return None
    try:
        return read_json(path, kind)
    except DataError as error:
        absent.append(f"{path.name}: {error.what}")
        return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _stores(folder: Path, absent: list[str]) -> dict[str, dict[str, Store]]:
    stores: dict[str, dict[str, Store]] = {}
    for path in sorted(folder.glob("*/*/store.json")):
        store = _optional(path, Store, absent)
        if store is not None:
            stores.setdefault(path.parent.parent.name, {})[path.parent.name] = store
    return stores


def _order(path: Path) -> tuple[int, str]:
    known = list(LABELS)
    return (known.index(path.name) if path.name in known else len(known), path.name)


def _trainings(folder: Path, absent: list[str]) -> list[Training]:
    homes = {path.parent for path in [*folder.glob("*/metrics.jsonl"), *folder.glob("*/plan.json")]}
    if (folder / "metrics.jsonl").is_file() and not homes:
        homes = {folder}
    return [
        Training(
            name=home.name,
            record=_optional(home / "run.json", RunRecord, absent),
            plan=_optional(home / "plan.json", TrainPlan, absent),
            metrics=metrics(home / "metrics.jsonl"),
        )
        for home in sorted(homes, key=_order)
    ]


def metrics(path: Path) -> list[Metric]:
    """The rows of `metrics.jsonl` up to the first damaged one: the last line of a running job may be half written.

    When a resumed run wrote a step twice, the later row counts.
    """
    rows: dict[tuple[int, str], Metric] = {}
    decoder = msgspec.json.Decoder(Metric)
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            row = decoder.decode(line)
        except msgspec.DecodeError:
            break
        kind = f"event {row.event} {len(rows)}" if row.event else "validation" if row.validation is not None else ""
        rows[row.step, kind] = row
    return [rows[key] for key in sorted(rows)]


def _evaluations(folder: Path, absent: list[str]) -> list[Evaluation]:
    marks = ("results.json", "verdicts.jsonl.zst", "completions.jsonl.zst", "parts")
    homes = {path.parent for mark in marks for path in folder.glob(f"eval/*/{mark}")}
    if not homes and any((folder / mark).exists() for mark in marks) and not _is_proving(folder):
        homes = {folder}
    found = []
    for home in sorted(homes, key=_order):
        results = _optional(home / "results.json", _Results, absent)
        found.append(Evaluation(name=home.name, folder=home, facts=results.llemma if results else Facts()))
    return found


def _is_proving(folder: Path) -> bool:
    return (folder / "results.json").is_file() and (folder / "proofs.jsonl").is_file()


def _provings(folder: Path, absent: list[str]) -> list[Proving]:
    homes = {path.parent for path in folder.glob("prove/*/results.json")} or ({folder} if _is_proving(folder) else ())
    facts = [(home, _optional(home / "results.json", ProvingFacts, absent)) for home in sorted(homes, key=_order)]
    return [Proving(home.name, home, found) for home, found in facts if found is not None]


def _stages(folder: Path, absent: list[str]) -> list[Stage]:
    found = [_optional(path, Stage, absent) for path in sorted(folder.rglob("*.json"))]
    return sorted((stage for stage in found if stage), key=lambda stage: (-stage.seconds, stage.unit))


def _rows(path: Path, kind: type[T]) -> Iterator[T]:
    """All records that can be read; a file that is still being written ends early."""
    if path.is_file():
        try:
            yield from jsonl.read(path, kind)
        except DataError:
            return


def problems(evaluation: Evaluation) -> Iterator[Problem]:
    """The problems of an evaluation, in their order."""
    return _rows(evaluation.folder / "problems.jsonl.zst", Problem)


def completions(evaluation: Evaluation) -> Iterator[Completion]:
    """Every sampled completion of an evaluation."""
    return _rows(evaluation.folder / "completions.jsonl.zst", Completion)


def verdicts(evaluation: Evaluation) -> Iterator[Verdict]:
    """Every verdict of an evaluation; its `problem` is the id of the request, or `<problem>#vote` for a vote."""
    return _rows(evaluation.folder / "verdicts.jsonl.zst", Verdict)


class Ending(msgspec.Struct, frozen=True):
    """How a program ended (`evals/programs.py`)."""

    outcome: str
    stdout: str = ""
    value: str | None = None
    error: str | None = None


class Ran(msgspec.Struct, frozen=True):
    """The end of the program of one sample; None where the completion held none."""

    request: str
    sample: int
    execution: Ending | None


def executions(evaluation: Evaluation) -> Iterator[Ran]:
    """The ends of the programs of an evaluation; empty where its tasks run none."""
    return _rows(evaluation.folder / "executions.jsonl.zst", Ran)


def proofs(proving: Proving) -> Iterator[ProofRow]:
    """How every theorem ended, in their order."""
    return _rows(proving.folder / "proofs.jsonl", ProofRow)


def tree(proving: Proving, row: ProofRow) -> list[Tried]:
    """The nodes of a theorem's search, in the order they were made."""
    path = (proving.folder / row.tree).resolve()
    if not row.tree or not path.is_relative_to(proving.folder.resolve()):
        return []
    return [node for node in _rows(path, Tried) if node.number >= 0]  # the first line is no node but how it ended


def likelihoods(evaluation: Evaluation) -> Iterator[Scored]:
    """What the model made of every passage of held-out text."""
    return _rows(evaluation.folder / "likelihoods.jsonl.zst", Scored)


def request_parts(request: str) -> tuple[str, str]:
    """`("algebra-7", "greedy")` for the request id `algebra-7#greedy`; the problem id may hold `#` itself."""
    problem, mark, reading = request.rpartition("#")
    return (problem, reading) if mark else (request, "greedy")


def dropped(found: Run) -> Iterator[Dropped]:
    """The ledger of dropped documents, source after source; unreadable tails are left out."""
    for path in sorted((found.folder / "corpus" / "dropped").glob("*.jsonl*")):
        try:
            yield from jsonl.read(path, Dropped)
        except DataError:
            continue
