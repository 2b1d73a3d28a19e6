"""Near-duplicate removal beside other libraries: speed, recall, and wrong merges, on planted copies of real text.

    python bench/dedup.py [--documents N]

Half of the documents are windows of 200 to 500 words of the texts that a machine holds (documentation, Python
packages), half are copies of some of them with words replaced, removed and inserted, up to one in ten. Every system has
14 bands of 8 numbers over 5-word shingles. A pair counts as alike when the Jaccard similarity of its shingles, computed
by definition, is 0.8 or more; a merge is wrong when it is not. rensa, datasketch and datatrove's own four stages are
compared where they can run (`pip install rensa datasketch spacy nltk`). About two minutes for 20,000 documents,
two more for datatrove.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llemma.core.console import table
from llemma.corpus.copies import METHODS, find_copies, index_texts
from llemma.corpus.dedup import Method
from llemma.corpus.exchange import Limits
from llemma.corpus.words import word_hashes

RATES = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.10)
BANDS, ROWS = 14, 8
Found = tuple[float, float, list[tuple[int, int]]]
"""CPU-seconds of signing, CPU-seconds of all, and (document, kept document) pairs."""


def windows() -> Iterator[list[str]]:
    """Pieces of real text, 200 to 500 words each, in an order that does not depend on the machine's."""
    rng = random.Random(0)
    roots = [Path("/usr/share/doc"), Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib"))]
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.suffix in (".txt", ".html", ".rst", ".md", ".py", ".tex", "") and path.is_file():
                words = path.read_bytes()[:400_000].decode("utf-8", "ignore").split()
                start = 0
                while len(words) - start >= 200:
                    size = rng.randint(200, 500)
                    yield words[start : start + size]
                    start += size


def edited(rng: random.Random, words: list[str], rate: float, vocabulary: list[str]) -> list[str]:
    """The words with that share of edits: half replaced, a quarter removed, a quarter inserted."""
    found: list[str] = []
    for word in words:
        kind = rng.random() / rate if rate else 9.0
        new = rng.choice(vocabulary)
        found += [word] if kind >= 1 else [new] if kind < 0.5 else [] if kind < 0.75 else [word, new]
    return found


def grams(text: str) -> set[tuple[str, ...]]:
    """The 5-word shingles, by definition."""
    words = text.split()
    size = min(5, len(words))
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


def similarity(left: str, right: str) -> float:
    """Jaccard similarity of the shingles, by definition."""
    one, other = grams(left), grams(right)
    return len(one & other) / len(one | other)


def corpus(count: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Texts, and which of them was made from which."""
    rng, pool = random.Random(1), []
    for words in windows():
        pool.append(words)
        if len(pool) >= 4 * count:
            break
    rng.shuffle(pool)
    originals = pool[: count // 2]
    vocabulary = sorted({word for words in originals[:200] for word in words})
    planted = [(rng.randrange(len(originals)), rng.choice(RATES)) for _ in range(count - len(originals))]
    copies = [edited(rng, originals[base], rate, vocabulary) for base, rate in planted]
    texts = [" ".join(words) for words in (*originals, *copies)]
    return texts, [(len(originals) + number, base) for number, (base, _) in enumerate(planted)]


def ours(method: Method) -> Callable[[list[str]], Found]:
    """This project's own code, whole: words, signatures, the exchange on disk, verification."""

    def run(texts: list[str]) -> Found:
        start = time.process_time()
        for text in texts:
            method.sign(word_hashes(text.split()))
        signing = time.process_time() - start
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            equal, near = find_copies(index_texts(texts, method), 0.8, Limits(Path(folder) / "met"))
        rows = [*equal.tolist(), *near.tolist()]
        return signing, time.process_time() - start, [(number, keeper) for number, keeper, _ in rows]

    return run


def banded(signatures: list[np.ndarray]) -> list[tuple[int, int]]:
    """The first document that a document shares a band with, as tools without verification take it."""
    firsts: dict[tuple[int, bytes], int] = {}
    found = []
    for number, signature in enumerate(signatures):
        keys = [(band, signature[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        known = [firsts[key] for key in keys if key in firsts]
        if known:
            found.append((number, min(known)))
        for key in keys:
            firsts.setdefault(key, number)
    return found


def rensa(texts: list[str]) -> Found:
    """rensa's RMinHash, bands in a dictionary."""
    from rensa import RMinHash

    start = time.process_time()
    signatures = []
    for text in texts:
        words = text.split()
        minhash = RMinHash(num_perm=BANDS * ROWS, seed=1)
        minhash.update([" ".join(words[place : place + 5]) for place in range(max(1, len(words) - 4))])
        signatures.append(np.array(minhash.digest(), np.uint32))
    signing = time.process_time() - start
    return signing, time.process_time() - start, banded(signatures)


def datasketch(texts: list[str]) -> Found:
    """datasketch's MinHash, bands in a dictionary."""
    from datasketch import MinHash

    start = time.process_time()
    signatures = []
    for text in texts:
        words = text.split()
        minhash = MinHash(num_perm=BANDS * ROWS, seed=1)
        minhash.update_batch([" ".join(words[place : place + 5]).encode() for place in range(max(1, len(words) - 4))])
        signatures.append(minhash.hashvalues)
    signing = time.process_time() - start
    return signing, time.process_time() - start, banded(signatures)


def datatrove(texts: list[str]) -> Found:
    """datatrove's stages, one task each in this process; the keeper is the first document of the cluster."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.utils.hashing import HashConfig

    # its xxhash takes text, which xxhash 4 refuses
    config = MinhashConfig(n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS, hash_config=HashConfig(hash_fc="sha1"))
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        signed, met, ids = (f"{folder}/{name}" for name in ("signed", "met", "ids"))
        stage = MinhashDedupSignature(signed, config)
        start = time.process_time()
        stage.run(documents, 0, 1)
        signing = time.process_time() - start
        for bucket in range(BANDS):
            MinhashDedupBuckets(signed, met, config=config).run(None, bucket, BANDS)
        MinhashDedupCluster(met, ids, config=config, save_cluster_id=True).run(None, 0, 1)
        whole = time.process_time() - start
        loaded = MinhashDedupFilter(ids, load_cluster_ids=True).run(documents, 0, 1)
        kept = {int(document.id) for document in loaded}
    firsts: dict[Any, int] = {}
    found = []
    for number, document in enumerate(documents):
        first = firsts.setdefault(document.metadata.get("minhash_cluster_id", ("alone", number)), number)
        if number not in kept:
            found.append((number, first))
    return signing, whole, found


def row(
    name: str, run: Callable[[list[str]], Found], texts: list[str], alike: list[tuple[int, int]]
) -> tuple[Any, ...]:
    """One line of the table."""
    signing, whole, found = run(texts)
    dropped = {number for number, _ in found}
    wrong = sum(similarity(texts[number], texts[keeper]) < 0.8 for number, keeper in found)
    recall = sum(number in dropped for number, _ in alike) / len(alike)
    count = len(texts)
    return name, f"{count / signing:,.0f}", f"{count / whole:,.0f}", f"{recall:.3f}", len(found), wrong


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    texts, planted = corpus(parser.parse_args().documents)
    alike = [(number, base) for number, base in planted if similarity(texts[number], texts[base]) >= 0.8]
    size = sum(map(len, texts)) / 1e6
    print(f"{len(texts):,} documents, {size:.0f} MB, {len(alike):,} planted copies of similarity 0.8 or more")
    systems: dict[str, Callable[[list[str]], Found]] = {
        f"ours, {name}": ours(method) for name, method in METHODS.items()
    }
    systems |= {
        name: run for name, run in (("rensa", rensa), ("datasketch", datasketch)) if importlib.util.find_spec(name)
    }
    if importlib.util.find_spec("spacy") and importlib.util.find_spec("nltk"):
        systems["datatrove"] = datatrove
    rows = [row(name, run, texts, alike) for name, run in systems.items()]
    print(table(("system", "signed/cpu-s", "all/cpu-s", "recall", "dropped", "wrong"), rows))


if __name__ == "__main__":
    main()
