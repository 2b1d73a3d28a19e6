"""Text files in folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import Wanted, content_digest, expand, read_file, walk

_HISTORY = (".git", ".hg", ".svn")  # a checkout's past is not its files, and changes with every fetch


class Folder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """UTF-8 text files; of a checkout not its history. Ids are the input's name and the path below it."""

    inputs: list[str]
    """Folders or files; in a pattern like `data/*` each match is a unit of its own."""
    include: list[str] = []
    """Patterns of the relative paths that are read; all when empty."""
    exclude: list[str] = []
    """Patterns of the relative paths that are not read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit an input."""
        paths = expand(self.inputs)
        missing = [str(path) for path in paths if not path.exists()]
        if missing or not paths:
            what = ", ".join(missing or self.inputs)
            raise MissingError(f"no such file or folder: {what}", mend="check `inputs` of this source in the recipe")
        return [self._unit(path) for path in paths]

    def _unit(self, path: Path) -> Unit:
        root, names = self._files(path)
        return Unit(path.resolve().name, str(path), content_digest(root, names))

    def _files(self, path: Path) -> tuple[Path, list[str]]:
        if path.is_dir():
            return path, walk(path, Wanted(self.include, self.exclude), _HISTORY)
        return path.parent, [path.name]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted file, by path."""
        path = Path(unit.path)
        root, names = self._files(path)
        for name in names:
            id = f"{unit.name}/{name}" if path.is_dir() else unit.name
            yield read_file(id, source, name, root / name)
