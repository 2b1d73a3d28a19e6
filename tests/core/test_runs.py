"""A run folder belongs to one recipe and one process, and its marks mean that work is done."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from llemma.core.console import Console
from llemma.core.errors import BusyError, DataError, RecipeError
from llemma.core.files import read_json
from llemma.core.runs import open_run
from llemma.core.types import RunRecord


class Recipe(msgspec.Struct, frozen=True):
    steps: int = 1


QUIET = Console(quiet=True, stream=StringIO())


def test_marks_hold_for_their_digest_only(tmp_path: Path) -> None:
    with open_run(tmp_path / "r", "test", Recipe(), QUIET) as run:
        assert run.mark("unit", "key") is None
        run.finish("unit", "key", 1.5, {"n": 3})
    with open_run(tmp_path / "r", "test", Recipe(), QUIET) as run:
        mark = run.mark("unit", "key")
        assert mark is not None and mark.facts == {"n": 3}
        assert run.mark("unit", "other key") is None
        (run.path / "marks" / "unit.json").write_text("{")
        assert run.mark("unit", "key") is None
    record = read_json(tmp_path / "r" / "run.json", RunRecord)
    assert record.state == "done" and record.packages["llemma" if "llemma" in record.packages else "python"]


def test_another_recipe_is_refused_with_the_difference_and_nothing_is_lost(tmp_path: Path) -> None:
    with open_run(tmp_path / "r", "test", Recipe(1), QUIET) as run:
        run.finish("unit", "key", 1.0)
    with (
        pytest.raises(RecipeError, match=r"steps: 1 -> 2") as caught,
        open_run(tmp_path / "r", "test", Recipe(2), QUIET),
    ):
        pass
    assert "--fresh" in caught.value.mend and "--out" in caught.value.mend
    assert tomllib.loads((tmp_path / "r" / "recipe.toml").read_text()) == {"steps": 1}
    with open_run(tmp_path / "r", "test", Recipe(1), QUIET) as run:
        assert run.mark("unit", "key") is not None
    with open_run(tmp_path / "r", "test", Recipe(2), QUIET, fresh=True) as run:
        assert run.mark("unit", "key") is None


def test_settings_that_change_no_number_may_differ_and_the_last_ones_are_kept(tmp_path: Path) -> None:
    with open_run(tmp_path / "r", "test", {"train": {"a": {"steps": 1, "keep": 2}}}, QUIET) as run:
        run.finish("unit", "key", 1.0)
    other = {"train": {"a": {"steps": 1, "keep": 5}}}
    with pytest.raises(RecipeError, match="keep"), open_run(tmp_path / "r", "test", other, QUIET):
        pass
    with open_run(tmp_path / "r", "test", other, QUIET, free={"keep"}) as run:
        assert run.mark("unit", "key") is not None
    assert tomllib.loads((tmp_path / "r" / "recipe.toml").read_text()) == other
    changed = {"train": {"a": {"steps": 2, "keep": 2}}}
    with (
        pytest.raises(RecipeError, match="steps: 1 -> 2"),
        open_run(tmp_path / "r", "t", changed, QUIET, free={"keep"}),
    ):
        pass
    assert tomllib.loads((tmp_path / "r" / "recipe.toml").read_text()) == other


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match=r"thesis\.tex"), open_run(tmp_path, "test", Recipe(), QUIET, fresh=True):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from llemma.core.runs import locked\n"
        "with locked(Path(sys.argv[1])):\n print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "locked\n"
    with pytest.raises(BusyError, match=str(other.pid)), open_run(tmp_path, "test", Recipe(), QUIET):
        pass
    other.kill()
    other.communicate()
    with open_run(tmp_path, "test", Recipe(), QUIET):
        pass


def test_what_a_killed_process_left_is_swept_away_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "r"
    with open_run(out, "test", Recipe(), QUIET):
        pass
    (out / "a" / ".train.0123abcd.tmp").mkdir(parents=True)
    (out / "a" / ".train.0123abcd.tmp" / "tokens.bin").touch()
    (out / ".stats.json.89abcdef.tmp").touch()
    (out / "a" / ".mine.tmp").touch()
    with open_run(out, "test", Recipe(), QUIET):
        pass
    assert {path.name for path in out.rglob("*.tmp")} == {".mine.tmp"}


def test_how_it_ended_is_recorded_with_the_trace(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run(tmp_path / "a", "test", Recipe(), QUIET):
        _ = 1 / 0
    assert read_json(tmp_path / "a" / "run.json", RunRecord).state == "failed"
    assert "ZeroDivisionError" in (tmp_path / "a" / "log.txt").read_text()
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path / "b", "test", Recipe(), QUIET):
        raise KeyboardInterrupt
    assert read_json(tmp_path / "b" / "run.json", RunRecord).state == "interrupted"
