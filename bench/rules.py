"""What the rules of labelled pairs share: a gold answer, a rule, and ways to take an answer's text apart.

A rule takes a gold answer and returns another text, or None where it does not apply. Rules marked `safe` are right by
what they do; what the others write counts only where the reader of `reading.py` confirms the label.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import sympy

from reading import Value


class Gold(NamedTuple):
    """A real gold answer, what it reads as, its data set, what it counts, and another gold answer of its kind."""

    text: str
    value: Value | None
    source: str
    unit: str = ""
    other: str = ""

    @property
    def expression(self) -> Any:
        """The sympy expression, where the answer is one."""
        return self.value.parts[0] if self.value and self.value.kind == "expression" else None

    @property
    def rational(self) -> Any:
        """The exact number, where the answer is a rational one."""
        found = self.expression
        return found if found is not None and found.is_Rational else None


Make = Callable[[Gold, random.Random], str | None]


class Rule(NamedTuple):
    """A named way of writing pairs; `kind` says whether the text is a bare answer or a whole completion."""

    name: str
    make: Make
    equal: bool
    kind: str = "answer"
    safe: bool = False


SAME: list[Rule] = []


def same(*, safe: bool = False, kind: str = "answer") -> Callable[[Make], Make]:
    """Enter a function into the rules that keep the answer."""

    def enter(make: Make) -> Make:
        SAME.append(Rule(make.__name__, make, True, kind, safe))
        return make

    return enter


OTHER: list[Rule] = []


def other(*, safe: bool = False, kind: str = "answer") -> Callable[[Make], Make]:
    """Enter a function into the rules that change the answer."""

    def enter(make: Make) -> Make:
        OTHER.append(Rule(make.__name__, make, False, kind, safe))
        return make

    return enter


def changed_at(text: str, pattern: str, put: Callable[[re.Match[str]], str], chance: random.Random) -> str | None:
    """`text` with one random match of `pattern` replaced."""
    found = list(re.finditer(pattern, text))
    if not found:
        return None
    match = chance.choice(found)
    return text[: match.start()] + put(match) + text[match.end() :]


def readable(gold: Gold) -> bool:
    """Whether a change of digits or signs changes the value for sure to be checked."""
    return gold.value is not None


def latex(value: Any) -> str:
    """sympy's LaTeX, with `\\ln`."""
    return str(sympy.latex(value, ln_notation=True))


def slash(text: str) -> re.Match[str] | None:
    """A whole fraction of integers, sign included."""
    return re.fullmatch(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}", text)


def terms(text: str) -> list[str]:
    """The terms of a sum with their signs, brackets kept whole."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in "+-" and at > start and text[at - 1] not in "^*/" and text[start:at].strip():
            parts.append(text[start:at].strip())
            start = at
    return [*parts, text[start:].strip()]


def split_items(text: str, mark: str = ",") -> list[str]:
    """The parts of `text` between marks outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and text.startswith(mark, at) and at >= start:
            parts.append(text[start:at])
            start = at + len(mark)
    return [*parts, text[start:]]


REASONING = (
    "First we look for a simpler form. One might expect ${other}$ here, but that leaves a case out.\n",
    "Let us write down what is given and solve step by step.\nThe first step gives ${other}$, the second the rest.\n",
    "We know that $2 + 2 = 4$. By the same argument, the value must be checked against ${other}$.\n\n",
)


def reasoned(gold: Gold, chance: random.Random) -> str:
    """Some sentences that mention another answer."""
    return chance.choice(REASONING).replace("{other}", gold.other)
