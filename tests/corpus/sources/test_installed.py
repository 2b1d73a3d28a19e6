"""Installed packages, the standard library and Rocq's library are read where they lie."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import msgspec
import pytest

from llemma.core.errors import MissingError
from llemma.core.types import Document
from llemma.corpus.source import Context
from llemma.corpus.sources.installed import Installed, Stdlib
from llemma.corpus.sources.rocq import Rocq


def test_an_installed_package(context: Context) -> None:
    source = Installed([f"msgspec=={msgspec.__version__}"], include=["*.py"])
    (unit,) = source.units(context)
    items = list(source.read(unit, "s"))
    document = next(item for item in items if item.id == f"msgspec-{msgspec.__version__}/msgspec/json.py")
    assert isinstance(document, Document)
    assert document.text == Path(msgspec.json.__file__).read_text()
    assert document.meta["package"] == "msgspec"
    assert [item.id for item in items] == sorted(item.id for item in items)


def test_another_version_is_missing(context: Context) -> None:
    with pytest.raises(MissingError, match=r"is installed, not 0\.0\.1") as caught:
        Installed(["msgspec==0.0.1"]).units(context)
    assert caught.value.mend == "pip install 'msgspec==0.0.1'"
    with pytest.raises(MissingError, match="no-such-package is not installed"):
        Installed(["no-such-package"]).units(context)


def test_the_standard_library_without_other_packages(context: Context) -> None:
    source = Stdlib(include=["statistics.py", "site-packages/**", "json/*.py"])
    (unit,) = source.units(context)
    ids = [item.id for item in source.read(unit, "s")]
    version = platform.python_version()
    assert f"stdlib/{version}/statistics.py" in ids and f"stdlib/{version}/json/decoder.py" in ids
    assert not any("site-packages" in id for id in ids)
    assert source.units(context) == [unit]


@pytest.mark.skipif(shutil.which("coqc") is None, reason="Rocq is not installed")
def test_the_rocq_library(context: Context) -> None:
    source = Rocq(include=["theories/Init/*.v"])
    (unit,) = source.units(context)
    documents = [item for item in source.read(unit, "s") if isinstance(item, Document)]
    assert {item.meta["language"] for item in documents} == {"coq"}
    assert any(item.id.endswith("/theories/Init/Nat.v") and item.meta["library"] == "theories" for item in documents)


def test_without_rocq_the_mend_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingError) as caught:
        Rocq().units(context)
    assert caught.value.mend == "apt-get install coq"
