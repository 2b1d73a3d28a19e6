"""A proof's verdict: a fresh `coqc` on a fresh file that states the theorem from the data, then proves it.

The file, with names that the proof's author cannot know (`...` are 128 random bits):

    header                                      as the data has it, fitted to the version
    Module Type Stated... . statement Admitted. End Stated... .
    Module Proved... <: Stated... . statement Proof. proof Qed. End Proved... .
    Goal True. idtac marker... . Abort.
    Print Assumptions Proved... .name.

The kernel compares the type of what was proved with the type that was stated before the proof began; what follows the
marker is the list of axioms and nothing else, whatever the proof printed. So even a proof that the grammar let through
by mistake can neither state another theorem, nor hide an axiom or a switched-off check of the kernel.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from llemma.prove.config import ProverConfig
from llemma.prove.prover import Checked, Trouble
from llemma.prove.rocq.headers import Stated, is_import
from llemma.tools.confined import SCRATCH, Confined
from llemma.tools.coq import QUIET, Coq

AXIOMS = (
    "Coq.Reals.ClassicalDedekindReals.sig_forall_dec",
    "Coq.Reals.ClassicalDedekindReals.sig_not_dec",
    "Coq.Logic.FunctionalExtensionality.functional_extensionality_dep",
    "Coq.Logic.Classical_Prop.classic",
)
"""What a proof may rest on: the axioms under the real numbers of the standard library, and excluded middle. All hold in
the set-theoretic model. Others that do (proof irrelevance, choice) are not here: no theorem over these numbers needs
them unless its header asks for them."""
BY_IMPORT = {
    "ClassicalEpsilon": ("Coq.Logic.ClassicalEpsilon.constructive_indefinite_description",),
    "ClassicalDescription": ("Coq.Logic.Description.constructive_definite_description",),
}
"""What a proof may rest on besides when the theorem's own header imports this library, whose only content it is."""

_FOLDER = "/proof"
_FILE = "Theorem.v"
_OUTPUT_BYTES = 1 << 20
_ENTRY = re.compile(r"([^\W\d][\w.']*)(?:\s*:.*)?")


class _Ran(msgspec.Struct, frozen=True):
    """How coqc ended: its exit code (None when we stopped it), what it printed and what it complained of."""

    code: int | None
    printed: str
    complaint: str
    late: bool = False


def check(coq: Coq, config: ProverConfig, theorem: Stated, proof: Sequence[str], seconds: float) -> Checked:
    """Whether `coqc` accepts `theorem` with the sentences of `proof`, all of which the grammar has let through."""
    begun = time.monotonic()
    nonce = secrets.token_hex(16)
    ran = _run(coq, config, source(theorem, proof, nonce), seconds)
    spent = time.monotonic() - begun
    trouble = _trouble(ran, seconds)
    if trouble is not None:
        return Checked(False, trouble[1], trouble[0], seconds=spent)
    axioms = read_axioms(ran.printed, f"marker_{nonce}")
    if isinstance(axioms, str):
        return Checked(False, axioms, "forbidden", seconds=spent)
    foreign = [name for name in axioms if not _may(name, theorem)]
    if foreign:
        return Checked(False, f"rests on {', '.join(foreign)}", "forbidden", tuple(axioms), spent)
    return Checked(True, axioms=tuple(axioms), seconds=spent)


def source(theorem: Stated, proof: Sequence[str], nonce: str) -> str:
    """The file that is checked."""
    lines = [
        *theorem.header,
        f"Module Type Stated_{nonce}.",
        theorem.statement,
        "Proof. Admitted.",
        f"End Stated_{nonce}.",
        f"Module Proved_{nonce} <: Stated_{nonce}.",
        theorem.statement,
        "Proof.",
        *proof,
        "Qed.",
        f"End Proved_{nonce}.",
        f'Goal True. idtac "marker_{nonce}". Abort.',
        f"Print Assumptions Proved_{nonce}.{theorem.name}.",
    ]
    return "\n".join(lines) + "\n"


def read_axioms(printed: str, marker: str) -> list[str] | str:
    """The names that `Print Assumptions` printed after `marker`; a sentence where that is not all it says."""
    _, found, tail = printed.rpartition(f"{marker}\n")
    lines = tail.strip("\n").split("\n")
    if not found or not tail.strip():
        return "the list of axioms was not printed"
    if lines[0] == "Closed under the global context":
        return [] if len(lines) == 1 else "more than a list of axioms was printed"
    if lines[0] != "Axioms:":
        return f"rests on more than axioms: {lines[0]}"
    names = []
    for line in lines[1:]:
        if line[:1].isspace():
            continue  # a type goes on
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            return f"rests on more than axioms: {line}"
        names.append(entry[1])
    return names


def _may(name: str, theorem: Stated) -> bool:
    """Whether a theorem may rest on the axiom that is printed as `name`, in as many parts as tell it from others."""
    if name in theorem.assumed:
        return True
    imports = " ".join(sentence.rstrip(".") for sentence in theorem.header if is_import(sentence))
    named = {part for path in imports.split() for part in path.split(".")}
    extra = [axiom for library, axioms in BY_IMPORT.items() if library in named for axiom in axioms]
    return any(f".{axiom}".endswith(f".{name}") for axiom in (*AXIOMS, *extra))


def _trouble(ran: _Ran, seconds: float) -> tuple[Trouble, str] | None:
    """Why coqc did not accept the file, if it did not."""
    if ran.late:
        return "timeout", f"not checked within {seconds:g} s"
    if ran.code is None:
        return "memory", f"printed more than {_OUTPUT_BYTES >> 20} MiB"
    if ran.code == 0:
        return None
    if "out of memory" in ran.complaint.lower():
        return "memory", "out of memory"
    _, found, why = ran.complaint.partition("Error:")
    if not found:
        return "crash", f"coqc ended with {ran.code}: {ran.complaint[-300:].strip()}"
    return "error", " ".join(why.split())[:1000]


def _run(coq: Coq, config: ProverConfig, text: str, seconds: float) -> _Ran:
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="llemma-") as name, tempfile.TemporaryFile() as errors:
        folder = Path(name)
        folder.chmod(0o755)  # behind the walls it is read by another user
        (folder / _FILE).write_text(text)
        walled = config.isolation == "full"
        here = _FOLDER if walled else name
        made = SCRATCH if walled else name
        walls = coq.walls(memory_mb=config.memory_mb, isolation=config.isolation, readable={_FOLDER: name})
        options = [*QUIET, "-noglob", "-o", f"{made}/Theorem.vo", f"{here}/{_FILE}"]
        program = Confined([coq.coqc, *options], walls, stderr=errors)
        try:
            printed, late = _read(program, deadline)
            code = None if late or printed is None else program.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            printed, late, code = b"", True, None
        finally:
            program.kill()
        errors.seek(0)
        complaint = errors.read(_OUTPUT_BYTES).decode("utf-8", "replace")
    return _Ran(code, (printed or b"").decode("utf-8", "replace"), complaint, late)


def _read(program: Confined, deadline: float) -> tuple[bytes | None, bool]:
    """All that the program prints, None if that is too much; and whether it was still at it at the deadline."""
    printed = bytearray()
    poll = select.poll()
    poll.register(program.stdout, select.POLLIN)
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        with contextlib.suppress(BlockingIOError):
            data = os.read(program.stdout.fileno(), 1 << 16)
            if not data:
                return bytes(printed), False
            printed += data
        if len(printed) > _OUTPUT_BYTES:
            return None, False
    return b"", True
