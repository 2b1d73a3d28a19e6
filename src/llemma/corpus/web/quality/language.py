"""Which language a page's prose is in: function words where they leave no doubt, else py3langid.

English prose is a third function words; other languages and bare lists have hardly any. What lies between (short
texts, word lists, mixed pages) is judged by langid's naive Bayes over byte n-grams (Lui and Baldwin 2012), whose model
of 139 languages lies inside py3langid's wheel. docs/quality.md has the figures of four identifiers on the same texts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import msgspec

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.prose import opening, words

SURE_SHARE = 0.3
"""Share of function words from which on a text of `SURE_WORDS` words is English without asking further."""
SURE_WORDS = 50
FEWEST_LETTERS = 60
"""Letters needed to tell the language; a page of formulas with fewer is kept."""
SEEN = 3_000
"""Letters that the identifier reads."""

DECIDED = 0.7
POSSIBLE = 0.05
"""Where no language has the first probability and English the second (names, symbols, lists of mathematical terms,
which look like Latin), the language cannot be told, and English gets at least `UNDECIDED`. Danish and Norwegian share
theirs, and leave English none."""
UNDECIDED = 0.5

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_FUNCTION = (
    "the of and to is that for it with as be this by are from or which we not have has can if then but all there when "
    "one how what where more than these those its their they you your our will would was were been each any every let "
    "such"
)
_FUNCTION_WORDS = frozenset(_FUNCTION.split())


def english_probability(text: str) -> float:
    """How likely the prose of `text` is English, in [0, 1]; 1 for too few letters to tell, 0.5 where none is likely."""
    start = opening(text, SEEN)
    if sum(map(str.isalpha, start)) < FEWEST_LETTERS:
        return 1.0
    found = words(start)
    share = sum(word in _FUNCTION_WORDS for word in found) / max(1, len(found))
    if len(found) >= SURE_WORDS and share >= SURE_SHARE:
        return 1.0
    ranks = dict(_identifier().rank(start))
    english = float(ranks.get("en", 0.0))
    undecided = max(ranks.values()) < DECIDED and english >= POSSIBLE
    return max(english, UNDECIDED) if undecided else english


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, read when the first doubtful page comes (0.7 s)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


class English(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Drops a text whose prose is not English."""

    least: Share = 0.5
    """Least probability of English; OpenWebMath's threshold."""

    def __call__(self, document: Document) -> Document | Drop:
        """The document, or why it is dropped."""
        probability = english_probability(document.text)
        return document if probability >= self.least else Drop(f"not English: probability {probability:.2f}")


english = English()
"""The step with its default, for rules that are functions."""
