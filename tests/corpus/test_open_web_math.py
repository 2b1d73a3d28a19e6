"""The recipe `open-web-math` keeps the mathematical samples, and a new score makes its work again."""

from pathlib import Path

import msgspec
import pytest

from llemma.core.console import Console
from llemma.core.errors import DataError
from llemma.core.recipe import load
from llemma.corpus.build import build
from llemma.corpus.config import CorpusConfig
from llemma.corpus.layout import CorpusStats
from llemma.corpus.web.quality.score import STARTER, ScoreModel, save
from llemma.corpus.web.quality.score import load as load_score


class Sections(msgspec.Struct, frozen=True):
    corpus: CorpusConfig
    title: str = ""


def built(folder: Path, *sets: str) -> CorpusStats:
    recipe = load(str(Path(__file__).parents[2] / "recipes/open-web-math.toml"), Sections, sets)
    return build(recipe.value.corpus, folder / "corpus", cache=folder, console=Console(quiet=True), workers=1)


def test_the_chain_and_its_data_card(tmp_path: Path) -> None:
    stats = built(tmp_path)
    dropped = stats.sources["web"].dropped
    assert stats.kept.docs >= 17
    assert dropped["open-web-math"] == {"low mathematics score with formulas": 1, "not English": 1}
    assert dropped["open-web-math-second"] == {"too short": 1}
    card = (tmp_path / "corpus" / "README.md").read_text("utf-8")
    assert "trained on passages of 39 Debian" in card and "at least 0.17 with formulas" in card


def test_another_score_under_the_same_name_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(STARTER.read_bytes())
    use = f'corpus.sources.web.step_options.open-web-math.score="{path}"'
    kept = built(tmp_path, use).kept.docs
    starter = load_score(STARTER)
    save(ScoreModel(starter.weights, -30.0, {"trained_on": "nothing at all"}), path)
    assert built(tmp_path, use).kept.docs < kept
    assert "trained on nothing at all" in (tmp_path / "corpus" / "README.md").read_text("utf-8")


def test_a_file_that_is_no_score_ends_the_build(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(DataError, match="not a mathematics score"):
        built(tmp_path, f'corpus.sources.web.step_options.open-web-math.score="{path}"')
