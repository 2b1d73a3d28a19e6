"""OpenWebMath's two passes of filters as one step each, in the paper's order and with its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.addresses import Addresses, libretexts
from llemma.corpus.web.quality.language import English
from llemma.corpus.web.quality.perplexity import FIRST_PASS, SECOND_PASS, Limit, Perplexity
from llemma.corpus.web.quality.plain import few_accents, long_enough, no_macro_lines
from llemma.corpus.web.quality.score import STARTER, MathScore, Share

Step = Callable[[Document], Document | Drop]


class FirstPass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Language, mathematics score, perplexity: what follows extraction (Paster et al. 2023, section 3.3)."""

    english: Share = 0.5
    """Least probability of English."""
    score: str = ""
    """File of the mathematics score; the starter when empty."""
    with_formulas: Share = 0.15
    """Least score of a page in which formulas were found."""
    without_formulas: Share = 0.8
    """Least score of a page of more than 500 characters without one."""
    language_model: str = ""
    """ARPA file or binary of KenLM; no perplexity is asked for when empty."""
    perplexity: Limit = FIRST_PASS
    """Largest perplexity."""

    def files(self) -> list[Path]:
        """The files that decide."""
        return _files(self.score, self.language_model)

    def about(self) -> str:
        """What the data card says of its models."""
        return _about(MathScore(self.score, self.with_formulas, self.without_formulas), self.language_model)

    def __call__(self, document: Document) -> Document | Drop:
        """The document, or why it is dropped."""
        return _all(document, self._steps())

    def _steps(self) -> Iterator[Step]:
        yield English(self.english)
        yield MathScore(self.score, self.with_formulas, self.without_formulas)
        if self.language_model:
            yield Perplexity(self.language_model, self.perplexity)


class SecondPass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the paper filtered once more after looking at the result of the first pass."""

    score: str = ""
    """File of the mathematics score; the starter when empty."""
    least_score: Share = 0.17
    """Least mathematics score of any page."""
    language_model: str = ""
    """ARPA file or binary of KenLM; no perplexity is asked for when empty."""
    perplexity: Limit = SECOND_PASS
    """Largest perplexity."""
    addresses: str = ""
    """File of further addresses to leave out."""

    def files(self) -> list[Path]:
        """The files that decide."""
        return [*_files(self.score, self.language_model), *Addresses(self.addresses).files()]

    def about(self) -> str:
        """What the data card says of its models."""
        return _about(MathScore(self.score, self.least_score, self.least_score), self.language_model)

    def __call__(self, document: Document) -> Document | Drop:
        """The document without its macro lines, or why it is dropped."""
        return _all(document, self._steps())

    def _steps(self) -> Iterator[Step]:
        if self.language_model:
            yield Perplexity(self.language_model, self.perplexity)
        yield MathScore(self.score, self.least_score, self.least_score, min_chars=0)
        yield Addresses(self.addresses)
        yield long_enough
        yield few_accents
        yield libretexts
        yield no_macro_lines


def _about(score: MathScore, language_model: str) -> str:
    asked = f"perplexity under `{Path(language_model).name}`" if language_model else "no perplexity"
    return f"{score.about()}; {asked}"


def _files(score: str, language_model: str) -> list[Path]:
    return [Path(score) if score else STARTER, *([Path(language_model)] if language_model else [])]


def _all(document: Document, steps: Iterator[Step]) -> Document | Drop:
    for step in steps:
        result = step(document)
        if isinstance(result, Drop):
            return result
        document = result
    return document
