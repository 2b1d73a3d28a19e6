"""The samples we ship: they rebuild to the same content, and every formula listed for them comes out."""

import gzip
import importlib.util
import json
import re
from pathlib import Path

import pytest

from llemma.core.types import Document, Drop
from llemma.corpus.sources.arxiv import Arxiv
from llemma.corpus.sources.warc import Warc
from llemma.corpus.web import quality

SAMPLES = Path(__file__).parents[2] / "recipes" / "samples"
FORMULA = re.compile(r"(?<!\\)\$\$(.*?)(?<!\\)\$\$|(?<!\\)\$([^$]+?)(?<!\\)\$", re.DOTALL)


def documents() -> dict[str, Document]:
    source = Warc(inputs=[str(SAMPLES / "web.warc.gz")])
    items = [item for unit in source.units(None) for item in source.read(unit, "web")]  # type: ignore[arg-type]
    return {item.meta["url"].rsplit("/", 1)[1]: item for item in items if isinstance(item, Document)}


def test_rebuilding_gives_the_same_content(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("samples_build", SAMPLES / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build(tmp_path)
    shipped = sorted(path.relative_to(SAMPLES) for path in SAMPLES.rglob("*.gz"))
    assert shipped == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.gz")) and len(shipped) == 4
    for name in shipped:
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress((SAMPLES / name).read_bytes())


def test_every_listed_formula_comes_out() -> None:
    pages = documents()
    listed: dict[str, list[str]] = json.loads((SAMPLES / "formulas.json").read_text(encoding="utf-8"))
    assert sum(map(len, listed.values())) > 150
    for name, formulas in listed.items():
        text = re.sub(r"```.*?```", "", pages[name].text if name in pages else "", flags=re.DOTALL)
        found = {" ".join((display or inline).split()) for display, inline in FORMULA.findall(text)}
        assert found >= set(formulas), (name, set(formulas) - found)


@pytest.mark.parametrize(
    ("name", "step"), [("nearly-empty", quality.long_enough), ("satz-des-pythagoras", quality.english)]
)
def test_pages_meant_to_be_dropped(name: str, step) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(step(documents()[name]), Drop)


def test_news_has_no_sign_of_mathematics() -> None:
    assert "news-bridge" not in documents()


def test_prices_and_shell_variables_are_no_formulas() -> None:
    page = documents()["shop-prices"]
    assert page.meta["found_math"] == 1
    assert "costs \\$120" in page.text and "\\$WORKSHOP_HOME/bin" in page.text


def test_furniture_is_gone() -> None:
    for page in documents().values():
        for word in (
            "cookies",
            "Permalink",
            "Log in",
            "Share this",
            "Related questions",
            "[edit]",
            "Archives",
            "3 comments",
        ):
            assert word not in page.text


def test_papers() -> None:
    source = Arxiv(inputs=[str(SAMPLES / "arxiv")])
    papers = [item for unit in source.units(None) for item in source.read(unit, "arxiv")]  # type: ignore[arg-type]
    assert [paper.id for paper in papers] == ["sample.00001", "sample.00002", "sample.00003"]
    texts = [paper.text for paper in papers if isinstance(paper, Document)]
    assert all(text.startswith("\\title{") and "\\begin{abstract}" in text for text in texts)
    assert "\\mathbb{F}_{p}" in texts[0] and texts[0].index("Introduction") < texts[0].index("The descent") < texts[
        0
    ].index("Another way")
    assert (
        "\\left\\| \\mu \\right\\|_{\\mathrm{TV}}" in texts[1]
        and "Not kept" not in texts[1]
        and "# 100% of the spectrum" in texts[1]
    )
    assert "naïve" in texts[2] and "\\langle n | \\psi \\rangle" in texts[2]
