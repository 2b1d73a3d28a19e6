"""Keep test problems out of the training text.

A document is contaminated by a problem when the two share `n` consecutive words, or, where the problem is shorter than
`n` words, when the document contains the whole problem. Words are `str.split()` and compared as they stand.

Formal theorems are known by what they say (`languages.statements`), whatever their names, variables and white space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core.types import Document, Dropped, Problem
from llemma.corpus.languages.held_out import HeldOut, Placed
from llemma.corpus.languages.statements import LANGUAGES, Statement, quoted, said, statements
from llemma.corpus.words import Hashes, grams, word_hashes

STEP = "decontaminate"
_TABLE_BITS = 22  # 4 MB; a sixth of it is set by the million needles of GSM8K and MATH
_STATES = re.compile(r"\b(?:theorem|lemma|example|corollary|proposition|Theorem|Lemma|Example|Corollary|Proposition)\b")


class Needle(NamedTuple):
    """Consecutive words of a problem that no document may contain."""

    problem: int
    words: list[str]


class Probes(msgspec.Struct, frozen=True):
    """Needles that are looked for by the hash of their first `length` words, sorted by it; 20 bytes a needle.

    `numbers` are the hashes, `owners` and `starts` say which problem's words each begins at; `table` answers most words
    at once.
    """

    length: int
    numbers: Hashes
    owners: NDArray[np.int32]
    starts: NDArray[np.int32]
    table: NDArray[np.bool_]

    def places(self, hashes: Hashes) -> Iterator[tuple[int, int, int]]:
        """(position, problem, first word of the needle in it) wherever the first words of a needle stand."""
        if len(hashes) < self.length:
            return
        numbers = grams(hashes, self.length)
        possible = np.flatnonzero(self.table[_slot(numbers)])
        firsts = np.searchsorted(self.numbers, numbers[possible], "left")
        lasts = np.searchsorted(self.numbers, numbers[possible], "right")
        for at in np.flatnonzero(lasts > firsts).tolist():
            for needle in range(int(firsts[at]), int(lasts[at])):
                yield int(possible[at]), int(self.owners[needle]), int(self.starts[needle])


_MARKS = frozenset(
    ["#", "##", "###", "//", "///", "/*", "*/", "*", "**", "%", "%%", "--", ";", ";;", ">", "|", "!", "(*", "*)"]
)
"""What begins a line of a comment or a quotation, in one language or another."""


def spoken(text: str) -> list[str]:
    """The words of a text but for the marks of comments: a problem quoted line by line is still that problem."""
    return [word for word in text.split() if word not in _MARKS]


class Protected:
    """Problems to keep out of a corpus; `ngram` is the number of shared words that counts, `split` gives the words of a
    problem as those of the texts are given."""

    def __init__(
        self, problems: Sequence[Problem], ngram: int = 30, split: Callable[[str], list[str]] = str.split
    ) -> None:
        self.problems = [problem.id for problem in problems]
        self.ngram = ngram
        self._words = [split(problem.text) for problem in problems]
        self._probes = _by_length(self._words, ngram)

    def hits(self, words: list[str], hashes: Hashes | None = None) -> list[str]:
        """Ids of all problems that a text contaminates, in the order of the problems; `hashes` if already known."""
        return [self.problems[number] for number in sorted({needle.problem for needle in self._found(words, hashes)})]

    def reason(self, words: list[str], hashes: Hashes | None = None) -> str | None:
        """Why a text must go, or None: `shares 30 words with a problem: ID`."""
        needle = min(self._found(words, hashes), key=lambda found: found.problem, default=None)
        if needle is None:
            return None
        shared = f"shares {self.ngram} words with" if len(needle.words) == self.ngram else "contains"
        return f"{shared} a problem: {self.problems[needle.problem]}"

    def _found(self, words: list[str], hashes: Hashes | None) -> Iterator[Needle]:
        if not self._probes:
            return
        known = word_hashes(words) if hashes is None else hashes
        for probes in self._probes:
            for place, problem, start in probes.places(known):
                needle = self._words[problem][start : start + self.ngram]
                if words[place : place + len(needle)] == needle:
                    yield Needle(problem, needle)


def _by_length(problems: list[list[str]], ngram: int) -> list[Probes]:
    """Needles grouped by the largest power of two that is not longer: few passes over a text, whatever the lengths."""
    groups: dict[int, list[tuple[int, Hashes]]] = {}
    for number, words in enumerate(problems):
        size = min(ngram, len(words))
        if size:
            length = 1 << (size.bit_length() - 1)
            # of the last words only a whole needle's first ones count
            groups.setdefault(length, []).append((number, grams(word_hashes(words), length)[: len(words) - size + 1]))
    return [_probes(length, found) for length, found in sorted(groups.items())]


def _probes(length: int, found: list[tuple[int, Hashes]]) -> Probes:
    numbers = np.concatenate([hashes for _, hashes in found])
    owners = np.concatenate([np.full(len(hashes), number, np.int32) for number, hashes in found])
    starts = np.concatenate([np.arange(len(hashes), dtype=np.int32) for _, hashes in found])
    order = np.argsort(numbers, kind="stable")
    return Probes(length, numbers[order], owners[order], starts[order], _table(numbers))


def _table(numbers: Hashes) -> NDArray[np.bool_]:
    table = np.zeros(1 << _TABLE_BITS, bool)
    table[_slot(numbers)] = True
    return table


def _slot(numbers: Hashes) -> Hashes:
    return numbers >> np.uint64(64 - _TABLE_BITS)


class Theorems:
    """Test theorems to keep out of a corpus: by what they say, by names of their own, by name and file.

    In Lean, Isabelle and Rocq the statement and its whole proof are cut out of the file; a text in another language
    that states a test theorem is dropped.
    """

    def __init__(self, held: HeldOut) -> None:
        self.held = held
        self._places: dict[str, list[Placed]] = {}
        for placed in held.placed:
            self._places.setdefault(PurePosixPath(placed.path).name, []).append(placed)

    def cut(self, document: Document) -> tuple[Document | Dropped, list[Dropped]]:
        """The document without test theorems, or why it is dropped; and a line of the ledger for each cut."""
        language = str(document.meta.get("language"))
        if language not in LANGUAGES:
            why = self._quotes(document.text)
            return (document if why is None else _gone(document, why)), []
        hits = list(self._hits(document, language))
        if not hits:
            return document, []
        pieces, position = [], 0
        for theorem, _ in hits:
            pieces.append(document.text[position : theorem.start])
            position = theorem.end
        text = "".join([*pieces, document.text[position:]])
        lines = [
            Dropped(f"{document.id}#{theorem.name or theorem.start}", document.source, STEP, why)
            for theorem, why in hits
        ]
        left = msgspec.structs.replace(document, text=text)
        return (left if text.strip() else _gone(document, "nothing is left without its test theorems")), lines

    def _quotes(self, text: str) -> str | None:
        """Why a text that is in none of the provers' languages must go."""
        if not _STATES.search(text):
            return None
        for language in LANGUAGES:
            for statement in quoted(text, language):
                id = self.held.said.get((language, said(statement, language)))
                if id is not None:
                    return f"states a test theorem: {id}"
        return None

    def _hits(self, document: Document, language: str) -> Iterator[tuple[Statement, str]]:
        if not _STATES.search(document.text):
            return
        known = {name for placed in self._here(document) for name in _ends(placed.name)}
        for theorem in statements(document.text, language):
            id = self.held.said.get((language, said(document.text[theorem.start : theorem.said], language)))
            if id is not None:
                yield theorem, f"states a test theorem: {id}"
            elif theorem.name in self.held.names:
                yield theorem, f"has the name of a test theorem: {self.held.names[theorem.name]}"
            elif theorem.name and not known.isdisjoint((theorem.name, theorem.full)):
                yield theorem, f"is a test theorem of this file: {theorem.full or theorem.name}"

    def _here(self, document: Document) -> Iterator[Placed]:
        """The test theorems of the document's file."""
        path = PurePosixPath(str(document.meta.get("path", "")))
        for placed in self._places.get(path.name, ()):
            whole = PurePosixPath(placed.path)
            # an absolute path is that of somebody's machine: folder and file count
            parts = whole.parts[-2:] if whole.is_absolute() else whole.parts
            shared = min(len(parts), len(path.parts))
            if parts[-shared:] == path.parts[-shared:]:
                yield placed


