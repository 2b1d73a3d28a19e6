"""Files that share an ending are told apart by what is in them. All samples are our own."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.corpus.languages.told import BY_CONTENT, OTHER, lean_version, told
from llemma.corpus.sources.files import language

SAMPLES = {
    "proof.v coq": """(* The wire of the circuit is not driven: see the module below. *)
Require Import Arith Lia.
Lemma double_even : forall n, exists k, n + n = 2 * k.
Proof. intros n. exists n. lia. Qed.
""",
    "defs.v coq": "Definition twice (f : nat -> nat) x := f (f x).\n",
    "adder.v verilog": """// Theorem: this adder is correct. Proof left to the reader.
`timescale 1ns/1ps
module adder(input clk, input [3:0] a, output reg [4:0] s);
  always @(posedge clk) s <= a + 1;
endmodule
""",
    "main.v v": 'module main\nimport os\nfn main() {\n\tmut total := 0\n\tprintln("$total")\n}\n',
    "solve.m matlab": """% Newton's method for a root of f
function x = solve_root(f, df, x)
  for k = 1:20
    x = x - f(x) ./ df(x);
  end
end
""",
    "script.m matlab": "clear all; clc\nA = [1 2; 3 4];\nb = A' * ones(2, 1);\ndisp(b)\n",
    "octave.m matlab": "## a comment of Octave\nfunction y = half(x)\n  y = x / 2;\nendfunction\n",
    "View.m objective-c": """#import "View.h"
@implementation View
- (void)draw:(NSRect)frame { [self setNeedsDisplay:YES]; }
@end
""",
    "plain.m objective-c": "#include <stdio.h>\n// a program\nint main(void) {\n  NSString *s;\n}\n",
    "Pack.m mathematica": """(* ::Package:: *)
BeginPackage["Orbit`"]
orbit[x_, n_] := Module[{y = x}, Table[y = f[y], {k, 1, n}]]
EndPackage[]
""",
    "list.m mercury": ":- module list.\n:- interface.\n:- pred empty(list(T)::in) is semidet.\n",
    "room.m muf": "@program cmd-look\n1 99999 del\n: main ( s -- )\n  me @ swap notify\n;\n",
    "driver.m m": "DRIVER ;test routine\n\tN X,Y\n\tS X=$O(^DPT(0))\n\tQ\n",
    "Basic.thy isabelle": """theory Basic
  imports Main
begin
lemma add_twice: "n + n = (2::nat) * n"
  by simp
