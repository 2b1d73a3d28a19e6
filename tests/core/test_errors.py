"""Errors have three lines, an exit code, and survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from llemma.core import registry
from llemma.core.errors import DataError, LlemmaError, RecipeError, suggest


def test_three_lines() -> None:
    error = DataError("broken", where="file 3", mend="do this")
    assert str(error) == "error: broken\n where: file 3\n  mend: do this"
    assert str(LlemmaError("broken")) == "error: broken"


def test_they_travel_between_processes() -> None:
    again = pickle.loads(pickle.dumps(DataError("broken", where="here", mend="so")))
    assert isinstance(again, DataError) and (again.what, again.where, again.mend) == ("broken", "here", "so")


@pytest.mark.parametrize(("word", "found"), [("gms8k", "gsm8k"), ("MATH", "math"), ("ocw-courses", "ocw_courses")])
def test_suggestions(word: str, found: str) -> None:
    assert suggest(word, ["gsm8k", "math", "ocw_courses"]) == f"did you mean '{found}'?"


def test_no_suggestion_for_what_is_far_off() -> None:
    assert suggest("zebra", ["gsm8k", "math"]) == ""


def test_an_unknown_plugin_is_told_with_its_neighbour() -> None:
    with pytest.raises(RecipeError, match="unknown source 'fodler'") as caught:
        registry.find("source", "fodler")
    assert "did you mean 'folder'?" in caught.value.mend


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_built_in_name_loads(kind: str) -> None:
    for name in registry.names(kind):
        assert callable(registry.find(kind, name)) or registry.find(kind, name) is not None
