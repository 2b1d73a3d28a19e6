"""Scores out of attempts: `proofs.jsonl`, `results.json`, and what a command says of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from llemma.core.console import duration, table
from llemma.core.types import Score
from llemma.prove.attempt import ENDINGS, Attempt, Ending
from llemma.prove.config import ProveConfig
from llemma.prove.pool import Session
from llemma.prove.theorem import Theorem

PARTS = ("split", "family", "level", "subject")
"""Facts of theorems (`Theorem.meta`) by which scores are told again."""

NEVER_COMPARE = (
    "each prover has its own statements and its own automation: a score says something beside the baseline of the same "
    "prover; scores of different provers must not be compared"
)
_Z95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `proofs.jsonl`; see `Attempt`. `tree` is the file of the search, below the run's folder."""

    id: str
    outcome: Ending
    proof: str
    why: str
    seconds: float
    steps: list[str] = []
    axioms: list[str] = []
    expansions: int = 0
    tried: int = 0
    rejected: int = 0
    tokens: int = 0
    tree: str = ""


class Part(msgspec.Struct, frozen=True):
    """A score of the theorems that share a fact: `by` is `split` or `family`, `name` its value."""

    by: str
    name: str
    score: Score


class Baseline(msgspec.Struct, frozen=True):
    """What closing tactics alone prove: no model, one expansion."""

    model: str
    score: Score
    seconds: float
    """Prover seconds."""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """`results.json` of a run over theorems."""

    task: str
    data: str
    """Digest of the theorems."""
    prover: str
    prover_identity: str
    isolation: str
    model: str
    model_identity: str
    device: str
    protocol: str
    settings: ProveConfig
    score: Score
    parts: list[Part] = []
    baseline: Baseline | None = None
    left_out: dict[str, int] = {}
    not_taken: int = 0
    """Theorems that the prover does not take: among the errors."""
    axioms: dict[str, int] = {}
    """Accepted proofs by the axiom they rest on."""
    seconds: float = 0.0
    """Seconds of prover and model over all theorems, whatever ran beside them."""
    model_seconds: float = 0.0
    tokens: int = 0
    tried: int = 0
    expansions: int = 0
    rejected: int = 0
    session: Session = Session()
    """The last process that worked on the run."""


class Told(NamedTuple):
    """What is known of a finished theorem."""

    theorem: Theorem
    attempt: Attempt


def row(attempt: Attempt, tree: str) -> Row:
    """The line of `proofs.jsonl`."""
    known = {name: getattr(attempt, name) for name in Row.__struct_fields__ if name != "tree"}
    return Row(**known, tree=tree)


def score(attempts: Sequence[Attempt], task: str, metric: str = "proved") -> Score:
    """The share of theorems proved, with Wilson's 95 % interval and how all of them ended."""
    counts = Counter(attempt.outcome for attempt in attempts)
    right, n = counts["right"], len(attempts)
    low, high = wilson(right, n)
    return Score(task, metric, right / n if n else 0.0, low, high, n, {name: counts[name] for name in ENDINGS})


def wilson(right: int, n: int) -> tuple[float, float]:
    """The score interval of E. B. Wilson (JASA 22, 1927, p. 209); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, _Z95 * _Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # rounding must not move an end past the value itself
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def parts(told: Sequence[Told], task: str) -> list[Part]:
    """The score again by each fact of `PARTS` that takes more than one value."""
    found = []
    for by in PARTS:
        groups: dict[str, list[Attempt]] = {}
        for theorem, attempt in told:
            value = theorem.meta.get(by)
            if isinstance(value, str | int) and value != "":
                groups.setdefault(str(value), []).append(attempt)
        if len(groups) > 1:
            found += [Part(by, name, score(groups[name], task)) for name in sorted(groups)]
    return found


def first_expansion(attempts: Sequence[Attempt], task: str) -> Score:
    """The baseline within a search whose candidates are closing tactics: what its first expansion proves."""
    once = [a if a.outcome != "right" or a.expansions <= 1 else _lost(a) for a in attempts]
    return score(once, task)


def _lost(attempt: Attempt) -> Attempt:
    return msgspec.structs.replace(attempt, outcome="wrong", proof="")


def text(results: Results) -> str:
    """The summary a person reads: score beside baseline, parts, outcomes, rates."""
    lines = [_scores(results), "", NEVER_COMPARE, ""]
    ended = ", ".join(f"{name} {count}" for name, count in results.score.outcomes.items() if count)
    lines.append(f"outcomes: {ended}")
    if results.not_taken:
        lines.append(f"not taken by the prover: {results.not_taken} (among the errors)")
    lines += [f"left out: {count} ({why})" for why, count in results.left_out.items()]
    if results.rejected:
        lines.append(f"finished proofs that a fresh process did not accept: {results.rejected}")
    session = results.session
    if session.theorems:
        lines.append(
            f"this session: {session.theorems} theorems in {duration(session.seconds)}, "
            f"{session.steps_per_second:g} steps/s, provers idle {session.prover_idle:.0%}, "
            f"model idle {session.model_idle:.0%}"
        )
    return "\n".join(lines)


def _scores(results: Results) -> str:
    rows = [_line(f"{results.prover} {results.task}", results.model, results.score)]
    if results.baseline is not None:
        rows.append(_line("  no-model baseline", results.baseline.model, results.baseline.score))
    else:
        rows.append(["  no-model baseline", "", "not run", "", ""])
    rows += [_line(f"  {part.by} {part.name}", "", part.score) for part in results.parts]
    return table(["task", "model", "proved", "share", "95 %"], rows)


def _line(name: str, model: str, found: Score) -> list[str]:
    right = found.outcomes.get("right", 0)
    return [name, model, f"{right}/{found.n}", f"{found.value:.2%}", f"{found.low:.1%} .. {found.high:.1%}"]
