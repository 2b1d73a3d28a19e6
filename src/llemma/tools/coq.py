"""Coq as it is installed here: its programs and libraries, and the walls its programs run behind."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.tools.config import Isolation
from llemma.tools.confined import SCRATCH, Walls

MEND = "apt-get install coq libcoq-coquelicot"
# no file of the user's; warnings are not for us; compiling to machine code would start a compiler
QUIET = ("-q", "-w", "none", "-native-compiler", "no")


class Coq(msgspec.Struct, frozen=True):
    """An installed Coq or Rocq: real paths of its programs, its version, and what they must be able to read."""

    coqidetop: str
    coqc: str
    version: tuple[int, ...]
    libraries: tuple[str, ...]
    findlib: str
    """The file of settings of OCaml's library finder, without which no plug-in loads; empty where there is none."""

    @property
    def name(self) -> str:
        """Such as `Coq 8.16.1`."""
        return f"{'Rocq' if self.version >= (9,) else 'Coq'} {'.'.join(map(str, self.version))}"

    def has(self, library: str) -> bool:
        """Whether a library of users is installed, by its folder (`Coquelicot`, `mathcomp/ssreflect`)."""
        return any((Path(root) / "user-contrib" / library).is_dir() for root in self.libraries)

    def walls(
        self, *, memory_mb: int, isolation: Isolation = "full", readable: Mapping[str, str] | None = None
    ) -> Walls:
        """What a program of Coq may see: its libraries and `readable`; and use."""
        shown = {path: path for path in (*self.libraries, *([self.findlib] if self.findlib else []))}
        environment = {"HOME": SCRATCH, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        if self.findlib:
            environment["OCAMLFIND_CONF"] = self.findlib
        return Walls(
            readable={**shown, **(readable or {})}, environment=environment, memory_mb=memory_mb, isolation=isolation
        )


@functools.cache
def find_coq() -> Coq:
    """The Coq whose `coqc` and `coqidetop` lie on the path; a `MissingError` where they do not."""
    programs = [shutil.which(name) for name in ("coqidetop.opt", "coqidetop", "coqc")]
    coqidetop, coqc = programs[0] or programs[1], programs[2]
    if coqidetop is None or coqc is None:
        absent = "coqc" if coqc is None else "coqidetop"
        raise MissingError(f"Coq is not installed: no '{absent}' on the path", mend=MEND)
    found = re.search(r"version (\d+(?:\.\d+)*)", _output([coqc, "--version"]))
    if found is None:
        raise LlemmaError("Coq does not tell its version", where=coqc)
    settings = dict(line.split("=", 1) for line in _output([coqc, "-config"]).splitlines() if "=" in line)
    roots = [settings.get("COQLIB", ""), settings.get("COQCORELIB", "")]
    libraries = {os.path.realpath(root) for root in roots if root and Path(root).is_dir()}
    # plug-ins and the OCaml libraries they need lie beside Coq's own folder
    beside = {str(Path(root).parent) for root in libraries}
    findlib, folders = _findlib()
    kept = sorted(libraries | beside | folders)
    version = tuple(int(part) for part in found[1].split("."))
    return Coq(os.path.realpath(coqidetop), os.path.realpath(coqc), version, tuple(kept), findlib)


def _findlib() -> tuple[str, set[str]]:
    """The settings of OCaml's library finder, and the folders they name."""
    settings = os.environ.get("OCAMLFIND_CONF", "")
    finder = shutil.which("ocamlfind")
    if not settings:
        settings = _output([finder, "printconf", "conf"]).strip() if finder else "/etc/ocamlfind.conf"
    if not Path(settings).is_file():
        return "", set()
    named = re.search(r'^path="([^"]*)"', Path(settings).read_text(), re.MULTILINE)
    folders = named[1].split(":") if named else []
    return settings, {os.path.realpath(folder) for folder in folders if Path(folder).is_dir()}


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    return done.stdout