def _gone(document: Document, why: str) -> Dropped:
    return Dropped(document.id, document.source, STEP, why)


def _ends(name: str) -> Iterator[str]:
    """`a.b.c`, `b.c` and `c`: a file may open the namespaces around a theorem."""
    parts = name.split(".")
    yield from (".".join(parts[start:]) for start in range(len(parts)))


def without_tests(items: Iterable[Document | Dropped], held: HeldOut, ngram: int = 30) -> Iterator[Document | Dropped]:
    """The documents without test theorems and without those that share words with test problems; cuts are told."""
    theorems, protected = Theorems(held), Protected(held.texts, ngram, spoken)
    for item in items:
        if isinstance(item, Dropped):
            yield item
            continue
        left, lines = theorems.cut(item)
        yield from lines
        reason = None if isinstance(left, Dropped) else protected.reason(spoken(left.text))
        yield left if reason is None else _gone(item, reason)


def published_cut(document: Document, placed: Sequence[Placed]) -> Document:
    """The document as the paper's scripts leave it, their faults included; Lean and Isabelle alone are looked at."""
    path, text = str(document.meta.get("path", "")), document.text
    if document.meta.get("language") == "isabelle":
        # Fault: statements are known by what stands before their first colon alone.
        for head in sorted({item.statement.partition(":")[0] + ":" for item in placed if item.statement}):
            text = _until_blank_line(text, head)
    elif document.meta.get("language") == "lean":
        # Fault: a dict by file keeps the last test theorem of each file only.
        for file, name in {item.path: item.name for item in placed if not item.statement}.items():
            parts = name.split(".")
            # Fault: names without a dot, and the full name, are never looked for.
            queries = [".".join(parts[-count:]) + " " for count in range(1, len(parts))] if file in path else []
            for kind in ("theorem ", "lemma "):
                found = next((kind + query for query in queries if kind + query in text), "")
                text = _until_blank_line(text, found) if found else text
    return msgspec.structs.replace(document, text=text)


def _until_blank_line(text: str, query: str) -> str:
    """The text without what stands from `query` to the next blank line. Fault: proofs go on after blank lines, and
    only the first place is looked at."""
    start = text.find(query)
    if start < 0:
        return text
    end = text.find("\n\n", start)
    return text[:start] + (text[end:] if end >= 0 else "")
