"""What a model may write as a proof, and what it may not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.prove.isabelle import words
from llemma.prove.isabelle.grammar import Forbidden, Proof, read
from llemma.prove.isabelle.tokens import tokenize

PROOFS = tomllib.loads((Path(__file__).parent / "proofs.toml").read_text())
ALLOWED: list[str] = PROOFS["allowed"]
CHEATS: list[tuple[str, str]] = [
    *map(tuple, PROOFS["cheats"]),
    ("by simp " * 20_000, "longer than"),
    (f"by ({'(' * 100}simp{')' * 100})", "too many brackets"),
    (f"have {'(' * 100}x{')' * 100}", "too many brackets"),
]


@pytest.mark.parametrize(("proof", "why"), CHEATS, ids=[proof[:40] or "nothing" for proof, _ in CHEATS])
def test_cheats_are_refused_with_their_reason(proof: str, why: str) -> None:
    with pytest.raises(Forbidden) as refused:
        read(proof)
    assert why in str(refused.value)


def test_there_are_enough_cheats() -> None:
    assert len({proof for proof, _ in CHEATS}) >= 50


@pytest.mark.parametrize("proof", ALLOWED, ids=[proof[:40] for proof in ALLOWED])
def test_ordinary_proofs_are_allowed(proof: str) -> None:
    assert read(proof).parts


def test_comments_never_reach_isabelle() -> None:
    whole = read("by (* \u201csorry\u201d (* end *) *) simp \\<comment> \\<open>\\<^ML>\\<close>").filled([])
    assert whole.split() == ["by", "simp"] and whole.isascii()


def test_unicode_becomes_the_symbols_of_isabelle() -> None:
    assert read("have \u2039\u2200x. x \u2264 x\u203a by auto").parts == (
        "have \\<open>\\<forall>x. x \\<le> x\\<close> by auto",
    )


def test_gaps_are_where_the_hammer_stands() -> None:
    proof = read('proof - have "sledgehammer" (* sledgehammer *) sledgehammer show ?thesis normalhammer qed')
    assert proof.gaps == 2 and proof.commands == 6
    filled = " ".join(proof.filled(["by auto", "."]).split())
    assert filled == 'proof - have "sledgehammer" by auto show ?thesis . qed'


def test_a_sorry_is_a_gap_where_the_paper_had_it_so() -> None:
    assert read("sorry", sorry_is_gap=True) == Proof(("", ""), 1)
    with pytest.raises(Forbidden):
        read("\\<proof>", sorry_is_gap=True)
    with pytest.raises(Forbidden):
        read("by (use sorry in simp)", sorry_is_gap=True)


WORDS = [*sorted(words.COMMANDS | words.GAP | words.METHODS), *sorted(words.CHEATS), "ML", "end", "[", "]", "(", ")"]
OTHERS = ['"x = 1"', "\\<open>x\\<close>", "simp:", "?thesis", "[[", ",", "(*", "*)", "\n", "where", "of", "x", "'a"]
PIECES = st.sampled_from(WORDS + OTHERS)


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_what_is_allowed_holds_no_forbidden_word_and_reads_as_itself(text: str) -> None:
    try:
        proof = read(text)
    except Forbidden:
        return
    whole = proof.filled(["."] * proof.gaps)
    outside = [token.text for token in tokenize(whole) if token.kind in ("word", "symbol")]
    assert not {*outside} & ({*words.CHEATS} | words.RESERVED)
    assert "[[" not in "".join(outside).replace(" ", "")
    assert read(whole).filled([]) == whole


@given(st.text(max_size=60))
def test_any_text_is_a_proof_or_refused(text: str) -> None:
    try:
        read(text)
    except Forbidden as refused:
        assert str(refused)
