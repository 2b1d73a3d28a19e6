"""Sizes are told from the file system alone; what is not there is told before any work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.errors import MissingError
from llemma.corpus.config import SourceConfig
from llemma.reproduce import inputs


def source(kind: str, optional: bool = False, **options: object) -> SourceConfig:
    return SourceConfig(kind=kind, subset="s", options=options, optional=optional)


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_bytes(b"x" * 100)
    (tmp_path / "b.tar.gz").write_bytes(b"x" * 10)
    assert inputs.size(source("folder", inputs=[str(tmp_path / "a")]), tmp_path) == 100
    assert inputs.size(source("archive", inputs=[str(tmp_path / "*.gz")]), tmp_path) == 40


def test_what_is_not_there(tmp_path: Path) -> None:
    nothing = [str(tmp_path / "none-*.warc.gz")]
    with pytest.raises(MissingError, match="none-"):
        inputs.size(source("warc", inputs=nothing), tmp_path)
    assert inputs.size(source("warc", optional=True, inputs=nothing), tmp_path) is None


def test_a_package_is_known_once_it_is_fetched(tmp_path: Path) -> None:
    pinned = source("pypi", packages=["some-thing==1.0"])
    assert inputs.size(pinned, tmp_path) is None
    (tmp_path / "sdists").mkdir()
    (tmp_path / "sdists" / "some-thing-1.0.tar.gz").write_bytes(b"x" * 10)
    assert inputs.size(pinned, tmp_path) == 40


@pytest.mark.slow
def test_what_this_python_has(tmp_path: Path) -> None:
    assert (inputs.size(source("stdlib"), tmp_path) or 0) > 1_000_000
    assert (inputs.size(source("installed", packages=["click"]), tmp_path) or 0) > 100_000
    assert inputs.size(source("installed", packages=["no-such-package"]), tmp_path) is None
    assert inputs.size(source("synthetic", count=10), tmp_path) == 2500
    assert inputs.size(source("from-a-plugin"), tmp_path) is None
