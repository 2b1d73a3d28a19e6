"""Theories made of a data set's texts, and what Isabelle says about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.core.errors import DataError
from llemma.prove.isabelle.server import Node, Note, Status
from llemma.prove.isabelle.theory import LLEMMA_IMPORTS, evidence, stated, trouble
from llemma.prove.theorem import Theorem

SHARED = Path(__file__).parents[4] / "shared" / "minif2f"
DONE = Status(ok=True, total=3, consolidated=True)


def test_the_header_keeps_all_but_the_name_of_its_theory() -> None:
    header = '(* theory x *) theory a_p1 imports Complex_Main\nbegin\ndefinition d :: nat where "d = 1"'
    told = stated(Theorem("a", header, 'theorem a_p1:\n  shows "d = 1"'), "data")
    assert told.name == "a_p1"
    assert told.theory("New", "by simp") == (
        '(* theory x *) theory New imports Complex_Main\nbegin\ndefinition d :: nat where "d = 1"'
        '\n\ntheorem a_p1:\n  shows "d = 1"\nby simp\n\nend\n'
    )


@pytest.mark.parametrize(
    ("statement", "given"),
    [
        ('theorem\n  fixes x :: nat\n  shows "x = x"', 'theorem the_theorem: \n  fixes x :: nat\n  shows "x = x"'),
        ('lemma "x = x"', 'lemma the_theorem:  "x = x"'),
        ('theorem [simp]: "x = x"', 'theorem the_theorem  [simp]: "x = x"'),
    ],
)
def test_a_theorem_without_a_name_is_given_one(statement: str, given: str) -> None:
    told = stated(Theorem("a", "theory a imports Main begin", statement), "data")
    assert told.name == "the_theorem" and told.theory("N", ".").split("\n\n", 1)[1] == f"{given}\n.\n\nend\n"


def test_the_published_header_replaces_it() -> None:
    text = stated(Theorem("a", "nothing", 'lemma a: "x = 1"'), "llemma").theory("New", "by simp")
    assert text.startswith("theory New\nimports") and all(f'"{item}"' in text for item in LLEMMA_IMPORTS)


def test_the_verdict_is_a_theory_of_its_own() -> None:
    told = stated(Theorem("a", "theory a imports Main begin", 'theorem a[simp]: "x = 1"'), "data")
    theories = told.with_verdict("New", "by simp")
    assert list(theories) == ["New", "New_verdict"]
    assert "thm_oracles New.a\n" in theories["New_verdict"] and "by simp" not in theories["New_verdict"]


@pytest.mark.parametrize(
    ("header", "statement"),
    [
        ("theory a imports Main begin", 'theorem (in x) a: "x = 1"'),
        ("theory a imports Main begin", 'definition a: "x = 1"'),
        ("theory a imports Main begin", 'theorem a: "x = 1'),
        ("imports Main begin", 'theorem a: "x = 1"'),
        ("theory a imports Main", 'theorem a: "x = 1"'),
        ("", ""),
    ],
)
def test_what_is_no_theorem_is_the_data_sets_fault(header: str, statement: str) -> None:
    with pytest.raises(DataError, match="theorem 'x'"):
        try:
            stated(Theorem("x", header, statement), "data")
        except DataError as error:
            raise DataError(str(error)) from None


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/minif2f here")
def test_all_of_minif2f_can_be_stated() -> None:
    rows = [json.loads(line) for name in ("test", "valid") for line in (SHARED / f"{name}.jsonl").open()]
    names = {stated(Theorem(r["name"], r["isabelle_header"], r["isabelle"]), "data").name for r in rows}
    assert len(names) == 488


def node(status: Status, *notes: tuple[str, str]) -> Node:
    return Node("Draft.N_verdict", status, [Note(kind, text) for kind, text in notes])


@pytest.mark.parametrize(
    "bad",
    [
        None,
        node(Status(ok=True, total=3)),
        node(Status(ok=True, total=3, consolidated=True, unprocessed=1)),
        node(Status(ok=True, total=3, consolidated=True, running=1)),
        node(Status(ok=True, total=3, consolidated=True, canceled=True)),
        node(Status(ok=True, total=3, consolidated=True, failed=1)),
        node(Status(ok=False, total=3, consolidated=True)),
        node(DONE, ("error", "Failed")),
    ],
)
def test_ok_alone_is_not_enough(bad: Node | None) -> None:
    assert trouble(bad)
    assert evidence({"N_verdict": bad} if bad else {}, "N") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("oracles:", []),
        ("oracles: skip_proof", ["skip_proof"]),
        ("oracles:\n  skip_proof", ["skip_proof"]),
        (
            "oracles:\n  \u2022 Pure.skip_proof:  1 = 2\n  \u2022 M.holds_by_evaluation",
            ["Pure.skip_proof", "M.holds_by_evaluation"],
        ),
        ("oracles:\n  \\<bullet> skip_proof: False", ["skip_proof"]),
    ],
)
def test_oracles_are_read(text: str, found: list[str]) -> None:
    seen = evidence({"N_verdict": node(DONE, ("writeln", "N.d = 1"), ("writeln", text))}, "N")
    assert seen is not None and seen.statement == ("d = 1",) and list(seen.oracles) == found


def test_what_is_not_printed_once_is_unknown() -> None:
    assert evidence({"N_verdict": node(DONE, ("writeln", "x"))}, "N") is None
    assert evidence({"N_verdict": node(DONE, ("writeln", "oracles:"))}, "N") is None
    assert evidence({"N_verdict": node(DONE, ("writeln", "oracles:"), ("writeln", "oracles:"))}, "N") is None
    assert evidence({"N_verdict": node(DONE, ("warning", "x"), ("writeln", "oracles:"))}, "N") is None
    assert trouble(node(DONE, ("warning", "hm"))) == ""
