"""Stories are arithmetic: every equation holds, the last result is the answer, and equal seeds tell equal stories."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llemma.core.console import Console
from llemma.core.types import Document
from llemma.corpus.source import Context
from llemma.corpus.sources.synthetic import UNIT_SIZE, Synthetic, as_text, worked
from llemma.evals.answers import judge

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
COMPUTE = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_every_step_is_true_and_leads_to_the_answer(seed: int, index: int) -> None:
    item = worked(seed, index)
    equations = [(int(a), sign, int(b), int(c)) for a, sign, b, c in EQUATION.findall(item.solution)]
    assert len(equations) == item.level and 1 <= item.level <= 3
    amount = int(re.search(r"has (\d+)", item.problem).group(1))  # type: ignore[union-attr]
    for a, sign, b, c in equations:
        assert a == amount and COMPUTE[sign](a, b) == c and c > 0
        amount = c
    assert item.answer == str(amount)
    assert judge(item.solution, item.answer).outcome == "right"
    assert worked(seed, index) == item


def test_documents_hold_all_problems_once(tmp_path: Path) -> None:
    source = Synthetic(count=UNIT_SIZE + 7, seed=3)
    units = source.units(Context(tmp_path, Console(quiet=True)))
    documents = [item for unit in units for item in source.read(unit, "s") if isinstance(item, Document)]
    assert len(units) == 2 and sum(document.meta["problems"] for document in documents) == UNIT_SIZE + 7
    assert all(document.meta["synthetic"] for document in documents)
    text = "\n\n".join(document.text for document in documents)
    assert all(as_text(worked(3, index)) in text for index in (0, UNIT_SIZE - 1, UNIT_SIZE, UNIT_SIZE + 6))
    assert len({document.id for document in documents}) == len(documents)