end
""",
    "old.thy isabelle": 'Old = Main +\nconsts f :: nat\naxioms a: "f = 0"\nend\n',
    "essay.thy other": "The theory of colour, as taught in school.\nIt has three parts.\n",
    "graph.gp gnuplot": "set terminal png\nset xlabel 'n'\nplot 'data.txt' using 1:2 with lines\n",
    "primes.gp pari": "\\\\ counts primes\ncnt(n) = { my(k = 0); forprime(p = 2, n, k++); k }\nprint(cnt(100))\n",
    "orbits.gp gap": "G := SymmetricGroup(4);\nf := function(x)\n  local y;\n  if x > 1 then y := x; fi;\nend;\n",
    "lib.g gap": "#F Orders( <G> )\nInstallMethod(Orders, [IsGroup], G -> List(G, Order));\n",
    "Expr.g antlr": "grammar Expr;\n@header { package p; }\nexpr\n    : term ('+' term)*\n    ;\n",
    "note.tex tex": "\\section{One}\nLet $x$ be real.\n",
    "list.tex other": "a plain list of words\nwith no command at all\n",
    "model.r r": "library(MASS)\nfit <- lm(y ~ x, data = d)\nprint(summary(fit))\n",
    "script.r rebol": 'REBOL [\n    Title: "Hello"\n]\nhello: func [x] [print x]\n',
    "icons.r rez": "/* Resource fork */\nresource 'STR ' (128) {\n\t\"hello\"\n};\n",
    "data.r xml": '<?xml version="1.0"?>\n<plist></plist>\n',
    "book.r json": '{"cells": [], "metadata": {}}',
    "solve.f fortran": "C     A LOOP\n      SUBROUTINE S(N)\n      INTEGER N\n      CALL T(N)\n      END\n",
    "words.f forth": ": square ( n -- n^2 ) dup * ;\n\\ a comment\n: cube ( n -- n^3 ) dup square * ;\n",
    "heat.jl julia": "using LinearAlgebra\nfunction step(u::Vector, dt)\n  return u .+ dt\nend\n",
    "matrix.jl julia": "[1, 2] |> println\nfunction f(x)\n  x\nend\n",
    "rows.jl json": '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n',
    "vector.h cpp": "#include <vector>\ntemplate <class T>\nclass V {\npublic:\n  std::vector<T> v;\n};\n",
    "vector.h c": "#include <stddef.h>\ntypedef struct { double *v; size_t n; } vec;\nvoid vec_free(vec *v);\n",
    "View.h objective-c": "#import <Foundation/Foundation.h>\n@interface View : NSObject\n@end\n",
    "Gcd.mpl maple": "# Euclid\ng := proc(a, b)\n  if b = 0 then a else g(b, a mod b) fi;\nend proc:\n",
    "solution.mpl xml": '<?xml version="1.0" encoding="UTF-8"?>\n<solution name="x"/>\n',
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_told(sample: str) -> None:
    name, language = sample.split()
    assert told(name, SAMPLES[sample], "by name") == language


def test_other_endings_and_blank_files_go_by_name() -> None:
    assert told("a.py", "module m; endmodule", "python") == "python"
    assert told("a.v", " \n", "coq") == "coq"


LEAN3 = """import data.nat.basic tactic

open nat
variables {α : Type*}

lemma twice (n : ℕ) : n + n = 2 * n :=
begin
  rw two_mul,
  exact rfl,
end

example : (λ x : ℕ, x + 0) = id := funext (λ x, nat.add_zero x)
"""
LEAN4 = """import Mathlib.Data.Nat.Basic

open Nat

theorem twice (n : ℕ) : n + n = 2 * n := by
  rw [Nat.two_mul]

example : (fun x : ℕ => x + 0) = id := by
  funext x
  simp
"""


def test_the_versions_of_lean() -> None:
    assert lean_version(LEAN3) == "lean3"
    assert lean_version(LEAN4) == "lean4"
    assert lean_version("theorem t (p : Prop) (h : p) : p :=\nbegin\n  exact h,\nend\n") == "lean3"
    assert lean_version("theorem t (p : Prop) (h : p) : p := by\n  exact h\n") == "lean4"
    assert told("a.lean", LEAN3, "lean") == "lean"


@given(st.sampled_from(sorted(BY_CONTENT)), st.text(max_size=200))
def test_every_text_has_a_language(ending: str, text: str) -> None:
    assert told(f"a{ending}", text, OTHER)


HOSTILE = [
    "a",
    " ",
    "\n",
    "\t ",
    "(* ",
    "{",
    "[",
    "fun ",
    "λ",
    ":=",
    "a+ ",
    "a = a +",
    "import a.",
    "<a ",
    "\\",
    "%",
    "@[",
    "s ",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("ending", sorted(BY_CONTENT))
def test_no_text_takes_long(ending: str, piece: str) -> None:
    text = piece * (400_000 // len(piece))
    start = time.process_time()
    told(f"a{ending}", text, OTHER)
    lean_version(text) if ending == ".lean" else None
    assert time.process_time() - start < 1.0


def test_literate_files_in_markdown_have_the_language_of_their_code() -> None:
    assert language("a/Prose.lagda.md", "# Words\n") == language("b.LAGDA.tex", "\\section{a}\n") == "agda"
    assert language("Notes.md", "# Words\n") == "markdown"
