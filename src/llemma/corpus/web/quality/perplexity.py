"""Perplexity of a page under an n-gram language model that the user has: the paper's own was never released.

ARPA files are read here; binary files of KenLM need the package `kenlm` (extra `kenlm`). Both give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.fresh import kept
from llemma.corpus.web.quality.prose import prose

FIRST_PASS = 30_000.0
SECOND_PASS = 15_000.0
"""OpenWebMath's limits; they belong to its model, a Wikipedia-like KenLM of order 5."""
MAX_WORDS = 20_000
"""Words of a page that are looked at."""

Limit = Annotated[float, msgspec.Meta(gt=0)]

Grams = dict[tuple[str, ...], tuple[float, float]]
"""log10 probability and back-off of each n-gram."""

_ARPA = (".arpa", ".arpa.gz")
_OPEN, _CLOSE, _UNKNOWN = "<s>", "</s>", "<unk>"


class PerplexityModel(Protocol):
    """What can tell how surprising a sentence is."""

    def logprob(self, sentence: list[str]) -> float:
        """log10 of the probability of a sentence with its beginning and end."""


class Arpa:
    """A back-off n-gram model from an ARPA file (Katz 1987; the format is SRILM's)."""

    def __init__(self, order: int, grams: Grams) -> None:
        self.order, self._grams = order, grams
        self._unknown = grams.get((_UNKNOWN,), (-100.0, 0.0))  # KenLM's figure where the model has no <unk>

    def logprob(self, sentence: list[str]) -> float:
        """log10 of the probability of a sentence with its beginning and end."""
        known = [word if (word,) in self._grams else _UNKNOWN for word in sentence]
        words, total = [_OPEN, *known, _CLOSE], 0.0
        for at in range(1, len(words)):
            total += self._word(tuple(words[max(0, at - self.order + 1) : at + 1]))
        return total

    def _word(self, gram: tuple[str, ...]) -> float:
        """log10 p(last word | those before): the longest n-gram that is known, paid for by the back-offs above it."""
        paid = 0.0
        while len(gram) > 1:
            if gram in self._grams:
                return paid + self._grams[gram][0]
            paid += self._grams.get(gram[:-1], (0.0, 0.0))[1]
            gram = gram[1:]
        return paid + self._grams.get(gram, self._unknown)[0]


def read_arpa(path: Path) -> Arpa:
    """Read an ARPA file, plain or gzipped; raises `DataError` for one that is damaged."""
    import gzip
    import zlib

    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as lines:
            order, grams = _grams(lines)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"damaged ARPA file: {error}", where=str(path), mend="make it again") from error
    return Arpa(order, grams)


def _grams(lines: Iterable[str]) -> tuple[int, Grams]:
    """The order and the n-grams; raises ValueError with the line that is wrong, or where the end is missing."""
    grams: Grams = {}
    order, ended = 0, False
    for number, line in enumerate(lines, start=1):
        if line.startswith("\\"):
            ended = line.startswith("\\end\\")
            order = int(line[1:].split("-")[0]) if "-grams:" in line else order
            continue
        fields = line.rstrip("\r\n").split("\t")
        if not order or len(fields) == 1:
            continue
        gram = tuple(fields[1].split(" "))
        if len(gram) != order or len(fields) > 3:
            raise ValueError(f"line {number} is no {order}-gram")
        grams[gram] = float(fields[0]), float(fields[2]) if len(fields) == 3 else 0.0
    if not (ended and grams):
        raise ValueError("it has no n-grams, or no \\end\\")
    return order, grams


def perplexity(model: PerplexityModel, text: str) -> float:
    """Perplexity by word of the prose of `text`, its lines being the sentences; infinite for a text without words.

    10^(-sum of log10 probabilities / tokens), the sentence ends counting as tokens, as KenLM does.
    """
    total, tokens = 0.0, 0
    for line in _sentences(text):
        total += model.logprob(line)
        tokens += len(line) + 1
    return math.inf if not tokens else 10 ** min(300.0, -total / tokens)


def _sentences(text: str) -> list[list[str]]:
    found, left = [], MAX_WORDS
    for line in prose(text).lower().split("\n"):
        words = list(islice(line.split(), left))
        if words:
            found.append(words)
            left -= len(words)
        if left <= 0:
            break
    return found


class _KenLM:
    """A model of the package `kenlm`."""

    def __init__(self, path: Path) -> None:
        self._model = _kenlm()(str(path))

    def logprob(self, sentence: list[str]) -> float:
        """log10 of the probability of a sentence with its beginning and end."""
        return float(self._model.score(" ".join(sentence), bos=True, eos=True))


def _kenlm() -> Any:
    try:
        from kenlm import Model
    except ImportError as error:
        mend = "pip install 'llemma[kenlm]', or give the model as ARPA text (.arpa or .arpa.gz)"
        raise MissingError("binary language models need the package kenlm", mend=mend) from error
    return Model


@kept
def opened(path: str) -> PerplexityModel:
    """The model at `path`; ARPA by its ending, else KenLM's binary format. Kept for the process."""
    if not Path(path).is_file():
        raise MissingError(f"no language model {path}", mend="give an ARPA file or a binary of KenLM")
    if path.endswith(_ARPA):
        return read_arpa(Path(path))
    try:
        return _KenLM(Path(path))
    except (RuntimeError, OSError) as error:
        raise DataError(f"not a model of KenLM: {error}", where=path, mend="give what `build_binary` wrote") from error


class Perplexity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Drops a page that the language model finds too surprising: lists, tables, text in disorder."""

    model: str
    """An ARPA file, or a binary of KenLM."""
    most: Limit = FIRST_PASS
    """Largest perplexity."""

    def files(self) -> list[Path]:
        """The files that decide."""
        return [Path(self.model)]

    def __call__(self, document: Document) -> Document | Drop:
        """The document, or why it is dropped."""
        found = perplexity(opened(self.model), document.text)
        return document if found <= self.most else Drop(f"perplexity too high: {found:,.0f}")
