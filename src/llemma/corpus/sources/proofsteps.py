"""Formal proof steps as documents: one a theorem where theorems are told apart, else one a file."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.files import digest
from llemma.core.types import Document, Dropped
from llemma.corpus.naming import file_digests
from llemma.corpus.proofsteps import Proof, Unread, goals_and_steps, isabelle, lean, statement_and_steps
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.files import expand


class LeanSteps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lean-training-data's `training_data` prints, or LeanDojo's JSON; plain or gzipped."""

    inputs: list[str]
    """Files, folders of them, or patterns."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a file, by name."""
        return _units(self.inputs)

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The theorems of one file in order, in the form `[GOAL]`, `[PROOFSTEP]`."""
        proofs = _told(lambda: lean.read(_text(unit), unit.name), unit)
        return documents(proofs, source, {"language": "lean"}, lambda proof: goals_and_steps(proof.steps))


class IsabelleSteps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON files that PISA's extraction writes; plain or gzipped."""

    inputs: list[str]
    """Files, folders of them, or patterns."""
    protected: list[str] = []
    """Files, folders or tar archives of PISA's test statements, which are left out."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a file, by name; what is protected is part of its digest."""
        held = digest(file_digests([file for path in _existing(self.protected) for file in _leaves(path)]))
        return [msgspec.structs.replace(unit, digest=digest(unit.digest, held)) for unit in _units(self.inputs)]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The theorems of one file in order, in the form `[STATEMENT]`, `[PROOF STATE]`, `[PROOF STEP]`."""
        held = isabelle.statements(_existing(self.protected))
        proofs = _told(lambda: isabelle.read(_text(unit), unit.name, held), unit)
        return documents(proofs, source, {"language": "isabelle"}, statement_and_steps)


def _units(inputs: list[str]) -> list[Unit]:
    """One a file, named by its place in the folder that was given, or by its own name."""
    found = [(file, path) for path in _existing(inputs) for file in _leaves(path)]
    names = [str(file.relative_to(path)) if file != path else file.name for file, path in found]
    files = [file for file, _ in found]
    rows = zip(names, files, file_digests(files), strict=True)
    return [Unit(name, str(file), content) for name, file, content in rows]


def _existing(inputs: list[str]) -> list[Path]:
    paths = list(dict.fromkeys(expand(inputs)))
    missing = [str(path) for path in paths if not path.exists()]
    if missing or (inputs and not paths):
        raise MissingError(f"no such file: {', '.join(missing or inputs)}", mend="check `inputs` of this source")
    return paths


def _leaves(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _text(unit: Unit) -> str:
    data = Path(unit.path).read_bytes()
    try:
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"not UTF-8 text: {error}", where=unit.path, mend="give text files, plain or gzipped"
        ) from error


def _told(read: Callable[[], Iterable[Proof | Unread]], unit: Unit) -> Iterator[Proof | Unread]:
    """What `read` yields; a file that is no extraction becomes a line of the ledger, as one among thousands."""
    try:
        yield from read()
    except DataError as error:
        yield Unread(unit.name, error.what)


def documents(
    proofs: Iterable[Proof | Unread],
    source: str,
    facts: dict[str, str],
    text: Callable[[Proof], str],
    step: str = "read",
) -> Iterator[Document | Dropped]:
    """A document for each proof, with `facts` and the number of its steps; what is not used is dropped by `step`."""
    seen: dict[str, int] = {}
    for proof in proofs:
        # a name may come twice in a file (two sections, two namespaces): both are kept, told apart by their order
        seen[proof.id] = seen.get(proof.id, 0) + 1
        id = proof.id if seen[proof.id] == 1 else f"{proof.id}#{seen[proof.id]}"
        if isinstance(proof, Unread):
            yield Dropped(id, source, step, proof.reason)
        else:
            yield Document(id, text(proof), source, {**facts, "steps": len(proof.steps)})
