"""Steps found for the gaps of a sketch, without any prover: a toy that knows which step closes which gap."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import pytest

from llemma.prove.isabelle.config import CLOSERS, IsabelleConfig
from llemma.prove.isabelle.grammar import read
from llemma.prove.isabelle.hammer import Unfilled, fill, suggestions
from llemma.prove.isabelle.server import Node, Note, Status
from llemma.prove.isabelle.theory import stated
from llemma.prove.theorem import Theorem

TOLD = stated(Theorem("a", "theory a imports Main begin", 'theorem a: "x"'), "data")
DONE = Status(ok=True, total=1, consolidated=True)
GAP = re.compile(r'have "g(\d)" (.*?) #')


class Toy:
    """Gap i, after `have "gi"`, is closed by `steps[i]`; Sledgehammer suggests `found[i]`."""

    def __init__(self, steps: Mapping[int, str], found: Mapping[int, str] | None = None) -> None:
        self.steps, self.found = steps, found or {}
        self.requests: list[list[str]] = []
        self.limits: list[float] = []
        self.numbers = itertools.count()

    def fresh(self) -> str:
        return f"N{next(self.numbers)}"

    def use(self, theories: Mapping[str, str], seconds: float) -> dict[str, Node]:
        self.requests.append([self.tried(text) for text in theories.values()])
        self.limits.append(seconds)
        return {name: self.node(name, text) for name, text in theories.items()}

    @staticmethod
    def tried(text: str) -> str:
        return " | ".join(step for _, step in GAP.findall(text) if step != "sorry")

    def node(self, name: str, text: str) -> Node:
        notes = []
        for number, step in GAP.findall(text):
            gap = int(number)
            if step.startswith("sledgehammer") and gap in self.found:
                notes.append(Note("writeln", f"cvc5: Try this: {self.found[gap]} (1.2 s)"))
            elif step != "sorry" and not step.startswith("sledgehammer") and self.steps.get(gap) != step:
                notes.append(Note("error", f"gap {gap} stays open"))
        return Node(f"Draft.{name}", DONE, notes)


def sketch(gaps: int) -> str:
    return "proof - " + " ".join(f'have "g{gap}" sledgehammer (*#*)' for gap in range(gaps)) + " qed"


def filled(toy: Toy, gaps: int, **options: object) -> list[str]:
    # the comment is dropped by the grammar; `#` marks the end of a step for the toy
    proof = read(sketch(gaps).replace("(*#*)", ""))
    marked = type(proof)(tuple(part if not at else f" #{part}" for at, part in enumerate(proof.parts)), proof.commands)
    return fill(toy, TOLD, marked, IsabelleConfig(**options), 60)  # type: ignore[arg-type]


def test_the_first_step_that_works_is_taken() -> None:
    toy = Toy({0: "by simp", 1: "by (auto simp: field_simps)", 2: "by auto"})
    assert filled(toy, 3) == ["by simp", "by (auto simp: field_simps)", "by auto"]
    assert toy.requests[0] == [""]  # the sketch alone comes first
    assert max(map(len, toy.requests)) <= IsabelleConfig().at_once


def test_all_steps_of_the_published_list_are_tried_in_its_order() -> None:
    toy = Toy({0: CLOSERS[-1]})
    assert filled(toy, 1, protocol="llemma") == [CLOSERS[-1]]
    assert list(itertools.chain(*toy.requests[1:])) == list(CLOSERS)
    assert len(CLOSERS) == 11


def test_by_eval_is_not_tried_where_its_oracle_is_not_trusted() -> None:
    toy = Toy({0: "by eval"})
    with pytest.raises(Unfilled):
        filled(toy, 1)
    assert filled(Toy({0: "by eval"}), 1, protocol="llemma") == ["by eval"]


def test_sledgehammer_is_asked_last_and_for_open_gaps_alone() -> None:
    toy = Toy({0: "by auto", 1: "by (metis x)"}, {1: "by (metis x)"})
    assert filled(toy, 2, hammer_seconds=7) == ["by auto", "by (metis x)"]
    assert toy.requests[-2] == ["sledgehammer [timeout = 7] sorry"] and toy.requests[-1] == ["by (metis x)"]


def test_a_suggestion_that_does_not_work_is_not_taken() -> None:
    with pytest.raises(Unfilled, match="gap 1 of 1"):
        filled(Toy({}, {0: "by (metis x)"}), 1)
    with pytest.raises(Unfilled, match="gap 1 of 1"):
        filled(Toy({0: "by (metis x)"}, {0: "by (metis x)"}), 1, hammer=False)


def test_no_request_may_take_longer_than_what_is_left() -> None:
    toy = Toy({0: "by auto"})
    fill(toy, TOLD, read('have "g0" sledgehammer'), IsabelleConfig(), 3)
    assert all(0 < limit <= 3 for limit in toy.limits)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cvc5: Try this: by (metis a b) (12 ms)", ["by (metis a b)"]),
        ("Try this: by simp (> 1.0 s)", ["by simp"]),
        ("Try this: by (simp add: a) (> 1.0 s, timed out)", ["by (simp add: a)"]),
        ("Try this: by (metis a)", ["by (metis a)"]),
        ("Try this: by auto (1 ms)\nTry this: by blast (2 ms)", ["by auto", "by blast"]),
        ("Try this: using a by blast (2.5 s)", ["using a by blast"]),
        ("Try this: sorry", []),
        ("Try this: by (tactic x) (1 ms)", []),
        ("No proof found", []),
    ],
)
def test_suggestions_are_read_and_checked_like_a_models_words(text: str, found: list[str]) -> None:
    assert suggestions(Node("N", DONE, [Note("writeln", text), Note("writeln", text)]), 3) == found


def test_no_more_suggestions_than_asked() -> None:
    notes = [Note("writeln", f"Try this: by (metis a{number}) (1 ms)") for number in range(9)]
    assert len(suggestions(Node("N", DONE, notes), 2)) == 2
