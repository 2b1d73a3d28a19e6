"""Extraction from web pages: formulas, main text, furniture and speed, ours beside others, in one run.

python -m venv /tmp/peers; /tmp/peers/bin/pip install trafilatura lxml_html_clean resiliparse lxml msgspec
PYTHONPATH=src /tmp/peers/bin/python bench/web.py OUT/open.jsonl.gz          # a set made by bench/web_set.py
PYTHONPATH=src python bench/web.py OUT/open.jsonl.gz --misses 20             # what ours loses; only ours is run

delimited: the formula stands as LaTeX between dollars, `\\(..\\)` or `\\[..\\]`; micro over formulas, macro over
pages; source: its LaTeX stands anywhere. main text: sentences kept; boilerplate: furniture kept. Blanks, outer
`\\displaystyle`, labels and numbers do not count. Rates are per second of CPU time of this process.
"""

# ruff: noqa: E501

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from web_peers import Extract, ours, present


class Score(NamedTuple):
    """Kept and all, of one page."""

    delimited: list[bool]
    source: list[bool]
    text: list[bool]
    furniture: list[bool]


_SPANS = re.compile(
    r"(?<!\\)\$\$(.+?)(?<!\\)\$\$|(?<!\\)\$([^$]+?(?:\\\$[^$]*?)*)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL
)
_FENCED = re.compile(r"^(`{3,})\w*\n.*?\n\1$", re.DOTALL | re.MULTILINE)


def canon(latex: str) -> str:
    """LaTeX without what does not count."""
    latex = re.sub(r"\\(?:label|tag)\*?\{[^{}]*\}|\\displaystyle(?![A-Za-z])|\\nonumber", "", latex)
    latex = re.sub(r"\s|\\!|&nbsp;|\xa0|[​﻿]", "", latex.replace("\\vert", "|"))
    while latex[:1] == "{" and latex[-1:] == "}" and _outer(latex):
        latex = latex[1:-1]
    return latex.rstrip(".,;")


def _outer(latex: str) -> bool:
    depth = 0
    for at, char in enumerate(latex):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return at == len(latex) - 1
    return False


def letters(text: str) -> str:
    """Letters and digits only: Markdown's marks and blanks do not count."""
    return re.sub(r"[\W_]+", "", text).casefold()


def score(row: dict[str, Any], text: str) -> Score:
    """How an extraction of a page does."""
    spans = Counter(canon(next(g for g in m.groups() if g is not None)) for m in _SPANS.finditer(_FENCED.sub("", text)))
    joined, everything, words = "\n".join(spans), canon(text.replace("\\$", "$")), letters(text)
    delimited, source = [], []
    for kind, latex in row["formulas"]:
        wanted = canon(latex)
        exact = spans[wanted] > 0
        spans[wanted] -= exact
        # A row of a joined display, or a formula that the page's text continues, is kept when it is long enough to be
        # told; LaTeXML cuts displays into cells.
        delimited.append(exact or ((len(wanted) >= 8 or kind == "alttext") and wanted in joined))
        source.append(delimited[-1] or wanted in everything)
    kept = [letters(sentence) in words for sentence in row["sentences"]]
    return Score(delimited, source, kept, [letters(piece) in words for piece in row["furniture"]])


def share(flags: list[bool]) -> float:
    """Of true ones; 1 of none."""
    return sum(flags) / len(flags) if flags else 1.0


def measure(name: str, extract: Extract, rows: list[dict[str, Any]]) -> tuple[str, list[Score]]:
    """A line of the table, and the pages' scores."""
    extract(rows[0]["html"])
    scores, spent, failed = [], 0.0, 0
    for row in rows:
        started = time.process_time()
        try:
            text = extract(row["html"])
        except Exception:  # a peer that fails has lost the page
            text, failed = "", failed + 1
        spent += time.process_time() - started
        scores.append(score(row, text))
    size = sum(len(row["html"].encode()) for row in rows) / 1e6
    pages = [s.delimited for s in scores if s.delimited]
    micro = [share(list(chain.from_iterable(flags))) for flags in zip(*scores, strict=True)]
    macro = sum(map(share, pages)) / max(1, len(pages))
    columns = [f"{len(rows) / spent:.1f}", f"{size / spent:.1f}",
               *(f"{value:.3f}" for value in (micro[0], macro, *micro[1:]))]  # fmt: skip
    return f"| {name}{f' ({failed} pages failed)' if failed else ''} | {' | '.join(columns)} |", scores


def kinds(rows: list[dict[str, Any]], scores: list[Score]) -> None:
    """Delimited share by markup and by origin."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for row, found in zip(rows, scores, strict=True):
        for (kind, _), kept in zip(row["formulas"], found.delimited, strict=True):
            groups[f"kind {kind}" if not row["origin"].startswith("made") else row["origin"]].append(kept)
            groups["real pages" if not row["origin"].startswith("made") else "made pages"].append(kept)
    for name, flags in sorted(groups.items()):
        print(f"{name:28} {len(flags):6} {share(flags):.3f}")


def misses(rows: list[dict[str, Any]], count: int) -> None:
    """The pages where ours loses most, and what."""
    _, scores = measure("llemma", ours, rows)
    kinds(rows, scores)
    order = sorted(range(len(rows)), key=lambda i: -_lost(scores[i]))
    for index in order[:count]:
        row, found = rows[index], scores[index]
        print(
            f"\n{row['name']}: formulas {share(found.delimited):.2f} text {share(found.text):.2f} furniture {sum(found.furniture)}"
        )
        for label, wanted, flags in (("formula", [f for _, f in row["formulas"]], found.delimited), ("text", row["sentences"], found.text),
                                     ("furniture", row["furniture"], [not f for f in found.furniture])):  # fmt: skip
            for value in [w for w, flag in zip(wanted, flags, strict=True) if not flag][:4]:
                print(f"   {label}: {value[:110]!r}")


def _lost(found: Score) -> float:
    return sum(not f for f in found.delimited) + sum(not t for t in found.text) + sum(found.furniture)


def main() -> None:
    """Print the table, or the misses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--misses", type=int, default=0)
    args = parser.parse_args()
    with gzip.open(args.pages, "rt") as stream:
        rows = [json.loads(line) for line in stream]
    if args.misses:
        misses(rows, args.misses)
        return
    print(f"{len(rows)} pages, {sum(len(row['formulas']) for row in rows)} formulas, {sum(len(row['sentences']) for row in rows)} sentences, "
          f"{sum(len(row['furniture']) for row in rows)} pieces of furniture\n")  # fmt: skip
    print(
        "| extractor | pages/CPU-s | MB/CPU-s | delimited micro | macro | source | main text | boilerplate |\n|"
        + "---|" * 8
    )
    for name, extract in present():
        print(measure(name, extract, rows)[0], flush=True)


if __name__ == "__main__":
    main()
