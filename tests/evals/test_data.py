import gzip
import hashlib
import importlib.util
import io
import json
from pathlib import Path

import pytest
import zstandard

from llemma.core.errors import DataError, MissingError
from llemma.evals.data import Hub, locate, rows
from llemma.evals.task import open_task

_spec = importlib.util.spec_from_file_location("loopback_hub", Path(__file__).parent / "hub.py")
hub = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub)

ROW = {"question": "How many are 2 and 3?", "answer": "2 + 3 = <<2+3=5>>5\n#### 5"}
LINES = (json.dumps(ROW) + "\n").encode()
GSM8K = Hub("openai/gsm8k", ("main",))


def parquet(*found):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(found)), out)
    return out.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of its own, no data folder, and a hub that is there only when a test serves one."""
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    monkeypatch.setenv("LLEMMA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LLEMMA_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".zst", zstandard.ZstdCompressor().compress), (".gz", gzip.compress)]
)
def test_a_folder_holds_rows_plain_or_compressed_with_one_checksum(tmp_path, ending, pack):
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / f"test.jsonl{ending}").write_bytes(pack(LINES))
    task = open_task("gsm8k", data=tmp_path)
    assert [problem.answer for problem in task.load()] == ["5"]
    assert task.source().origin == f"gsm8k/test.jsonl{ending}"
    assert task.source().sha256 == hashlib.sha256(LINES).hexdigest()


def test_the_variable_names_the_folder_and_the_option_goes_before_it(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name / "gsm8k").mkdir(parents=True)
        (tmp_path / name / "gsm8k" / "test.jsonl").write_bytes(LINES + b"\n" * (name == "b"))
    monkeypatch.setenv("LLEMMA_DATA", str(tmp_path / "a"))
    assert locate("gsm8k", GSM8K).files == (tmp_path / "a/gsm8k/test.jsonl",)
    assert locate("gsm8k", GSM8K, tmp_path / "b").files == (tmp_path / "b/gsm8k/test.jsonl",)


def test_a_folder_without_the_benchmark_is_refused_with_both_ways_to_give_it(tmp_path, home):
    with pytest.raises(MissingError) as error:
        open_task("math", data=tmp_path).source()
    assert str(tmp_path) in error.value.what
    for hint in ("EleutherAI/hendrycks_math", "--data DIR", "LLEMMA_DATA", "math/test.jsonl"):
        assert hint in error.value.mend


def test_without_a_folder_and_a_network_the_error_says_where_to_get_the_data(home):
    with pytest.raises(MissingError, match="problems of 'gsm8k' are not here") as error:
        list(open_task("gsm8k").load())
    assert "openai/gsm8k" in error.value.mend and "--data DIR" in error.value.mend
    assert error.value.where == "http://127.0.0.1:9/datasets/openai/gsm8k"


def test_numbers_keep_the_digits_they_were_written_with(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": 12345678901234567890.10, "t": true, "l": [1, 2.50], "s": "1.0"}\n')
    (row,) = rows(tmp_path / "a.jsonl")
    assert row == {"n": "12345678901234567890.10", "t": True, "l": [1, 2.5], "s": "1.0"}
    (tmp_path / "a.parquet").write_bytes(parquet({"n": 27.0, "m": 3, "s": "x"}))
    assert list(rows(tmp_path / "a.parquet")) == [{"n": "27.0", "m": "3", "s": "x"}]


def test_the_hub_is_asked_once_then_the_cache(home, monkeypatch):
    file = parquet(ROW)
    files = {"README.md": b"", "main/train-00000-of-00001.parquet": b"no", "main/test-00000-of-00001.parquet": file}
    with hub.serving({"openai/gsm8k": {hub.MAIN: files}}) as (endpoint, asked):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        task = open_task("gsm8k")
        assert [problem.text for problem in task.load()] == [ROW["question"]]
        assert task.source().origin == "hub:openai/gsm8k"
        assert task.source().revision == hub.MAIN
        assert task.source().sha256 == hashlib.sha256(file).hexdigest()
        assert not any("train" in request for request in asked)
        count = len(asked)
        assert open_task("gsm8k").source() == task.source()
        assert len(asked) == count
    assert [problem.answer for problem in open_task("gsm8k").load()] == ["5"]  # the hub is gone


def test_a_damaged_file_of_the_cache_is_fetched_again(home, monkeypatch):
    files = {"test.jsonl": json.dumps({"problem": "1+1?", "solution": "\\boxed{2}", "answer": "2"}).encode()}
    with hub.serving({"HuggingFaceH4/MATH-500": {hub.MAIN: files}}) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        (path,) = open_task("math500").source() and locate("math500", Hub("HuggingFaceH4/MATH-500")).files
        path.resolve().unlink()
        assert [problem.answer for problem in open_task("math500").load()] == ["2"]


def test_files_that_only_the_hub_converted_are_found_in_its_branch(home, monkeypatch):
    row = {"input": "2 + 3?", "code": "", "target": 5.0}
    repos = {
        "reasoning-machines/gsm-hard": {
            hub.MAIN: {"gsmhardv2.jsonl": b"{}"},
            hub.PARQUET: {"default/train/0000.parquet": parquet(row), "default/test/0000.parquet": b"no"},
        }
    }
    with hub.serving(repos) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        task = open_task("gsm_hard")
        assert [problem.answer for problem in task.load()] == ["5.0"]
        assert task.source().revision == hub.PARQUET


def test_all_configurations_and_splits_are_read_in_their_order(home, monkeypatch):
    def row(n):
        return {"ID": f"chal-{n}", "Body": "There are 2.", "Question": "How many?", "Answer": float(n), "Type": "Sum"}

    files = {f"data/{split}-00000-of-00001.parquet": parquet(row(n)) for split, n in (("test", 2), ("train", 1))}
    with hub.serving({"ChilleD/SVAMP": {hub.MAIN: files}}) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        task = open_task("svamp")
        assert [problem.id for problem in task.load()] == ["svamp/chal-1", "svamp/chal-2"]
        sums = [
            hashlib.sha256(files[f"data/{split}-00000-of-00001.parquet"]).hexdigest() for split in ("train", "test")
        ]
        assert task.source().sha256 == hashlib.sha256("\n".join(sums).encode()).hexdigest()


def test_a_data_set_that_is_not_there_or_has_other_files_is_an_error_of_its_own(home, monkeypatch):
    other = {hub.MAIN: {"README.md": b""}, hub.PARQUET: {"plain/test/0000.parquet": b""}}
    with hub.serving({"openai/gsm8k": other}) as (endpoint, _):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(DataError, match="'openai/gsm8k' has no files of test"):
            open_task("gsm8k").source()
        with pytest.raises(MissingError, match="RepositoryNotFoundError"):
            open_task("amc23").source()


def test_a_damaged_parquet_file_is_named(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match="damaged Parquet file"):
        list(rows(tmp_path / "a.parquet"))
