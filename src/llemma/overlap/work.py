"""Over a corpus with several processes: each shard once, its hits kept, and nothing done twice.

H.jsonl             rows {document, item, ngram}, one a pair; with several n, or `full`, one a pair and n, told by `n`
H.contexts.jsonl    `Context`, the same pairs with what stands around them
H.fuzzy.jsonl       `Likeness`, with --fuzzy
H.summary.json      `tables.Summary`
H.parts/            of each finished shard what was found, and a mark named by the digest of the work and the shard

A killed search goes on where it was. The files are merged out of the parts in the order of the shards, so they are the
same bytes whatever was interrupted and however many processes worked.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from llemma.core import jsonl
from llemma.core.console import Console, Progress, count
from llemma.core.errors import BusyError, LlemmaError, MissingError
from llemma.core.files import digest, read_json, sweep, write_json
from llemma.overlap.fuzzy import Sketches
from llemma.overlap.index import Index, Length
from llemma.overlap.items import Item
from llemma.overlap.pairs import Hit
from llemma.overlap.shards import Damage, Doc, Shard, documents, shard_digest
from llemma.overlap.words import splitter

VERSION = 1
"""Raise it whenever the same work finds something else, or is kept in another shape."""

Execute = Callable[[list[Any], int, int, Path, Callable[[int, Exception | None], None]], None]
"""Runs a pipeline of datatrove: (blocks, tasks, tasks at a time, folder for logs, what to call when a task is over)."""

_NOTES = 20  # messages kept of a shard


class Search(msgspec.Struct, frozen=True):
    """What counts as overlap: lengths in words, tokenisation, words of context, and the similarity of `--fuzzy` (0: no
    second look)."""

    lengths: tuple[Length, ...] = (30,)
    tokens: str = "whitespace"
    context: int = 100
    fuzzy: float = 0.0


class Scanned(msgspec.Struct, frozen=True):
    """The mark of a finished shard. `bytes` is text in UTF-8, `seconds` processor time, reading included."""

    key: str
    shard: str
    subset: str
    documents: int = 0
    bytes: int = 0
    seconds: float = 0.0
    damaged: int = 0
    unnamed: int = 0
    hits: int = 0
    similar: int = 0
    notes: tuple[str, ...] = ()


class Context(Hit, frozen=True, kw_only=True, tag="hit"):
    """A hit of a corpus, with its subset and the number of its document in the shard."""

    subset: str
    number: int


class Likeness(msgspec.Struct, frozen=True, kw_only=True, tag="like"):
    """An item in other words: its Jaccard similarity with a window of a document that begins at unit `at`."""

    document: str
    item: str
    similarity: float
    at: int
    text: str
    subset: str
    number: int


class Parts(NamedTuple):
    """The folder of finished shards."""

    folder: Path

    def mark(self, key: str) -> Path:
        """Where the mark of a shard is."""
        return self.folder / f"{key}.json"

    def found(self, key: str) -> Path:
        """Where the hits and likenesses of a shard are."""
        return self.folder / f"{key}.jsonl.zst"


def work_digest(items: Sequence[Item], search: Search) -> str:
    """Names all that decides what is found in a shard, the shard aside."""
    return digest(VERSION, search, [(item.id, item.text) for item in items])


def stem(out: Path) -> str:
    """`H` of `H.jsonl`, `H.jsonl.zst` or `H.jsonl.gz`."""
    return out.name.removesuffix(".zst").removesuffix(".gz").removesuffix(".jsonl")


def beside(out: Path, ending: str) -> Path:
    """`H.contexts.jsonl` beside `H.jsonl`; compressed if that is."""
    compressed = out.suffix if out.suffix in (".zst", ".gz") and ending.endswith(".jsonl") else ""
    return out.with_name(f"{stem(out)}.{ending}{compressed}")


def written(out: Path, search: Search) -> list[Path]:
    """The files of a finished search."""
    return [out, *(beside(out, ending) for ending in _endings(context=bool(search.context), fuzzy=bool(search.fuzzy)))]


def reserved(out: Path) -> list[Path]:
    """All that searches with this `out` may write, the folder of parts among it."""
    return [out, beside(out, "parts"), *(beside(out, ending) for ending in _endings(context=True, fuzzy=True))]


def _endings(*, context: bool, fuzzy: bool) -> list[str]:
    return ["contexts.jsonl"] * context + ["fuzzy.jsonl"] * fuzzy + ["summary.json"]


@contextmanager
def opened(out: Path, *, share: bool = False) -> Iterator[Parts]:
    """The parts of `out`, for one process at a time (`BusyError`), or for as many as search their `share` of the
    shards. What a killed one left half written is removed by one that is alone."""
    folder = beside(out, "parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LlemmaError(f"cannot write: {error}", where=str(folder), mend="choose another --out") from error
    with open(folder / ".lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if share else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "another process is at work on this file", where=str(out), mend="wait for it, or choose another --out"
            ) from error
        if not share:
            sweep(folder)
            for left in folder.glob(".tasks-*"):
                shutil.rmtree(left, ignore_errors=True)
        yield Parts(folder)  # the lock goes with the file handle, and so with the process, however it ends


class Worker:
    """What one process needs to search shards: the items' index, made once."""

    def __init__(self, items: Sequence[Item], search: Search, parts: Parts) -> None:
        texts = [item.text for item in items]
        self.names = [item.id for item in items]
        self.parts = parts
        self.index = Index(texts, search.lengths, splitter(search.tokens), context=search.context)
        self.sketches = Sketches(texts, search.fuzzy) if search.fuzzy else None
        self.work = work_digest(items, search)

    def scan(self, shard: Shard) -> Scanned:
        """Search one shard, or give its mark if that was done."""
        started = time.process_time()
        try:
            key = digest(self.work, shard_digest(shard))
        except OSError as error:
            raise MissingError(f"cannot read the corpus: {error}", where=shard.path, mend="check the file") from error
        done = self._done(key)
        if done is not None:
            return done
        told = _Told(self, shard)
        jsonl.write(self.parts.found(key), told.found())
        mark = told.mark(key, time.process_time() - started)
        write_json(self.parts.mark(key), mark)
        return mark

    def _done(self, key: str) -> Scanned | None:
        try:
            mark = read_json(self.parts.mark(key), Scanned)
        except LlemmaError:
            return None
        return mark if self.parts.found(key).is_file() else None


