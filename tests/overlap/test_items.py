"""What is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.errors import DataError, MissingError, UsageError
from llemma.core.types import Problem
from llemma.overlap.items import Item, gathered, of_file, of_problems, of_run, parse_kinds


def test_problems_and_solutions() -> None:
    problem = Problem("t/0", "t", "how many", "4", {"solution": "two and two", "level": 3})
    common = {"problem": "t/0", "task": "t", "answer": "4", "level": "3"}
    assert list(of_problems([problem], ("problem", "solution"))) == [
        Item("t/0", "how many", "problem", **common),
        Item("t/0#solution", "two and two", "solution", **common),
    ]
    assert not list(of_problems([Problem("t/1", "t", "x", "4")], ("solution",)))


def test_a_run_gives_its_completions(run: Path) -> None:
    items = list(of_run(run, ("completion",)))
    assert [item.id for item in items] == [f"p{i}#greedy/0" for i in range(4)]
    assert items[0].problem == "p0" and items[0].answer == "until the"


def test_rows_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"id":1,"text":"x","answer":2}\n\n{"text":"y","of":"p"}\n{"id":"q","problem":"z","answer":"3"}\n')
    assert list(of_file(path)) == [
        Item("1", "x", "row", "1", answer="2"),
        Item("f.jsonl:2", "y", "row", "p"),
        Item("q", "z", "problem", "q", answer="3"),
    ]


@pytest.mark.parametrize("line", ['{"id":"a"}', '{"id":"a","text":5}', "{", "[]"])
def test_a_row_without_text_is_an_error_with_its_place(line: str, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"id":"x","text":"y"}\n' + line + "\n")
    with pytest.raises(DataError) as error:
        list(of_file(path))
    assert error.value.where == f"{path} row 2"


def test_ids_are_unique_and_something_is_looked_for() -> None:
    with pytest.raises(DataError, match="two items have the id 'a'"):
        gathered([Item("a", "x"), Item("a", "y")])
    with pytest.raises(DataError, match="no items"):
        gathered([])


def test_kinds() -> None:
    assert parse_kinds("solution, problem,solution") == ("solution", "problem")
    with pytest.raises(UsageError) as error:
        parse_kinds("solutions")
    assert error.value.mend == "did you mean 'solution'?"
    with pytest.raises(UsageError):
        parse_kinds(" ,")
    with pytest.raises(MissingError):
        list(of_file(Path("absent.jsonl")))
