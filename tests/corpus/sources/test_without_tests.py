"""Test theorems are cut out of files and test problems keep texts out, whatever the form they come in; all is told."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.core.types import Document, Dropped
from llemma.corpus import layout
from llemma.corpus.config import SourceConfig
from llemma.corpus.decontaminate import Theorems, published_cut, without_tests
from llemma.corpus.languages import held_out
from llemma.corpus.languages.held_out import HeldOut, Placed, distinctive
from llemma.corpus.source import Context
from llemma.corpus.sources.without_tests import WithoutTests

ROW = {
    "name": "orbits_2031_p7",
    "informal": "Let $n$ be a whole number above nought; show that it is less than its double.",
    "lean4": "theorem orbits_2031_p7 (n : ℕ) (h₀ : 0 < n) : n < n + n := by sorry",
    "lean4_header": "import Mathlib",
    "isabelle": 'theorem orbits_2031_p7:\n  fixes n :: nat\n  assumes "0 < n"\n  shows "n < n + n"',
    "rocq": "Theorem orbits_2031_p7 : forall n : nat, 0 < n -> n < n + n.",
}
WORD_PROBLEM = {
    "question": "Ada plants nine rows of four trees and gives six trees to Bea, so how many has she?",
    "answer": "Ada has 9*4=<<9*4=36>>36 trees at first and 36-6=<<36-6=30>>30 trees after the gift.\n#### 30",
}


def held(tmp_path: Path, *rows: Any, name: str = "tests.jsonl") -> HeldOut:
    path = tmp_path / "set" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return held_out.read([path])


def document(text: str, language: str, path: str = "a/b") -> Document:
    return Document("d", text, "s", {"language": language, "path": path})


LEAN = """import Mathlib

/-- Twice a number. -/
lemma grows (k : ℕ) (pos : 0 < k)
    : k < k + k := by  -- the double is more
  have := pos

  omega

lemma stays (k : ℕ) : k = k := rfl
"""


def test_a_statement_is_cut_with_its_whole_proof_and_its_words(tmp_path: Path) -> None:
    left, (line,) = Theorems(held(tmp_path, ROW)).cut(document(LEAN, "lean"))
    assert isinstance(left, Document) and left.text == "import Mathlib\n\n\n\nlemma stays (k : ℕ) : k = k := rfl\n"
    assert line == Dropped("d#grows", "s", "decontaminate", "states a test theorem: set/tests/orbits_2031_p7")


@pytest.mark.parametrize(
    ("language", "text", "rest"),
    [
        (
            "isabelle",
            'lemma w:\n  fixes m :: nat assumes a: "0 < m" shows "m < m + m"\n  using a by simp\nend\n',
            "\nend\n",
        ),
        ("coq", "Lemma w: forall m:nat, 0<m -> (* so *) m<m+m.\nProof. lia. Qed.\nCheck 1.\n", "\nCheck 1.\n"),
        ("lean", "theorem orbits_2031_p7 : 1 = 1 := rfl\n\ndef x := 1\n", "\n\ndef x := 1\n"),
    ],
)
def test_in_every_prover(language: str, text: str, rest: str, tmp_path: Path) -> None:
    left, lines = Theorems(held(tmp_path, ROW)).cut(document(text, language))
    assert isinstance(left, Document) and left.text == rest and len(lines) == 1


def test_a_text_in_another_language_that_states_it_is_dropped(tmp_path: Path) -> None:
    theorems = Theorems(held(tmp_path, ROW))
    for text in (f"# Proofs\n\n```lean\n{LEAN}```\n", f'CODE = """\n{ROW["rocq"]}\n"""\n'):
        left, lines = theorems.cut(document(text, "markdown"))
        assert isinstance(left, Dropped) and left.reason.startswith("states a test theorem") and not lines
    assert theorems.cut(document("The theorem says that n < n + n.", "tex"))[1] == []
    gone, (line,) = theorems.cut(document(LEAN.partition("lemma stays")[0].removeprefix("import Mathlib"), "lean"))
    assert isinstance(gone, Dropped) and gone.reason == "nothing is left without its test theorems"
    assert line.id == "d#grows"


def test_problems_in_words_and_their_solutions_keep_texts_out(tmp_path: Path) -> None:
    tests = held(tmp_path, ROW, WORD_PROBLEM, {"problem": "Short one?", "solution": "It is 2."})
    texts = {
        "statement": f"We ask: {ROW['informal']}",
        "question": f"Q:  {WORD_PROBLEM['question']}\n",
        "solution": "So Ada has 9*4=36 trees at first and 36-6=30 trees after the gift. #### 30",
        "innocent": "Short one? It is 2. Ada plants trees.",
    }
    found = list(without_tests([Document(id, text, "s", {"language": "tex"}) for id, text in texts.items()], tests))
    assert [(item.id, type(item)) for item in found] == [
        ("statement", Dropped), ("question", Dropped), ("solution", Dropped), ("innocent", Document)
    ]  # fmt: skip
    assert isinstance(found[0], Dropped) and found[0].reason == "contains a problem: set/tests/orbits_2031_p7"


DOJO = [
    {"full_name": "Orbit.size.pos", "file_path": "Mathlib/Orbit.lean"},
    {"full_name": "Orbit.size.one", "file_path": "Mathlib/Orbit.lean"},
    {"full_name": "nodot", "file_path": "Mathlib/Orbit.lean"},
]
FILE = """namespace Orbit