class _Told:
    """The search of one shard while it goes on: what is found leaves at once, the rest is counted."""

    def __init__(self, worker: Worker, shard: Shard) -> None:
        self.worker, self.shard = worker, shard
        self.documents = self.bytes = self.damaged = self.unnamed = self.hits = self.similar = 0
        self.notes: list[str] = []

    def found(self) -> Iterator[Context | Likeness]:
        """What the documents share with the items, in their order."""
        for number, doc in enumerate(documents(self.shard)):
            if isinstance(doc, Damage):
                self._damage(doc)
                continue
            self.documents += 1
            self.bytes += len(doc.text) if doc.text.isascii() else len(doc.text.encode("utf-8", "replace"))
            self.unnamed += not doc.named
            yield from self._shared(doc, number)
            if self.worker.sketches is not None:
                yield from self._alike(self.worker.sketches, doc, number)

    def _shared(self, doc: Doc, number: int) -> Iterator[Context]:
        for found in self.worker.index.scan(doc.text):
            self.hits += 1
            name = self.worker.names[found.item]
            yield Context(doc.id, name, *found[1:], subset=self.shard.subset, number=number)

    def _alike(self, sketches: Sketches, doc: Doc, number: int) -> Iterator[Likeness]:
        for like in sketches.scan(doc.text):
            self.similar += 1
            yield Likeness(
                document=doc.id,
                item=self.worker.names[like.item],
                similarity=round(like.similarity, 4),
                at=like.at,
                text=like.text,
                subset=self.shard.subset,
                number=number,
            )

    def _damage(self, damage: Damage) -> None:
        self.damaged += 1
        if len(self.notes) < _NOTES:
            self.notes.append(f"{damage.where}: {damage.why}; {'the rest is' if damage.rest else 'it is'} left out")

    def mark(self, key: str, seconds: float) -> Scanned:
        """What is told of the finished shard."""
        return Scanned(
            key=key,
            shard=self.shard.name,
            subset=self.shard.subset,
            documents=self.documents,
            bytes=self.bytes,
            seconds=round(seconds, 3),
            damaged=self.damaged,
            unnamed=self.unnamed,
            hits=self.hits,
            similar=self.similar,
            notes=tuple(self.notes),
        )


def scan(
    shards: Sequence[Shard],
    items: Sequence[Item],
    search: Search,
    parts: Parts,
    *,
    execute: Execute | None = None,
    workers: int = 1,
    console: Console,
) -> list[Scanned]:
    """Search all shards, those that are done left out; their marks in the order of `shards`.

    `execute` runs a pipeline of datatrove with `workers` of its tasks at a time; without it this process does the work.
    """
    marks: dict[int, Scanned] = {}
    with console.progress("overlap", len(shards), "shards") as bar:

        def finished(number: int, mark: Scanned) -> None:
            marks[number] = mark
            _tell(mark, marks, bar, console)

        if execute is None:
            worker = Worker(items, search, parts)
            for number, shard in enumerate(shards):
                finished(number, worker.scan(shard))
        else:
            from llemma.overlap.blocks import elsewhere

            elsewhere(execute, shards, items, search, parts, workers=workers, finished=finished)
    return [marks[number] for number in range(len(shards))]


def _tell(mark: Scanned, marks: dict[int, Scanned], bar: Progress, console: Console) -> None:
    for note in mark.notes:
        console.warn(note)
    if mark.damaged > len(mark.notes):
        console.warn(f"{mark.shard}: {mark.damaged - len(mark.notes)} more damages")
    hits = sum(each.hits for each in marks.values())
    bar.advance(1, f"{hits:,} hits in {count(sum(each.bytes for each in marks.values()))}B of text")


def found(marks: Sequence[Scanned], parts: Parts) -> Iterator[tuple[int, Context | Likeness]]:
    """(number of the shard, what was found): by shards, documents, items and lengths."""
    kind: Any = Context | Likeness
    for number, mark in enumerate(marks):
        yield from ((number, row) for row in jsonl.read(parts.found(mark.key), kind))
