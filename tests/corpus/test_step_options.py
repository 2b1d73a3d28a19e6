"""Steps with options: read from the recipe, checked with its keys, and part of the name of the work."""

from pathlib import Path

import pytest

from llemma.core import registry
from llemma.core.errors import MissingError, RecipeError
from llemma.core.types import Document
from llemma.corpus.blocks import plugin_rules, work_of
from llemma.corpus.card import _judges
from llemma.corpus.check import open_sources, open_step, open_steps
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.source import Unit
from llemma.corpus.web.quality.score import STARTER, MathScore, load, save

STEPS = ["math-score", "addresses"]


def made(steps: list[str], options: dict[str, dict[str, object]]) -> SourceConfig:
    return SourceConfig("folder", "web", steps, {"inputs": ["."]}, step_options=options)


def source(**options: object) -> SourceConfig:
    return made(STEPS, {"math-score": options})


def test_options_reach_the_step() -> None:
    steps = dict(open_steps(source(with_formulas=0.3)))
    assert steps["math-score"] == MathScore(with_formulas=0.3)
    assert open_step("math-score") == MathScore() and callable(open_step("not-empty"))


def test_every_step_with_options_opens_and_keeps_its_files() -> None:
    for name in ("english", "math-score", "addresses", "open-web-math", "open-web-math-second"):
        assert isinstance(open_step(name)(Document("id", "x", "web")), object)
        assert callable(registry.find("step", name))


@pytest.mark.parametrize(
    ("step", "options", "problem"),
    [
        ("math-score", {"with_formula": 0.3}, "step_options.math-score.with_formula: unknown key; did you mean"),
        ("math-score", {"with_formulas": 3}, "step_options.math-score.with_formulas: Expected `float` <= 1"),
        ("math-score", {"model": 3}, "step_options.math-score.model: Expected `str`"),
        ("maths-score", {}, "step_options.maths-score: no such step here; did you mean 'math-score'"),
        ("not-empty", {"a": 1}, "step_options.not-empty: the step has no options"),
        ("perplexity", {}, "step_options.perplexity.model: missing"),
    ],
)
def test_wrong_options_are_told_with_their_place(step: str, options: dict[str, object], problem: str) -> None:
    config = made(["perplexity"] if step == "perplexity" else ["math-score", "not-empty"], {step: options})
    with pytest.raises(RecipeError, match="refused") as error:
        open_sources(CorpusConfig({"pages": config}))
    assert f"corpus.sources.pages.{problem}" in error.value.what


def digest(config: SourceConfig) -> str:
    return work_of("pages", config, Unit("u", "u", "d"), None, "", plugin_rules(config)).digest


def test_another_threshold_or_model_is_other_work(tmp_path: Path) -> None:
    path = tmp_path / "score.safetensors"
    path.write_bytes(STARTER.read_bytes())
    mine = source(model=str(path))
    before = digest(mine)
    assert before == digest(mine) and digest(source()) != digest(source(with_formulas=0.3))
    model = load(path)
    save(type(model)(model.weights * 2, model.bias, model.about), path)
    assert digest(mine) != before


def test_a_missing_model_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no file") as error:
        plugin_rules(source(model=str(tmp_path / "none")))
    assert error.value.where == "step math-score"


def test_the_data_card_says_what_judged() -> None:
    lines = "\n".join(_judges(source(with_formulas=0.3)))
    assert '- options of `math-score`: `{"with_formulas":0.3}`' in lines
    assert "starter score of mathematics, trained on passages of 39 Debian" in lines and "at least 0.3 with" in lines
