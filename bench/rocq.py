"""Rocq on miniF2F: how many statements load, what a step costs beyond coqidetop itself, what automation alone proves.

python bench/rocq.py load FOLDER [limit]        rows of FOLDER/{test,valid}.jsonl with rocq_header and rocq that open
python bench/rocq.py same FOLDER [limit]        statements that mean the same with our imports before theirs and without
python bench/rocq.py speed [steps]              steps a second: our prover and a bare coqidetop in turns within one run
python bench/rocq.py soak [theorems]            many theorems, one process in twenty killed: does anything stay or grow?
python bench/rocq.py baseline FOLDER [limit]    one tactic a try, 5 s each, every hit checked afresh; two workers
"""

from __future__ import annotations

import collections
import contextlib
import json
import multiprocessing
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llemma.core.console import table
from llemma.prove.config import ProverConfig
from llemma.prove.prover import Proved, Refused, State
from llemma.prove.rocq import Rocq
from llemma.prove.rocq.document import Document
from llemma.prove.rocq.headers import stated
from llemma.prove.theorem import Theorem
from llemma.tools import coq_xml
from llemma.tools.coq import find_coq
from llemma.tools.coqidetop import Coqidetop

SECONDS = 5.0
CLOSERS = {
    "reflexivity": "intros; reflexivity",
    "auto": "intros; subst; auto",
    "easy": "intros; subst; easy",
    "lia": "intros; subst; lia",
    "lra": "intros; subst; lra",
    "ring": "intros; subst; ring",
    "field": "intros; subst; field; lra",
    "intuition_lia": "intros; subst; intuition lia",
    "intuition_lra": "intros; subst; intuition lra",
    "nra": "intros; subst; nra",
    "nia": "intros; subst; nia",
    "vm_compute": "intros; vm_compute; reflexivity",
}
PLAIN = Theorem(
    "plain",
    "Require Import Arith.",
    "Theorem plain : forall a b c : nat, (a = b -> b = c -> a = c) /\\ (a <= b -> b <= c -> a <= c).",
)
STEPS = ("intros a b c.", "split.", "intros p q.", "idtac.", "trivial.", "intuition.", "subst.", "apply foo.")


def theorems(folder: str, limit: int | None) -> list[Theorem]:
    """The statements, those with equal headers side by side."""
    rows = [json.loads(line) for split in ("test", "valid") for line in (Path(folder) / f"{split}.jsonl").open()]
    rows.sort(key=lambda row: row["rocq_header"])
    return [Theorem(row["name"], row["rocq_header"], row["rocq"], meta={"split": row["split"]}) for row in rows][:limit]


def load(folder: str, limit: int | None) -> None:
    """Open every statement in one worker."""
    prover = Rocq(ProverConfig())
    seconds, failed = [], []
    for theorem in theorems(folder, limit):
        begun = time.perf_counter()
        result = prover.open(theorem, 60.0)
        seconds.append(time.perf_counter() - begun)
        if not isinstance(result, State):
            failed.append((theorem.id, f"{result.kind}: {result.why[:80]}"))
    prover.close()
    print(f"{prover.identity}: {len(seconds) - len(failed)} of {len(seconds)} load in {sum(seconds):.1f} s,")
    print(f"median {1000 * statistics.median(seconds):.0f} ms, longest {1000 * max(seconds):.0f} ms")
    print(table(("theorem", "why not"), failed))


def same(folder: str, limit: int | None) -> None:
    """Compare the full terms of the statements with our first import and without it."""
    counts: collections.Counter[str] = collections.Counter()
    differ = []
    ways = [Document(ProverConfig(), find_coq()) for _ in range(2)]
    for theorem in theorems(folder, limit):
        told = stated(theorem, find_coq())
        header = () if isinstance(told, Refused) else told.header
        first, second = (
            term(way, (*lines, theorem.statement)) for way, lines in zip(ways, (header, header[1:]), strict=True)
        )
        kind = "does not load without" if second is None else "same" if first == second else "differs"
        counts[kind] += 1
        differ += [(theorem.id, kind)] if kind != "same" else []
    for way in ways:
        way.close()
    print(table(("statements", "count"), [(kind, str(count)) for kind, count in counts.items()]))
    print(table(("theorem", ""), differ))


def term(document: Document, sentences: tuple[str, ...]) -> str | None:
    """The first goal after `sentences`, with nothing hidden."""
    shown = (*sentences[:-1], "Set Printing All.", sentences[-1])
    if document.reach(shown, (), 60.0, SECONDS) is not None:
        return None
    goals = document.goals(60.0)
    return repr(goals) if isinstance(goals, coq_xml.Goals) else None


def ours() -> tuple[Callable[[], None], Callable[[], None]]:
    """A round of steps from the same states through the prover; and how to end it."""
    prover = Rocq(ProverConfig(recycle_mb=100_000))
    state = prover.open(PLAIN, 60.0)
    assert isinstance(state, State)
    first = state

    def one() -> None:
        here = first
        for step in STEPS:
            after = prover.step(here, step, SECONDS)
            here = after if isinstance(after, State) else here

    return one, prover.close


