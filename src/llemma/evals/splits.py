"""Perplexity of whole splits of a corpus, such as the test splits of Proof-Pile-2: by subset, language and place.

out/
  likelihoods.jsonl.zst   Measured, one a document
  perplexity.json         Perplexities
  parts/                  the journal of finished batches

Bits per byte compare models of any tokenizer; perplexity per token is what papers print, and compares only models of
one tokenizer.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.backends.base import Backend, Likelihood
from llemma.core import jsonl
from llemma.core.console import Console, count, table
from llemma.core.errors import ItemsError
from llemma.core.files import digest, write_json
from llemma.core.intervals import bootstrap_ratio
from llemma.core.types import Document
from llemma.evals.journal import Journal, Part, sweep
from llemma.evals.perplexity import Passage, scored, truncate
from llemma.evals.texts import open_split

LIKELIHOODS, RESULTS = "likelihoods.jsonl.zst", "perplexity.json"
ALL = "all"
BATCH = 16
LANGUAGES = ("language", "lang", "programming_language")
"""Keys of a document's meta that say what it is written in."""
MOST_ERRORS = 0.01


class SplitConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is read and how. `limit`: documents a subset, drawn by a hash of their ids; `document_bytes`: of each, its
    beginning; 0 is no limit. `window` and `stride` are the backend's, kept here for the record."""

    split: str = "test"
    limit: int = 0
    document_bytes: int = 0
    window: int = 0
    stride: int = 0
    seed: int = 0


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model made of a document; `nats` is None where it is not finite. `places`: see `Likelihood`."""

    subset: str
    document: str
    language: str
    nats: float | None
    tokens: int
    bytes: int
    left_out: int = 0
    places: list[tuple[int, int, float]] = []
    error: str = ""


class Value(msgspec.Struct, frozen=True):
    """A number with its 95 % interval, from documents resampled."""

    value: float
    low: float
    high: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """All documents of a subset (of one language of it, where `language` is set), or of all."""

    subset: str
    language: str = ""
    documents: int
    bytes: int
    tokens: int
    bits_per_byte: Value
    perplexity: Value
    """Per token of the model's own tokenizer."""
    errors: int = 0


class Place(msgspec.Struct, frozen=True):
    """Tokens predicted from places `first` to before the next power of two of their window, and their mean nats."""

    first: int
    tokens: int
    nats: float


class Perplexities(msgspec.Struct, frozen=True, kw_only=True):
    """`perplexity.json`."""

    model: str
    identity: str
    device: str
    settings: SplitConfig
    seconds: float
    groups: list[Group]
    places: list[Place]


def measure(
    backend: Backend, corpora: Sequence[Path], config: SplitConfig, out: Path, console: Console
) -> Perplexities:
    """Score every document of the split and write `out`; killed, the same call goes on where it was.

    Raises `MissingError` where a folder has no such split, or the backend no likelihoods, and `ItemsError` after all is
    written when more than one document in a hundred has none.
    """
    sweep(out)
    tally = Tally()
    jsonl.write(out / LIKELIHOODS, _rows(backend, corpora, config, Journal(out / "parts"), tally, console))
    found = Perplexities(
        model=backend.name,
        identity=backend.identity,
        device=backend.device,
        settings=config,
        seconds=round(tally.seconds, 3),
        groups=tally.groups(config.seed),
        places=tally.by_place(),
    )
    write_json(out / RESULTS, found)
    if tally.errors > MOST_ERRORS * tally.documents:
        raise ItemsError(
            f"{tally.errors} of {tally.documents} documents have no finite likelihood",
            where=str(out / LIKELIHOODS),
            mend="look at the field 'error' there",
        )
    return found


def _rows(
    backend: Backend, corpora: Sequence[Path], config: SplitConfig, journal: Journal, tally: Tally, console: Console
) -> Iterator[Measured]:
    for subset, documents in itertools.chain.from_iterable(open_split(folder, config.split) for folder in corpora):
        with console.progress(f"perplexity {subset}", unit="bytes") as bar:
            asked = _asked(subset, _chosen(documents, config), config)
            while batch := list(itertools.islice(asked, BATCH)):
                part = _scored(backend, batch, config, journal)
                tally.seconds += part.seconds
                for row in part.records:
                    tally.add(row)
                    yield row
                bar.advance(sum(row.bytes for row in part.records), tally.note(subset))


def _chosen(documents: Iterable[Document], config: SplitConfig) -> Iterable[Document]:
    """All, or those `limit` whose ids have the smallest hashes: a choice that no order decides."""
    if not config.limit:
        return documents
    return heapq.nsmallest(config.limit, documents, key=lambda found: (digest(config.seed, found.id), found.id))


def _asked(subset: str, documents: Iterable[Document], config: SplitConfig) -> Iterator[tuple[Passage, str]]:
    """What is scored of each document that has a text, and its language."""
    for document in documents:
        whole = len(document.text.encode())
        text = truncate(document.text, config.document_bytes) if config.document_bytes else document.text
        if text:
            language = next((str(document.meta[key]) for key in LANGUAGES if document.meta.get(key)), "")
            yield Passage(subset, document.id, text, whole - len(text.encode())), language


