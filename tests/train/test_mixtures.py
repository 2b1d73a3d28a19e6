"""Fits over mixtures find what they are made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.core.errors import DataError
from llemma.train import mixtures
from llemma.train.mixtures import FORMS, Fit, minimise, project, spearman

NAMES = ["papers", "web", "code"]
LOW, HIGH = np.zeros(3), np.ones(3)
SLOPES = {"papers": [-1.6, -0.5, -0.1], "web": [-0.4, -1.3, -0.2], "code": [-0.1, -0.2, -2.4]}


def truth(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each source's loss falls exponentially with its own weight most of all."""
    return {name: 0.7 + np.exp(weights @ np.array(slopes)) for name, slopes in SLOPES.items()}


def optimum(objective: dict[str, float]) -> np.ndarray:
    """By trying a fine grid."""
    steps = np.linspace(0, 1, 201)
    grid = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9])
    losses = truth(grid)
    return np.asarray(grid[int(np.argmin(sum(objective[name] * losses[name] for name in objective)))])


def fitted(
    noise: float = 0.0, runs: int = 20, low: np.ndarray = LOW, high: np.ndarray = HIGH
) -> tuple[Fit, np.ndarray]:
    weights = np.array(mixtures.draws(np.full(3, 1 / 3), 4.0, runs, low, high, seed=1))
    rng = np.random.default_rng(2)
    losses = {name: values + rng.normal(0, noise, runs) for name, values in truth(weights).items()}
    objective = {"papers": 2.0, "web": 2.0, "code": 1.0}
    found = mixtures.fit(NAMES, weights, losses, objective, low=low, high=high, compare=np.array([2, 4, 1]) / 7, seed=3)
    return found, optimum({name: weight / 5 for name, weight in objective.items()})


@pytest.mark.slow
def test_the_optimum_of_a_known_law_is_found() -> None:
    found, best = fitted()
    assert found.forms == dict.fromkeys(NAMES, "law")
    assert np.allclose([found.best[name] for name in NAMES], best, atol=0.01)
    assert found.error < 1e-3 < found.spread and found.spearman > 0.99
    assert found.gap < 0 and found.gap_interval[1] <= 0 and not found.at_edge


@pytest.mark.slow
def test_noise_widens_the_intervals_and_they_hold_the_truth() -> None:
    found, best = fitted(noise=0.004)
    exact, _ = fitted()
    for index, name in enumerate(NAMES):
        low, high = found.interval[name]
        assert low - 0.03 <= best[index] <= high + 0.03
    assert found.error > 10 * exact.error
    width = [one - other for other, one in found.interval.values()]
    assert sum(width) > sum(one - other for other, one in exact.interval.values())


@pytest.mark.slow
def test_bounds_hold_and_are_told() -> None:
    low, high = np.array([0.1, 0.1, 0.05]), np.array([0.3, 0.8, 0.8])
    found, _ = fitted(low=low, high=high)
    weights = np.array([found.best[name] for name in NAMES])
    assert (weights >= low - 1e-4).all() and (weights <= high + 1e-4).all()
    assert "papers" in found.at_edge


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_forms_fit_what_has_their_shape(form: mixtures.Form) -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    made = {
        "linear": weights @ np.array([1.0, 2.0, 0.5]),
        "law": 0.9 + np.exp(weights @ np.array([-1.0, 0.3, -2.0])),
        "quadratic": 1 + weights[:, 0] * weights[:, 1] - 0.5 * weights[:, 2] ** 2,
    }[form.name]
    assert np.allclose(form.fit(weights, made)(weights), made, atol=2e-3)
    assert np.abs(mixtures.left_out(form, weights, made) - made).max() < 5e-3


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(DataError, match="too few to fit"):
        mixtures.choose(np.eye(3), np.ones(3))


@settings(max_examples=60)
@given(
    points=st.lists(st.lists(st.floats(-3, 3), min_size=4, max_size=4), min_size=1, max_size=5),
    low=st.lists(st.floats(0, 0.2), min_size=4, max_size=4),
    room=st.lists(st.floats(0.3, 0.9), min_size=4, max_size=4),
)
def test_projections_are_mixtures_between_the_bounds(
    points: list[list[float]], low: list[float], room: list[float]
) -> None:
    least, most = np.array(low), np.array(low) + np.array(room)
    found = project(np.array(points), least, most)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found >= least - 1e-9).all() and (found <= most + 1e-9).all()
    assert np.allclose(project(found, least, most), found, atol=1e-6)


def test_bounds_without_a_mixture_are_refused() -> None:
    with pytest.raises(DataError, match="no mixture"):
        project(np.ones((1, 2)), np.zeros(2), np.full(2, 0.4))


def test_the_smallest_value_is_found_inside_and_on_an_edge() -> None:
    spot = np.array([0.2, 0.5, 0.3])
    assert np.allclose(minimise(lambda w: np.square(w - spot).sum(1), LOW, HIGH, 0), spot, atol=2e-3)
    assert np.allclose(minimise(lambda w: w[:, 0] - w[:, 1], LOW, HIGH, 0), [0, 1, 0], atol=2e-3)


def test_rank_correlation() -> None:
    one = np.array([1.0, 2.0, 3.0, 3.0])
    assert spearman(one, one**3) == pytest.approx(1.0) and spearman(one, -one) == pytest.approx(-1.0)
    assert np.isnan(spearman(one, np.ones(4)))
