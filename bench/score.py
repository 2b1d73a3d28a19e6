"""How good the mathematics score and the language test are, and how fast.

python bench/score.py pages ../shared/raw/web/pages.warc.gz [SCORE]   the starter, or SCORE, on pages it has not seen
python bench/score.py packages ROWS.jsonl                             trained without the packages it is measured on
python bench/score.py language FOLDER                                 man pages by language (/usr/share/man)
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from llemma.core.types import Document
from llemma.corpus.source import Unit
from llemma.corpus.sources.warc import Warc
from llemma.corpus.train_score import quality_text
from llemma.corpus.web.quality.language import english_probability
from llemma.corpus.web.quality.score import STARTER, load
from llemma.corpus.web.quality.training import BUCKETS, Example, buckets, fit, measure, probabilities

MATHEMATICAL = re.compile(r"//(?:lilianweng|colah|chrispiech)\.github\.io/|/(?:mathjax|wikipedia-3)/$")
"""Technical blogs, a course on probability, and two among the pages of news and encyclopaedias."""
FOLDS = 5


def pages(path: Path, score: Path) -> None:
    """Precision and recall of a score on the English pages of a WARC file."""
    read = list(Warc([], prefilter=False, every=True).read(Unit(path.name, str(path), ""), "web"))
    rows = [
        (item.meta, item.text) for item in read if isinstance(item, Document) and english_probability(item.text) >= 0.5
    ]
    labels = np.array([bool(MATHEMATICAL.search(meta["url"])) for meta, _ in rows], float)
    formulas = np.array([meta["found_math"] > 0 for meta, _ in rows])
    model = load(score)
    started = time.process_time()
    scores = np.array([model.score(text) for _, text in rows])
    seconds = time.process_time() - started
    size = sum(len(text.encode()) for _, text in rows)
    print(f"{len(rows)} English pages, {size / seconds / 1e6:.1f} MB of text a CPU-second\n")
    print(quality_text(measure(scores, labels)))
    for name, chosen, least in (("with", formulas, 0.15), ("without", ~formulas, 0.8)):
        kept = scores[chosen] >= least
        right = labels[chosen] == 1
        print(
            f"{name} formulas, at least {least}: {(kept & right).sum()} of {right.sum()} mathematical pages kept, ",
            end="",
        )
        print(f"{(kept & ~right).sum()} of {(~right).sum()} others")


def packages(path: Path) -> None:
    """Packages of documentation left out by turns: what a score does on a kind of text it was not trained on."""
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    examples = [Example(buckets(row["text"], BUCKETS), row["label"] == "math", "train") for row in rows]
    names = [row["group"].split("/")[0] for row in rows]
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    scores = np.zeros(len(rows))
    for fold in range(FOLDS):
        left = [order[name] % FOLDS == fold for name in names]
        weights, bias = fit([row for row, out in zip(examples, left, strict=True) if not out], BUCKETS, 0)
        scores[left] = probabilities([row for row, out in zip(examples, left, strict=True) if out], weights, bias)
    print(quality_text(measure(scores, np.array([row.mathematical for row in examples], float))))


def manuals(folder: Path) -> Iterator[tuple[bool, str]]:
    """Whether a man page lies in the English part, and its prose without macros."""
    for path in sorted(folder.glob("**/man[18]/*.gz")):
        text = gzip.open(path, "rt", encoding="utf-8", errors="replace").read()
        plain = re.sub(r"^[.'].*$|\\f(?:\[\w+\]|\(..|.)|\\[-&%]", "", text, flags=re.MULTILINE)
        if len(plain) > 500:
            yield path.parent.parent == folder, " ".join(plain.split())


def language(folder: Path) -> None:
    """Shares called English, by the length of the text; translated pages have untranslated paragraphs."""
    rows = list(manuals(folder))
    for length in (150, 400, 1500):
        some = [(english, text[100 : 100 + length]) for english, text in rows if len(text) > 100 + length]
        for which in (True, False):
            found = [english_probability(text) >= 0.5 for english, text in some if english is which]
            print(
                f"{length:5} characters, {'English' if which else 'other'}: {np.mean(found):.3f} of {len(found)} kept"
            )


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    if what == "pages":
        pages(Path(paths[0]), Path(paths[1]) if len(paths) > 1 else STARTER)
    else:
        {"packages": packages, "language": language}[what](Path(paths[0]))
