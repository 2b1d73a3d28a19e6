"""Train a mathematics score from labelled texts, and say how good it is on texts kept aside.

    rows {text|html, label, group?} --> train | calibrate | held out --> weights, a threshold table

Rows of one `group` (a site, a book) stay together, so that no held-out text is nearly one of the training texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core.errors import DataError
from llemma.corpus.web.quality.features import buckets
from llemma.corpus.web.quality.score import ScoreModel, Weights, logit

BUCKETS = 1 << 18
EPOCHS = 8
RATE = 0.05
"""AdaGrad's step (Duchi et al. 2011). Epochs and step are those that did best on documentation packages left out of
training by turns (`bench/score.py packages`)."""
BATCH = 64
CALIBRATION = 0.1
"""Share of what is not held out that sets slope and intercept, so that a score is a probability (Platt 1999)."""
THRESHOLDS = (0.05, 0.1, 0.15, 0.17, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
FEWEST = 20
"""Rows of either label without which no score is trained."""

Floats = NDArray[np.float64]
Part = Literal["train", "calibrate", "held_out"]


class Example(msgspec.Struct, frozen=True):
    """A labelled text as the numbers of its words and pairs (shape `(n,)`); `mathematical` is the label."""

    found: NDArray[np.int64]
    mathematical: bool
    part: Part


class Threshold(msgspec.Struct, frozen=True):
    """What a threshold keeps of the held-out part."""

    threshold: float
    precision: float
    recall: float
    f1: float
    kept: float


class Quality(msgspec.Struct, frozen=True):
    """A score measured on `rows` texts, `mathematical` of them so labelled. `auc` is the probability that a
    mathematical text scores above another; the other figures are those at a threshold of 0.5."""

    rows: int
    mathematical: int
    precision: float
    recall: float
    f1: float
    auc: float
    thresholds: list[Threshold]


class Trained(msgspec.Struct, frozen=True):
    """A new score and how it does on the part that was held out."""

    model: ScoreModel
    held_out: Quality


def example(text: str, mathematical: bool, group: str, *, held_out: float, seed: int, size: int = BUCKETS) -> Example:
    """One row; its `group` (its text where that is empty) and the seed alone decide the part."""
    return Example(buckets(text, size), mathematical, _part(group or text, held_out, seed))


def _part(group: str, held_out: float, seed: int) -> Part:
    key = hashlib.blake2b(f"{seed}\n{group}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    lot = int.from_bytes(key, "big") / 2**64
    if lot < held_out:
        return "held_out"
    return "calibrate" if lot < held_out + (1 - held_out) * CALIBRATION else "train"


def train(examples: Sequence[Example], *, seed: int = 0, size: int = BUCKETS, about: dict[str, str]) -> Trained:
    """A score from `examples`; raises `DataError` where a part lacks one of the labels. Equal input, equal weights."""
    parts = {name: [row for row in examples if row.part == name] for name in ("train", "calibrate", "held_out")}
    _enough(examples, parts)
    weights, bias = fit(parts["train"], size, seed)
    slope, shift = _calibrated(_logits(parts["calibrate"], weights, bias), _labels(parts["calibrate"]))
    weights = (weights * slope).astype(np.float16).astype(np.float32)  # as they are stored
    bias = float(np.float32(bias * slope + shift))
    counts = {name: str(len(rows)) for name, rows in parts.items()}
    facts = {**about, **counts, "rows": _digest(examples)}
    held = measure(probabilities(parts["held_out"], weights, bias), _labels(parts["held_out"]))
    facts |= {"precision": f"{held.precision:.3f}", "recall": f"{held.recall:.3f}", "auc": f"{held.auc:.4f}"}
    return Trained(ScoreModel(weights, bias, facts), held)


def _digest(examples: Sequence[Example]) -> str:
    """What names the training data."""
    state = hashlib.blake2b(digest_size=8)
    for row in examples:
        state.update(f"{row.mathematical} {row.part} {len(row.found)}\n".encode() + row.found.tobytes())
    return state.hexdigest()


def _enough(examples: Sequence[Example], parts: dict[str, list[Example]]) -> None:
    both = {name: {row.mathematical for row in rows} for name, rows in parts.items()}
    labels = _labels(examples)
    fewest = int(min(labels.sum(), (1 - labels).sum())) if len(labels) else 0
    if fewest < FEWEST or any(len(found) < 2 for found in both.values()):
        raise DataError(
            f"too little to learn from: {fewest} rows of the rarer label",
            where=", ".join(f"{name}: {len(rows)} rows" for name, rows in parts.items()),
            mend=f"give at least {FEWEST} rows of each label, of more than a few groups, and a --held-out above 0",
        )


def fit(rows: Sequence[Example], size: int, seed: int) -> tuple[Weights, float]:
    """Weights (shape `(size,)`) and intercept of a logistic regression by AdaGrad; both labels weigh the same."""
    weights, squares, bias = np.zeros(size, np.float32), np.full(size, 1e-6, np.float32), 0.0
    labels, order = _labels(rows), np.random.default_rng(seed)
    share = labels.mean()
    worth = np.where(labels == 1, 0.5 / share, 0.5 / (1 - share))
    bias_square = 1e-6
    for _ in range(EPOCHS):
        chosen = order.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            batch = chosen[start : start + BATCH]
            some = [rows[i] for i in batch]
            error = worth[batch] * (_sigmoid(_logits(some, weights, bias)) - labels[batch]) / len(batch)
            where, slopes = _slopes(some, error)
            squares[where] += slopes**2
            weights[where] -= RATE * slopes / np.sqrt(squares[where])
            bias_square += error.sum() ** 2
            bias -= RATE * float(error.sum() / np.sqrt(bias_square))
    return weights, bias


def _slopes(rows: Sequence[Example], error: Floats) -> tuple[NDArray[np.int64], Weights]:
    """The buckets that occur in `rows`, and the slope of the loss along each."""
    sizes = np.array([len(row.found) for row in rows])
    each = np.repeat(error / np.sqrt(np.maximum(1, sizes)), sizes)
    where, index = np.unique(np.concatenate([row.found for row in rows]), return_inverse=True)
    return where, np.bincount(index, each, len(where)).astype(np.float32)


def _logits(rows: Sequence[Example], weights: Weights, bias: float) -> Floats:
    return np.array([logit(weights, bias, row.found) for row in rows], np.float64)


def probabilities(rows: Sequence[Example], weights: Weights, bias: float) -> Floats:
    """The scores of `rows` under these weights; shape `(len(rows),)`."""
    return _sigmoid(_logits(rows, weights, bias))


def _labels(rows: Iterable[Example]) -> Floats:
    return np.array([row.mathematical for row in rows], np.float64)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float64)


def _calibrated(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Slope and intercept of the logistic curve through the labels, by Newton's method with Platt's soft targets."""
    many, few = labels.sum(), len(labels) - labels.sum()
    targets = np.where(labels == 1, (many + 1) / (many + 2), 1 / (few + 2))
    worth = np.where(labels == 1, 0.5 / many, 0.5 / few)
    design, found = np.stack([logits, np.ones_like(logits)], axis=1), np.array([1.0, 0.0])
    for _ in range(50):
        at = _sigmoid(design @ found)
        slope = design.T @ (worth * (at - targets)) + 1e-4 * (found - np.array([1.0, 0.0]))
        bend = (design * (worth * at * (1 - at))[:, None]).T @ design + 1e-4 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found = found - step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))
    return max(float(found[0]), 1e-3), float(found[1])


def measure(scores: Floats, labels: Floats) -> Quality:
    """Precision, recall, F1, AUC and the threshold table of `scores` in [0, 1] against `labels` of 0 and 1."""
    table = [_at(threshold, scores, labels) for threshold in THRESHOLDS]
    half = next(row for row in table if row.threshold == 0.5)
    return Quality(
        rows=len(labels),
        mathematical=int(labels.sum()),
        precision=half.precision,
        recall=half.recall,
        f1=half.f1,
        auc=_auc(scores, labels),
        thresholds=table,
    )


def _at(threshold: float, scores: Floats, labels: Floats) -> Threshold:
    kept = scores >= threshold
    right = float(labels[kept].sum())
    precision, recall = right / max(1, int(kept.sum())), right / max(1.0, float(labels.sum()))
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return Threshold(threshold, precision, recall, f1, float(kept.mean()) if len(kept) else 0.0)


def _auc(scores: Floats, labels: Floats) -> float:
    """The share of pairs in the right order, ties counting half (Mann and Whitney 1947)."""
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]
    many, few = labels.sum(), len(labels) - labels.sum()
    return float((ranks[labels == 1].sum() - many * (many + 1) / 2) / (many * few)) if many and few else 0.5
