"""Where Lean, its REPL and a project with libraries lie on this machine, and how to start the REPL behind walls.

`lake env` says which folders a project's compiled libraries lie in. It is asked once, outside the walls, because the
project is the user's own; behind them runs the REPL alone, so that no build tool wants a home, a network or a lock.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.prove.config import ProverConfig
from llemma.tools.confined import Walls

PROJECT = "LLEMMA_LEAN_PROJECT"
"""The environment variable that names the project where the settings do not."""

_PASSED = ("LEAN_PATH", "LEAN_SYSROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_REPLS = (
    ".lake/packages/repl/.lake/build/bin/repl",
    ".lake/packages/REPL/.lake/build/bin/repl",
    ".lake/build/bin/repl",
)
# address space that Lean reserves and does not use: stacks of its threads (8 MiB each) and its allocator's arenas
_RESERVED_MB = 4096
_LAKE_SECONDS = 300.0
_MEND = (
    "install elan (https://lean-lang.org/install), build a project that requires Mathlib and the REPL "
    f"(docs/proving-lean.md shows it) and set {PROJECT} to its folder; or name `command` and `project` in the settings"
)


class Installation(msgspec.Struct, frozen=True):
    """How to start a REPL: `limit_mb` is the resident memory at which it is stopped, `identity` what it proves with."""

    command: list[str]
    walls: Walls
    limit_mb: int
    identity: str


def installation(config: ProverConfig) -> Installation:
    """The REPL that the settings name, or the one found in their project, in `$LLEMMA_LEAN_PROJECT` or on the PATH.

    Raises `MissingError` that says how to get one.
    """
    project = _project(config)
    command = list(config.command)
    lake = command[:2] == ["lake", "env"]
    if lake:
        command = command[2:]
    environment = _environment(project) if lake or not command else _given()
    program = _program(command[0], environment, project) if command else _repl(project)
    return _behind_walls(config, [program, *command[1:]], environment, project)


def _behind_walls(
    config: ProverConfig, command: list[str], environment: Mapping[str, str], project: Path | None
) -> Installation:
    libraries = [folder for folder in environment.get("LEAN_PATH", "").split(":") if folder]
    roots = [folder for folder in (environment.get("LEAN_SYSROOT"), *libraries) if folder]
    named = [part for part in command[1:] if part.startswith("/") and Path(part).exists()]
    shown = [*_homes(command[0]), *roots, *named, *([str(project)] if project else [])]
    mapped_mb = _mapped_mb(tuple(roots))
    walls = Walls(
        readable={path: path for path in _outermost(shown)},
        environment={**environment, "PATH": _path(command[0], environment), "LC_ALL": "C.UTF-8", "HOME": "/scratch"},
        # a library is mapped into the address space as a whole, whatever is read of it
        memory_mb=config.memory_mb + mapped_mb + _RESERVED_MB,
        isolation=config.isolation,
    )
    return Installation(command, walls, config.memory_mb + mapped_mb, _identity(project, environment, command))


def _project(config: ProverConfig) -> Path | None:
    named = config.project or os.environ.get(PROJECT, "")
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise MissingError(f"there is no Lean project '{named}'", where="prover 'lean'", mend=_MEND)
    return folder


def _program(name: str, environment: Mapping[str, str], project: Path | None) -> str:
    """The program that a command names: on the PATH, in the project, or by its whole path."""
    beside = [str(project / path) for path in _REPLS if project and Path(path).name == name]
    found = next(filter(None, map(shutil.which, [name, *beside])), None)
    if found is None:
        raise MissingError(f"'{name}' is not installed", where="prover 'lean'", mend=_MEND)
    return os.path.realpath(found)


def _repl(project: Path | None) -> str:
    places = [project / path for path in _REPLS] if project else []
    places += [project.parent / "repl" / _REPLS[-1]] if project else []
    for place in places:
        if place.is_file():
            return os.path.realpath(place)
    found = shutil.which("repl")
    if found is None:
        raise MissingError("the Lean REPL is not installed", where="prover 'lean'", mend=_MEND)
    return os.path.realpath(found)


def _given() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED if name in os.environ}


def _environment(project: Path | None) -> dict[str, str]:
    """What the REPL must know of: the project's libraries and the toolchain."""
    if project is None:
        found = _given()
        if "LEAN_SYSROOT" not in found and shutil.which("lean"):
            found["LEAN_SYSROOT"] = _said(["lean", "--print-prefix"], None).strip()
        return found
    if shutil.which("lake") is None:
        raise MissingError("'lake' is not installed", where=f"Lean project {project}", mend=_MEND)
    lines = _said(["lake", "env", "printenv"], project).splitlines()
    found = dict(line.split("=", 1) for line in lines if line.partition("=")[0] in _PASSED)
    if "LEAN_SYSROOT" not in found:
        found["LEAN_SYSROOT"] = _said(["lake", "env", "lean", "--print-prefix"], project).strip()
    return found


def _said(command: list[str], folder: Path | None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LAKE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LlemmaError(f"`{' '.join(command)}` failed: {error}", where=str(folder or ""), mend="run it") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise LlemmaError(
            f"`{' '.join(command)}` failed: {' '.join(last)}", where=str(folder or ""), mend="run it there by hand"
        )
    return done.stdout


def _homes(program: str) -> list[str]:
    """A program and what belongs to it: the `lib` beside its `bin`."""
    home = Path(program).parents[1]
    return [program, str(home)] if Path(program).parent.name == "bin" and home != Path("/") else [program]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Without those that lie within others; links and what they lead to."""
    there = {path for path in paths if Path(path).exists()}
    every = sorted(there | {os.path.realpath(path) for path in there})
    return [path for path in every if not any(path != other and Path(path).is_relative_to(other) for other in every)]


def _path(program: str, environment: Mapping[str, str]) -> str:
    sysroot = environment.get("LEAN_SYSROOT")
    return ":".join([str(Path(program).parent), *([f"{sysroot}/bin"] if sysroot else []), "/usr/bin", "/bin"])


@functools.cache
def _mapped_mb(roots: tuple[str, ...]) -> int:
    """MiB of compiled libraries below `roots`."""
    size = 0
    for root in roots:
        for folder, _, files in os.walk(root):
            size += sum(Path(folder, name).stat().st_size for name in files if ".olean" in name)
    return size >> 20


def _identity(project: Path | None, environment: Mapping[str, str], command: list[str]) -> str:
    """The toolchain by name where the project names it; libraries by a digest of the revisions that it builds with."""
    parts = ["lean"]
    toolchain = _text(project, "lean-toolchain").strip() or Path(environment.get("LEAN_SYSROOT", "")).name
    parts += [toolchain.rpartition(":")[2]] if toolchain else []
    manifest = _text(project, "lake-manifest.json")
    if manifest:
        parts.append(f"project {hashlib.sha256(manifest.encode()).hexdigest()[:12]}")
    parts.append(f"{Path(command[0]).name} {_digest(command[0], Path(command[0]).stat().st_mtime_ns)}")
    return ", ".join(parts)


@functools.cache
def _digest(program: str, _modified: int) -> str:
    with open(program, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _text(project: Path | None, name: str) -> str:
    path = project / name if project else None
    return path.read_text(errors="replace") if path is not None and path.is_file() else ""
