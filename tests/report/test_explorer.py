from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.report import explorer, facets, read, samples
from llemma.report.samples import Sample
from llemma.report.text import visible


def sample(outcome: str, answer: str | None) -> Sample:
    return Sample(["text"], outcome, answer, "", "stop", 1)


def load(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split(",", 2)[2].removesuffix(");\n"))


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_script_json_is_json_without_anything_a_page_could_read(value: object) -> None:
    encoded = explorer.script_json(value).decode("utf-8")
    assert not set(encoded) & set("<>&\u2028\u2029")
    assert json.loads(encoded) == value


def test_votes_group_right_answers_and_put_no_answer_last() -> None:
    given = [
        sample("wrong", "7"),
        sample("right", "1/2"),
        sample("no_answer", None),
        sample("cut_off", None),
        sample("no_answer", " "),
        sample("right", "0.5"),
        sample("wrong", "9"),
    ]
    votes = samples.count_votes(given)
    assert [(v.answer, v.right, len(v.samples)) for v in votes] == [
        ("1/2", True, 2),
        ("7", False, 1),
        ("9", False, 1),
        (None, False, 3),
    ]


def test_the_index_and_the_chunks_hold_every_problem(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "CHUNK", 8)
    assert explorer.write(read.run(run_folder).evaluations, tmp_path) == 24
    index = load(tmp_path / "samples-index.js")
    chunks = [load(tmp_path / f"samples-{number:03d}.js") for number in range(3)]
    ids = [item["id"] for chunk in chunks for item in chunk["items"]]  # type: ignore[index]
    assert ids == index["ids"] and len(ids) == 24  # type: ignore[index]
    facets = {facet["key"]: facet for facet in index["facets"]}  # type: ignore[index]
    assert {"outcome0", "outcome1", "flip", "vote0", "vote1", "share0", "share1", "level"} <= set(
        facets
    ) and "task" not in facets
    assert all(len(facet["codes"]) == 24 for facet in facets.values())


def test_prompts_come_back_whole(run_folder: Path, tmp_path: Path) -> None:
    evaluations = read.run(run_folder).evaluations
    explorer.write(evaluations, tmp_path)
    chunk = load(tmp_path / "samples-000.js")
    for problem, item in zip(read.problems(evaluations[0]), chunk["items"], strict=True):  # type: ignore[index]
        number, rest = item["prompt"]
        assert chunk["beginnings"][number] + rest == visible(problem.meta["prompt"])  # type: ignore[index]
        assert len(rest) < len(problem.meta["prompt"])


@given(st.lists(st.text(st.sampled_from("ab")), min_size=1, max_size=5))
def test_shared_beginning_is_the_longest(texts: list[str]) -> None:
    start = samples.shared_beginning(texts)
    assert all(text.startswith(start) for text in texts)
    assert len({text[: len(start) + 1] for text in texts}) > 1 or start in texts


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("wrong", "right", "gained"),
        ("right", "cut_off", "lost"),
        ("right", "right", "both right"),
        ("error", "wrong", "both not"),
    ],
)
def test_flip(before: str, after: str, word: str) -> None:
    assert facets.flip(before, after) == word


def test_samples_without_problems_or_verdicts_are_still_shown(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "completions.jsonl.zst").write_bytes((run_folder / "eval/base/completions.jsonl.zst").read_bytes())
    explorer.write([read.Evaluation("base", tmp_path)], tmp_path)
    chunk = load(tmp_path / "samples-000.js")
    assert {item["sides"][0]["greedy"]["outcome"] for item in chunk["items"]} == {samples.MISSING}  # type: ignore[index]


def test_many_samples_make_small_files_and_few_formulas(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "CHUNK_SAMPLES", 5 * 2 * 9)  # five problems of two models
    monkeypatch.setattr(samples, "FORMULAS", 2)
    explorer.write(read.run(run_folder).evaluations, tmp_path)
    assert len(list(tmp_path.glob("samples-[0-9]*.js"))) == 6 and load(tmp_path / "samples-index.js")["chunk"] == 4
    (item, *_) = load(tmp_path / "samples-000.js")["items"]  # type: ignore[misc]
    shown = [sample for side in item["sides"] for vote in side["votes"] for sample in vote["samples"]]
    assert len(shown) == 16
    plain = [all(isinstance(piece, str) for piece in sample["text"]) for sample in shown]
    assert sum(plain) >= 2 * 6
