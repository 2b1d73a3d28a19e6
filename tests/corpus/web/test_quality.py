"""The document steps keep mathematics and name their reasons."""

# ruff: noqa: E501

from collections.abc import Callable

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.web import quality

ENGLISH = "The number of ways to choose the pairs is the same as the number of edges, and this is what we had to show for all of them. "
GERMAN = "Die Anzahl der Möglichkeiten ist gleich der Zahl aller Kanten, und genau das war für jede einzelne von ihnen zu zeigen. "


def document(text: str, **meta: object) -> Document:
    return Document("id", text, "web", meta)


@pytest.mark.parametrize(
    ("step", "text", "reason"),
    [
        (quality.long_enough, "short", "too short"),
        (quality.has_formulas, "It costs \\$5 and `$x$`.", "no formulas"),
        (quality.english, GERMAN * 3, "not English"),
        (quality.few_accents, GERMAN * 3, "accented"),
        (
            quality.little_boilerplate,
            "Login to subscribe to the newsletter. Cookies and password, copyright. " * 5,
            "boilerplate",
        ),
    ],
)
def test_dropped_with_reason(step: Callable[[Document], Document | Drop], text: str, reason: str) -> None:
    result = step(document(text))
    assert isinstance(result, Drop) and reason in result.reason


@pytest.mark.parametrize(
    "step",
    [quality.long_enough, quality.has_formulas, quality.english, quality.few_accents, quality.little_boilerplate],
)
def test_mathematical_english_is_kept(step: Callable[[Document], Document | Drop]) -> None:
    kept = document(ENGLISH * 2 + "Let $\\text{für} = x$ and ℝ, Poincaré said." + ENGLISH * 3)
    assert step(kept) is kept
