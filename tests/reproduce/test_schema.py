"""What types cannot refuse, the check does."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core import registry
from llemma.core.errors import MissingError, RecipeError
from llemma.core.recipe import recipe_names
from llemma.reproduce import schema


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_fine(name: str) -> None:
    assert schema.load(name).value.title


def test_a_mixture_of_a_subset_that_nobody_fills(tiny: str) -> None:
    with pytest.raises(RecipeError, match=r"train\.base\.mixture: no source fills the subset 'generla' did you mean"):
        schema.load(tiny, ['train.base.mixture=[{source="generla", weight=1.0}]'])


def test_training_needs_something_to_start_from(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[train.a]\nmixture = [{source = "x", weight = 1.0}]\ntokens = 10\ncontext = 2\nbatch = 1\n')
    with pytest.raises(RecipeError, match="without a model to start from"):
        schema.load(str(path))


def test_a_section_that_a_command_needs(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('title = "empty"\n')
    loaded = schema.load(str(path))
    with pytest.raises(RecipeError, match=r"no \[corpus\]"):
        schema.need(loaded, "corpus")


def test_plugins_add_names_before_they_are_looked_up(tmp_path: Path, tiny: str) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from llemma.core.registry import register\n"
        "from llemma.core.types import Drop\n"
        "register('step', 'my-step', lambda document: Drop('never mine'))\n"
    )
    with pytest.raises(RecipeError, match="my-step"):
        schema.load(tiny, ['corpus.sources.code.steps=["my-step"]'])
    loaded = schema.load(tiny, ['corpus.sources.code.steps=["my-step"]', f'plugins=["{plugin}"]'])
    assert loaded.value.corpus is not None and "my-step" in registry.names("step")
    registry._TABLES["step"].pop("my-step")
    with pytest.raises(MissingError, match="no plug-in file"):
        schema.load(tiny, ['plugins=["none.py"]'])
