"""The rates behind `--plan`, from the marks of a finished run of `llemma reproduce`.

python bench/rates.py runs/mini        prints what src/llemma/reproduce/plan.py calls TRAIN_SHARE, SAMPLE_SHARE, ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from llemma.core.files import read_json
from llemma.core.runs import Mark
from llemma.reproduce.plan import matmul_rate


def seconds(run: Path, prefix: str) -> float:
    """Wall seconds of all stages whose name begins with `prefix`."""
    return sum(read_json(path, Mark).seconds for path in (run / "marks").glob(f"{prefix}*.json"))


def main(run: Path) -> None:
    """Print the table."""
    rate = matmul_rate(2.0)
    print(f"matrix products: {rate / 1e9:.0f} GFLOP/s")
    stats = json.loads((run / "corpus" / "stats.json").read_text())
    kept = stats["kept"]["bytes"]
    print(f"tokens: {kept / seconds(run, 'token') / 1e6:.1f} MB/s of {kept / 1e6:.0f} MB kept")
    for phase in sorted(path.parent for path in run.glob("*/plan.json")):
        plan = json.loads((phase / "plan.json").read_text())
        share = plan["flops"] / seconds(run, f"train-{phase.name}") / rate
        print(f"train {phase.name}: {share:.2f} of the product rate, {seconds(run, f'train-{phase.name}'):.0f} s")
        print(f"eval {phase.name}: {seconds(run, f'eval-{phase.name}'):.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
