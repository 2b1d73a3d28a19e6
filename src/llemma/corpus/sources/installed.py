"""Python code as it is installed on this machine: distributions of this interpreter, and its standard library."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import Wanted, content_digest, read_file, walk


class Installed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text files of installed distributions. Ids are `name-version/path`."""

    packages: list[str]
    """Distributions, as `name` or `name==version`."""
    include: list[str] = []
    """Patterns of the paths that are read; all when empty."""
    exclude: list[str] = []
    """Patterns of the paths that are not read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a distribution."""
        found = [_distribution(package) for package in self.packages]
        return [Unit(f"{dist.name}-{dist.version}", dist.name, _record_digest(dist)) for dist in found]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted file, by path."""
        dist = _distribution(unit.path)
        wanted = Wanted(self.include, self.exclude)
        facts = {"package": dist.name, "version": dist.version}
        for file in sorted(dist.files or [], key=str):
            # Scripts lie outside the packages' folder, and compiled files are not text.
            if file.parts[0] != ".." and file.suffix != ".pyc" and wanted(str(file)):
                yield read_file(f"{unit.name}/{file}", source, str(file), Path(str(dist.locate_file(file))), facts)


def _distribution(package: str) -> importlib.metadata.Distribution:
    name, _, version = package.replace(" ", "").partition("==")
    try:
        dist = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingError(f"{name} is not installed", mend=f"pip install '{package}'") from error
    if version and dist.version != version:
        raise MissingError(f"{name} {dist.version} is installed, not {version}", mend=f"pip install '{package}'")
    return dist


def _record_digest(dist: importlib.metadata.Distribution) -> str:
    """The list of installed files holds the hash of each."""
    record = dist.read_text("RECORD") or "\n".join(f"{file},{file.size}" for file in dist.files or [])
    return hashlib.blake2b(f"{dist.version}\n{record}".encode(), digest_size=8).hexdigest()


class Stdlib(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Python files of the standard library. Ids are `stdlib/<python version>/path`."""

    include: list[str] = msgspec.field(default_factory=lambda: ["*.py"])
    """Patterns of the paths that are read."""
    exclude: list[str] = []
    """Patterns of the paths that are not read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit: the library."""
        root = Path(sysconfig.get_path("stdlib"))
        return [Unit(f"stdlib/{platform.python_version()}", str(root), content_digest(root, self._files(root)))]

    def _files(self, root: Path) -> list[str]:
        # Other people's packages lie below the library.
        return walk(root, Wanted(self.include, self.exclude), skip=("site-packages", "dist-packages", "__pycache__"))

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted file, by path."""
        facts = {"package": "stdlib", "version": unit.name.rpartition("/")[2]}
        for name in self._files(Path(unit.path)):
            yield read_file(f"{unit.name}/{name}", source, name, Path(unit.path) / name, facts)
