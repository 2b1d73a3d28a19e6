"""Graders of answers side by side in one run: agreement with labels, answers a CPU-second, slow answers.

python bench/graders.py ../shared/benchmarks --labelled DIR --half open --peers PYTHON --mv-tests FILE...

`--labelled` is what labelled.py wrote; PYTHON is an environment with math-verify and lm_eval; without it ours is alone.
Each grader works in a process of its own; all of them get the same pairs, a hundred at a time in turn, so that a busy
machine is busy for all. A pair has ten seconds; then its grader is ended and started again. Failures are printed with
`--show N`, never those of the half that is held out.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grader_sets as sets
from grader_sets import Pair

LIMIT = 10.0
"""Seconds of wall time a pair may take."""
SLOW = 5.0
"""Seconds of wall time after which an answer counts as slow."""
TURN = 100
"""Pairs a grader gets before the next one's turn."""
PEERS = ("math-verify", "lm-eval", "hendrycks")


@dataclass
class Grader:
    """A grader's process and what it has cost, in CPU-seconds: its start, its pairs, its own child processes."""

    name: str
    python: str
    process: subprocess.Popen[bytes] | None = None
    start: float = 0.0
    spent: float = 0.0
    waited: list[float] = field(default_factory=list)
    children: float = 0.0

    def open(self) -> str:
        """Start; the reason where this grader cannot be had."""
        worker = Path(__file__).with_name("grader_worker.py")
        self.process = subprocess.Popen(
            [self.python, str(worker), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        said = self._read(120) or {"missing": "it did not start"}
        self.start = said.get("start", 0.0)
        return str(said.get("missing", ""))

    def grade(self, pair: Pair) -> bool:
        """Its verdict; no verdict in time is False."""
        if self.process is None:
            self.open()
        assert self.process is not None and self.process.stdin is not None
        row = json.dumps({"pred": pair.pred, "gold": pair.gold, "kind": pair.kind})
        self.process.stdin.write(row.encode() + b"\n")
        self.process.stdin.flush()
        said = self._read(LIMIT)
        if said is None:
            self.spent += LIMIT
            self.waited.append(LIMIT)
            self.process.kill()
            self.process.wait()
            self.process = None
            return False
        self.spent += said["cpu"]
        self.waited.append(said["wall"])
        return bool(said["equal"])

    def close(self) -> None:
        """End, and count what its own child processes have cost."""
        if self.process is None or self.process.stdin is None:
            return
        self.process.stdin.close()
        self.children += (self._read(LIMIT) or {}).get("children", 0.0)
        self.process.wait()
        self.process = None

    def _read(self, seconds: float) -> dict[str, Any] | None:
        assert self.process is not None and self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None


def measure(pairs: list[Pair], graders: list[Grader]) -> dict[str, list[bool]]:
    """Every grader's verdicts, all of them a turn at a time."""
    verdicts: dict[str, list[bool]] = {grader.name: [] for grader in graders}
    for grader in graders:
        grader.spent, grader.children, grader.waited = 0.0, 0.0, []
        grader.open()
    for at in range(0, len(pairs), TURN):
        for grader in graders:
            verdicts[grader.name] += [grader.grade(pair) for pair in pairs[at : at + TURN]]
    for grader in graders:
        grader.close()
    return verdicts


def line(name: str, pairs: list[Pair], grader: Grader, verdicts: list[bool]) -> str:
    """A row of the table."""
    right = sum(verdict == pair.equal for verdict, pair in zip(verdicts, pairs, strict=True))
    wrong = Counter(verdict for verdict, pair in zip(verdicts, pairs, strict=True) if verdict != pair.equal)
    positives = sum(pair.equal for pair in pairs)
    seconds = grader.spent + grader.children
    slow = sorted(grader.waited)
    cells = (
        name,
        grader.name,
        f"{len(pairs):,}",
        f"{100 * right / len(pairs):.2f} %",
        f"{wrong[True]} of {len(pairs) - positives:,}",
        f"{wrong[False]} of {positives:,}",
        f"{len(pairs) / max(seconds, 1e-9):,.0f}",
        f"{1000 * slow[int(0.99 * (len(slow) - 1))]:.1f} ms",
        str(sum(one > SLOW for one in slow)),
        f"{grader.start:.2f} s",
    )
    return f"| {' | '.join(cells)} |"


COLUMNS = (
    "set",
    "grader",
    "pairs",
    "agreement",
    "false positives",
    "false negatives",
    "answers/CPU-s",
    "p99 wall",
    "over 5 s",
)
HEAD = f"| {' | '.join(COLUMNS)} | start |\n|{'---|' * (len(COLUMNS) + 1)}"


def chosen(options: argparse.Namespace) -> dict[str, list[Pair]]:
    """The sets that were asked for, each cut to a random sample where there is a limit."""
    found: dict[str, list[Pair]] = {}
    if options.labelled:
        for half in ("open", "held") if options.half == "both" else (options.half,):
            found[f"labelled, {half}"] = sets.made(options.labelled / f"{half}.jsonl")
    if options.mv_tests:
        found["Math-Verify's tests"] = [pair for path in options.mv_tests for pair in sets.cases(path)]
    if options.samples:
        found["samples"] = sets.samples(options.samples)
    if options.benchmarks:
        found["MATH identity"] = sets.identity(options.benchmarks)
        found["MATH shuffled"] = sets.shuffled(options.benchmarks)
        found["GSM8K solutions"] = sets.word_problems(options.benchmarks)
    wanted = {name: pairs for name, pairs in found.items() if pairs and (options.only or "") in name}
    return {
        name: random.Random(1).sample(pairs, options.limit) if options.limit and len(pairs) > options.limit else pairs
        for name, pairs in wanted.items()
    }


def available(options: argparse.Namespace) -> list[Grader]:
    """The graders that start."""
    graders = [Grader("ours", sys.executable), Grader("published", sys.executable)]
    graders += [Grader(name, options.peers) for name in PEERS] if options.peers else []
    found = []
    for grader in graders:
        if options.graders and grader.name not in options.graders.split(","):
            continue
        missing = grader.open()
        grader.close()
        if missing:
            print(f"{grader.name}: left out, {missing}")
        else:
            found.append(grader)
    return found


def failures(name: str, pairs: list[Pair], verdicts: list[bool], show: int) -> None:
    """What ours got wrong: counts by rule, and pairs unless they are held out."""
    wrong = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict != pair.equal]
    totals = Counter((pair.rule, pair.equal) for pair in pairs)
    for (rule, equal), count in sorted(Counter((pair.rule, pair.equal) for pair in wrong).items()):
        print(f"  {name}: {rule}, {'equal' if equal else 'different'}: {count} of {totals[rule, equal]} wrong")
    for pair in wrong[:show] if "held" not in name else ():
        label = "rejected though equal" if pair.equal else "ACCEPTED THOUGH DIFFERENT"
        print(f"    [{pair.rule}] {label}: pred {pair.pred[-300:]!r} gold {pair.gold[-200:]!r}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks", nargs="?", type=Path, help="a folder of NAME/test.jsonl")
    parser.add_argument("--labelled", type=Path, help="what labelled.py wrote")
    parser.add_argument("--half", choices=("open", "held", "both"), default="open")
    parser.add_argument("--peers", help="the Python of an environment with math-verify and lm_eval")
    parser.add_argument("--mv-tests", type=Path, nargs="*", default=[], help="Math-Verify's test files")
    parser.add_argument("--samples", type=Path, help="published samples of a model")
    parser.add_argument("--limit", type=int, help="pairs a set")
    parser.add_argument("--only", help="sets with this in their name")
    parser.add_argument("--graders", help="names with commas between them; all without")
    parser.add_argument("--show", type=int, default=0, help="failures of ours to print a set")
    options = parser.parse_args()
    graders, notes = available(options), []
    print(HEAD)
    for name, pairs in chosen(options).items():
        verdicts = measure(pairs, graders)
        for grader in graders:
            print(line(name, pairs, grader, verdicts[grader.name]), flush=True)
        if "ours" in verdicts:
            notes.append((name, pairs, verdicts["ours"]))
    for name, pairs, verdict in notes:
        failures(name, pairs, verdict, options.show)


if __name__ == "__main__":
    main()
