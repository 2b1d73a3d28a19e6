"""What the grammar lets through, what it refuses and why, and laws of both."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llemma.prove.lean import grammar
from llemma.prove.lean.lexer import Unreadable, tokens, without_comments
from llemma.prove.lean.words import ANYWHERE, REASONS, TACTICS

HERE = Path(__file__).parent
CHEATS = [
    (text, group["why"])
    for group in map(json.loads, (HERE / "cheats.jsonl").read_text().splitlines())
    for text in group["texts"]
]


def honest() -> list[str]:
    found: list[str] = []
    for line in (HERE / "honest.txt").read_text().split("\n"):
        goes_on = found and line and (line[0] in " |" or (line[0] == "_" and found))
        if line == "%" or not line:
            continue
        if goes_on:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


@pytest.mark.parametrize(("text", "why"), CHEATS)
def test_a_cheat_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(grammar.Forbidden, match=re.escape(why)):
        grammar.tactic(text)


@pytest.mark.parametrize(("text", "why"), [case for case in CHEATS if case[1] != "more than one tactic"])
def test_a_cheat_is_refused_within_a_proof(text: str, why: str) -> None:
    for proof in (text, f"intro x\n{text}", f"have h : a := by\n  simp\n{text}", f"{text}\nsimp"):
        if text.strip() and not text.startswith(("--", "/- only", "| ")):
            with pytest.raises(grammar.Forbidden):
                grammar.proof(proof)


def test_there_are_enough_cheats_to_matter() -> None:
    assert len({text for text, _ in CHEATS}) >= 120


@pytest.mark.parametrize("text", honest())
def test_honest_tactics_pass_and_are_in_normal_form_then(text: str) -> None:
    normal = grammar.tactic(text)
    assert grammar.tactic(normal) == normal
    assert grammar.proof(f"{normal}\n{normal}") == f"{normal}\n{normal}"
    assert grammar.tactic("\n".join(f"    {line}  " for line in text.split("\n"))) == normal
    assert [token.text for token in tokens(normal)] == [token.text for token in tokens(text)]


def test_lists_do_not_contradict_each_other() -> None:
    assert not TACTICS & REASONS.keys()
    assert not TACTICS & ANYWHERE
    assert ANYWHERE - {"sorry", "sorryAx"} < REASONS.keys() | {"sorryAx"}


def test_names_that_only_look_like_cheats_pass() -> None:
    for name in (
        "admitted",
        "h_sorry",
        "sorry'",
        "sorry₁",
        "IsOpen.foo",
        "h.end",
        "List.prefix",
        "foo.open.bar",
        "axiom_of_choice",
    ):
        assert grammar.tactic(f"exact {name}") == f"exact {name}"


@given(st.text(alphabet="simp sorry\n-/·()[]{}«»\"'`#@|<;>=:⟨⟩λℝ₁.?%\\rax", max_size=60))
def test_no_text_smuggles_a_word_past_the_reader(text: str) -> None:
    try:
        normal = grammar.tactic(text)
    except grammar.Forbidden:
        return
    assert grammar.tactic(normal) == normal
    words = re.findall(r"[A-Za-z_][\w'!?.]*", normal)
    assert "sorry" not in words and "#s" not in re.findall(r"#\w{3,}", normal)
    assert "--" not in normal and "/-" not in normal and '"' not in normal
    assert tokens(normal)[0].text in TACTICS or tokens(normal)[0].text in "({·."


@given(
    st.sampled_from(sorted(REASONS)),
    st.sampled_from(["simp {}", "exact ({})", "have h : a := by\n  {}", "simp <;> {}", "exact f /- -/{} x"]),
)
def test_a_refused_word_is_refused_wherever_it_stands(word: str, frame: str) -> None:
    with pytest.raises(grammar.Forbidden):
        grammar.tactic(frame.format(word))


@given(st.text(max_size=80))
def test_blanking_comments_keeps_every_place(text: str) -> None:
    try:
        found = tokens(text)
        blank = without_comments(text)
    except Unreadable:
        return
    assert len(blank) == len(text)
    assume("\n" not in "".join(token.text for token in found))
    assert [(t.text, t.start, t.column) for t in tokens(blank)] == [(t.text, t.start, t.column) for t in found]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "simp " + "«" * 100_000,
        "/-" * 100_000,
        '"' + "\\a" * 100_000,
        "a." * 100_000,
        "simp " * 50_000,
        "'" * 100_000,
    ],
)
def test_huge_texts_are_refused_at_once(text: str) -> None:
    with pytest.raises(grammar.Forbidden):
        grammar.tactic(text)
    with contextlib.suppress(Unreadable):
        tokens(text)
