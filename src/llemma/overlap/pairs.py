"""Overlap in one call, for texts in memory or streams of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from llemma.overlap.index import Index, Length
from llemma.overlap.words import splitter


class Hit(msgspec.Struct, frozen=True):
    """A document and an item that share `n` consecutive words.

    `ngram`: those that stand first in the document, joined by one blank. `at` and `item_at`: where they begin, in
    words from 0. `shared`: words of the longest shared run they lie in; `run` is that run, the other texts what stands
    around it (all empty without `context`).
    """

    document: str
    item: str
    n: Length
    ngram: str
    at: int
    item_at: int
    shared: int
    run: str = ""
    before: str = ""
    after: str = ""
    item_before: str = ""
    item_after: str = ""


def find(
    corpus: Iterable[tuple[str, str]],
    items: Iterable[tuple[str, str]],
    n: Length | Sequence[Length] = 30,
    *,
    tokens: str = "whitespace",
    context: int = 0,
) -> Iterator[Hit]:
    """Every pair of a document and an item, both `(id, text)`, that share `n` consecutive words; one `Hit` a pair.

    `n` is a number of words, `full` (the whole item stands in the document), or several of these: then one hit a pair
    and length. Items shorter than `n` never hit. `tokens` is `whitespace` (`str.split()`) or `normal` (see
    `words.normal`); `context` is how many words around the run are told. Documents are read once and one at a time.
    The hits of a document come in the order of the items. Raises `UsageError` for an unknown tokenisation or length.
    """
    lengths = [n] if isinstance(n, int | str) else list(n)
    given = list(items)
    index = Index([text for _, text in given], lengths, splitter(tokens), context=context)
    names = [name for name, _ in given]
    return (Hit(document, names[found.item], *found[1:]) for document, text in corpus for found in index.scan(text))
