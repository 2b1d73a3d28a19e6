from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.report.formulas import MAX_FORMULA, TAGS, mathml, pieces
from llemma.report.text import visible

TEX = st.lists(
    st.sampled_from([*"ab1 {}^_$\\<>&'\"[]()", "\\frac", "\\left(", "\\begin{array}{c", "\\color", "\\text"])
).map("".join)


def sources(text: str) -> list[str]:
    """What is shown as a formula."""
    return [piece[2] for piece in pieces(text) if not isinstance(piece, str)]


def walk(tree: list[Any]) -> list[list[Any]]:
    return [tree, *(inner for child in tree[2:] if not isinstance(child, str) for inner in walk(child))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so $x^2$ and \\(a<b\\)", ["$x^2$", "\\(a<b\\)"]),
        ("\\[ f([0,1]) = \\frac12 \\]", ["\\[ f([0,1]) = \\frac12 \\]"]),
        ("$$\\boxed{4}$$.", ["$$\\boxed{4}$$"]),
        ("a pen for $5 and a book for $7, so $12", []),
        ("from $5-$7 to $ 3 $", []),
        ("\\$5 and \\$6", []),
        ("$\\frac{1}{$ is broken", []),
        ("$" + "x" * (MAX_FORMULA + 1) + "$", []),
    ],
)
def test_dollars_are_formulas_only_where_they_mean_it(text: str, expected: list[str]) -> None:
    assert sources(text) == expected


@given(TEX)
def test_nothing_is_lost_and_only_allowed_elements_come_out(text: str) -> None:
    found = pieces(text)
    assert "".join(piece if isinstance(piece, str) else piece[2] for piece in found) == visible(text)
    for piece in found:
        if not isinstance(piece, str):
            for tag, attributes, *children in walk(piece[1]):
                assert tag in TAGS
                assert not {"href", "style", "class", "id", "src"} & set(attributes or ())
                assert all(isinstance(child, str | list) for child in children)


def test_a_link_or_colour_in_a_formula_keeps_only_its_content() -> None:
    tree = str(mathml("\\href{javascript:alert(1)}{x} \\color{red} y \\hspace{999em}"))
    assert "javascript" not in tree and "red" not in tree and "999" not in tree
    assert "'x'" in tree and "'y'" in tree


@pytest.mark.parametrize(
    "text",
    [
        "$" * 60_000,
        "\\(" * 30_000,
        "$a" * 30_000,
        "$$" + "\\a" * 30_000,
        "$" + "{" * 500 + "$",
        "$x" + "^{x" * 150 + "$",
    ],
)
def test_hostile_text_is_cheap(text: str) -> None:
    start = time.process_time()
    pieces(text)
    assert time.process_time() - start < 3
