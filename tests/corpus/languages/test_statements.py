"""Theorems are found whole, and known by what they say. All statements are our own, but those of the shared folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.languages.statements import LANGUAGES, said, statements

LEAN = """import Mathlib

namespace Orbit

/-- The sum of a number
with itself.

It is even. -/
@[simp] theorem double_even (n : ℕ) (h : 0 < n := by decide) : Even (n + n) := by
  have k := n

  exact ⟨n, rfl⟩

-- theorem ghost : False
/- lemma ghost' : False := by sorry /- nested -/ -/
/-- Keeps its words. -/
def half (n : ℕ) : ℕ := n / 2

lemma half_le : ∀ n, half n ≤ n
  | 0 => rfl.le
  | n + 1 => Nat.div_le_self _ _

end Orbit

theorem _root_.plain : 1 = 1 := rfl
"""
LEAN3 = """import data.nat.basic
lemma twice (n : ℕ) : n + n = 2 * n :=
begin
  have h : n = n,
  begin
    refl,
  end,

  rw two_mul,
end
lemma next : true := trivial
"""
ISABELLE = """theory T imports Main begin
lemma (in group) twice [simp]:
  fixes n :: nat
  assumes h: "n > 0" and "by (simp) is not the proof"
  shows "n + n = 2 * n"
proof -
  have "n = n" by simp

  then show ?thesis
    by simp
qed
(* lemma ghost: "False" *)
definition half where "half n = n div (2::nat)"
theorem "half 4 = 2" unfolding half_def by simp
end
"""
ROCQ = """Require Import Lia.
Section S.
(* Theorem ghost : False. *)
Lemma twice : forall n : nat, n + n = 2 * n.
Proof.
  intros n.

  lia.
