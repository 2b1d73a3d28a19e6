"""The plain steps keep mathematics and name their reasons."""

# ruff: noqa: E501

from collections.abc import Callable

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality import plain

ENGLISH = "The number of ways to choose the pairs is the same as the number of edges, and this is what we had to show for all of them. "
GERMAN = "Die Anzahl der Möglichkeiten ist gleich der Zahl aller Kanten, und genau das war für jede einzelne von ihnen zu zeigen. "


def document(text: str, **meta: object) -> Document:
    return Document("id", text, "web", meta)


@pytest.mark.parametrize(
    ("step", "text", "reason"),
    [
        (plain.long_enough, "short", "too short"),
        (plain.has_formulas, "It costs \\$5 and `$x$`.", "no formulas"),
        (plain.few_accents, GERMAN * 3, "accented"),
        (
            plain.little_boilerplate,
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
    [plain.long_enough, plain.has_formulas, plain.few_accents, plain.little_boilerplate, plain.no_macro_lines],
)
def test_mathematical_english_is_kept(step: Callable[[Document], Document | Drop]) -> None:
    kept = document(ENGLISH * 2 + "Let $\\text{für} = x$ and ℝ, Poincaré said." + ENGLISH * 3)
    assert step(kept) is kept


def test_lines_of_macros_go() -> None:
    text = "Before\n\\newcommand{\\a}{b} \\newcommand{\\c}{d}\nOne \\newcommand stays\nAfter"
    result = plain.no_macro_lines(document(text, url="u"))
    assert result == document("Before\nOne \\newcommand stays\nAfter", url="u")
