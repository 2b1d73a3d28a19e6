import gzip
import json

import pytest

from llemma.core.errors import DataError, MissingError, UsageError
from llemma.evals import grading


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def graded(tmp_path, lines, **options):
    source, out = tmp_path / "f.jsonl", tmp_path / "v.jsonl"
    source.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    summary = grading.grade(source, out, **options)
    assert summary.rows == len(lines)
    return rows(out)


def voted(tmp_path, *lines):
    source, out = tmp_path / "f.jsonl", tmp_path / "v.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    grading.vote(source, out)
    return rows(out)


def test_a_row_of_verdicts_has_the_fields_of_the_contract(tmp_path):
    row = graded(tmp_path, [{"id": "a", "pred": "The answer is 7.", "gold": "7"}])[0]
    assert list(row) == ["id", "outcome", "answer", "gold", "why", "seconds"]
    assert row["id"] == "a" and row["outcome"] == "right" and row["answer"] == "7" and row["gold"] == "7"


def test_every_row_gives_one_row_in_its_order(tmp_path):
    lines = [
        {"id": 1, "pred": "7", "gold": "7"}, {"id": 2, "pred": "8", "gold": 7}, {"id": 3, "pred": "", "gold": "7"},
        {"id": 4, "pred": None, "gold": "7"}, {"id": 5, "gold": "7"}, {"id": 6, "pred": ["7"], "gold": "7"},
        "not json", "[1]", '{"id": 9, "pred": "\\ud800 The answer is 7.", "gold": "7"}', "[" * 100_000,
        {"id": 11, "pred": 7.0, "gold": "7"},
        '{"id": 12, "gold": "7", "pred": ' + "9" * 6000 + "}",
        {"id": 13, "gold": "9" * 10**6, "pred": "9" * 10**6},
        {"id": 14, "gold": "7", "pred": "The answer is 7" + "\n" * 10**6},
    ]  # fmt: skip
    found = [(row["id"], row["outcome"]) for row in graded(tmp_path, lines)]
    assert found == [
        (1, "right"), (2, "wrong"), (3, "no_answer"), (4, "no_answer"), (5, "error"), (6, "error"),
        (None, "error"), (None, "error"), (9, "right"), (None, "error"), (11, "right"),
        (12, "no_answer"), (13, "right"), (14, "right"),
    ]  # fmt: skip


def test_why_a_row_cannot_be_read_is_said(tmp_path):
    lines = ["{", "[1]", {"id": 1}, {"id": 1, "gold": "7"}, {"id": 1, "gold": "7", "pred": True}]
    assert [row["why"].partition(":")[0] for row in graded(tmp_path, lines)] == [
        "the row is no JSON",
        "the row is a list, not an object",
        "the row has no 'gold'",
        "the row has no 'pred'",
        "'pred' is a truth value, not a text or a number",
    ]


def test_a_gold_answer_may_be_a_whole_solution(tmp_path):
    assert (
        graded(tmp_path, [{"id": 1, "pred": "#### 7", "gold": "3 + 4 = 7\n#### 7"}], task="gsm8k")[0]["outcome"]
        == "right"
    )
    solution = "We get $\\boxed{\\frac{1}{2}}$, as asked for."
    assert graded(tmp_path, [{"id": 1, "pred": "0.5", "gold": solution}], task="math")[0]["outcome"] == "right"


def test_an_answer_that_is_a_sentence_equals_itself(tmp_path):
    sentence = "The rocket reaches its maximum height of 500 feet 10 seconds after lift-off"
    assert graded(tmp_path, [{"id": 1, "pred": sentence, "gold": sentence}])[0]["outcome"] == "right"


@pytest.mark.parametrize("task", [None, "gsm8k", "math", "mmlu_stem"])
def test_ten_megabytes_take_less_than_five_seconds(tmp_path, task):
    texts = [
        "a b\n" * 2_500_000 + "The answer is (7).",
        "9" * 10_000_000,
        "\\boxed{" * 1_400_000,
        "(A) A: " * 1_400_000,
    ]
    for row in graded(tmp_path, [{"id": 1, "pred": text, "gold": "7"} for text in texts], task=task):
        assert row["seconds"] < 5
        assert row["outcome"] != "error"
        assert len(row["answer"] or "") <= 2_000


def test_a_wrong_name_is_told(tmp_path):
    with pytest.raises(UsageError, match="unknown task"):
        graded(tmp_path, [], task="gsm9k")
    with pytest.raises(MissingError, match="has no task 'svamp'"):
        graded(tmp_path, [], task="svamp", protocol="llemma")
    with pytest.raises(UsageError, match="needs a task"):
        graded(tmp_path, [], protocol="llemma")


def test_a_cut_archive_is_an_error_and_leaves_nothing(tmp_path):
    source, out = tmp_path / "f.jsonl.gz", tmp_path / "v.jsonl"
    source.write_bytes(gzip.compress(b'{"id": 1, "pred": "7", "gold": "7"}\n' * 5000)[:-20])
    with pytest.raises(DataError):
        grading.grade(source, out)
    assert [path.name for path in tmp_path.iterdir()] == ["f.jsonl.gz"]


def test_votes(tmp_path):
    found = voted(
        tmp_path,
        {"id": 1, "preds": ["7", "8", "The answer is 8.", "7.0", " ", None], "gold": "7"},
        {"id": 2, "preds": ["8", "7", "7", "8"], "gold": "7"},
        {"id": 3, "preds": ["", "  "], "gold": "7"},
        {"id": 4, "preds": [], "gold": "7"},
        {"id": 5, "preds": [7, "7.0", "8"], "gold": 7},
    )
    assert found == [
        {"id": 1, "answer": "7", "outcome": "right", "votes": 2, "clusters": 2},
        {"id": 2, "answer": "8", "outcome": "wrong", "votes": 2, "clusters": 2},
        {"id": 3, "answer": None, "outcome": "no_answer", "votes": 0, "clusters": 0},
        {"id": 4, "answer": None, "outcome": "no_answer", "votes": 0, "clusters": 0},
        {"id": 5, "answer": "7", "outcome": "right", "votes": 2, "clusters": 2},
    ]


@pytest.mark.parametrize(
    "row", [{"preds": "7", "gold": "7"}, {"gold": "7"}, {"preds": ["7"]}, {"preds": [{}], "gold": "7"}]
)
def test_a_vote_that_cannot_be_read_is_an_error_row(tmp_path, row):
    (found,) = voted(tmp_path, {"id": "x", **row})
    assert (found["id"], found["outcome"], found["votes"]) == ("x", "error", 0)
    assert "'" in found["why"]


def test_a_vote_may_be_weighted(tmp_path):
    rows = [
        {"id": 1, "preds": ["1", "1", "2"], "gold": "2", "weights": [0.1, 0.1, 0.5]},
        {"id": 2, "preds": ["1", "2"], "gold": "2", "weights": [1]},
        {"id": 3, "preds": ["1", "2"], "gold": "2", "weights": [1, -1]},
        {"id": 4, "preds": ["1", "2"], "gold": "2", "weights": "much"},
    ]
    source, out = tmp_path / "f.jsonl", tmp_path / "v.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    grading.vote(source, out)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert (found[0]["answer"], found[0]["outcome"], found[0]["weight"]) == ("2", "right", 0.5)
    assert [row["outcome"] for row in found[1:]] == ["error", "error", "error"]
    assert "weights for 2 answers" in found[1]["why"]
