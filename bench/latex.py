"""MB of LaTeX source per CPU-second: each stage of our paper converter, both rule sets, and peers, in one run.

    PYTHONPATH=src python bench/latex.py ARCHIVE... [--peers FOLDER]

FOLDER holds `pylatexenc` (`pip install --target FOLDER pylatexenc`); its row converts the first 200 KB of each book.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from llemma.corpus.latex import cuts, encodings, macros, modes, paper, project
from llemma.corpus.latex.archive import read_archive

SAMPLE = 200_000


def timed(work: Callable[[], object], repeats: int = 3) -> float:
    """CPU seconds of the fastest of `repeats` runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def stages(files: dict[str, bytes]) -> dict[str, float]:
    """CPU seconds of each stage on one archive."""
    texts = {name: encodings.decode(data) for name, data in files.items()}
    bare = project.without_comments(texts)
    names = project.roots(bare)
    sources = [project.assemble(name, bare).text for name in names]
    expanded = [macros.expand(source, macros.Macros()) for source in sources]
    settled = [modes.settle(text) for text in expanded]
    return {
        "decode": timed(lambda: [encodings.decode(data) for data in files.values()]),
        "comments": timed(lambda: project.without_comments(texts)),
        "main file and inputs": timed(lambda: [project.assemble(name, bare) for name in project.roots(bare)]),
        "macros": timed(lambda: [macros.expand(source, macros.Macros()) for source in sources]),
        "formulas in words": timed(lambda: [modes.settle(text) for text in expanded]),
        "cuts": timed(lambda: [cuts.tidy(cuts.matter(cuts.floats(cuts.cut(text)))) for text in settled]),
    }


def main(arguments: list[str]) -> None:
    """Print the table."""
    if "--peers" in arguments:
        at = arguments.index("--peers")
        sys.path.append(arguments[at + 1])
        del arguments[at : at + 2]
    for name in arguments:
        path = Path(name)
        files = read_archive(path).files
        size = sum(map(len, files.values())) / 1e6
        seconds = {"archive": timed(lambda path=path: read_archive(path))} | stages(files)  # type: ignore[misc]
        seconds["whole, default rules"] = timed(lambda path=path: paper(read_archive(path).files))  # type: ignore[misc]
        seconds["whole, llemma rules"] = timed(lambda path=path: paper(read_archive(path).files, "llemma"))  # type: ignore[misc]
        rows = {row: size / taken for row, taken in seconds.items()}
        rows |= peers(files)
        for row, rate in rows.items():
            print(f"{path.name:16} {row:24} {rate:9.2f} MB/CPU-s")


def peers(files: dict[str, bytes]) -> dict[str, float]:
    """pylatexenc's LaTeX to text, where it is installed."""
    try:
        from pylatexenc.latex2text import LatexNodes2Text  # type: ignore[import-not-found]
    except ImportError:
        return {}
    text = max((data for data in files.values()), key=len).decode("utf-8", "replace")[:SAMPLE]
    try:
        return {"pylatexenc": len(text) / 1e6 / timed(lambda: LatexNodes2Text().latex_to_text(text), 1)}
    except Exception as error:
        print(f"pylatexenc fails: {type(error).__name__}")
        return {}


if __name__ == "__main__":
    main(sys.argv[1:])
