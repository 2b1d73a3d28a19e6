"""The grammar lets tactics through and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.prove.prover import Refused
from llemma.prove.rocq.grammar import LONGEST, read_proof, read_tactic
from llemma.tools.coq_text import sentences

ROWS = [line for line in (Path(__file__).parent / "cheats.txt").read_text().splitlines() if line and line[0] != "#"]
CHEATS = [tuple(row.replace("\\n", "\n").split(" | ", 1)) for row in ROWS]

HONEST = {
    "lia": "lia.",
    "  intros  x\n y.  ": "intros x y.",
    "intros [a | b] (* both *).": "intros [a | b] .",
    "Time Timeout 3 auto": "auto.",
    "-": "-",
    "+++": "+++",
    "{": "{",
    "}": "}",
    "2:{": "2:{",
    "[g] : {": "[g] : {",
    "all: try lia": "all: try lia.",
    "1,3-4: reflexivity.": "1,3-4: reflexivity.",
    "!: exact I": "!: exact I.",
    "[> lia | lra].": "[> lia | lra].",
    "(intros; subst); nra": "(intros; subst); nra.",
    "by rewrite -addnA //=.": "by rewrite -addnA //=.",
    "move=> x /andP [].": "move=> x /andP [].",
    "rewrite Rmult_comm, (Rplus_comm x 1) in H |- *": "rewrite Rmult_comm, (Rplus_comm x 1) in H |- *.",
    "replace 4 with (2 ^ 2)%R by lra": "replace 4 with (2 ^ 2)%R by lra.",
    "exact (f x.(g) Nat.add_comm).": "exact (f x.(g) Nat.add_comm).",
    "pose proof (H ltac:(lia)) as H'.": "pose proof (H ltac:(lia)) as H'.",
    "exists 1": "exists 1.",
    "assert (admitted_ok : x <= y)": "assert (admitted_ok : x <= y).",
    "unshelve eexists": "unshelve eexists.",
    "auto...": "auto...",
    "set (∑ := 3)": None,
    "match goal with H : ?a = _ |- _ => rewrite H end": "match goal with H : ?a = _ |- _ => rewrite H end.",
    "induction n as [|n IH]; simpl in *": "induction n as [|n IH]; simpl in *.",
    "exact {| px := 1; py := 2 |}": "exact {| px := 1; py := 2 |}.",
    "nia || (timeout 3 nra)": "nia || (timeout 3 nra).",
    "intros par lp coq sos.": "intros par lp coq sos.",
    "change (Set = Set).": "change (Set = Set).",
}


@pytest.mark.parametrize(("why", "text"), CHEATS, ids=[text[:40] for _, text in CHEATS])
def test_cheats_are_refused_with_their_reason(why: str, text: str) -> None:
    result = read_tactic(text)
    assert isinstance(result, Refused), result
    assert result.kind == "forbidden" and why in result.why, result.why


def test_cheats_are_many() -> None:
    assert len(CHEATS) == len(set(CHEATS)) >= 120


@pytest.mark.parametrize(("text", "normal"), [(a, b) for a, b in HONEST.items() if b], ids=str)
def test_honest_tactics_pass_in_normal_form(text: str, normal: str) -> None:
    assert read_tactic(text) == normal
    assert read_tactic(normal) == normal


@pytest.mark.parametrize("odd", ["\u00a0", "\u2028", "\x0b", "\x0c", "\0", "\u200b", "\ud800", "\x85"])
def test_odd_blanks_and_controls_are_refused(odd: str) -> None:
    for text in (f"idtac.{odd}Admitted.", f"idtac{odd}."):
        result = read_tactic(text)
        assert isinstance(result, Refused) and "character U+" in result.why


def test_length_is_bounded() -> None:
    assert isinstance(read_tactic("idtac; " * LONGEST), Refused)
    assert isinstance(read_proof("idtac.\n" * 100_000), Refused)
    assert isinstance(read_proof("idtac; " * LONGEST), Refused)


def test_a_whole_proof_is_its_sentences() -> None:
    text = "intros n. (* a step. *)\n- split; {lia}.\n  + auto...\n{ exact I. } 2: { lra. }\nTime nra"
    assert read_proof(text) == [
        "intros n.", "-", "split; {lia}.", "+", "auto...", "{", "exact I.", "}", "2: {", "lra.", "}", "nra.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lia. Qed.", "'Qed'"),
        ("lia. Qed. Theorem x : True. Proof. exact I.", "'Qed'"),
        ("intros. Axiom cheat : False. destruct cheat.", "'Axiom'"),
        ("intros.\n(* *) admit.", "'admit'"),
        ("Proof. lia.", "'Proof'"),
        ("", "no tactic"),
        ("(* only words *)", "no tactic"),
        ("- - Unset Guard Checking.", "'Unset'"),
        ('idtac "a. b".', "a string"),
    ],
)
def test_a_whole_proof_is_refused_for_one_sentence(text: str, why: str) -> None:
    result = read_proof(text)
    assert isinstance(result, Refused) and why in result.why


@pytest.mark.skipif(shutil.which("coqc") is None, reason="Coq is not installed")
def test_every_command_of_coq_begins_as_the_grammar_says(tmp_path: Path) -> None:
    (tmp_path / "G.v").write_text("Require Import Reals Psatz Program FunInd ssreflect.\nPrint Grammar vernac.\n")
    command = ["coqc", "-q", "-noglob", "-w", "none", "G.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    first = re.findall(r"^ *[|\[] (?:IDENT )?\"([^\"]+)\"", done.stdout, re.MULTILINE)
    assert len(first) > 200 and "Axiom" not in first  # which stands under assumption_token
    assert {word for word in first if not word[0].isupper()} <= {"infoH", "#[", ":="}


PIECES = [*[text for _, text in CHEATS], *HONEST, ".", " ", "\n", "(*", "*)", '"', "{", "-", "1:", "Admitted", ";", "("]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=60))
def test_what_passes_is_one_sentence_that_begins_as_a_tactic(text: str) -> None:
    result = read_tactic(text)
    if isinstance(result, Refused):
        assert result.kind == "forbidden" and result.why
        return
    assert [piece.text for piece in sentences(result)] == [result]
    assert '"' not in result and "(*" not in result and "admit." not in result
    assert not result[0].isupper() and result[0] != "#"
    assert read_tactic(result) == result
    assert read_proof(result) == [result]
