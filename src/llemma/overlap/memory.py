r"""The same answer by memory? What stands behind a hit in the document, against the gold answer and the completion.

A model that has learnt a page by heart goes on as the page goes on. So the words behind the shared run are looked
through twice: for the gold answer, and for words that the model's completion has in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llemma.overlap.items import Item
from llemma.overlap.pairs import Hit
from llemma.overlap.words import normal

Stated = Literal["boxed", "stated", "absent"]

REPEATED = 8
"""Words from which on a common run is called a repetition: shorter ones are phrases of the subject."""


def stated(item: Item, hit: Hit) -> Stated | None:
    r"""Where the document has the gold answer: in a `\boxed{}`, as it stands, or not; None without a gold answer.

    It is looked for behind the shared run, and for a solution in the run too, in units that see through spacing. An
    answer of one unit, such as `2`, is often `stated` by chance; `boxed` is not.
    """
    if not item.answer:
        return None
    units = normal(f"{hit.run} {hit.after}" if item.kind == "solution" else hit.after)
    answer = normal(item.answer)
    if not answer:
        return None
    if _within([r"\boxed", *answer], units) or _within([r"\fbox", *answer], units):
        return "boxed"
    return "stated" if _within(answer, units) else "absent"


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    size = len(part)
    return any(whole[start : start + size] == part for start in range(len(whole) - size + 1))


def repeated(hit: Hit, completion: str) -> int:
    """The longest run of words that the completion shares with what stands behind the hit in the document."""
    return longest_common(completion.split(), hit.after.split())


def longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest run of consecutive words in both."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(b):
        places.setdefault(word, []).append(place)
    best, ending = 0, dict[int, int]()  # of the run that ends before each place of b
    for word in a:
        ending = {place + 1: ending.get(place, 0) + 1 for place in places.get(word, ())}
        best = max(best, max(ending.values(), default=0))
    return best
