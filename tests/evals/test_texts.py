import json

import pytest

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.evals.texts import is_folder, read_texts


@pytest.fixture
def corpus(tmp_path):
    """Two subsets in the corpus layout, one of them with two splits, and what lies beside them."""
    folder = tmp_path / "corpus"
    jsonl.write(folder / "arxiv/train/00000.jsonl.zst", [{"text": "never", "meta": {}}])
    jsonl.write(folder / "arxiv/validation/00000.jsonl.zst", [{"text": "a", "meta": {"id": "p1"}}, {"text": "b"}])
    jsonl.write(folder / "code/test/00000.jsonl.gz", [{"text": "c", "id": "own", "meta": json.dumps({"id": "x"})}])
    jsonl.write(folder / "dropped/arxiv.jsonl.zst", [{"id": "d"}])
    return folder


def ids(found):
    return {group: [document.id for document in documents] for group, documents in found.items()}


def test_a_corpus_gives_the_held_out_split_of_each_subset(corpus):
    assert ids(read_texts(corpus)) == {"arxiv": ["p1", "00000.jsonl.zst:2"], "code": ["own"]}


def test_a_subset_and_a_split_can_be_named(corpus):
    assert ids(read_texts(corpus / "arxiv")) == {"arxiv": ["p1", "00000.jsonl.zst:2"]}
    assert [document.text for document in read_texts(corpus / "arxiv" / "train")["arxiv"]] == ["never"]


def test_folders_without_texts_are_refused(corpus, tmp_path):
    with pytest.raises(MissingError, match="no texts in"):
        read_texts(tmp_path)
    jsonl.write(corpus / "empty/validation/00000.jsonl", [])
    with pytest.raises(DataError, match="texts of 'empty' are empty"):
        read_texts(corpus)
    jsonl.write(corpus / "empty/validation/00000.jsonl", [{"body": "no text"}])
    with pytest.raises(DataError, match="line 1") as error:
        read_texts(corpus)
    assert "00000.jsonl" in error.value.where or "line 1" in str(error.value)


def test_a_task_goes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("math", "mmlu-stem", "mine"):
        (tmp_path / name).mkdir()
    assert [is_folder(name) for name in ("math", "mmlu-stem", "./math", "mine", "none")] == [
        False,
        False,
        True,
        True,
        False,
    ]
