"""Which weights of the sources are best: losses of short runs over mixtures, fitted, and minimised.

A mixture is a point of the simplex, a row (sources,) that sums to one. Losses of each validation set are fitted by
themselves, because each has a simple shape: the mixture that is best for a weighted sum of them lies between. Numpy
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from llemma.core.errors import DataError

Predict = Callable[[np.ndarray], np.ndarray]
"""Mixtures (n, sources) -> losses (n,)."""

RESAMPLES = 200
CLOUD = 4096  # mixtures tried at first for the smallest predicted loss


class Form(NamedTuple):
    """A shape of a loss over mixtures: how many numbers it has for so many sources, and its least-squares fit."""

    name: str
    numbers: Callable[[int], int]
    fit: Callable[[np.ndarray, np.ndarray], Predict]


def _linear(mixtures: np.ndarray, losses: np.ndarray) -> Predict:
    slopes = np.linalg.lstsq(mixtures, losses, rcond=None)[0]
    return lambda wanted: wanted @ slopes


def _quadratic(mixtures: np.ndarray, losses: np.ndarray) -> Predict:
    """Scheffé's polynomial of degree two: weights and their products (J. R. Stat. Soc. B 20, 1958, p. 344)."""
    slopes = np.linalg.lstsq(_products(mixtures), losses, rcond=1e-6)[0]
    return lambda wanted: _products(wanted) @ slopes


