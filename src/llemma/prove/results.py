"""Scores out of attempts: `proofs.jsonl`, `results.json`, and what a command says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import msgspec

from llemma.core.console import duration, table
from llemma.core.intervals import bootstrap_mean, wilson
from llemma.core.types import Score
from llemma.prove.attempt import ENDINGS, Attempt, Ending
from llemma.prove.config import ProveConfig
from llemma.prove.pool import Session
from llemma.prove.published import PUBLISHED
from llemma.prove.theorem import Theorem

PARTS = ("split", "family", "level", "subject")
"""Facts of theorems (`Theorem.meta`) by which scores are told again."""

NEVER_COMPARE = (
    "each prover has its own statements and its own automation: a score says something beside the baseline of the same "
    "prover; scores of different provers must not be compared"
)


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
    passed: list[Score] = []
    """pass@k of whole proofs for k = 1, 2, 4, ... samples, where every sample was checked."""
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


def pass_curve(attempts: Sequence[Attempt], task: str, seed: int = 0) -> list[Score]:
    """pass@k, the chance that k samples hold an accepted proof, over theorems all of whose n samples were checked.

    1 - C(n - c, k) / C(n, k), the unbiased estimator of Chen et al. 2021 (section 2.1); bootstrap intervals.
    """
    known = [attempt for attempt in attempts if attempt.samples]
    most = min((attempt.samples for attempt in known), default=0)
    ks = [k for k in (2**power for power in range(most.bit_length())) if k < most] + ([most] if most else [])
    found = []
    for k in ks:
        values = [1 - comb(one.samples - one.accepted, k) / comb(one.samples, k) for one in known]
        low, high = bootstrap_mean(values, seed)
        found.append(Score(task, f"pass@{k}", sum(values) / len(values), low, high, len(values)))
    return found


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
    rows += [_share(f"  {one.metric}", one) for one in results.passed]
    rows += [_line(f"  {part.by} {part.name}", "", part.score) for part in results.parts]
    rows += [["  published", name, "", f"{share:.2%}", ""] for name, share in PUBLISHED.get(results.task, ())]
    return table(["task", "model", "proved", "share", "95 %"], rows)


def _share(name: str, found: Score) -> list[str]:
    return [name, "", "", f"{found.value:.2%}", f"{found.low:.1%} .. {found.high:.1%}"]


def _line(name: str, model: str, found: Score) -> list[str]:
    right = found.outcomes.get("right", 0)
    return [name, model, f"{right}/{found.n}", f"{found.value:.2%}", f"{found.low:.1%} .. {found.high:.1%}"]
