from __future__ import annotations

import shutil
from pathlib import Path

from llemma.report import overlaps


def test_hits_are_gathered_by_problem(run_folder: Path) -> None:
    (study,) = overlaps.studies(run_folder)
    found = overlaps.by_problem([study])
    assert study.name == "math" and len(found) == 6
    one = found["generated/0003#1"]
    assert one.longest == {"problem": "30 words", "solution": "20 words"}
    assert one.pairs == {"problem": {"30 words": 1, "20 words": 1}, "solution": {"20 words": 1}}
    assert [hit.kind for hit in one.hits] == ["problem", "solution"]  # the same pair for two n is shown once


def test_a_damaged_study_is_left_out(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder / "overlap", tmp_path / "overlap")
    (tmp_path / "overlap" / "other.summary.json").write_text("{")
    (tmp_path / "overlap" / "math.contexts.jsonl").write_text('{"document": "d"')
    assert [study.name for study in overlaps.studies(tmp_path)] == ["math"]
    assert overlaps.by_problem(overlaps.studies(tmp_path)) == {}


def test_what_the_search_writes_is_read(tmp_path: Path) -> None:
    """The two rooms share a file format and no code."""
    from llemma.core import jsonl
    from llemma.core.console import Console
    from llemma.overlap.items import Item
    from llemma.overlap.shards import discover
    from llemma.overlap.study import study
    from llemma.overlap.work import Search

    words = " ".join(f"word{number}" for number in range(40))
    jsonl.write(tmp_path / "corpus.jsonl", [{"id": "d", "text": f"before {words} after"}])
    items = [Item("p", f"start {words}", "problem", "p", "task")]
    out = tmp_path / "overlap" / "h.jsonl"
    out.parent.mkdir()
    study(
        discover([tmp_path / "corpus.jsonl"], None, []),
        items,
        Search((30, 20), "whitespace", 5, 0.0),
        out,
        console=Console(),
    )
    (found,) = overlaps.studies(tmp_path)
    assert found.summary.documents == 1 and [row.items for row in found.summary.unique] == [1, 1]
    one = overlaps.by_problem([found])["p"]
    assert one.longest == {"problem": "30 words"} and one.hits[0].run == words and one.hits[0].item_before == "start"