def _products(mixtures: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(mixtures.shape[1], 1)
    return np.concatenate([mixtures, mixtures[:, first] * mixtures[:, second]], axis=1)


def _law(mixtures: np.ndarray, losses: np.ndarray) -> Predict:
    """`c + exp(t . w)`: the law of data mixing (arXiv 2403.16952, equation 1; its k is part of t, as weights sum to 1).

    For a given floor c the logarithm is linear in t: floors from zero to just below the smallest loss are tried, and
    the best is improved together with its t on the losses themselves.
    """
    starts = []
    for share in np.geomspace(1e-3, 1.0, 16):
        floor = float(losses.min() * (1 - share))
        above = losses - floor
        slopes = np.linalg.lstsq(mixtures * above[:, None], np.log(above) * above, rcond=None)[0]
        starts.append(np.concatenate([[floor], slopes]))
    numbers = min(starts, key=lambda start: _misfit(start, mixtures, losses))
    numbers = _improved(numbers, mixtures, losses)
    return lambda wanted: _law_at(numbers, wanted)


def _law_at(numbers: np.ndarray, mixtures: np.ndarray) -> np.ndarray:
    return numbers[0] + np.exp(np.clip(mixtures @ numbers[1:], -50, 50))  # type: ignore[no-any-return]


def _misfit(numbers: np.ndarray, mixtures: np.ndarray, losses: np.ndarray) -> float:
    return float(np.square(_law_at(numbers, mixtures) - losses).sum())


def _improved(numbers: np.ndarray, mixtures: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Levenberg's and Marquardt's damped steps; a loss has no floor below zero."""
    damping, error = 1e-3, _misfit(numbers, mixtures, losses)
    for _ in range(40):
        made = np.exp(np.clip(mixtures @ numbers[1:], -50, 50))
        slope = np.concatenate([np.ones((len(losses), 1)), mixtures * made[:, None]], axis=1)
        square = slope.T @ slope
        step = np.linalg.solve(
            square + damping * np.diag(square.diagonal() + 1e-12), slope.T @ (losses - numbers[0] - made)
        )
        tried = numbers + step
        tried[0] = max(0.0, tried[0])
        new = _misfit(tried, mixtures, losses)
        if new < error:
            done, numbers, error, damping = error - new < 1e-12 * error, tried, new, damping / 5
            if done:
                break
        else:
            damping *= 4
    return numbers


FORMS = (
    Form("linear", lambda sources: sources, _linear),
    Form("law", lambda sources: sources + 1, _law),
    Form("quadratic", lambda sources: sources * (sources + 1) // 2, _quadratic),
)
"""Candidates; cross-validation chooses one for each validation set."""


def left_out(form: Form, mixtures: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """What is predicted for each run by a fit to the others, (runs,)."""
    found = np.empty(len(losses))
    for index in range(len(losses)):
        others = np.arange(len(losses)) != index
        found[index] = form.fit(mixtures[others], losses[others])(mixtures[index : index + 1])[0]
    return found


def choose(mixtures: np.ndarray, losses: np.ndarray) -> tuple[Form, np.ndarray]:
    """The form with the smallest leave-one-out error among those that the number of runs identifies, and what it
    predicts for runs left out."""
    runs, sources = mixtures.shape
    usable = [form for form in FORMS if form.numbers(sources) <= runs - 2]
    if not usable:
        raise DataError(
            f"{runs} runs over mixtures of {sources} sources are too few to fit anything",
            where="sweep",
            mend=f"add candidates or draws: at least {sources + 2} runs",
        )
    tried = [(form, left_out(form, mixtures, losses)) for form in usable]
    return min(tried, key=lambda pair: float(np.square(pair[1] - losses).mean()))


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs say. `error` is the root mean square of leave-one-out predictions of the objective, `spread` the
    standard deviation of its measured values: a fit that explains anything has a smaller error than spread. `spearman`
    is the rank correlation of those predictions with the values. Intervals are 95 %, from resampled runs.
    `gap` is the predicted objective at `best` less that at `compare`."""

    forms: dict[str, str]
    error: float
    spread: float
    spearman: float
    best: dict[str, float]
    interval: dict[str, tuple[float, float]]
    predicted: float
    predicted_interval: tuple[float, float]
    compare: dict[str, float]
    gap: float
    gap_interval: tuple[float, float]
    at_edge: list[str]
    """Sources whose best weight lies on the edge of what was tried or allowed."""


def fit(
    sources: Sequence[str],
    mixtures: np.ndarray,
    losses: Mapping[str, np.ndarray],
    objective: Mapping[str, float],
    *,
    low: np.ndarray,
    high: np.ndarray,
    compare: np.ndarray,
    seed: int = 0,
) -> Fit:
    """Fit `losses` (by validation set, (runs,) each) over `mixtures` (runs, sources) and minimise the mean that
    `objective` weights, on the simplex between `low` and `high` (sources,)."""
    total = sum(objective.values())
    weights = {name: weight / total for name, weight in objective.items()}
    chosen = {name: choose(mixtures, losses[name]) for name in weights}
    measured = sum((weights[name] * losses[name] for name in weights), np.zeros(len(mixtures)))
    expected = sum((weights[name] * chosen[name][1] for name in weights), np.zeros(len(mixtures)))

    def fitted(rows: np.ndarray) -> Predict:
        parts = {name: chosen[name][0].fit(mixtures[rows], losses[name][rows]) for name in weights}
        return lambda wanted: sum((weights[n] * parts[n](wanted) for n in weights), np.zeros(len(wanted)))

    everything = fitted(np.arange(len(mixtures)))
    best = minimise(everything, low, high, seed)
    value, other = (float(everything(point[None])[0]) for point in (best, compare))
    spots, values, gaps = _resampled(fitted, mixtures, low, high, best, compare, seed)
    edge = [n for n, w, a, b in zip(sources, best, low, high, strict=True) if min(w - a, b - w) < 0.005 and b > a]
    return Fit(
        forms={name: form.name for name, (form, _) in chosen.items()},
        error=float(np.sqrt(np.square(expected - measured).mean())),
        spread=float(measured.std()),
        spearman=spearman(expected, measured),
        best=_named(sources, best),
        interval={name: _interval(spots[:, index]) for index, name in enumerate(sources)},
        predicted=value,
        predicted_interval=_interval(values),
        compare=_named(sources, compare),
        gap=value - other,
        gap_interval=_interval(gaps),
        at_edge=edge,
    )


def _resampled(
    fitted: Callable[[np.ndarray], Predict],
    mixtures: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    best: np.ndarray,
    compare: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of fits to runs drawn with replacement: best mixtures (n, sources), values at `best`, and their gap (n,)."""
    rng = np.random.default_rng(seed)
    runs, sources = mixtures.shape
    spots, values, gaps = list[np.ndarray](), list[float](), list[float]()
    while len(spots) < RESAMPLES:
        rows = rng.integers(0, runs, size=(runs,))
        if len(np.unique(rows)) < min(runs, sources + 2):
            continue
        predict = fitted(rows)
        spots.append(minimise(predict, low, high, seed, rounds=2, cloud=512))
        here, there = (float(predict(point[None])[0]) for point in (best, compare))
        values.append(here)
        gaps.append(here - there)
    return np.array(spots), np.array(values), np.array(gaps)


def minimise(
    predict: Predict, low: np.ndarray, high: np.ndarray, seed: int, *, rounds: int = 12, cloud: int = CLOUD
) -> np.ndarray:
    """The mixture between `low` and `high` of the smallest prediction: the best of a cloud, then of ever closer ones
    around it. For the few sources of a sweep that is exact to a thousandth, whatever the shape."""
    rng = np.random.default_rng(seed)
    near = project(rng.dirichlet(np.ones(len(low)), cloud), low, high)
    best = near[int(np.argmin(predict(near)))]
    for number in range(rounds):
        near = np.concatenate([best[None], best + rng.normal(0, 0.2 * 0.6**number, (256, len(low)))])
        near = project(near, low, high)
        best = near[int(np.argmin(predict(near)))]
    return best  # type: ignore[no-any-return]


def project(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The nearest mixtures between `low` and `high` to `points` (n, sources): all coordinates moved by one number and
    clipped; the number by bisection. Raises `DataError` where the bounds leave no mixture."""
    if not low.sum() - 1e-9 <= 1 <= high.sum() + 1e-9 or (low > high).any():
        raise DataError(
            f"no mixture has weights between {low.round(3).tolist()} and {high.round(3).tolist()}",
            where="sweep low, high",
            mend="widen the bounds, or raise max_epochs of the sources that cannot give more",
        )
    least, most = points.min(axis=1) - high.max() - 1, points.max(axis=1) - low.min() + 1
    for _ in range(50):
        middle = (least + most) / 2
        over = np.clip(points - middle[:, None], low, high).sum(axis=1) > 1
        least, most = np.where(over, middle, least), np.where(over, most, middle)
    return np.clip(points - most[:, None], low, high)  # type: ignore[no-any-return]


def draws(
    natural: np.ndarray, concentration: float, count: int, low: np.ndarray, high: np.ndarray, seed: int
) -> list[np.ndarray]:
    """`count` mixtures from a Dirichlet distribution around the shares `natural`, moved between `low` and `high`; a
    larger concentration keeps them closer (RegMix, arXiv 2407.01492, section 3.1)."""
    drawn = np.random.default_rng(seed).dirichlet(np.maximum(concentration * natural, 0.05), count)
    return list(project(drawn, low, high))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation; equal values share their mean rank; nan where one side does not vary."""
    first, second = _ranks(one), _ranks(other)
    if not np.ptp(first) or not np.ptp(second):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return round(float(low), 5), round(float(high), 5)


def _named(sources: Sequence[str], mixture: np.ndarray) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(sources, mixture, strict=True)}
