"""How much memory an evaluation of a thousand problems with 256 samples each needs, step by step.

    python bench/large_evaluation.py [--problems 1000] [--samples 256] [--keep DIR]

Each step runs in a process of its own, whose peak resident memory is printed: asking and judging (the backend makes
its completions up, about 600 characters each), judging again, exporting samples, and writing the report.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from llemma.core.types import Completion, Request

STEPS = ("evaluate", "rescore", "samples", "report", "compare")


class Invented:
    """A backend that answers at once: right three times in ten, else one of a few wrong answers, or none."""

    name = identity = "invented:"
    device = "none"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`."""
        for request in requests:
            rng = random.Random(request.id)
            right = 2 * int(request.id.split("#")[0].rpartition("/")[2])
            yield [_completion(request, sample, rng, right) for sample in range(request.n)]

    def score(self, texts: Sequence[str]) -> Iterator[object]:
        """No texts are scored here."""
        raise NotImplementedError


def _completion(request: Request, sample: int, rng: random.Random, right: int) -> Completion:
    steps = " ".join(f"Then ${rng.randrange(999)} + {rng.randrange(999)}$ is what we add." for _ in range(15))
    draw = rng.random()
    end = f"The answer is ${right if draw < 0.3 else right + rng.randrange(1, 30)}$." if draw < 0.9 else "And so on"
    return Completion(request.id, sample, f"{steps} {end}", tokens=250, seconds=1.0)


def _evaluate(folder: Path, problems: int, samples: int) -> None:
    from llemma.core.console import Console
    from llemma.evals.config import EvalConfig
    from llemma.evals.runner import evaluate
    from llemma.evals.task import jsonl_task

    rows = [
        {"id": f"sums/{n}", "problem": f"What is {n} + {n}?", "answer": str(2 * n), "subject": f"s{n % 7}"}
        for n in range(problems)
    ]
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate(Invented(), [jsonl_task(path)], EvalConfig(k=samples), folder / "run", console=Console(quiet=True))  # type: ignore[arg-type]


def _step(step: str, folder: Path, problems: int, samples: int) -> None:
    run = folder / "run"
    if step == "evaluate":
        _evaluate(folder, problems, samples)
    elif step == "rescore":
        from llemma.evals.runner import rescore

        rescore(run)
    elif step == "samples":
        from llemma.evals.samples import export_samples

        export_samples(run, folder / "export", "today")
    elif step == "report":
        from llemma.report import build

        build([run], folder / "report")
    else:
        from llemma.report import build_comparison

        build_comparison(run, run, folder / "compare")


def main() -> None:
    """Run the steps and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--keep", type=Path, help="folder for what is written; else a temporary one")
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        begun = time.monotonic()
        _step(options.one, options.keep, options.problems, options.samples)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{options.one:10} {peak:8,.0f} MiB {time.monotonic() - begun:8.1f} s", flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for step in options.steps.split(","):
            sizes = ["--problems", str(options.problems), "--samples", str(options.samples)]
            subprocess.run([sys.executable, __file__, *sizes, "--keep", str(folder), "--one", step], check=True)


if __name__ == "__main__":
    main()
