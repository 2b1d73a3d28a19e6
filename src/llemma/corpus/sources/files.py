"""What all sources of text files share: which paths are wanted, and how bytes become a document."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from llemma.core.types import Document, Dropped
from llemma.corpus.languages.told import lean_version, told
from llemma.corpus.naming import file_digests

MAX_FILE = 64_000_000
"""Bytes above which a file is not read at all; the steps' own limits are far below."""

_EXTENSIONS = {
    "agda": ".agda .lagda", "c": ".c .h", "coq": ".v", "cpp": ".cc .cpp .cxx .hh .hpp .hxx .c++", "css": ".css",
    "cuda": ".cu", "cython": ".pyx .pxd", "fortran": ".f .for .f77 .f90 .f95 .f03 .f08", "gap": ".gap .gd .gi .g .gp",
    "haskell": ".hs .lhs", "html": ".html .htm", "idris": ".idr .lidr", "isabelle": ".thy", "java": ".java",
    "javascript": ".js", "json": ".json", "julia": ".jl", "jupyter": ".ipynb", "lean": ".lean", "maple": ".mpl .maple",
    "markdown": ".md", "matlab": ".m", "ocaml": ".ml .mli", "python": ".py .pyi .sage", "r": ".r",
    "restructuredtext": ".rst", "rust": ".rs", "shell": ".sh", "tex": ".tex", "text": ".txt", "toml": ".toml",
    "xml": ".xml", "yaml": ".yaml .yml",
}  # fmt: skip
LANGUAGES = {extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions.split()}
"""Language by file name extension; where several languages share one, `languages.told` asks the content."""
_LITERATE, _PROSE = (".lagda", ".lidr"), (".md", ".rst", ".tex", ".org", ".typ")


class Wanted(msgspec.Struct, frozen=True):
    """Which paths are read: any of `include` (all paths when empty) and none of `exclude`.

    A pattern without `/` is compared with the file name, one with `/` with the whole path; `*` and `?` stay within a
    folder, `**` crosses folders.
    """

    include: list[str] = []
    exclude: list[str] = []

    def __call__(self, path: str) -> bool:
        if self.include and not _any(tuple(self.include), path):
            return False
        return not (self.exclude and _any(tuple(self.exclude), path))


def _any(patterns: tuple[str, ...], path: str) -> bool:
    whole, named = _compiled(patterns)
    return bool((whole and whole.fullmatch(path)) or (named and named.fullmatch(path.rpartition("/")[2])))


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    whole = [_regex(pattern.lstrip("/")) for pattern in patterns if "/" in pattern]
    named = [_regex(pattern) for pattern in patterns if "/" not in pattern]
    return (
        re.compile("|".join(whole), re.DOTALL) if whole else None,
        re.compile("|".join(named), re.DOTALL) if named else None,
    )


def _regex(pattern: str) -> str:
    """The regular expression of a glob pattern."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning[piece] if piece in meaning else re.escape(piece) for piece in pieces)


def language(path: str, text: str = "") -> str:
    """The language of a file by its name and, where that leaves a choice, its text; `other` where neither tells."""
    name = PurePosixPath(path.lower())
    # literate Agda and Idris in Markdown: Prose.lagda.md
    literate = PurePosixPath(name.stem).suffix if name.suffix in _PROSE else ""
    if literate in _LITERATE:
        return LANGUAGES[literate]
    return told(path, text, LANGUAGES.get(name.suffix, "other"))


def about(path: str, text: str, spoken: str = "") -> dict[str, str]:
    """What is known of a file from name and text, or is `spoken` of: `path`, `language`, of Lean the `dialect`."""
    found = spoken or language(path, text)
    dialect = {"dialect": lean_version(text)} if found == "lean" else {}
    return {"path": path, "language": found, **dialect}


def unreadable(id: str, source: str, reason: str) -> Dropped:
    """The ledger's line for an input that could not be read."""
    return Dropped(id, source, "read", reason)


def as_document(
    id: str, source: str, path: str, data: bytes, facts: dict[str, str] | None = None
) -> Document | Dropped:
    """The document in a file's bytes; `path` and language go into its meta beside `facts`."""
    if b"\0" in data:
        return unreadable(id, source, "not text: has zero bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return unreadable(id, source, f"not UTF-8: byte {error.start}")
    return text_document(id, source, path, text, facts)


def text_document(
    id: str, source: str, path: str, text: str, facts: Mapping[str, Any] | None = None, spoken: str = ""
) -> Document | Dropped:
    """The document in a file's text; its language is `spoken` where something else tells it."""
    if "\0" in text:
        return unreadable(id, source, "not text: has zero bytes")
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    path = path.encode("utf-8", "replace").decode()  # a name on disk or in an archive may be any bytes
    id = id.encode("utf-8", "replace").decode()
    return Document(id, text, source, {**(facts or {}), **about(path, text, spoken)})


def read_file(id: str, source: str, path: str, file: Path, facts: dict[str, str] | None = None) -> Document | Dropped:
    """The document in a file on disk."""
    try:
        size = file.stat().st_size
        if size > MAX_FILE:
            return unreadable(id, source, f"too large: {size} bytes")
        return as_document(id, source, path, file.read_bytes(), facts)
    except OSError as error:
        return unreadable(id, source, f"cannot read: {error.strerror}")


def walk(root: Path, wanted: Wanted, skip: Sequence[str] = ()) -> list[str]:
    """Relative paths of the wanted files below `root`, sorted; folders named in `skip` are not entered.

    Links to folders are not followed, links to files only to files below `root`.
    """
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in skip]
        base = Path(folder).relative_to(root).as_posix()
        names = [name if base == "." else f"{base}/{name}" for name in files]
        found += [name for name in names if wanted(name) and _is_inside(root, name)]
    return sorted(found)


def _is_inside(root: Path, name: str) -> bool:
    path = root / name
    return path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root.resolve()))


def content_digest(root: Path, names: Iterable[str]) -> str:
    """16 hex characters that name the files' relative paths and content."""
    total, listed = hashlib.blake2b(digest_size=8), list(names)
    for name, content in zip(listed, file_digests([root / name for name in listed]), strict=True):
        total.update(name.encode("utf-8", "surrogateescape") + b"\0" + content.encode())
    return total.hexdigest()


def expand(inputs: Sequence[str]) -> list[Path]:
    """The paths that `inputs` name, patterns with `*`, `?` or `[` expanded and sorted; `~` is the home folder."""
    paths: list[Path] = []
    for item in inputs:
        path = Path(item).expanduser()
        if any(sign in item for sign in "*?["):
            anchor = Path(path.anchor) if path.is_absolute() else Path()
            paths += sorted(anchor.glob(str(path.relative_to(anchor))))
        else:
            paths.append(path)
    return paths
