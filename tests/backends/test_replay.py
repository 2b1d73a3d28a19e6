import json

import pytest

from llemma.backends.base import open_backend
from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.types import Completion, Request


def recording(tmp_path, *rows):
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"replay:{path}"


def texts(backend, **request):
    [completions] = backend.complete([Request(**{"id": "x", "prompt": "", **request})])
    return [completion.text if completion.finish != "error" else completion.error for completion in completions]


def test_rows_answer_by_prompt_and_several_rows_are_several_samples(tmp_path):
    backend = open_backend(recording(tmp_path, {"prompt": "p", "text": "a"}, {"prompt": "p", "text": "b"}))
    assert texts(backend, prompt="p", n=2) == ["a", "b"]


def test_an_id_answers_its_request_and_those_about_its_problem(tmp_path):
    rows = [{"id": "1", "texts": ["a", "b"], "other": 1}, {"id": "1#maj", "text": "c"}, {"id": 7, "text": "d"}]
    backend = open_backend(recording(tmp_path, *rows))
    assert texts(backend, id="1#greedy") == ["a"]
    assert texts(backend, id="1#maj") == ["c"]
    assert texts(backend, id="7#greedy") == ["d"]


def test_what_is_not_recorded_is_an_error_and_not_an_empty_answer(tmp_path):
    backend = open_backend(recording(tmp_path, {"id": "1", "texts": ["a"]}))
    assert texts(backend, id="2") == ["not recorded"]
    assert texts(backend, id="1", n=3) == ["a", "1 of 3 samples are recorded", "1 of 3 samples are recorded"]


def test_a_recording_is_cut_at_the_stop_strings_as_a_model_would_be(tmp_path):
    backend = open_backend(recording(tmp_path, {"id": "1", "text": "four.\n\nProblem: x", "finish": "length"}))
    [[completion]] = backend.complete([Request(id="1", prompt="", stop=["\n\nProblem:"])])
    assert (completion.text, completion.finish) == ("four.", "stop")


def test_the_completions_an_evaluation_wrote_can_be_replayed(tmp_path):
    path = tmp_path / "completions.jsonl.zst"
    stored = [Completion("p#maj", i, f"text {i}", tokens=4, seconds=0.5) for i in range(3)]
    jsonl.write(path, stored)
    [again] = open_backend(f"replay:{path}").complete([Request(id="p#maj", prompt="", n=3)])
    assert again == stored


def test_another_recording_has_another_identity(tmp_path):
    one = open_backend(recording(tmp_path, {"id": "1", "text": "a"})).identity
    other = open_backend(recording(tmp_path, {"id": "1", "text": "b"})).identity
    assert one != other


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(MissingError, match="no recording"):
        open_backend(f"replay:{tmp_path / 'none.jsonl'}")


@pytest.mark.parametrize(("row", "lacking"), [({"text": "a"}, "'id' or 'prompt'"), ({"id": "1"}, "'text' or 'texts'")])
def test_an_incomplete_row_is_named(tmp_path, row, lacking):
    with pytest.raises(DataError, match=lacking) as error:
        open_backend(recording(tmp_path, {"id": "0", "text": ""}, row))
    assert "row 2" in error.value.where
