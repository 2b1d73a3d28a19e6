"""The Rocq (formerly Coq) library: its standard library and the libraries installed beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import msgspec

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import Wanted, content_digest, read_file, walk

_MEND = "apt-get install coq"


class Rocq(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `.v` files below the folder that `coqc -where` names. Ids are `rocq/<version>/path`."""

    include: list[str] = msgspec.field(default_factory=lambda: ["*.v"])
    """Patterns of the paths that are read."""
    exclude: list[str] = []
    """Patterns of the paths that are not read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit: the library."""
        program = which("coqc")
        if program is None:
            raise MissingError("Rocq is not installed: no program coqc", mend=_MEND)
        root = Path(_ask(program, "-where").strip())
        if not root.is_dir():
            raise MissingError(f"Rocq's library is not at {root}", mend=_MEND)
        version = _ask(program, "-print-version").split()[0]
        return [Unit(f"rocq/{version}", str(root), content_digest(root, self._files(root)))]

    def _files(self, root: Path) -> list[str]:
        return walk(root, Wanted(self.include, self.exclude))

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted file, by path."""
        for name in self._files(Path(unit.path)):
            # theories/Reals/Rbase.v belongs to theories, user-contrib/Coquelicot/Hierarchy.v to Coquelicot.
            library = name.split("/")[1 if name.startswith("user-contrib/") and name.count("/") > 1 else 0]
            yield read_file(f"{unit.name}/{name}", source, name, Path(unit.path) / name, {"library": library})


def _ask(program: str, option: str) -> str:
    try:
        answer = subprocess.run([program, option], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingError(f"coqc {option} does not work: {error}", mend=_MEND) from error
    if not answer.stdout.strip():
        raise MissingError(f"coqc {option} answers nothing", mend=_MEND)
    return answer.stdout
