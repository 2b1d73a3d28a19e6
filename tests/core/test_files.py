"""What is written is whole or not there; what is digested depends on content alone."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core import jsonl
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import digest, file_digest, read_json, replacing, write_json
from llemma.core.types import Problem


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_replaced_whole(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with replacing(tmp_path / "d") as folder:
            folder.mkdir()
            (folder / text).write_text(text)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["two"]


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    with pytest.raises(LlemmaError, match="disk is full") as caught, replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "free some space" in caught.value.mend


def test_a_real_full_disk(tmp_path: Path) -> None:
    """/dev/full refuses every byte, as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(LlemmaError, match="disk is full"), replacing(tmp_path / "a") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x" * 100_000)


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**40), 2**40), max_size=5))
def test_a_digest_does_not_see_key_order(table: dict[str, int]) -> None:
    assert digest(table) == digest(dict(reversed(table.items())))
    assert digest(table) != digest({**table, "one more": 1})


def test_damaged_json_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, Problem("1", "t", "q", "a"))
    assert read_json(path, Problem).id == "1"
    path.write_text('{"id": 3')
    with pytest.raises(DataError, match="damaged") as caught:
        read_json(path, Problem)
    assert caught.value.where == str(path)
    with pytest.raises(MissingError):
        read_json(tmp_path / "none.json", Problem)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst", "jsonl.gz"])
def test_rows_come_back_and_equal_rows_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    rows = [Problem(str(i), "t", "é" * i, "1") for i in range(50)]
    first, second = tmp_path / f"a.{suffix}", tmp_path / "sub" / f"a.{suffix}"
    assert jsonl.write(first, rows) == 50
    jsonl.write(second, rows)
    assert list(jsonl.read(first, Problem)) == rows
    assert file_digest(first) == file_digest(second)


@pytest.mark.parametrize("suffix", ["jsonl.zst", "jsonl.gz", "jsonl"])
def test_a_cut_or_corrupt_shard_names_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    jsonl.write(path, [Problem(str(i), "t", "text " * 20 + str(i * i), "1") for i in range(2000)])
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + b"\xff\x00\xff\x00" + data[middle + 4 :])
    with pytest.raises(DataError) as caught:
        list(jsonl.read(path, Problem))
    assert str(path) in caught.value.where
