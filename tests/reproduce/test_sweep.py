"""A sweep in miniature, by the command: runs, a fit, files; what was done is not done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from llemma.cli.main import run
from llemma.core.errors import LlemmaError, RecipeError
from llemma.core.files import read_json
from llemma.core.types import Part
from llemma.reproduce import schema
from llemma.reproduce.sweep import Outcome, open_space
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import load, train_bpe

RECIPE = """
[data]
tokens = "{tokens}"

[model]
hidden_size = 16
intermediate_size = 24
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
max_position_embeddings = 32

[train.math]
mixture = [
    {{ source = "sums", weight = 2.0 }},
    {{ source = "words", weight = 1.0 }},
    {{ source = "replay", weight = 0.3, max_epochs = 50 }},
]
tokens = 3_840
context = 32
batch = 4
optimizer = "muon"
peak_lr = 1e-2
warmup_steps = 3
precision = "fp32"
validation_windows = 8

[sweep]
compare = {{ sums = 2, words = 1 }}
candidates = [{{ sums = 1, words = 9 }}, {{ sums = 1, words = 1 }}]
draws = 2
target_tokens = 38_400
repeats = 1
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe beside its token stores."""
    root = tmp_path_factory.mktemp("sweep")
    sums = [f"{i} plus {i} is {2 * i}. " * 4 for i in range(300)]
    words = [f"The letter after {chr(97 + i % 25)} is {chr(98 + i % 25)}. " * 5 for i in range(300)]
    train_bpe([*sums, *words], 300, root / "tokens" / "tokenizer")
    tokenizer = load(root / "tokens" / "tokenizer")
    for name, texts in {"sums": sums, "words": words, "replay": words[:60]}.items():
        write_store(texts, tokenizer, root / "tokens" / name / "train")
        write_store(texts[::9], tokenizer, root / "tokens" / name / "validation")
    (root / "small.toml").write_text(RECIPE.format(tokens=root / "tokens"))
    return root / "small.toml"


@pytest.fixture(scope="module")
def done(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep; read only."""
    out = tmp_path_factory.mktemp("done") / "run"
    assert run(["sweep", str(recipe), "--out", str(out), "-q"]) == 0
    return out


def test_a_plan_says_what_will_run_and_writes_nothing(
    recipe: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["sweep", str(recipe), "--plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 6 and len(told["mixtures"]) == 5 and told["tokens"] == 6 * 3840
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_sweep_leaves_its_table_plot_and_losses(done: Path) -> None:
    found = read_json(done / "sweep.json", Outcome)
    assert [proxy.name for proxy in found.runs] == [f"mix-{i:02d}" for i in range(5)]
    assert found.fit.best.keys() == {"sums", "words"} and sum(found.fit.best.values()) == pytest.approx(1, abs=1e-3)
    assert (found.confirmed[0].name, found.compared) == ("best-0", [found.runs[0]])
    assert all(proxy.losses.keys() == {"sums", "words", "replay"} for proxy in found.runs)
    page = (done / "table.md").read_text()
    assert page.count("\n| mix-") == 5 and "| best-0 |" in page and "predicted gain over compare" in page
    assert (done / "sweep.svg").read_text().startswith("<?xml")
    assert not list(done.glob("runs/*/final")) and len(list(done.glob("runs/*/metrics.jsonl"))) == 6


def test_more_of_a_source_lowers_its_loss(done: Path) -> None:
    found = read_json(done / "sweep.json", Outcome)
    by_weight = sorted(found.runs, key=lambda proxy: proxy.weights["words"])
    assert by_weight[-1].losses["words"] < by_weight[0].losses["words"]
    assert by_weight[-1].losses["sums"] > by_weight[0].losses["sums"]


def test_sources_are_cut_so_that_they_repeat_as_in_the_target_run(recipe: Path, done: Path) -> None:
    space, found = open_space(schema.load(str(recipe)))
    for name in ("sums", "words"):
        kept = Store(done / "data" / name / "train").info.tokens
        assert kept == pytest.approx(found[name].info.tokens / 10, abs=1)  # a tenth of the target's tokens
        given = space.compare[space.sources.index(name)] * space.share
        assert given * space.tokens / kept == pytest.approx(space.epochs(space.compare)[name], rel=0.01)
    assert Store(done / "data" / "replay" / "train").info == msgspec.structs.replace(found["replay"].info)
    plan = json.loads((done / "runs" / "mix-00" / "plan.json").read_text())
    assert sum(share["share"] for share in plan["mixture"] if share["source"] == "replay") == pytest.approx(0.3 / 3.3)


def test_what_is_done_is_not_done_again(recipe: Path, done: Path, capsys: Any, monkeypatch: Any) -> None:
    before = read_json(done / "sweep.json", Outcome)

    def never(*given: Any, **options: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("llemma.reproduce.sweep.train_phase", never)
    assert run(["sweep", "--resume", str(done)]) == 0
    assert "run-mix-04: done before" in capsys.readouterr().err
    assert read_json(done / "sweep.json", Outcome) == before


@pytest.mark.slow
def test_a_killed_sweep_goes_on_to_the_same_end(recipe: Path, done: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from llemma.reproduce import sweep as sweeps

    train, out, calls = sweeps.train_phase, tmp_path / "run", list[Path]()

    def stops(folder: Path, *given: Any, **options: Any) -> Any:
        calls.append(folder)
        if len(calls) == 3:
            raise LlemmaError("killed")
        return train(folder, *given, **options)

    monkeypatch.setattr(sweeps, "train_phase", stops)
    assert run(["sweep", str(recipe), "--out", str(out), "-q"]) == 1
    assert run(["sweep", str(recipe), "--out", str(out), "-q"]) == 0
    assert [folder.name for folder in calls[:4]] == ["mix-00", "mix-01", "mix-02", "mix-02"] and len(calls) == 7
    assert (out / "sweep.json").read_bytes() == (done / "sweep.json").read_bytes()


def test_caps_on_epochs_bound_the_weights(recipe: Path) -> None:
    loaded = schema.load(str(recipe), ["sweep.target_tokens=10_000_000"])
    space, found = open_space(loaded)
    most = 4 * found["sums"].info.tokens / (10_000_000 * space.share)
    assert space.high[space.sources.index("sums")] == pytest.approx(most)
    assert np.isclose(space.share, 3 / 3.3)
    assert Part("replay", 0.3, 50.0) in space.phase.mixture


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("sweep.phase=other", "no training phase 'other'"),
        ("sweep.candidates=[{sums=1, other=2}]", "mixture lacks other"),
        ("sweep.natural={replay=1}", "compare lacks replay"),
        ("sweep.candidates=[{sums=-1, words=2}]", "a weight below 0"),
        ("sweep.repeats=0", "repeats must be at least 1"),
        ("sweep.draws=0", "3 runs cannot tell 2 sources apart"),
    ],
)
def test_what_cannot_be_swept_is_refused(recipe: Path, setting: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        schema.load(str(recipe), [setting])
