"""How well a sweep's fit finds a known optimum: mixtures of three sources, losses by a law, noise as between seeds.

python bench/mixtures.py [--rounds 8]

For each number of runs and size of the noise, medians over rounds: how far the fitted mixture is from the true one (sum
of absolute differences), what it costs (objective there less the least), and what the best of the runs costs. The
objective is in bits per byte; between the mixtures drawn it varies by about 0.05.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from unittest import mock

import numpy as np

from llemma.train import mixtures

NAMES = ("papers", "web", "code")
SLOPES = np.array([[-1.6, -0.5, -0.1], [-0.4, -1.3, -0.2], [-0.1, -0.2, -2.4]])
OBJECTIVE = dict(zip(NAMES, (2.0, 2.0, 1.0), strict=True))


def losses(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Of each source, by mixture."""
    return {name: 0.7 + np.exp(weights @ slopes) for name, slopes in zip(NAMES, SLOPES, strict=True)}


def objective(weights: np.ndarray) -> np.ndarray:
    """The weighted mean."""
    made = losses(weights)
    return np.asarray(sum(OBJECTIVE[name] / 5 * made[name] for name in NAMES))


def once(runs: int, noise: float, seed: int) -> tuple[float, float, float]:
    """Distance, cost of the fitted mixture, cost of the best run."""
    low, high = np.zeros(3), np.ones(3)
    truth: Callable[[np.ndarray], np.ndarray] = objective
    best = mixtures.minimise(truth, low, high, 0)
    drawn = np.array(mixtures.draws(np.full(3, 1 / 3), 4.0, runs, low, high, seed))
    rng = np.random.default_rng(seed)
    measured = {name: values + rng.normal(0, noise, runs) for name, values in losses(drawn).items()}
    with mock.patch.object(mixtures, "RESAMPLES", 2):  # intervals are not looked at
        found = mixtures.fit(
            NAMES, drawn, measured, OBJECTIVE, low=low, high=high, compare=np.array([2, 4, 1]) / 7, seed=seed
        )
    spot = np.array([found.best[name] for name in NAMES])
    least = float(objective(best[None])[0])
    seen = sum(OBJECTIVE[name] / 5 * measured[name] for name in NAMES)
    chosen = drawn[int(np.argmin(seen))]
    return (
        float(np.abs(spot - best).sum()),
        float(objective(spot[None])[0]) - least,
        float(objective(chosen[None])[0]) - least,
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    print("runs  noise   distance  cost of the fit  cost of the best run")
    for runs in (8, 12, 20):
        for noise in (0.0, 0.003, 0.01):
            columns = zip(*(once(runs, noise, seed) for seed in range(rounds)), strict=True)
            far, cost, other = (statistics.median(column) for column in columns)
            print(f"{runs:4}  {noise:.3f}  {far:9.3f}  {cost:15.5f}  {other:20.5f}")


if __name__ == "__main__":
    main()
