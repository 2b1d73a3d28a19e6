"""How OpenMP threads should wait: training steps of the mini model, alone and beside busy processes.

python bench/threads.py        prints median milliseconds a step for each setting and number of busy neighbours
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = ["OMP_WAIT_POLICY=PASSIVE", "GOMP_SPINCOUNT=1000", "GOMP_SPINCOUNT=100000", "OMP_NUM_THREADS=1"]
SECONDS = 7.0


def steps() -> None:
    """Print the median milliseconds of a training step in this process."""
    import torch

    from attention import mini, step

    model, optimizers = mini(512)
    ids, times, started = torch.randint(0, 2048, (6, 321)), [], time.monotonic()
    while time.monotonic() - started < SECONDS:
        times.append(step(model, optimizers, ids))
    print(f"{statistics.median(times[1:] or times):.0f}")


def measure(setting: str) -> str:
    """The output of `steps` in a process with `setting` in its environment."""
    name, _, value = setting.partition("=")
    plain = {key: text for key, text in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "steps"]
    return subprocess.run(
        command, env={**plain, name: value}, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    """Print the table; neighbours are ended again."""
    print("setting                    busy neighbours: 0      1      2")
    rows: dict[str, list[str]] = {setting: [] for setting in SETTINGS}
    for count in range(3):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
        try:
            for setting, found in rows.items():
                found.append(measure(setting))
        finally:
            for process in busy:
                process.kill()
                process.wait()
    for setting, found in rows.items():
        print(f"{setting:40s}" + "".join(f"{value:>7s}" for value in found), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["steps"]:
        sys.path.insert(0, str(Path(__file__).parent))
        steps()
    else:
        main()
