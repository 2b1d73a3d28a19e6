"""Files of answers in, files of verdicts out: the work behind `llemma grade` and `llemma vote`.

Every input row gives one output row, in the same order; a row that cannot be read is an `error` row that says why.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.core.types import Outcome
from llemma.evals.answers import Judge, Judgement, judge_answer
from llemma.evals.answers.find import MAX_ANSWER
from llemma.evals.answers.llemma.vote import published_vote
from llemma.evals.answers.tasks import judge_of, ready
from llemma.evals.answers.workers import Undecided
from llemma.evals.vote import majority

Row = dict[str, Any]


class Graded(msgspec.Struct, frozen=True):
    """A row of verdicts: how the prediction ended, the answer found in it, why, and the wall seconds it took."""

    id: Any
    outcome: Outcome
    answer: str | None
    gold: str
    why: str
    seconds: float


class Voted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of votes: the winning answer, its samples, the number of distinct answers; `why` for an `error`.

    The protocol `llemma` adds `why` to every row, and the published `pass_rate`.
    """

    id: Any
    answer: str | None
    outcome: Outcome
    votes: int
    clusters: int
    why: str = ""
    pass_rate: float | None = None
    weight: float | None = None
    """The sum of the winner's weights, where the row gives each sample one (`weights: [...]`)."""


class Summary(msgspec.Struct, frozen=True):
    """How many rows there were, and how they ended."""

    rows: int
    outcomes: dict[str, int]

    def text(self) -> str:
        """One line: `5 rows: 3 right, 1 wrong, 1 no_answer`."""
        parts = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
        return f"{self.rows} rows" + (f": {parts}" if parts else "")


def grade(source: Path, out: Path, *, task: str | None = None, protocol: str = "default") -> Summary:
    """Judge rows `{id, pred, gold}`; see `Graded`. An unknown task or protocol is a `LlemmaError`."""
    judge = ready(judge_of(task, protocol))
    return _convert(source, out, lambda row: _graded(row, judge))


def vote(source: Path, out: Path, *, task: str | None = None, protocol: str = "default") -> Summary:
    """Vote over rows `{id, preds: [...], gold}`; see `Voted`. An unknown task or protocol is a `LlemmaError`."""
    judge = ready(judge_of(task, protocol))
    if protocol == "llemma":
        return _convert(source, out, lambda row: _voted_as_published(row, judge))
    return _convert(source, out, lambda row: _voted(row, judge))


def _convert(source: Path, out: Path, work: Callable[[Row], Graded | Voted]) -> Summary:
    outcomes: Counter[str] = Counter()

    def results() -> Iterator[Graded | Voted]:
        for line in jsonl.lines(source):
            result = work(_row(line))
            outcomes[result.outcome] += 1
            yield result

    rows = jsonl.write(out, results())
    return Summary(rows, dict(outcomes.most_common()))


def _row(line: bytes) -> Row:
    """A row as a dict; anything else becomes one without fields, whose key "" says what is wrong with it."""
    try:
        # not msgspec: completions hold lone surrogates, which Python's reader takes and ours refuses
        row = json.loads(line, parse_int=_int)
    except (ValueError, RecursionError) as error:
        return {"": f"the row is no JSON: {str(error)[:100]}"}
    return row if isinstance(row, dict) else {"": f"the row is {_kind(row)}, not an object"}


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < 400 else digits  # Python refuses to read thousands of digits as a number


def _text(value: Any) -> str:
    """A string or number as text that can be written again; anything else is a `TypeError`."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError(f"is {_kind(value)}, not a text or a number")
    return str(value).encode("utf-8", "replace").decode()


def _kind(value: Any) -> str:
    names = {type(None): "null", str: "a text", bool: "a truth value", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _id(row: Row) -> Any:
    value = row.get("id")
    return _text(value) if isinstance(value, (str, float)) else value if isinstance(value, int) else None


def _field(row: Row, name: str) -> str:
    if name not in row:
        raise TypeError(row.get("", f"the row has no '{name}'"))
    try:
        return _text(row[name])
    except (TypeError, ValueError) as error:
        raise TypeError(f"'{name}' {error}") from None


def _graded(row: Row, judge: Judge) -> Graded:
    begun = time.perf_counter()
    gold = ""
    try:
        gold = _field(row, "gold")
        # a model that said nothing is no damaged row
        pred = "" if "pred" in row and row["pred"] is None else _field(row, "pred")
        judgement = _judged(pred, gold, judge)
    except Exception as error:
        judgement = Judgement("error", None, _reason(error))
    seconds = round(time.perf_counter() - begun, 6)
    answer = judgement.answer[:MAX_ANSWER] if judgement.answer else judgement.answer
    return Graded(_id(row), judgement.outcome, answer, gold, judgement.why, seconds)


def _judged(pred: str, gold: str, judge: Judge) -> Judgement:
    try:
        return judge_answer(pred, gold, judge)
    except Undecided as undecided:
        return Judgement(undecided.outcome, _answer(pred, judge), undecided.why)


def _reason(error: Exception) -> str:
    if isinstance(error, DataError):
        return error.what
    return str(error) if isinstance(error, TypeError) else f"the judge failed: {type(error).__name__}: {error}"


def _voted(row: Row, judge: Judge) -> Voted:
    try:
        gold, preds = _field(row, "gold"), _preds(row)
        found = {pred: _answer(pred, judge) for pred in set(preds)}
        vote = majority([found[pred] for pred in preds], judge.canonical, _weights(row))
        if vote.answer is None:
            return Voted(_id(row), None, "no_answer", 0, 0)
        outcome: Outcome = "right" if judge.compare(vote.answer, judge.gold(gold)).equal else "wrong"
        return Voted(_id(row), vote.answer, outcome, vote.votes, vote.clusters, weight=vote.weight)
    except Exception as error:
        return Voted(_id(row), None, "error", 0, 0, _reason(error))


def _voted_as_published(row: Row, judge: Judge) -> Voted:
    try:
        if _weights(row) is not None:
            raise TypeError("the published vote has no weights: leave 'weights' or --protocol out")
        vote = published_vote(_preds(row), _field(row, "gold"), judge)
    except Exception as error:
        return Voted(_id(row), None, "error", 0, 0, _reason(error))
    answer = vote.answer[:MAX_ANSWER] if vote.answer else vote.answer
    return Voted(_id(row), answer, vote.outcome, vote.votes, vote.clusters, vote.why, vote.pass_rate)


def _preds(row: Row) -> list[str]:
    preds = row.get("preds")
    if not isinstance(preds, list):
        raise TypeError("the row has no 'preds'" if preds is None else f"'preds' is {_kind(preds)}, not a list")
    try:
        return ["" if pred is None else _text(pred) for pred in preds]
    except TypeError as error:
        raise TypeError(f"one of 'preds' {error}") from None


def _weights(row: Row) -> list[float] | None:
    """The weights of the samples, where the row has any."""
    weights = row.get("weights")
    if weights is None:
        return None
    if not isinstance(weights, list) or not all(type(weight) in (int, float) for weight in weights):
        raise TypeError("'weights' is not a list of numbers")
    return [float(weight) for weight in weights]


def _answer(pred: str, judge: Judge) -> str | None:
    found = judge.find(pred)
    return found.answer if found else None
