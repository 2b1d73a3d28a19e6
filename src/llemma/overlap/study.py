"""The whole analysis: search a corpus, write what was found, say what it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import UsageError
from llemma.core.files import write_json
from llemma.overlap import memory, tables, work
from llemma.overlap.accuracy import adjusted, read_answers, read_judged, splits
from llemma.overlap.fuzzy import FEWEST, hashed, shingles
from llemma.overlap.index import Length, checked
from llemma.overlap.items import Item
from llemma.overlap.shards import Shard
from llemma.overlap.tables import Counts, Memory, Summary
from llemma.overlap.words import splitter
from llemma.overlap.work import Context, Execute, Likeness, Parts, Scanned, Search


def parse_lengths(text: str) -> tuple[Length, ...]:
    """`30,20,full` as lengths; raises `UsageError` for another word."""
    found: list[Length] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word != "full" and not (word.isascii() and word.isdecimal()):
            raise UsageError(f"'{word}' is no length of an n-gram", where="--ngram", mend="a number of words, or full")
        found.append("full" if word == "full" else int(word))
    return checked(found)


def study(
    shards: Sequence[Shard],
    items: Sequence[Item],
    search: Search,
    out: Path,
    *,
    run: Path | None = None,
    execute: Execute | None = None,
    workers: int = 1,
    console: Console,
) -> Summary:
    """Search `shards` for `items`, write `out` and what lies beside it (see `work`), and sum up.

    `run` is an evaluation folder: accuracy with and without hits, and whether its completions repeat the documents.
    `execute` and `workers`: who searches, as in `work.scan`. Killed or interrupted, the same call goes on where it was
    and writes the same bytes.
    """
    splitter(search.tokens)
    judged = read_judged(run) if run else {}
    with work.opened(out) as parts:
        marks = work.scan(shards, items, search, parts, execute=execute, workers=workers, console=console)
        counts, alike, hit = Counts(items), Counts(items), _no_hits(items, search)
        jsonl.write(out, _pairs(marks, parts, counts, hit, many=len(search.lengths) > 1))
        answers = read_answers(run, set().union(*hit.values())) if run else {}
        told = _Memories(items, answers)
        if search.context:
            jsonl.write(work.beside(out, "contexts.jsonl"), told.rows(work.found(marks, parts)))
        if search.fuzzy:
            jsonl.write(work.beside(out, "fuzzy.jsonl"), _alike(marks, parts, alike))
        summary = _summary(items, search, marks, counts, alike, told)
        if run:
            strangers = sum(item.problem not in judged for item in items)
            found = splits(judged, items, hit)
            summary = msgspec.structs.replace(
                summary, run=str(run), accuracy=found, adjusted=adjusted(found), unmatched=strangers
            )
        write_json(work.beside(out, "summary.json"), summary)
    return summary


def share(
    shards: Sequence[Shard],
    items: Sequence[Item],
    search: Search,
    out: Path,
    part: tuple[int, int],
    *,
    execute: Execute | None = None,
    workers: int = 1,
    console: Console,
) -> int:
    """Search every Nth shard from the Ith on for `part` (I, N), beside other processes with other shares; returns how
    many these are. `study` joins what they found."""
    number, of = part
    mine = list(shards[number::of])
    with work.opened(out, share=True) as parts:
        work.scan(mine, items, search, parts, execute=execute, workers=workers, console=console)
    return len(mine)


def _no_hits(items: Sequence[Item], search: Search) -> dict[tuple[str, Length], set[str]]:
    return {(kind, n): set() for kind in dict.fromkeys(item.kind for item in items) for n in search.lengths}


def _pairs(
    marks: Sequence[Scanned],
    parts: Parts,
    counts: Counts,
    hit: dict[tuple[str, Length], set[str]],
    *,
    many: bool,
) -> Iterator[dict[str, Any]]:
    """The rows of `H.jsonl`, counted on their way."""
    of = {item.id: (item.kind, item.problem) for item in counts.given}
    for shard, row in work.found(marks, parts):
        if isinstance(row, Context):
            counts.add(shard, row)
            kind, problem = of[row.item]
            hit[kind, row.n].add(problem)
            pair: dict[str, Any] = {"document": row.document, "item": row.item, "ngram": row.ngram}
            yield pair | {"n": row.n} if many else pair


def _alike(marks: Sequence[Scanned], parts: Parts, counts: Counts) -> Iterator[dict[str, Any]]:
    for shard, row in work.found(marks, parts):
        if isinstance(row, Likeness):
            counts.add(shard, row)
            yield _plain(row)


def _plain(row: Context | Likeness) -> dict[str, Any]:
    facts = msgspec.structs.asdict(row)
    del facts["number"]
    return facts


class _Memories:
    """Hits with their contexts and checks, counted on their way."""

    def __init__(self, items: Sequence[Item], answers: Mapping[str, str]) -> None:
        self.items = {item.id: item for item in items}
        self.answers = answers
        self.counts: dict[tuple[str, Length], Memory] = {}

    def rows(self, found: Iterable[tuple[int, Context | Likeness]]) -> Iterator[dict[str, Any]]:
        """The rows of `H.contexts.jsonl`: `gold` and `repeated` where they are known."""
        for _, row in found:
            if isinstance(row, Context):
                item = self.items[row.item]
                gold = memory.stated(item, row)
                asked = item.kind != "completion" and item.problem in self.answers
                repeated = memory.repeated(row, self.answers[item.problem]) if asked else None
                self._count(item.kind, row.n, gold, repeated)
                facts = {"gold": gold, "repeated": repeated}
                yield (
                    _plain(row)
                    | {"kind": item.kind, "problem": item.problem}
                    | {key: value for key, value in facts.items() if value is not None}
                )

    def _count(self, kind: str, n: Length, gold: str | None, repeated: int | None) -> None:
        old = self.counts.get((kind, n), Memory(kind, n, 0))
        self.counts[kind, n] = Memory(
            kind,
            n,
            old.hits + 1,
            old.boxed + (gold == "boxed"),
            old.stated + (gold == "stated"),
            old.absent + (gold == "absent"),
            old.asked + (repeated is not None),
            old.repeats + ((repeated or 0) >= memory.REPEATED),
            max(old.longest, repeated or 0),
        )


def _summary(
    items: Sequence[Item],
    search: Search,
    marks: Sequence[Scanned],
    counts: Counts,
    alike: Counts,
    told: _Memories,
) -> Summary:
    subsets: dict[str, int] = {}
    for mark in marks:
        subsets[mark.subset] = subsets.get(mark.subset, 0) + mark.documents
    documents, size, seconds, damaged, unnamed = tables.totals(marks)
    split = splitter(search.tokens)
    return Summary(
        search=search,
        shards=len(marks),
        documents=documents,
        bytes=size,
        seconds=seconds,
        damaged=damaged,
        unnamed=unnamed,
        subsets=subsets,
        pairs=sum(counts.pairs.values()),
        coverage=tables.covered(items, search.lengths, [len(split(item.text)) for item in items]),
        unique=list(counts.rows(search.lengths, list(subsets))),
        fuzzy=list(alike.rows([0], list(subsets))) if search.fuzzy else [],
        fuzzy_short=_too_short(items) if search.fuzzy else 0,
        memory=[told.counts[key] for key in _no_hits(items, search) if key in told.counts],
        damages=[note for mark in marks for note in mark.notes],
    )


def _too_short(items: Sequence[Item]) -> int:
    return sum(len(set(shingles(hashed(item.text)).tolist())) < FEWEST for item in items)
