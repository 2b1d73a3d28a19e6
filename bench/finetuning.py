"""Generated questions and answers to fine-tune on: arithmetic stories that none of the held-out problems is among.

python bench/finetuning.py OUT.jsonl [--count 12000] [--seed 5] [--problems runs/mini/problems.jsonl]

Rows {question, answer}, of another seed than the corpus and the held-out problems.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from llemma.core import jsonl
from llemma.corpus.sources.synthetic import worked


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--problems", type=Path, default=None)
    options = parser.parse_args()
    held_out = options.problems.read_text().splitlines() if options.problems else []
    asked = {json.loads(line)["problem"] for line in held_out}
    made = (worked(options.seed, index) for index in range(options.count))
    rows = ({"question": item.problem, "answer": item.solution} for item in made if item.problem not in asked)
    print(jsonl.write(options.out, rows), "pairs in", options.out)


if __name__ == "__main__":
    main()