Qed.
Definition half n := n / 2.
Example four : half 4 = 2. Proof. reflexivity. Defined.
End S.
"""


def cut(text: str, language: str) -> list[tuple[str, str, str]]:
    """(name, statement, proof) of each theorem."""
    return [
        (item.name, text[item.start : item.said], text[item.said : item.end]) for item in statements(text, language)
    ]


def test_lean() -> None:
    first, second, third = cut(LEAN, "lean")
    assert first[0] == "double_even" and first[1].startswith("/-- The sum") and first[1].endswith("Even (n + n) ")
    assert first[2].endswith("exact ⟨n, rfl⟩")
    assert second[:2] == ("half_le", "lemma half_le : ∀ n, half n ≤ n\n") and second[2].endswith("le_self _ _")
    assert third == ("_root_.plain", "theorem _root_.plain : 1 = 1 ", ":= rfl")
    assert [item.full for item in statements(LEAN, "lean")] == ["Orbit.double_even", "Orbit.half_le", "plain"]


def test_lean_3() -> None:
    first, second = cut(LEAN3, "lean")
    assert first[1] == "lemma twice (n : ℕ) : n + n = 2 * n " and first[2].endswith("rw two_mul,\nend")
    assert second == ("next", "lemma next : true ", ":= trivial")


def test_isabelle() -> None:
    first, second = cut(ISABELLE, "isabelle")
    assert first[0] == "twice" and first[1].endswith('shows "n + n = 2 * n"\n') and first[2].endswith("qed")
    assert second == ("", 'theorem "half 4 = 2" ', "unfolding half_def by simp")


def test_strings_and_cartouches_hide_comments() -> None:
    (first, second) = cut(
        'lemma a: "(*) x = y" and "z" by simp\ntext ‹don"t (* no›\nlemma b: ‹a (*) b› by simp\n', "isabelle"
    )
    assert first[1] == 'lemma a: "(*) x = y" and "z" ' and second[1] == "lemma b: ‹a (*) b› "
    names = [
        name
        for name, _, _ in cut('def s := "/-"\ndef c := \'"\'\ntheorem a : p := by\n  t\n\ntheorem b : q := t\n', "lean")
    ]
    assert names == ["a", "b"]


def test_rocq() -> None:
    first, second = cut(ROCQ, "coq")
    assert first == (
        "twice",
        "Lemma twice : forall n : nat, n + n = 2 * n.",
        "\nProof.\n  intros n.\n\n  lia.\nQed.",
    )
    assert second == ("four", "Example four : half 4 = 2.", " Proof. reflexivity. Defined.")


SAME = [
    (
        "lean",
        "theorem a (x y : ℤ) (h₀ : x < y) : ∃ z, z > x := by sorry",
        "lemma b (m n : ℤ)\n  (h : m < n) -- c\n: ∃ k, k > m",
    ),
    ("lean", "theorem a : ∀ n : ℕ, n ≤ n ∧ ∀ n, n = n", "example : ∀ k : ℕ, k ≤ k ∧ ∀ j, j = j := sorry"),
    ("lean", "theorem a (f : ℕ → ℕ) : (λ x, f x) = f", "theorem a (g : ℕ → ℕ) : (fun y, g y) = g := begin simp end"),
    (
        "isabelle",
        'lemma a: fixes x :: nat assumes h0: "x > 0" shows "x \\<ge> 1"',
        'theorem b:\n fixes y::nat\n assumes "y > 0" (* c *) shows "y \\<ge> 1" by simp',
    ),
    ("isabelle", 'lemma "\\<forall>n. f n = n"', 'lemma nm[simp]: "\\<forall> k. g k = k" sorry'),
    ("isabelle", 'lemma "card {n. n dvd k} = 2"', 'lemma "card {divisor. divisor dvd k} = 2"'),
    ("isabelle", 'lemma "card {n::nat. n < 2} = 2"', 'lemma "card {num :: nat. num < 2} = 2"'),
    ("isabelle", 'lemma "{x \\<in> A. x > 0} = {}"', 'lemma "{elem \\<in> A. elem > 0} = {}"'),
    ("isabelle", 'lemma "(THE x. x = 1) = (LEAST y. y > 0)"', 'lemma "(THE one. one = 1) = (LEAST low. low > 0)"'),
    ("isabelle", 'lemma "let (a, b) = p in a + b = 1"', 'lemma "let (num, den) = p in num + den = 1"'),
    ("isabelle", 'lemma "\\<exists>!x. x = 1"', 'lemma "\\<exists>! only. only = 1"'),
    ("isabelle", 'lemma "(\\<lambda>x y. x) = f"', 'lemma "(\\<lambda>one two. one) = f"'),
    ("isabelle", 'lemma "(\\<Sum>i\\<in>A. i) = 1"', 'lemma "(\\<Sum>index \\<in> A. index) = 1"'),
    ("lean", "theorem a : {x | x < 1} = ∅", "theorem a : {elem | elem < 1} = ∅"),
    ("lean", "theorem a : {x ∈ s | x < 1} = ∅", "theorem a : {elem ∈ s | elem < 1} = ∅"),
    ("lean", "theorem a : ∑ i ∈ s, i = 1 ∧ ∃! x, x = 1", "lemma a : ∑ index in s, index = 1 ∧ ∃! only, only = 1"),
    ("lean", "theorem a {A : Type} [Ring A] : A = A := by rfl", "example {Num : Type} [Ring Num] : Num = Num := rfl"),
    ("lean", "theorem a : (fun (x, y) => x) = f", "theorem a : (fun (one, two) => one) = f"),
    ("coq", "Lemma a x : x = x.", "Lemma b num : num = num."),
    ("coq", "Lemma a : let l := f 1 in l = l.", "Lemma b : let list_ := f 1 in list_ = list_."),
    ("coq", "Theorem a : forall n m : nat, n + m = m + n.", "Lemma b:forall x y:nat, x+y=y+x. Proof. lia. Qed."),
]  # fmt: skip
OTHER = [
    ("isabelle", 'lemma "card {n. n dvd k} = 2"', 'lemma "card {n. k dvd n} = 2"'),
    ("isabelle", 'lemma "{one, two} = two"', 'lemma "{one, two} = one"'),
    ("lean", "theorem a : {x | x < y} = s", "theorem a : {x | y < x} = s"),
    ("coq", "Lemma a x y : f x = y.", "Lemma a x y : f y = x."),
    ("lean", "theorem a (x y : ℤ) : x + y = y + x", "theorem a (x y : ℤ) : x + y = x + y"),
    ("lean", "theorem a (x : ℤ) : x = 1", "theorem a (x : ℕ) : x = 1"),
    ("lean", "theorem a (x : ℕ) : x = 1", "theorem a (x : ℕ) : x = 10"),
    ("isabelle", 'lemma "x + y = y"', 'lemma "x + y = x"'),
    ("coq", "Theorem a : forall n : nat, n = n.", "Theorem a : forall n : Z, n = n."),
    ("coq", "Theorem a : forall n m : nat, n <= m.", "Theorem a : forall n m : nat, m <= n."),
]


@pytest.mark.parametrize(("language", "one", "other"), SAME)
def test_the_same_is_said(language: str, one: str, other: str) -> None:
    assert said(one, language) == said(other, language)


@pytest.mark.parametrize(("language", "one", "other"), OTHER)
def test_something_else_is_said(language: str, one: str, other: str) -> None:
    assert said(one, language) != said(other, language)


def test_the_statements_of_minif2f_are_told_apart() -> None:
    folder = Path(__file__).parents[3] / ".." / "shared" / "minif2f"
    if not folder.is_dir():
        pytest.skip("no ../shared/minif2f")
    rows = [json.loads(line) for file in ("test", "valid") for line in (folder / f"{file}.jsonl").open()]
    for key, language in (("lean4", "lean"), ("isabelle", "isabelle"), ("rocq", "coq")):
        texts = [row[key] for row in rows]
        assert len({said(text, language) for text in texts}) == 488
        assert all(len(list(statements(text, language))) == 1 for text in texts)


alphabet = st.sampled_from(
    [
        "theorem a",
        "lemma",
        "begin",
        "end",
        ":=",
        "(",
        ")",
        "/-",
        "-/",
        "(*",
        "*)",
        '"',
        "\n",
        " ",
        "by",
        "Qed.",
        "Lemma b :",
        "--",
        "\\",
        "∀ x",
        ".",
    ]
)


@given(st.lists(alphabet, max_size=40).map("".join), st.sampled_from(LANGUAGES))
def test_theorems_of_any_text_lie_in_it_apart_and_in_order(text: str, language: str) -> None:
    position = 0
    for item in statements(text, language):
        assert position <= item.start <= item.said <= item.end <= len(text)
        position = item.end
    assert said(text, language)


HOSTILE = [
    "theorem a\n",
    "lemma ",
    "Local ",
    "private\n",
    "@[a]\n",
    "(* ",
    "/- ",
    '"',
    "\\\n",
    "Lemma a : b.\n",
    "begin\n",
    "end\n",
    "∀ ",
    "((",
    "#[",
    '\\"',
    "‹",
    "lemma ‹\n",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_takes_long(language: str, piece: str) -> None:
    text = "theorem a : b\nLemma a : b. " + piece * (300_000 // len(piece))
    start = time.process_time()
    for item in list(statements(text, language))[:20]:
        said(text[item.start : item.said], language)
    assert time.process_time() - start < 5


def test_names_after_and_in_fixes_are_variables() -> None:
    one = 'theorem a: fixes x :: real and f :: "real => real" assumes h: "f x = x" shows "f (f x) = x"'
    other = 'lemma b: fixes xx :: real and map2 :: "real => real" assumes k: "map2 xx = xx" shows "map2 (map2 xx) = xx"'
    assert said(one, "isabelle") == said(other, "isabelle")
    assert said(one, "isabelle") != said(one.replace("f x = x", "x = f x"), "isabelle")
