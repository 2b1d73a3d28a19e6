"""Paper sources as arXiv hands them out: an archive (or folder) of LaTeX becomes one document.

Bulk files (`arXiv_src_2310_001.tar`) give one document for each paper in them. `corpus/latex` does the reading.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.errors import MissingError, UsageError
from llemma.core.files import digest
from llemma.core.types import Document, Dropped
from llemma.corpus.latex.archive import ARCHIVES, Archive, bulk, is_bulk, read_archive, read_member, stem
from llemma.corpus.latex.paper import RULES, Paper, paper
from llemma.corpus.latex.tar import RefusedError
from llemma.corpus.naming import file_digests
from llemma.corpus.source import Context, Unit

_LISTED = 200
"""File names of a paper that `meta` holds; a book may have more."""
_IDENTIFIER = re.compile(r"(?:(\d{4}\.\d{4,5})|([a-z-]+(?:\.[A-Z]{2})?)[_/]?(\d{7}))(v\d+)?")


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A paper on its way to a worker: the archive (or folder) at `path`, or the `member` of that bulk file with its
    bytes; `refused` says why there is none."""

    name: str
    path: str
    member: str = ""
    data: bytes | None = None
    refused: str = ""


class Arxiv(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LaTeX sources. `inputs` are archives, arXiv's bulk files, single .tex files, folders of these, or globs; a folder
    with .tex files is one paper. `rules` is `default`, or `llemma` for RedPajama's as published."""

    inputs: list[str]
    rules: str = "default"

    def units(self, context: Context) -> list[Unit]:
        """One unit an archive, named by its file without the extensions (with its folder where names repeat)."""
        if self.rules not in RULES:
            raise UsageError(f"no rules for papers named {self.rules}", mend=f"take one of: {', '.join(RULES)}")
        paths = sorted({path for pattern in self.inputs for path in _papers(pattern)})
        repeated = Counter(stem(path) for path in paths)
        files = [path for path in paths if path.is_file()]
        known = dict(zip(files, file_digests(files), strict=True))
        return [Unit(_name(path, repeated), str(path), known.get(path) or _digest(path)) for path in paths]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The document of an archive (of each paper in a bulk file), or the reason why there is none; made by a worker
        that can be killed."""
        from llemma.corpus.sources.papers import made

        return made(self, [unit], source)

    def pieces(self, unit: Unit) -> Iterator[Packed]:
        """The papers of a unit."""
        path = Path(unit.path)
        if not is_bulk(path):
            yield Packed(unit.name, unit.path)
            return
        try:
            for name, member in bulk(path):
                yield Packed(name, unit.path, member.name, member.data)
        except EOFError:
            yield Packed(f"{stem(path)} (its end)", unit.path, refused="damaged archive: it breaks off")

    def one(self, packed: Packed, source: str) -> Document | Dropped:
        """A paper as a document, made in this process: whatever it does, it does to us."""
        archive = _opened(packed)
        if isinstance(archive, RefusedError):
            return Dropped(packed.name, source, "read", str(archive))
        made = paper(archive.files, self.rules)
        if not made.text:
            return Dropped(packed.name, source, "latex", made.reason)
        return Document(
            packed.name, made.text, source, _meta(Path(packed.path), packed.name, archive, made, self.rules)
        )


def _opened(packed: Packed) -> Archive | RefusedError:
    try:
        if packed.refused:
            return RefusedError(packed.refused)
        return read_member(packed.member, packed.data) if packed.member else read_archive(Path(packed.path))
    except RefusedError as error:
        return error
    except OSError as error:
        return RefusedError(f"cannot be read: {error.strerror or error}")


def _meta(path: Path, name: str, archive: Archive, made: Paper, rules: str) -> dict[str, Any]:
    """`archive`, `rules`, `main` and `files` in reading order, and where there are any `arxiv` and `warnings`."""
    meta: dict[str, Any] = {"archive": path.name, "rules": rules, "main": [*made.main], "files": [*made.used[:_LISTED]]}
    identifier = arxiv_id(name)
    warnings = [*archive.warnings, *made.warnings]
    return meta | ({"arxiv": identifier} if identifier else {}) | ({"warnings": warnings} if warnings else {})


def arxiv_id(name: str) -> str | None:
    """`2310.10631v2` -> `2310.10631v2`, `math0211159` -> `math/0211159`; None for a name that is no identifier."""
    match = _IDENTIFIER.fullmatch(Path(name).name)
    if match is None:
        return None
    return (match[1] or f"{match[2]}/{match[3]}") + (match[4] or "")


def _papers(pattern: str) -> Iterator[Path]:
    names = sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
    found = [Path(name) for name in names]
    found = [path for path in found if path.exists()]
    if not found:
        raise MissingError(f"no paper source: {pattern}", where="inputs", mend="check the path; globs may use * and **")
    for path in found:
        yield from [path] if path.is_file() or _is_paper(path) else _inside(path)


def _is_paper(folder: Path) -> bool:
    return any(child.suffix in (".tex", ".ltx") for child in folder.iterdir())


def _inside(folder: Path) -> Iterator[Path]:
    """The archives in a folder of papers, and its subfolders that are papers."""
    for child in sorted(folder.iterdir()):
        if (child.is_dir() and not child.is_symlink() and _is_paper(child)) or (
            child.is_file() and child.name.lower().endswith((*ARCHIVES, ".pdf"))
        ):
            yield child


def _name(path: Path, repeated: Counter[str]) -> str:
    return stem(path) if repeated[stem(path)] == 1 else str(path)


def _digest(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = zip(files, file_digests(files), strict=True)
    return digest([(str(path.relative_to(folder)), name) for path, name in names])
