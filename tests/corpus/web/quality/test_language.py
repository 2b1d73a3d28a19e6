"""English is told from other languages, whatever formulas stand between."""

# ruff: noqa: E501

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.language import English, english, english_probability

OTHERS = {
    "German": "Die Anzahl der Möglichkeiten ist gleich der Zahl aller Kanten, und genau das war für jede einzelne von ihnen zu zeigen. ",
    "French": "On note que la somme de deux nombres impairs est toujours un nombre pair, ce qui démontre le lemme que nous avons énoncé. ",
    "Chinese": "我们首先证明，对于任意给定的正整数，都存在无穷多个素数，使得这些素数之和可以被该整数整除，从而得到所需的结论。我们首先证明，对于任意给定的正整数。",
    "Russian": "Докажем, что для любого натурального числа существует бесконечно много простых чисел, удовлетворяющих этому условию. ",
    "Indonesian": "Jumlah dari dua bilangan ganjil selalu merupakan bilangan genap, sehingga pernyataan tersebut terbukti benar untuk semua kasus. ",
    "Dutch": "Het aantal manieren om de paren te kiezen is gelijk aan het aantal zijden, en dat is precies wat we moesten aantonen. ",
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_languages_are_dropped(text: str) -> None:
    result = english(Document("id", f"$x^2$ {text}" * 2, "web"))
    assert isinstance(result, Drop) and result.reason.startswith("not English: probability 0.")


@pytest.mark.parametrize(
    "text",
    [
        "Suppose that every vertex has even degree. Then the graph has a closed walk that uses every edge exactly once.",
        "Factorial calculator. Enter a positive integer below; press the button to compute its factorial in full.",
        "Eigenvalues of symmetric matrices: real spectrum, orthogonal eigenvectors, spectral theorem, Rayleigh quotient.",
        "Let $x = y$. $$a^2$$ $b$",
    ],
)
def test_short_mathematical_english_is_kept(text: str) -> None:
    assert english(Document("id", text, "web")).__class__ is Document


def test_the_threshold_is_a_setting() -> None:
    text = Document("id", OTHERS["Dutch"], "web")
    assert English(least=0.0)(text) is text
    assert 0 <= english_probability(OTHERS["Dutch"]) < 0.5
