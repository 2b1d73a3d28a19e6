"""JSON lines come back as they went, and a stream that was cut short is told wherever the cut falls."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from llemma.core import jsonl
from llemma.core.errors import DataError

ROWS = [{"number": number, "text": f"row {number} of many " * 20} for number in range(400)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_rows_come_back(name: str, tmp_path: Path) -> None:
    assert jsonl.write(tmp_path / name, ROWS) == 400
    assert list(jsonl.read(tmp_path / name, dict)) == ROWS


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_stream_cut_short_is_told(name: str, keep: float, tmp_path: Path) -> None:
    jsonl.write(tmp_path / name, ROWS)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DataError, match="damaged JSON lines"):
        list(jsonl.read(tmp_path / name, dict))


def test_a_cut_between_two_lines_is_told(tmp_path: Path) -> None:
    """A writer that was killed after a flush leaves whole lines and no end of the frame."""
    packer = zstandard.ZstdCompressor().compressobj()
    data = packer.compress(b'{"a": 1}\n{"a": 2}\n') + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    (tmp_path / "a.jsonl.zst").write_bytes(data)
    rows = jsonl.read(tmp_path / "a.jsonl.zst", dict)
    assert [next(rows), next(rows)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match="too early"):
        next(rows)


def test_frames_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    pack = zstandard.ZstdCompressor().compress
    (tmp_path / "a.jsonl.zst").write_bytes(pack(b"1\n2\n") + pack(b"") + pack(b"3\n"))
    assert list(jsonl.lines(tmp_path / "a.jsonl.zst")) == [b"1\n", b"2\n", b"3\n"]
