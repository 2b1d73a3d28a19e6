"""Recipes are read strictly: everything wrong is told at once, and every key knows where it came from."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core import recipe as recipes
from llemma.core.errors import MissingError, RecipeError
from llemma.core.recipe import Count, difference, load, parse_count, to_toml


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rate: float = 0.5
    steps: Count = Count(10)


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    inner: Inner = Inner()
    parts: dict[str, Inner] = {}
    files: list[str] = []


def write(folder: Path, text: str, name: str = "a.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_all_problems_are_told_at_once_with_line_and_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path, 'nam = "x"\n\n[inner]\nrate = "fast"\n\n[parts.one]\nstep = 3\n')
    with pytest.raises(RecipeError) as caught:
        load(path, Outer)
    what = caught.value.what
    assert "nam: unknown key (a.toml line 1) did you mean 'name'?" in what
    assert "name: missing" in what
    assert "inner.rate: Expected `float`" in what and "line 4" in what
    assert "parts.one.step: unknown key (a.toml line 7) did you mean 'steps'?" in what
    assert caught.value.exit_code == 4


def test_set_beats_recipe_beats_base_beats_default(tmp_path: Path) -> None:
    write(tmp_path, 'name = "base"\n[inner]\nrate = 0.1\nsteps = "2k"\n', "below.toml")
    path = write(tmp_path, 'base = "below"\nname = "top"\n[inner]\nrate = 0.2\n')
    loaded = load(path, Outer, ["inner.rate=0.3"])
    assert (loaded.value.name, loaded.value.inner.rate, loaded.value.inner.steps) == ("top", 0.3, 2000)
    assert loaded.origin["inner.rate"] == "--set"
    assert loaded.origin["name"].endswith("a.toml")
    assert loaded.origin["inner.steps"].endswith("below.toml")


def test_a_base_with_a_base_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 'name = "0"\n', "zero.toml")
    write(tmp_path, 'base = "zero"\n', "one.toml")
    with pytest.raises(RecipeError, match="base of its own"):
        load(write(tmp_path, 'base = "one"\n'), Outer)


def test_recipe_paths_are_beside_the_recipe(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "x"\nfiles = ["recipe:data/a.txt", "plain.txt"]\n')
    assert load(path, Outer).value.files == [str(tmp_path / "data" / "a.txt"), "plain.txt"]


@pytest.mark.parametrize("item", ["inner.rate", "=3", "inner"])
def test_a_set_that_is_no_assignment_is_refused(tmp_path: Path, item: str) -> None:
    with pytest.raises(RecipeError, match="--set"):
        load(write(tmp_path, 'name = "x"\n'), Outer, [item])


def test_not_toml_and_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not valid TOML"):
        load(write(tmp_path, "name = \n"), Outer)
    with pytest.raises(MissingError):
        load(str(tmp_path / "none.toml"), Outer)
    with pytest.raises(MissingError, match="no recipe 'minni'") as caught:
        load("minni", Outer)
    assert "mini" in caught.value.mend


@pytest.mark.parametrize(
    ("text", "number"), [("4k", 4000), ("2.5m", 2_500_000), ("55B", 55 * 10**9), (7, 7), ("1_000", 1000)]
)
def test_counts(text: object, number: int) -> None:
    assert parse_count(text) == number


@pytest.mark.parametrize("text", ["", "k", "-3", "4kk", True, None, "1e5"])
def test_what_is_no_count(text: object) -> None:
    with pytest.raises(ValueError, match="Expected a number"):
        parse_count(text)


@given(st.fixed_dictionaries({"name": st.text(max_size=8), "files": st.lists(st.text(max_size=8), max_size=3)}))
def test_a_saved_recipe_reads_back_equal(table: dict[str, object]) -> None:
    value = msgspec.convert(table, Outer)
    again = msgspec.convert(tomllib.loads(to_toml(value)), Outer, dec_hook=recipes._decode)
    assert again == value


def test_differences_name_the_leaf() -> None:
    assert difference({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == ["a.c: 2 -> 3", "d: None -> 4"]
    assert difference({"a": 1}, {"a": 1}) == []
