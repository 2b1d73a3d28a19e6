"""The two passes ask in the paper's order and with its thresholds."""

from pathlib import Path

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.passes import FirstPass, SecondPass
from llemma.corpus.web.quality.score import STARTER

MATHEMATICS = (
    "Suppose that the function is continuous on the closed interval. By the mean value theorem there is a point where "
    "the derivative equals the slope of the secant, and therefore the polynomial has a root in that interval. "
) * 3
GERMAN = "Die Funktion ist stetig auf dem Intervall, und nach dem Mittelwertsatz gibt es daher eine Nullstelle darin. "


NEWS = (
    "The mayor said on Tuesday that the new stadium will open in the spring, although residents of the neighbourhood "
    "complained about the noise, and the police announced that several streets will be closed to traffic. "
)


def page(text: str, url: str = "https://a.example/", found_math: int = 1) -> Document:
    return Document("id", text, "web", {"url": url, "found_math": found_math})


def model(tmp_path: Path, end: float) -> str:
    """A model under which every word has probability 10^-4."""
    path = tmp_path / f"m{end}.arpa"
    path.write_text(f"\\data\\\n\n\\1-grams:\n-99\t<s>\n-{end}\t</s>\n-{end}\t<unk>\n\n\\end\\\n", "utf-8")
    return str(path)


def reason(result: Document | Drop) -> str:
    return result.reason.split(":")[0] if isinstance(result, Drop) else ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MATHEMATICS, ""),
        (GERMAN * 3, "not English"),
        (NEWS, "low mathematics score with"),
    ],
)
def test_first_pass(text: str, found: str) -> None:
    assert reason(FirstPass()(page(text))).startswith(found) and bool(found) == bool(reason(FirstPass()(page(text))))


def test_perplexity_limits_differ(tmp_path: Path) -> None:
    between = model(tmp_path, 4.3)  # perplexity 20,000
    assert reason(FirstPass(language_model=between)(page(MATHEMATICS))) == ""
    assert reason(SecondPass(language_model=between)(page(MATHEMATICS))) == "perplexity too high"
    above = model(tmp_path, 4.5)  # 31,600
    assert reason(FirstPass(language_model=above)(page(MATHEMATICS))) == "perplexity too high"


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (page(MATHEMATICS, "https://a.example/authors/"), "listed address"),
        (page("Theorem: continuous function, closed interval."), "too short"),
        (page(MATHEMATICS + "é" * 30), "too much accented text"),
        (page(MATHEMATICS, "https://chem.libretexts.org/", 0), "libretexts without formulas"),
        (page(NEWS), "low mathematics score with formulas"),
    ],
)
def test_second_pass(document: Document, found: str) -> None:
    assert reason(SecondPass()(document)) == found


def test_second_pass_removes_macro_lines() -> None:
    result = SecondPass()(page(MATHEMATICS + "\n\\newcommand{\\a}{b}\\newcommand{\\c}{d}"))
    assert isinstance(result, Document) and result.text == MATHEMATICS


def test_files_decide(tmp_path: Path) -> None:
    language = model(tmp_path, 4.0)
    assert FirstPass().files() == [STARTER]
    assert SecondPass(score="s", language_model=language, addresses="a").files() == [
        Path("s"),
        Path(language),
        Path("a"),
    ]
    assert "at least 0.17" in SecondPass().about() and "no perplexity" in FirstPass().about()
