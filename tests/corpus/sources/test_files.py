"""Patterns choose paths, bytes become documents or a line in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context
from llemma.corpus.sources.files import Wanted, as_document
from llemma.corpus.sources.folder import Folder


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.py", "a/b/c.py", True),
        ("*.py", "a/b/c.pyc", False),
        ("a/*.py", "a/c.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**", "a/b/c.py", True),
        ("**/tests/**", "tests/x.py", True),
        ("**/tests/**", "a/tests/b/x.py", True),
        ("**/tests/**", "a/contests/x.py", False),
        ("?.txt", "d/a.txt", True),
        ("a+b.txt", "aab.txt", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert Wanted([pattern])(path) is matches
    assert Wanted([], [pattern])(path) is not matches


def test_bytes_become_a_document_or_a_reason() -> None:
    found = as_document("i", "s", "d/a.rst", "\ufeffé\r\nb\rc".encode())
    assert found == Document("i", "é\nb\nc", "s", {"path": "d/a.rst", "language": "restructuredtext"})
    assert as_document("i", "s", "a", b"caf\xe9") == Dropped("i", "s", "read", "not UTF-8: byte 3")
    assert as_document("i", "s", "a", b"a\0b") == Dropped("i", "s", "read", "not text: has zero bytes")


def test_a_folder_is_read_in_order_and_not_left(tmp_path: Path, context: Context) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for path in (inside / "b/two.txt", inside / "a.txt", outside / "secret.txt", inside / "b/raw.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (inside / "b/raw.txt").write_bytes(b"\xff")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "near.txt").symlink_to("a.txt")
    (inside / "linked").symlink_to(outside)
    (inside / "gone.txt").symlink_to("nowhere")
    source = Folder([str(inside)])
    (unit,) = source.units(context)
    items = list(source.read(unit, "s"))
    assert [item.id for item in items] == ["in/a.txt", "in/b/raw.txt", "in/b/two.txt", "in/near.txt"]
    assert [type(item) for item in items] == [Document, Dropped, Document, Document]
    before = unit.digest
    (inside / "a.txt").write_text("changed")
    assert source.units(context)[0].digest != before


def test_each_match_of_a_pattern_is_a_unit(tmp_path: Path, context: Context) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    source = Folder([str(tmp_path / "*.txt")])
    units = source.units(context)
    assert [unit.name for unit in units] == ["a.txt", "b.txt"]
    assert [item.id for unit in units for item in source.read(unit, "s")] == ["a.txt", "b.txt"]


def test_a_missing_input_is_named(tmp_path: Path, context: Context) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        Folder([str(tmp_path), str(tmp_path / "nowhere")]).units(context)
    with pytest.raises(MissingError, match=r"\*.none"):
        Folder([str(tmp_path / "*.none")]).units(context)


def test_of_a_checkout_the_files_are_read_and_not_its_history(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("a.py", ".git/HEAD", "inner/.hg/store.py", ".github/b.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("x = 1\n")
    source = Folder(inputs=[str(checkout)])
    unit = source._unit(checkout)
    assert [document.id for document in source.read(unit, "s")] == ["checkout/.github/b.py", "checkout/a.py"]
    (checkout / ".git/HEAD").write_text("fetched\n")
    assert source._unit(checkout) == unit
