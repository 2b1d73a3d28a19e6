"""How fast shared n-grams are found: the published way, a plain dictionary, and ours, with the same pairs.

python bench/overlap.py ITEMS.jsonl TEXT... [--n 30] [--items 5000] [--mb 20] [--rounds 3]

ITEMS.jsonl: rows with `solution`, `problem`, `question` or `text`. TEXT: files of prose; their paragraphs are what
surrounds the items. A document is about 9 kB; every second one holds a stretch of an item. The ways take turns on the
same documents, so a busy machine slows all alike; a rate is the median of the rounds, in MB of text a second of
processor time. The published way (https://github.com/wellecks/overlap: for every document, every item's set is made
and intersected) is so slow that it sees a few documents only.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from llemma.core import jsonl
from llemma.overlap.fuzzy import Sketches
from llemma.overlap.index import Index
from llemma.overlap.words import SPLITTERS

Pairs = list[tuple[int, int]]
FIELDS = ("solution", "problem", "question", "text")


def read_items(path: Path, most: int) -> list[str]:
    """Texts of the first field that a row has, those of 30 words and more first in their order."""
    rows = [next(str(row[key]) for key in FIELDS if key in row) for row in jsonl.read(path, dict)]
    return sorted(rows, key=lambda text: len(text.split()) < 30)[:most]


def made(items: list[str], prose: list[str], size: int, rng: random.Random) -> list[str]:
    """Documents of `size` bytes together."""
    documents, total = [], 0
    while total < size:
        parts = [rng.choice(prose) for _ in range(8)]
        if len(documents) % 2:
            words = rng.choice(items).split()
            start = rng.randrange(max(1, len(words) // 3))
            parts.insert(4, " ".join(words[start : start + 80]))
        documents.append("\n\n".join(parts))
        total += len(documents[-1].encode())
    return documents


def grams(words: list[str], n: int) -> list[str]:
    """All n-grams, joined."""
    return [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]


def published(items: list[str], n: int) -> Callable[[list[str]], Pairs]:
    """For every document and every item a set and an intersection."""
    lists = [grams(item.split(), n) for item in items]

    def search(documents: list[str]) -> Pairs:
        found = []
        for number, text in enumerate(documents):
            mine = set(grams(text.split(), n))
            found += [(number, item) for item, theirs in enumerate(lists) if mine.intersection(set(theirs))]
        return found

    return search


def dictionary(items: list[str], n: int) -> Callable[[list[str]], Pairs]:
    """Every n-gram of the documents looked up in a dictionary of those of the items."""
    known: dict[str, set[int]] = {}
    for number, item in enumerate(items):
        for gram in grams(item.split(), n):
            known.setdefault(gram, set()).add(number)

    def search(documents: list[str]) -> Pairs:
        found = []
        for number, text in enumerate(documents):
            hits: set[int] = set()
            for gram in grams(text.split(), n):
                if gram in known:
                    hits |= known[gram]
            found += [(number, item) for item in sorted(hits)]
        return found

    return search


def ours(items: list[str], lengths: list[int], tokens: str = "whitespace") -> Callable[[list[str]], Pairs]:
    """The index."""
    index = Index(items, lengths, SPLITTERS[tokens])  # type: ignore[arg-type]

    def search(documents: list[str]) -> Pairs:
        return [(number, hit.item) for number, text in enumerate(documents) for hit in index.scan(text)]

    return search


def fuzzy(items: list[str]) -> Callable[[list[str]], Pairs]:
    """The second look."""
    sketches = Sketches(items, 0.6)

    def search(documents: list[str]) -> Pairs:
        return [(number, hit.item) for number, text in enumerate(documents) for hit in sketches.scan(text)]

    return search


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("items", type=Path)
    options.add_argument("text", type=Path, nargs="+")
    for name, default in (("n", 30), ("items-used", 5000), ("mb", 20), ("rounds", 3), ("published-documents", 20)):
        options.add_argument(f"--{name}", type=int, default=default)
    given = options.parse_args()
    items = read_items(given.items, given.items_used)
    text = "\n\n".join(path.read_text("utf-8", "replace") for path in given.text)
    prose = [part for part in text.split("\n\n") if 300 < len(part) < 4000]
    documents = made(items, prose, given.mb * 1_000_000, random.Random(0))
    few = documents[: given.published_documents]
    n = given.n
    ways: dict[str, tuple[Callable[[list[str]], Pairs], list[str]]] = {}
    for name, make, texts in (
        ("published way", lambda: published(items, n), few),
        ("plain dictionary", lambda: dictionary(items, n), documents),
        ("llemma.overlap", lambda: ours(items, [n]), documents),
        (f"llemma.overlap, n = {n}, 20, 10", lambda: ours(items, [n, 20, 10]), documents),
        ("llemma.overlap, normal", lambda: ours(items, [n], "normal"), documents),
        ("llemma.overlap, fuzzy 0.6", lambda: fuzzy(items), documents),
    ):
        started = time.process_time()
        ways[name] = make(), texts
        print(f"{name}: made in {time.process_time() - started:.1f} s", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, Pairs] = {}
    for _ in range(given.rounds):
        for name, (search, texts) in ways.items():
            started = time.process_time()
            found[name] = search(texts)
            seconds[name].append(time.process_time() - started)
    report(ways, seconds, found)
    same = found["plain dictionary"] == found["llemma.overlap"]
    first = [pair for pair in found["llemma.overlap"] if pair[0] < len(few)] == found["published way"]
    print(f"pairs as the dictionary's: {same}; as the published way's: {first}")
    print(f"largest memory of all together: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


def report(
    ways: dict[str, tuple[Callable[[list[str]], Pairs], list[str]]],
    seconds: dict[str, list[float]],
    found: dict[str, Pairs],
) -> None:
    """Rates, lowest to highest of the rounds, and hits."""
    for name, (_, texts) in ways.items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        rates = sorted(size / each for each in seconds[name])
        spread = f"{rates[0]:.2f} to {rates[-1]:.2f}"
        print(f"{name:34} {statistics.median(rates):8.2f} MB/CPU-s ({spread}) {len(found[name]):7,} hits")


if __name__ == "__main__":
    main()
