"""Rocq's proof steps as documents: from `.v` files that are here, and from theorems that a program makes.

Both run the real prover (`corpus/proofsteps/rocq.py`). One document a theorem.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.core.files import digest, file_digest
from llemma.core.types import Document, Dropped
from llemma.corpus.proofsteps import goals_and_steps
from llemma.corpus.proofsteps import rocq as steps
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources import theorems
from llemma.corpus.sources.files import Wanted, expand, walk
from llemma.corpus.sources.proofsteps import documents
from llemma.tools.coq import MEND, find_coq
from llemma.tools.coqidetop import Coqidetop

UNIT_SIZE = 250  # generated theorems a unit


class RocqSteps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `.v` files of Rocq's own library, of folders, or both. Ids are path and theorem."""

    library: list[str] = []
    """Patterns of paths below the folder that `coqc -where` names, such as `theories/Arith/*.v`."""
    inputs: list[str] = []
    """Files, folders of files, or patterns."""
    exclude: list[str] = []
    """Patterns of paths that are not read."""
    sentence_seconds: float = 10.0
    """Wall seconds a sentence."""
    file_seconds: float = 600.0
    """Wall seconds a file."""
    memory_mb: int = 4096
    """MiB the prover may use."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a file, named by its path."""
        coq = find_coq()
        found: dict[str, Path] = {}
        if self.library:
            root = next((Path(root) for root in coq.libraries if (Path(root) / "theories").is_dir()), None)
            if root is None:
                raise MissingError("Rocq's library of theories is not there", where=", ".join(coq.libraries), mend=MEND)
            names = walk(root, Wanted(self.library, self.exclude))
            found |= {name: root / name for name in names if name.endswith(".v")}
        for path in expand(self.inputs):
            if not path.exists():
                raise MissingError(f"no such file or folder: {path}", mend="check `inputs` of this source")
            files = walk(path, Wanted(["*.v"], self.exclude)) if path.is_dir() else [path.name]
            base = path if path.is_dir() else path.parent
            found |= {f"{path.name}/{name}" if path.is_dir() else name: base / name for name in files}
        return [Unit(name, str(path), digest(coq.name, file_digest(path))) for name, path in sorted(found.items())]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The theorems of one file, in order."""
        try:
            text = Path(unit.path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            yield Dropped(unit.name, source, "read", f"not UTF-8: byte {error.start}")
            return
        limits = steps.Limits(self.sentence_seconds, self.file_seconds)
        yield from _documents(text, unit.name, source, limits, self.memory_mb, {"path": unit.name})


class Theorems(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Generated theorems (`corpus/sources/theorems.py`), none of them held out, with the steps that prove them."""

    count: int
    """How many."""
    seed: int
    """Their seed."""

    def units(self, context: Context) -> list[Unit]:
        """One unit for every few hundred theorems."""
        coq = find_coq()
        firsts = range(0, self.count, UNIT_SIZE)
        facts = [json.dumps([first, min(UNIT_SIZE, self.count - first)]) for first in firsts]
        return [
            Unit(f"theorems-{self.seed}-{first}", fact, digest(theorems.VERSION, self.seed, self.count, fact, coq.name))
            for first, fact in zip(firsts, facts, strict=True)
        ]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The theorems of one unit; raises `LlemmaError` where the prover refuses one, which none should."""
        first, count = json.loads(unit.path)
        chosen = list(theorems.different(self.seed, first + count))[first:]
        text = theorems.HEADER + "".join(
            f"Module M{number}.\n{item.source().removeprefix(theorems.HEADER)}End M{number}.\n"
            for number, item in enumerate(chosen)
        )
        for item in _documents(text, f"theorems-{self.seed}", source, steps.Limits(), 4096, {}):
            if isinstance(item, Dropped):
                raise LlemmaError(f"a generated theorem was not proved: {item.reason}", where=item.id)
            yield item


def _documents(
    text: str, name: str, source: str, limits: steps.Limits, memory_mb: int, facts: dict[str, str]
) -> Iterator[Document | Dropped]:
    with Coqidetop(memory_mb=memory_mb) as session:
        proofs = steps.read(text, name, session, limits)
        meta = {**facts, "language": "coq"}
        yield from documents(proofs, source, meta, lambda proof: goals_and_steps(proof.steps), "proof-steps")