def _scored(
    backend: Backend, batch: Sequence[tuple[Passage, str]], config: SplitConfig, journal: Journal
) -> Part[Measured]:
    """A batch, from the journal, else from the backend."""
    path = journal.path("split", backend.identity, config.window, config.stride, batch)
    kept = journal.read(path, Measured)
    if len(kept.records) == len(batch):
        return kept
    begun = time.monotonic()
    told = backend.score([passage.text for passage, _ in batch])
    rows = [_measured(passage, language, one) for (passage, language), one in zip(batch, told, strict=True)]
    part = Part(round(time.monotonic() - begun, 3), rows)
    journal.write(path, part)
    return part


def _measured(passage: Passage, language: str, told: Likelihood) -> Measured:
    row = scored(passage, told)
    return Measured(
        subset=row.subset,
        document=row.document,
        language=language,
        nats=row.nats,
        tokens=row.tokens,
        bytes=row.bytes,
        left_out=row.left_out,
        places=told.places if row.nats is not None else [],
        error=row.error,
    )


class Tally:
    """Sums by subset and language while documents pass; of each document three numbers are kept, for the intervals."""

    def __init__(self) -> None:
        self.seconds, self.errors, self.documents = 0.0, 0, 0
        self.rows: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
        self.failed: dict[tuple[str, str], int] = {}
        self.sums: dict[int, tuple[int, float]] = {}

    def add(self, row: Measured) -> None:
        """Count a document."""
        self.documents += 1
        for key in dict.fromkeys(((ALL, ""), (row.subset, ""), (row.subset, row.language))):
            if row.nats is None:
                self.failed[key] = self.failed.get(key, 0) + 1
            else:
                self.rows.setdefault(key, []).append((row.nats, row.tokens, row.bytes))
        self.errors += row.nats is None
        for first, tokens, nats in row.places:
            before = self.sums.get(first, (0, 0.0))
            self.sums[first] = (before[0] + tokens, before[1] + nats)

    def note(self, subset: str) -> str:
        """Bits per byte of a subset so far."""
        rows = self.rows.get((subset, ""), [])
        size = sum(size for _, _, size in rows)
        return f"{sum(nats for nats, _, _ in rows) / math.log(2) / size:.3f} bits a byte" if size else ""

    def groups(self, seed: int) -> list[Group]:
        """Each subset, its languages where it has several, and all together last."""
        keys = [key for key in self.rows if key != (ALL, "")]
        subsets = list(dict.fromkeys(subset for subset, _ in keys))
        ordered = [(subset, "") for subset in subsets]
        for subset in subsets:
            languages = sorted(language for other, language in keys if other == subset and language)
            at = ordered.index((subset, "")) + 1
            ordered[at:at] = [(subset, language) for language in languages] if len(languages) > 1 else []
        if len(subsets) > 1:
            ordered.append((ALL, ""))
        return [self._group(key, seed) for key in ordered]

    def _group(self, key: tuple[str, str], seed: int) -> Group:
        nats, tokens, sizes = (list(column) for column in zip(*self.rows[key], strict=True))
        return Group(
            subset=key[0],
            language=key[1],
            documents=len(nats),
            bytes=sum(sizes),
            tokens=sum(tokens),
            bits_per_byte=_ratio([one / math.log(2) for one in nats], sizes, seed, lambda ratio: ratio),
            perplexity=_ratio(nats, tokens, seed, math.exp),
            errors=self.failed.get(key, 0),
        )

    def by_place(self) -> list[Place]:
        """Mean nats a token by the place that it was predicted from."""
        return [Place(first, n, round(nats / n, 5)) for first, (n, nats) in sorted(self.sums.items())]


def _ratio(above: Sequence[float], below: Sequence[float], seed: int, shape: Callable[[float], float]) -> Value:
    """A monotone function of sum over sum, which its interval follows."""
    low, high = bootstrap_ratio(above, below, seed)
    return Value(*(round(shape(number), 5) for number in (math.fsum(above) / math.fsum(below), low, high)))


def text(found: Perplexities) -> str:
    """The tables for a terminal."""
    heads = ("subset", "language", "documents", "bytes", "tokens", "bits per byte", "perplexity a token")
    rows = [
        (
            group.subset,
            group.language or "-",
            f"{group.documents:,}",
            count(group.bytes),
            count(group.tokens),
            _shown(group.bits_per_byte, 4),
            _shown(group.perplexity, 2),
        )
        for group in found.groups
    ]
    parts = [table(heads, rows)]
    if len(found.places) > 1:
        lines = [(f"{place.first:,}", count(place.tokens), f"{math.exp(place.nats):.2f}") for place in found.places]
        parts.append(table(("from place", "tokens", "perplexity a token"), lines))
    return "\n\n".join(parts)


def _shown(value: Value, digits: int) -> str:
    return f"{value.value:.{digits}f} ({value.low:.{digits}f} to {value.high:.{digits}f})"
