"""How large the inputs of a recipe are, told from file sizes alone: nothing is read, fetched or run."""

from __future__ import annotations

import glob
import importlib.metadata
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any

from llemma.core.errors import MissingError
from llemma.corpus.config import SourceConfig
from llemma.corpus.sources.files import Wanted, walk

# text in an archive is several times the archive's own size
UNPACKED = 4.0
STORY_BYTES = 250
THEOREM_BYTES = 270


def size(source: SourceConfig, cache: Path) -> int | None:
    """Bytes of text that a source will read, roughly; None where it cannot be known yet.

    Raises `MissingError` where files that the recipe names are not there, before any work begins.
    """
    measure = _MEASURES.get(source.kind)
    try:
        return measure(source.options, cache) if measure else None
    except MissingError:
        if source.optional:
            return None
        raise


def _files(options: dict[str, Any], cache: Path) -> int:
    paths = [path for pattern in options.get("inputs", []) for path in _matching(pattern)]
    return sum(_tree(path, "*") if path.is_dir() else _archive(path) for path in paths)


def _matching(pattern: str) -> list[Path]:
    found = [Path(path) for path in glob.glob(pattern)]  # noqa: PTH207 (patterns may be absolute)
    if not found:
        raise MissingError(
            f"no input {pattern}", where="corpus.sources", mend="check the path in the recipe or in --set"
        )
    return found


def _archive(path: Path) -> int:
    packed = path.suffix in (".gz", ".tgz", ".zst", ".bz2", ".xz", ".zip")
    return int(path.stat().st_size * (UNPACKED if packed else 1))


def _tree(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def _stdlib(options: dict[str, Any], cache: Path) -> int:
    folder = Path(sysconfig.get_path("stdlib"))
    found = [path for path in folder.rglob("*.py") if "site-packages" not in path.parts and "test" not in path.parts]
    return sum(path.stat().st_size for path in found)


def _installed(options: dict[str, Any], cache: Path) -> int | None:
    try:
        return sum(_package(name) for name in options.get("packages", []))
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> int:
    files = importlib.metadata.files(name.partition("==")[0]) or []
    return sum(file.size or 0 for file in files if file.suffix == ".py")


def _pypi(options: dict[str, Any], cache: Path) -> int | None:
    found = [_fetched(name, cache) for name in options.get("packages", [])]
    return sum(_archive(path) for path in found if path) if all(found) else None


def _fetched(pin: str, cache: Path) -> Path | None:
    name = pin.replace("==", "-").lower()
    return next((path for path in _archives(cache) if path.name.lower().startswith(f"{name}.")), None)


def _archives(cache: Path) -> Iterator[Path]:
    return (path for path in (cache / "sdists").rglob("*") if path.is_file())


def _rocq(options: dict[str, Any], cache: Path) -> int | None:
    root = _rocq_root()
    return _tree(root, "*.v") if root.is_dir() else None


def _rocq_root() -> Path:
    return Path(which("coqc") or "/nonexistent/bin/coqc").resolve().parents[1] / "lib" / "ocaml" / "coq"


def _rocq_steps(options: dict[str, Any], cache: Path) -> int | None:
    """The files that are run; what is written of them is about as long."""
    if which("coqc") is None:
        return None
    wanted = Wanted(options.get("library", []), options.get("exclude", []))
    root = _rocq_root()
    library = sum((root / name).stat().st_size for name in walk(root, wanted)) if options.get("library") else 0
    return library + _files(options, cache)


def _theorems(options: dict[str, Any], cache: Path) -> int | None:
    return int(options.get("count", 0)) * THEOREM_BYTES if which("coqc") else None


def _stories(options: dict[str, Any], cache: Path) -> int:
    return int(options.get("count", 0)) * STORY_BYTES


_MEASURES: dict[str, Callable[[dict[str, Any], Path], int | None]] = {
    "folder": _files,
    "archive": _files,
    "warc": _files,
    "arxiv": _files,
    "stdlib": _stdlib,
    "installed": _installed,
    "pypi": _pypi,
    "rocq": _rocq,
    "rocq-steps": _rocq_steps,
    "theorems": _theorems,
    "synthetic": _stories,
}
