"""Sentences of Coq: nothing is lost, and they end where Coq says they end."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.tools.coq_text import Piece, sentences, uncommented

MARKS = [
    '"',
    '""',
    "(*",
    "*)",
    "(*)",
    ".",
    "..",
    "...",
    "-",
    "--",
    "+",
    "*",
    "{",
    "}",
    "1:{",
    "[g]: {",
    " ",
    "\n",
    "\t",
]
WORDS = ["lia", "Nat.add", "x.(f)", "1.5", "é", "∑", "'", "@", ":=", "(", ")", "\u00a0", ".x", "Qed"]
noise = st.lists(st.sampled_from(MARKS + WORDS), max_size=30).map("".join)
gap = st.sampled_from([" ", "\n", "  \t", " (* a. b *) ", ' (* "*)" (* x *) . *)\n', "\r\n"])
whole = st.sampled_from(
    [
        "intros n.",
        "rewrite Nat.add_comm, (f x.(g)).",
        'idtac "a. b (* c".',
        'pose "x""y. z".',
        "auto...",
        "destruct x as [a|b] (* by. cases *).",
        "exists 1.",
        "exact {| a := 1; b := 2 |}.",
        "-",
        "--",
        "+++",
        "*",
        "{",
        "}",
        "2: {",
        "[ x' ] : {",
        "1: lia.",
        'Notation "x .- y" := (f x y) (at level 3).',
        "Definition f := fun x .. y => x.",
    ]
)


@given(noise | st.text(max_size=40))
def test_the_pieces_are_the_text(text: str) -> None:
    pieces = sentences(text)
    assert "".join(piece.before + piece.text for piece in pieces) == text
    assert all(piece.complete and piece.text for piece in pieces[:-1])


@given(st.lists(st.tuples(gap, whole), max_size=12), gap)
def test_sentences_are_found_as_they_were_written(parts: list[tuple[str, str]], last: str) -> None:
    text = "".join(before + sentence for before, sentence in parts) + last
    # a bullet and the next of its kind need something between them, which every gap is
    assert [piece.text for piece in sentences(text) if piece.text] == [sentence for _, sentence in parts]


@given(noise)
def test_without_comments_no_comment_is_left(text: str) -> None:
    plain = uncommented(text)
    if plain is not None and '"' not in plain:
        assert "(*" not in plain
        assert uncommented(plain) == plain


@pytest.mark.parametrize(
    "text", ["lia", "(* open", 'idtac "open.', "a.b", "x ..", "x ....", "(*) lia.", '(* " *) lia.']
)
def test_a_remainder_is_incomplete(text: str) -> None:
    (piece,) = sentences(text)
    assert not piece.complete or not piece.text
    assert piece == Piece("", text, False) or piece == Piece(text, "", False)


def test_it_takes_linear_time() -> None:
    for text in ("(*" * 100_000, "." * 300_000, "-. " * 100_000, '"' * 300_001, "1:" * 100_000, "[a" * 100_000):
        begun = time.process_time()
        assert "".join(piece.before + piece.text for piece in sentences(text)) == text
        assert time.process_time() - begun < 10  # quadratic, it would be many minutes


OWN = r"""(* A file of our own. (* nested. *) "*) in a string. " *)
Require Import Arith. Require Import List.
Import ListNotations.
Record point := { px : nat; py : nat }.
Definition norm (p : point) : nat := p.(px) + p.(py).
Notation "x '.+.' y" := (x + y) (at level 50, left associativity).
Definition text := 1 (* é. *) .
Lemma swap : forall p, norm p = py p + px p /\ norm {| px := 1; py := 2 |} = 3. Proof. intros p. split.
  - unfold norm. rewrite Nat.add_comm.  reflexivity.
  -
  reflexivity. Qed.
Lemma deep : True /\ (True /\ True). Proof with auto.
  split. { exact I. } split; [ | ]. 1: { trivial... } { auto. } Qed.
Lemma named : exists x : nat, x = 1. Proof. eexists ?[g]. [g]: exact 1. reflexivity. Qed.
Fail Check "a. b""c.".
"""


@pytest.mark.skipif(shutil.which("coqc") is None, reason="Coq is not installed")
def test_coq_ends_its_sentences_where_we_do(tmp_path: Path) -> None:
    (tmp_path / "Own.v").write_text(OWN, encoding="utf-8")
    command = ["coqc", "-q", "-time", "-noglob", "-w", "none", "Own.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = [(int(a), int(b)) for a, b in re.findall(r"^Chars (\d+) - (\d+) \[", done.stdout, re.MULTILINE)]
    ours, place = [], 0
    for piece in sentences(OWN):
        begin = place + len(piece.before.encode())
        place = begin + len(piece.text.encode())
        ours += [(begin, place)] if piece.text else []
    assert ours == said
