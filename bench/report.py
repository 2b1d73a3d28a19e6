"""How large a report may become: seconds to build, MB on disk, and in a real Chromium the first paint and a search.

python bench/report.py [SAMPLES ...]      default 100000: problems with a completion of about 500 characters each
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from llemma.core import jsonl
from llemma.core.files import write_json
from llemma.core.types import Completion, Problem, Score, Verdict
from llemma.report import build

_SENTENCE = """
    the sum of two even numbers is therefore equal to and so we may write first then because each angle circle line
    point divides prime factor root square area triangle side length minus plus times over gives hence let suppose
    find how many ways there are with without integer real positive solution answer value function limit series
"""
WORDS = _SENTENCE.split()
FORMULAS = ("$x^2 + {0}$", r"$\frac{{{0}}}{{7}}$", r"\[ \sqrt{{{0}}} = {0} \]", "${0} + {0} = 2 \\cdot {0}$")
RARE = "zygomorphic quaternion"  # stands in one completion of a thousand
COMMON = "therefore"

# Milliseconds from the navigation to the first paint, and to the list of problems.
PAINTED = """() => [performance.getEntriesByType("paint")[0].startTime,
    performance.getEntriesByName("list")[0].startTime]"""
# From the words to the new list, laid out; a person's typing waits 60 ms more for further keys.
SEARCH = """(words) => {
    const field = document.getElementById("search"), begun = performance.now();
    field.value = words;
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    document.getElementById("list").offsetHeight; // waits for the layout
    return performance.now() - begun;
}"""


def write_run(folder: Path, samples: int, seed: int = 1) -> Path:
    """An evaluation of `samples` problems with a greedy completion each."""
    rng = random.Random(seed)
    problems, completions, verdicts = [], [], []
    for number in range(samples):
        id, gold, text = f"many/{number:06d}", str(number % 97), _text(rng, 15)
        meta = {"level": str(1 + number % 5), "subject": WORDS[number % 7], "prompt": f"Problem: {text}\nSolution:"}
        problems.append(Problem(id, f"task-{number % 3}", text, gold, meta))
        said = _text(rng, 70) + (f" {RARE}" if number % 1000 == 7 else "") + f" The answer is ${gold}$."
        outcome = rng.choice(("right", "right", "wrong", "no_answer"))
        completions.append(Completion(f"{id}#greedy", 0, said, tokens=120))
        verdicts.append(Verdict(f"{id}#greedy", 0, outcome, gold if outcome != "no_answer" else None, gold, "as told"))
    jsonl.write(folder / "problems.jsonl.zst", problems)
    jsonl.write(folder / "completions.jsonl.zst", completions)
    jsonl.write(folder / "verdicts.jsonl.zst", verdicts)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    score = Score("task-0", "greedy", outcomes["right"] / samples, 0.4, 0.6, samples, dict(outcomes))
    write_json(folder / "results.json", {"llemma": {"model": "bench", "scores": [score]}})
    return folder


def _text(rng: random.Random, words: int) -> str:
    parts = rng.choices(WORDS, k=words)
    for _ in range(words // 15):
        parts[rng.randrange(words)] = rng.choice(FORMULAS).format(rng.randrange(2, 99))
    return " ".join(parts)


def look(browser: Any, address: str) -> dict[str, float]:
    """Milliseconds in the browser: first paint of the list, reading everything, three searches, a jump in the list."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".row .snippet")
    paint, listed = page.evaluate(PAINTED)
    while not page.evaluate("llemma.search.complete()"):
        time.sleep(0.02)
    read = page.evaluate("performance.now()")
    queries = {"rare": f'"{RARE}"', "common": COMMON, "two words": "quaternion answer", "none": "nowhere-to-be-found"}
    times = {
        name: min(page.evaluate(SEARCH, _address(page, words)) for _ in range(1)) for name, words in queries.items()
    }
    page.evaluate("history.replaceState(null, '', '#')")
    jump = page.evaluate(
        "() => { const b = performance.now(), l = document.getElementById('list');"
        " l.scrollTop = 1e9; l.offsetHeight; return performance.now() - b; }"
    )
    heap = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize / 1e6 : 0")
    page.close()
    return {
        "first paint": paint,
        "list": listed,
        "all read": read,
        **times,
        "jump": jump,
        "heap": heap,
    }


def _address(page: Any, words: str) -> str:
    page.evaluate("(words) => history.replaceState(null, '', '#' + new URLSearchParams({ q: words }))", words)
    return words


def main(sizes: list[int]) -> None:
    """Print a line a size."""
    from playwright.sync_api import sync_playwright

    from llemma.report import view

    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for size in sizes:
            run = write_run(Path(folder) / f"run-{size}", size)
            begun, used = time.monotonic(), time.process_time()
            index = build([run], Path(folder) / f"report-{size}")
            wall, cpu = time.monotonic() - begun, time.process_time() - used
            files = [path.stat().st_size for path in index.parent.rglob("*") if path.is_file()]
            print(f"{size:,} samples: {cpu:.1f} CPU s ({wall:.1f} s), {sum(files) / 1e6:.0f} MB, {len(files)} files")
            print("  file://", _line(look(browser, (index.parent / "samples.html").as_uri())))
            with view.server(view.Site(index.parent), 0) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                print("  view   ", _line(look(browser, f"http://127.0.0.1:{server.server_address[1]}/samples.html")))
                server.shutdown()


def _line(seen: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}{' MB' if name == 'heap' else ' ms'}" for name, value in seen.items())


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [100_000])
