"""The published majority vote (lm_eval/mixins.py of the published harness): greedy, in the order of the samples.

A sample joins the cluster whose first member has the same normalised answer, else the earliest cluster to whose first
member it is equivalent, else it founds one. Most votes win, a tie goes to the cluster that was founded first. Fault:
equivalence is neither symmetric nor transitive, so the result depends on the order of the samples.

The published loop asks for equivalence with every remaining cluster after a match, and asks again for every repetition
of a question; equivalence has no side effects and only the first match counts, so stopping there and remembering each
pair's answer gives the same clusters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from llemma.core.types import Outcome
from llemma.evals.answers.equivalent import Judge
from llemma.evals.answers.llemma import ocw, sympy_pool, tex
from llemma.evals.answers.workers import Undecided

SECONDS = 4.5
"""Wall seconds for all comparisons of one vote."""

EACH = 1.0
"""Wall seconds for one of them. What does not end counts as different, as in the published code after its 5 seconds."""

Value = str | float
T = TypeVar("T")


class PublishedVote(msgspec.Struct, frozen=True):
    """The result of one vote.

    `answer` is the winner as its earliest sample wrote it (None without a vote), `votes` its samples, `clusters` the
    number of distinct answers. `pass_rate` is the published one: the part of the samples that voted for the first
    cluster equivalent to the gold answer, of all samples, or of the valid ones where the task drops the others first.
    """

    answer: str | None
    outcome: Outcome
    votes: int
    clusters: int
    pass_rate: float
    why: str


@dataclass
class Ballot:
    """How a task votes on one problem: what a sample votes for, when two votes are equal, what would be right."""

    read: Callable[[str], Value | None]
    """An extracted answer normalised, or None if it is invalid."""
    equal: Callable[[Any, Any], bool]
    """Whether two normalised answers are equal; may raise `Undecided`."""
    gold: Value | None
    drops_invalid: bool
    """GSM8K and OCWCourses remove invalid samples before the count, so that their pass rate is one of valid samples."""
    asked: dict[tuple[Value, Value], bool | Undecided] = field(default_factory=dict)

    def same(self, one: Value, other: Value) -> bool:
        """`equal`, asked once for each pair; what cannot be decided is different."""
        return self.verdict(one, other) is True

    def verdict(self, one: Value, other: Value) -> bool | Undecided:
        """`equal`, or why it has no result."""
        if (one, other) not in self.asked:
            try:
                self.asked[one, other] = bool(self.equal(one, other))
            except Undecided as undecided:
                self.asked[one, other] = undecided
        return self.asked[one, other]

    def undecided(self) -> int:
        """How many comparisons had no result."""
        return sum(isinstance(verdict, Undecided) for verdict in self.asked.values())


def published_vote(samples: Sequence[str | None], gold: str, judge: Judge) -> PublishedVote:
    """The vote of whole completions under a published judge (`llemma-gsm8k`, `-choice`, `-math`, `-ocw`)."""
    found = [judge.find(sample) if sample else None for sample in samples]
    ballot = _ballot(judge, judge.gold(gold))
    votes = [(answer.answer, ballot.read(answer.answer)) for answer in found if answer is not None]
    written: dict[Value, str] = {}
    for text, vote in votes:
        if vote is not None:
            written.setdefault(vote, text)
    clusters = cluster([vote for _, vote in votes if vote is not None], ballot.same)
    if not clusters:
        # Fault: an IndexError that ends the run for MATH, MMLU-STEM and SAT; for GSM8K and OCWCourses a score of 0.
        return PublishedVote(None, "no_answer", 0, 0, 0.0, f"none of {len(samples)} samples has an answer")
    winner = max(clusters, key=clusters.__getitem__)  # the first of equals, in the order of founding
    outcome, why = _outcome(ballot, winner)
    right = winner if outcome == "right" else next((answer for answer in clusters if _right(ballot, answer)), None)
    counted = sum(clusters.values()) if ballot.drops_invalid else len(samples)
    pass_rate = 0.0 if right is None else clusters[right] / counted
    why = f"{clusters[winner]} of {len(samples)} votes, distinct answers: {len(clusters)}; {why}"
    if ballot.undecided():
        why += f"; undecided comparisons: {ballot.undecided()}"
    return PublishedVote(written[winner], outcome, clusters[winner], len(clusters), pass_rate, why)


def cluster(votes: Sequence[T], same: Callable[[T, T], bool]) -> dict[T, int]:
    """The number of votes by the first answer of each cluster, in the order in which the clusters were founded."""
    clusters: dict[T, int] = {}
    for vote in votes:
        home = vote if vote in clusters else next((first for first in clusters if same(vote, first)), vote)
        clusters[home] = clusters.get(home, 0) + 1
    return clusters


def _outcome(ballot: Ballot, winner: Value) -> tuple[Outcome, str]:
    # Fault: the winner plays the part of the reference here, unlike for a single sample.
    verdict = False if ballot.gold is None else ballot.verdict(ballot.gold, winner)
    if isinstance(verdict, Undecided):
        return verdict.outcome, verdict.why
    return ("right", "equivalent to the gold answer") if verdict else ("wrong", "not equivalent to the gold answer")


def _right(ballot: Ballot, answer: Value) -> bool:
    return ballot.gold is not None and ballot.same(ballot.gold, answer)


def _ballot(judge: Judge, gold: str) -> Ballot:
    deadline = time.monotonic() + SECONDS
    if judge.name == "llemma-math":
        return Ballot(tex.normalise, _Tex(deadline), tex.normalise(gold), drops_invalid=False)
    if judge.name == "llemma-ocw":
        return _ballot_ocw(gold, deadline)
    # the invalid ones are dropped in GSM8K, where they would not count in the other two
    return Ballot(judge.canonical, lambda one, other: one == other, gold, drops_invalid=judge.name == "llemma-gsm8k")


def _ballot_ocw(gold: str, deadline: float) -> Ballot:
    kind = ocw.answer_type(gold)
    if kind == "expression":
        return Ballot(tex.normalise, _Tex(deadline), tex.normalise(gold), drops_invalid=True)
    if kind == "equation":
        return Ballot(lambda answer: None, lambda one, other: False, None, drops_invalid=True)

    def read(answer: str) -> float | None:
        try:
            return ocw.read_number(answer, seconds=EACH, deadline=deadline)
        except Undecided:
            return None

    return Ballot(read, lambda one, other: ocw.compare_numbers(one, other).equal, read(gold), drops_invalid=True)


class _Tex:
    """`tex.compare_normal` for many pairs: a text that cannot be read, or hangs, is tried once and then left out."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.readable: dict[str, bool] = {}

    def __call__(self, one: str, other: str) -> bool:
        if one == other:
            return True
        if not (self._reads(one) and self._reads(other)):
            return False
        return tex.compare_normal(one, other, seconds=EACH, deadline=self.deadline).equal

    def _reads(self, text: str) -> bool:
        if text not in self.readable:
            self.readable[text] = False  # also when the next lines raise
            self.readable[text] = tex.plain_integer(text) or (
                len(text) <= tex.MAX_TEX and sympy_pool().ask("readable", text, seconds=EACH, deadline=self.deadline)
            )
        return self.readable[text]
