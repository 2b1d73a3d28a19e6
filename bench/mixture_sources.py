"""Papers, pages, code and problems as token stores for `llemma sweep`: the paper's question, with what is at hand.

    llemma corpus latex BOOK.tar.gz... --out papers.jsonl
    llemma corpus extract PAGES.warc.gz --out pages.jsonl
    python bench/mixture_sources.py --arxiv papers.jsonl --open-web-math pages.jsonl \
        --algebraic-stack CORPUS/algebraic-stack --math PROBLEMS.jsonl --out layout
    llemma tokenize layout --tokenizer runs/mini/tokenizer --out tokens

Papers are few and long: each is cut at blank lines into pieces of about 8,000 characters, and every tenth piece is
held out. `math` (rows {problem, solution}) is held out whole: it is measured and never trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from llemma.core import jsonl

PIECE = 8_000


def pieces(text: str) -> Iterator[str]:
    """The text cut at blank lines."""
    held = ""
    for paragraph in text.split("\n\n"):
        held += paragraph + "\n\n"
        if len(held) >= PIECE:
            yield held
            held = ""
    if held.strip():
        yield held


def texts(path: Path) -> Iterator[str]:
    """The texts of a file of rows, or of a corpus' subset."""
    files = sorted((path / "train").glob("*.jsonl*")) if path.is_dir() else [path]
    for file in files:
        for row in jsonl.read(file, dict):
            yield row["text"] if "text" in row else f"{row['problem']}\n\n{row['solution']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("arxiv", "open-web-math", "algebraic-stack", "math"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = vars(parser.parse_args())
    out = given.pop("out")
    for name, path in given.items():
        rows = [piece for text in texts(path) for piece in pieces(text)]
        held = rows if name == "math" else rows[::10]
        trained = [] if name == "math" else [row for number, row in enumerate(rows) if number % 10]
        subset = name.replace("_", "-")
        for split, part in (("train", trained), ("validation", held)):
            if part:
                jsonl.write(out / subset / split / "00000.jsonl.zst", ({"text": text} for text in part))
        print(json.dumps({"subset": subset, "pieces": len(rows), "characters": sum(map(len, rows))}))


if __name__ == "__main__":
    main()