def bare() -> tuple[Callable[[], None], Callable[[], None]]:
    """The same sentences in the same order to coqidetop, answers read and thrown away."""
    session = Coqidetop()
    root = session.root
    for sentence in ("From Coq Require Import Psatz.", PLAIN.header, PLAIN.statement):
        root = session.add(sentence, root, 60.0)  # type: ignore[assignment]
    stdin, stdout = session._process.stdin, session._process.stdout

    def call(text: str) -> bytes:
        stdin.write(text.encode())
        data = stdout.read(1 << 16)
        while b"</value>" not in data:
            data += stdout.read(1 << 16)
        return data

    def one() -> None:
        call(coq_xml.edit_call(root))
        tip = root
        for step in STEPS:
            tried = int(call(coq_xml.add_call(step, tip)).partition(b'state_id val="')[2].partition(b'"')[0])
            failed = b'val="fail"' in call(coq_xml.goal_call())
            if failed:
                call(coq_xml.edit_call(tip))
            tip = tip if failed else tried

    return one, session.close


def speed(steps: int) -> None:
    """Both in turns of ten rounds."""
    ways = {"prover": ours(), "coqidetop alone": bare()}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(1, steps // (10 * len(STEPS)))):
        for name, (one, _) in ways.items():
            begun = time.perf_counter()
            for _ in range(10):
                one()
            spent[name].append((time.perf_counter() - begun) / (10 * len(STEPS)))
    for _, end in ways.values():
        end()
    medians = {name: statistics.median(times) for name, times in spent.items()}
    rows = [
        (name, f"{1 / each:.0f}", f"{1000 * each:.2f}", f"{each / medians['coqidetop alone']:.2f}")
        for name, each in medians.items()
    ]
    print(table(("way", "steps/s", "ms a step", "times coqidetop"), rows))


def soak(count: int) -> None:
    """Open, step and finish `count` theorems of our own; kill the process under every twentieth."""
    prover = Rocq(ProverConfig())
    outcomes: collections.Counter[str] = collections.Counter()
    rows = []
    for number in range(count):
        statement = f"Theorem sum_{number} (n : nat) : n + {number % 50} = {number % 50} + n."
        state = prover.open(Theorem(str(number), "Require Import Arith.", statement), 60.0)
        if isinstance(state, State):
            if number % 20 == 7:
                session = prover._document._session
                os.kill(session._process._program() or 0, signal.SIGKILL) if session else None
            results = [prover.step(state, tactic, SECONDS) for tactic in ("induction n", "simpl", "ring", "lia")]
            outcomes[type(results[-1]).__name__] += 1
        outcomes["lost"] += not isinstance(state, State)
        if (number + 1) % (count // 5) == 0:
            counts = str(len(descendants())), str(len(list(Path("/proc/self/fd").iterdir())))
            rows.append((str(number + 1), f"{prover._document.resident_mb():.0f}", *counts))
    prover.close()
    print(table(("theorems", "MiB of the session", "processes", "descriptors"), rows))
    print(f"after close {len(descendants())} processes are left; last steps: {dict(outcomes)}")


def descendants() -> set[int]:
    """The processes that this one started, and those that they did."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    mine = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    return mine - {os.getpid()}


def try_closers(theorem: Theorem) -> dict[str, Any]:
    """Which tactic closes a theorem first, and the verdict of a fresh check."""
    prover: Rocq = _WORKER.setdefault("prover", Rocq(ProverConfig()))
    state = prover.open(theorem, 60.0)
    row: dict[str, Any] = {"id": theorem.id, "split": theorem.meta["split"], "loads": isinstance(state, State)}
    if isinstance(state, State):
        for name, tactic in CLOSERS.items():
            result = prover.step(state, tactic, SECONDS)
            if isinstance(result, Proved):
                verdict = prover.check(theorem, prover.proof(result.steps), 120.0)
                return {**row, "closed": name, "accepted": verdict.accepted, "why": verdict.why}
    return row


_WORKER: dict[str, Any] = {}


def baseline(folder: str, limit: int | None) -> None:
    """All of them by two workers."""
    begun = time.perf_counter()
    rows = []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for row in pool.imap_unordered(try_closers, theorems(folder, limit), chunksize=8):
            rows.append(row)
            print(f"\r{len(rows)} tried", end="", file=sys.stderr, flush=True) if sys.stderr.isatty() else None
    hits = [row for row in rows if "closed" in row]
    loaded = sum(row["loads"] for row in rows)
    print(f"\n{len(hits)} of {loaded} loaded closed in {time.perf_counter() - begun:.0f} s;", end=" ")
    print(f"{sum(row['accepted'] for row in hits)} accepted by a fresh check")
    for split in ("test", "valid"):
        kept = [row for row in rows if row["split"] == split]
        print(f"{split}: {sum('closed' in row for row in kept)} of {sum(row['loads'] for row in kept)}")
    print(table(("first to close", "theorems"), [(n, str(c)) for n, c in counted(hits)]))
    print(table(("not accepted", "why"), [(row["id"], row["why"]) for row in hits if not row["accepted"]]))


def counted(hits: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """How often each tactic was the first."""
    return collections.Counter(row["closed"] for row in hits).most_common()


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["speed"]
    if what == "speed":
        speed(int(rest[0]) if rest else 4000)
    elif what == "soak":
        soak(int(rest[0]) if rest else 1000)
    else:
        {"load": load, "same": same, "baseline": baseline}[what](rest[0], int(rest[1]) if rest[1:] else None)
