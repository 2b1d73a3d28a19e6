"""What voting costs: one problem's vote, and the curves of a whole task.

python bench/votes.py ../shared/benchmarks
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from grader_sets import math_golds
from llemma.core.intervals import bootstrap_means
from llemma.evals.curves import Samples, ladder, majority_curve, pass_curve
from llemma.evals.vote import clusters, majority

SAMPLES, DISTINCT, PROBLEMS = 256, 40, 5000


def problem(golds: list[str], chance: random.Random) -> list[str]:
    """256 answers, 40 of them distinct, the first ones more often."""
    forms = chance.sample(golds, DISTINCT)
    return forms + chance.choices(forms, [1 / (rank + 1) for rank in range(DISTINCT)], k=SAMPLES - DISTINCT)


def votes(folder: Path) -> list[list[str]]:
    """CPU-seconds a vote, each over answers that no vote before has read."""
    chance, golds = random.Random(0), sorted(set(math_golds(folder)), key=lambda gold: (-len(gold), gold))
    chance.shuffle(golds)
    asked = [problem(golds[at : at + DISTINCT], chance) for at in range(0, len(golds) - DISTINCT, DISTINCT)]
    spent = []
    for answers in asked:
        begun = time.process_time()
        majority(answers)
        spent.append(time.process_time() - begun)
    print(f"vote of {SAMPLES} samples, {DISTINCT} distinct: mean {1000 * sum(spent) / len(spent):.1f} ms, "
          f"slowest {1000 * max(spent):.1f} ms of CPU over {len(spent)} problems")  # fmt: skip
    return asked


def curves(asked: list[list[str]]) -> None:
    """CPU-seconds of maj@k and pass@k for every step, and of their intervals."""
    chance, drawn = random.Random(1), []
    for number in range(PROBLEMS):
        found = clusters(asked[number % len(asked)], str)
        right = chance.randrange(4)  # one of the frequent answers
        drawn.append(Samples([cluster == right for cluster in found], found))
    ks = ladder(SAMPLES)
    begun = time.process_time()
    values = majority_curve(drawn, ks)
    middle = time.process_time()
    rates = pass_curve(drawn, ks)
    bootstrap_means(values)
    bootstrap_means(rates)
    print(f"curves of {PROBLEMS:,} problems x {SAMPLES} samples at {len(ks)} steps: maj@k {middle - begun:.1f} s, "
          f"pass@k and all intervals {time.process_time() - middle:.1f} s of CPU")  # fmt: skip


if __name__ == "__main__":
    curves(votes(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/benchmarks")))
