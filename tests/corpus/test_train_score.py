"""Labelled rows become a score, its held-out figures are told, and equal rows give equal bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from llemma.cli.corpus import corpus
from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError
from llemma.corpus.train_score import train_score_files
from llemma.corpus.web.quality.score import load
from llemma.corpus.web.quality.training import example, measure

MATH = ["theorem", "proof", "integral", "vector", "matrix", "polynomial", "converges", "prime"]
OTHER = ["kitchen", "minister", "football", "election", "recipe", "weather", "concert", "police"]


def rows(number: int, seed: int = 0) -> list[dict[str, object]]:
    chance = np.random.default_rng(seed)
    made: list[dict[str, object]] = []
    for at in range(number):
        label = at % 2
        words = chance.choice([*(MATH if label else OTHER), "the", "of", "and", "is"], 30)
        made.append({"text": " ".join(words), "label": "math" if label else "other", "group": f"g{at // 4}"})
    return made


def write(path: Path, content: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")
    return path


def trained(path: Path, out: Path, **settings: object) -> object:
    options = {"held_out": 0.2, "seed": 0, "trained_on": "", "console": Console(quiet=True), **settings}
    return train_score_files([path], out, **options)  # type: ignore[arg-type]


def test_a_score_is_trained_and_told(tmp_path: Path) -> None:
    path, out = write(tmp_path / "rows.jsonl", rows(400)), tmp_path / "a.safetensors"
    result = CliRunner().invoke(corpus, ["train-score", str(path), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["auc"] > 0.99 and told["f1"] > 0.9 and 0 < told["mathematical"] < told["rows"] < 160
    model = load(out)
    assert model.score("the theorem and its proof") > 0.5 > model.score("the minister and the police")
    assert model.about["trained_on"] == "rows.jsonl" and model.about["precision"] == f"{told['precision']:.3f}"


def test_equal_rows_give_equal_bytes_and_another_seed_another_split(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", rows(200))
    found = [trained(path, tmp_path / f"{name}", seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert found[0] == found[1]


def test_html_rows_and_other_spellings_of_labels(tmp_path: Path) -> None:
    content = rows(200)
    for at, row in enumerate(content):
        row["label"] = [row["label"], row["label"] == "math", int(row["label"] == "math")][at % 3]
        if at % 5 == 0:
            row["html"] = f"<html><body><p>{row.pop('text')}</p></body></html>"
    assert trained(write(tmp_path / "rows.jsonl", content), tmp_path / "a").auc > 0.95  # type: ignore[attr-defined]


@given(st.text(min_size=1), st.integers(0, 5))
def test_a_group_is_never_split(group: str, seed: int) -> None:
    parts = {example(text, True, group, held_out=0.4, seed=seed, size=64).part for text in ("a b", "c", "")}
    assert len(parts) == 1


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"text": "a"}', "damaged row"),
        ("no json", "damaged row"),
        ('{"text": "a", "label": "perhaps"}', "unknown label"),
        ('{"label": 1}', "without 'text'"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, line: str, what: str) -> None:
    path = write(tmp_path / "rows.jsonl", rows(4))
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(DataError, match=what) as error:
        trained(path, tmp_path / "out")
    assert "line 5" in error.value.where and not (tmp_path / "out").exists()


def test_too_little_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too little to learn from: 5 rows"):
        trained(write(tmp_path / "rows.jsonl", rows(10)), tmp_path / "out")
    with pytest.raises(DataError, match="too little"):
        trained(write(tmp_path / "one.jsonl", [row for row in rows(200) if row["label"] == "math"]), tmp_path / "out")
    with pytest.raises(MissingError):
        trained(tmp_path / "none.jsonl", tmp_path / "out")


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([s for s, _ in pairs]), np.array([y for _, y in pairs], float)
    ours = measure(scores, labels).auc
    both = [(a, b) for a, y in pairs if y for b, z in pairs if not z]
    expected = sum((a > b) + (a == b) / 2 for a, b in both) / len(both) if both else 0.5
    assert ours == pytest.approx(expected)