theorem size.pos : a := by
  simp

  done

lemma Orbit.size.one : b := rfl

theorem nodot : c := rfl

theorem size.pos : again := rfl
end Orbit
"""


@pytest.mark.parametrize("mark", ["# ", "    // ", " * ", "% ", "-- ", "> ", "\t;; "])
def test_a_problem_quoted_line_by_line_is_that_problem(mark: str, tmp_path: Path) -> None:
    words = WORD_PROBLEM["question"].split()
    text = "x = 1\n" + "\n".join(mark + " ".join(words[start : start + 4]) for start in range(0, len(words), 4)) + "\n"
    (found,) = without_tests([document(text, "python")], held(tmp_path, WORD_PROBLEM))
    assert isinstance(found, Dropped) and "contains a problem" in found.reason


def test_leandojo_names_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text(json.dumps(DOJO))
    tests = held_out.read([tmp_path / "test.json"])
    left, lines = Theorems(tests).cut(document(FILE, "lean", "mathlib-1.0/Mathlib/Orbit.lean"))
    assert isinstance(left, Document) and left.text.split() == ["namespace", "Orbit", "end", "Orbit"]
    assert len(lines) == 4
    assert Theorems(tests).cut(document(FILE, "lean", "Mathlib/Other/Orbit.lean"))[1] == []


def test_the_published_cuts_keep_their_faults() -> None:
    placed = [Placed(row["file_path"], row["full_name"]) for row in DOJO]
    path = "mathlib/Mathlib/Orbit.lean"
    # only the last theorem of the file is looked for, and that has no dot
    assert published_cut(document(FILE, "lean", path), placed).text == FILE
    left = published_cut(document(FILE, "lean", path), placed[:1]).text
    # cut at the blank line inside of the proof, and only once
    assert left.startswith("namespace Orbit\n\n\n\n  done\n") and "theorem size.pos : again" in left
    isabelle = 'lemma twice: "a"\n  by simp\n\nlemma b: "b" by simp\n'
    cut = published_cut(document(isabelle, "isabelle"), [Placed("T.thy", "twice", 'lemma twice: "other"')])
    assert cut.text == '\n\nlemma b: "b" by simp\n'


def test_pisa_pairs_by_statement_and_by_name_and_theory(tmp_path: Path) -> None:
    pair = ["/home/x/afp/thys/Orbits/Size.thy", 'lemma size_pos: assumes "finite A" shows "card A > f"']
    with tarfile.open(tmp_path / "pisa.tar.gz", "w:gz") as tar:
        info, data = tarfile.TarInfo("d/quick_test_name_1.json"), json.dumps([pair]).encode()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    theorems = Theorems(held_out.read([tmp_path / "pisa.tar.gz"]))
    renamed = 'lemma other:\n assumes x: "finite B"\n shows "card B > g"\n by simp\n'
    assert theorems.cut(document(renamed.replace("B", "A").replace("g", "f"), "isabelle"))[1]
    named = 'lemma size_pos: "True" by simp\n'
    assert theorems.cut(document(named, "isabelle", "afp-2023/thys/Orbits/Size.thy"))[1]
    assert not theorems.cut(document(named, "isabelle", "thys/Groups/Size.thy"))[1]


def test_files_of_statements_and_damaged_ones(tmp_path: Path) -> None:
    (tmp_path / "proofnet").mkdir()
    (tmp_path / "proofnet/Algebra.lean").write_text("theorem exercise_1_2 (G : Group) : G = G := sorry\n")
    tests = held_out.read([tmp_path / "proofnet"])
    assert len(tests.said) == 1 and not tests.names
    assert Theorems(tests).cut(document("example (H : Group) : H = H := rfl\n", "lean"))[1]
    with pytest.raises(MissingError, match="no such file"):
        held_out.read([tmp_path / "none.jsonl"])
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="damaged test problems"):
        held_out.read([tmp_path / "bad.json"])


@pytest.mark.parametrize(
    ("name", "alone"), [("amc12a_2019_p21", True), ("exercise_13_1_16", False), ("add_comm", False), ("mul2", False)]
)
def test_names_that_only_a_test_has(name: str, alone: bool) -> None:
    assert distinctive(name) is alone


def test_as_a_source_of_a_corpus(small: Any, tmp_path: Path, context: Context) -> None:
    held(tmp_path, ROW)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.lean").write_text(LEAN)
    (tmp_path / "code/b.md").write_text(LEAN)
    options = {
        "kind": "folder",
        "options": {"inputs": [str(tmp_path / "code")]},
        "tests": [str(tmp_path / "set/tests.jsonl")],
    }
    config = small.config(sources={"lean": SourceConfig("without-tests", "code", ["algebraic-stack"], options)})
    stats, _ = small.run(config, tmp_path / "out", protected=[])
    assert stats.sources["lean"].dropped == {"decontaminate": {"states a test theorem": 2}}
    assert [line.id for line in layout.read_ledger(tmp_path / "out", "lean")] == ["code/a.lean#grows", "code/b.md"]
    source = WithoutTests(**options)
    (before,) = source.units(context)
    held(tmp_path, {**ROW, "name": "other"})
    assert source.units(context)[0].digest != before.digest
    with pytest.raises(RecipeError, match="did you mean 'inputs'"):
        WithoutTests("folder", [], {"input": []}).units(context)


def test_minif2f_does_not_survive_in_any_dress(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / ".." / "shared" / "minif2f"
    if not folder.is_dir():
        pytest.skip("no ../shared/minif2f")
    tests = held_out.read([folder / "test.jsonl"])
    theorems = Theorems(tests)
    for line in (folder / "test.jsonl").open():
        row = json.loads(line)
        for key, language in (("lean4", "lean"), ("isabelle", "isabelle"), ("rocq", "coq")):
            text = row[key].replace(row["name"], "renamed").replace(":\n", " :\n\n") + "\n"
            left, _ = theorems.cut(document(text, language))
            assert isinstance(left, Dropped), (row["name"], key)


def test_a_folder_of_tests_may_hold_notes_and_archives(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "README.md").write_text("What these are.")
    with tarfile.open(tests / "statements.tar.gz", "w:gz") as archive:
        data = b"Theorem held_out_number_7 : forall n : nat, n + 0 = 0 + n + 0.\nProof. Admitted.\n"
        info = tarfile.TarInfo("a.v")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.v").write_text(data.decode() + "\nLemma kept : 1 = 1.\nProof. reflexivity. Qed.\n")
    source = WithoutTests("folder", [str(tests)], {"inputs": [str(tmp_path / "in")]})
    (unit,) = source.units(Context(tmp_path, Console(quiet=True)))
    items = list(source.read(unit, "s"))
    assert any(isinstance(item, Dropped) for item in items)
    (document,) = [item for item in items if isinstance(item, Document)]
    assert "held_out" not in document.text and "Lemma kept" in document.text
