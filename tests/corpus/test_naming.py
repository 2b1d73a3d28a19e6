"""Content is read once: what has not changed is remembered, what has changed is read again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from llemma.core.files import file_digest
from llemma.corpus import naming
from llemma.corpus.naming import UNREADABLE, file_digests, remembering


def aged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files had been written a minute ago."""
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 60)


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}" for number in range(50)]
    for path in paths:
        path.write_text(path.name)
    aged(tmp_path, monkeypatch)
    read: list[Path] = []
    monkeypatch.setattr(naming, "file_digest", lambda path: read.append(path) or file_digest(path))
    with remembering(tmp_path / "memory"):
        first = file_digests(paths)
        assert len(read) == 50 and first == [file_digest(path) for path in paths]
        assert file_digests(paths) == first and len(read) == 50
        paths[7].write_text("x")  # as long as before
        os.utime(paths[7], ns=(0, 0))
        assert file_digests(paths)[7] == file_digest(paths[7]) != first[7] and len(read) == 51
    assert file_digests(paths[:3]) == first[:3] and len(read) == 54  # no memory outside of the block


def test_a_file_just_written_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with remembering(tmp_path / "memory"):
        for text in ("one", "two"):
            path.write_text(text)
            assert file_digests([path]) == [file_digest(path)]
        assert not (tmp_path / "memory").exists()


def test_what_cannot_be_read_or_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a")
    aged(tmp_path, monkeypatch)
    (tmp_path / "memory").write_bytes(b"no table at all, but long enough to be looked at" * 30)
    with remembering(tmp_path / "memory"):
        assert file_digests([tmp_path / "a", tmp_path / "none"]) == [file_digest(tmp_path / "a"), UNREADABLE]
