"""`llemma train --plan` and the recipes of the paper."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llemma.core.errors import LlemmaError, MissingError, RecipeError, UsageError
from llemma.reproduce import costs, schema
from llemma.reproduce.costs import Question
from llemma.train.schedule import schedule, steps_of
from llemma.train.shapes import KNOWN

PHASE = """
[train.a]
mixture = [{ source = "x", weight = 1.0 }]
tokens = 40_960
context = 64
batch = 8
"""
MODEL = """
[model]
hidden_size = 32
intermediate_size = 48
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 1
"""


def written(folder: Path, text: str) -> str:
    path = folder / "r.toml"
    path.write_text(text)
    return str(path)


def planned(name: str, sets: tuple[str, ...] = (), **question: Any) -> tuple[dict[str, costs.PhasePlan], str]:
    return costs.plan(schema.load(name, sets), Question(**question))


# --- the paper's recipes


@pytest.mark.parametrize(
    ("name", "steps", "laid_out", "peak", "base", "start"),
    [
        ("llemma-7b", 42_000, 48_000, 1e-4, 1e4, "codellama/CodeLlama-7b-hf"),
        ("llemma-34b", 12_000, 12_000, 5e-5, 1e6, "codellama/CodeLlama-34b-hf"),
    ],
)
def test_the_papers_settings(name: str, steps: int, laid_out: int, peak: float, base: float, start: str) -> None:
    (phase,) = schema.load(name).value.train.values()
    assert phase.init == f"hf:{start}" and phase.rope_theta == base
    assert phase.context == 4096 and phase.batch * phase.context == 4_194_304
    assert steps_of(phase) == steps and steps * 4_194_304 == phase.tokens and phase.schedule_steps == laid_out
    assert (phase.optimizer, phase.beta1, phase.beta2, phase.weight_decay, phase.clip) == ("adamw", 0.9, 0.95, 0.1, 1.0)
    assert (phase.schedule, phase.warmup_steps, phase.precision) == ("cosine", 500, "bf16")
    assert schedule(499, steps, phase) == peak == phase.peak_lr
    assert schedule(laid_out, steps, phase) == pytest.approx(peak / 30)


@pytest.mark.parametrize("name", ["llemma-7b", "llemma-34b"])
def test_the_papers_mixture(name: str) -> None:
    (phase,) = schema.load(name).value.train.values()
    weights = {part.source: part.weight for part in phase.mixture}
    total = sum(weights.values())
    assert weights["arxiv"] * 2 == weights["open-web-math"] == weights["algebraic-stack"] * 4
    assert weights["arxiv"] / weights["algebraic-stack"] == 2
    assert weights["pile"] / total == pytest.approx(0.02) and weights["github"] / total == pytest.approx(0.03)
    # no cap binds on the published sizes, billions of tokens of section 2.1
    sizes = {"arxiv": 29e9, "open-web-math": 15e9, "algebraic-stack": 11e9}
    caps = {part.source: part.max_epochs for part in phase.mixture}
    assert all(phase.tokens * weights[name] / total < caps[name] * size for name, size in sizes.items())


def test_only_the_7b_has_its_rope_contracted_and_both_plans_fit_the_papers_cluster() -> None:
    for name, gib in (("llemma-7b", 34.3), ("llemma-34b", 34.3)):
        plans, text = planned(name, gpu="a100-40", gpus=256)
        (one,) = plans["math"].estimates
        assert one.fits and one.memory.peak / 2**30 < gib and one.layout.gpus == 256
        assert "fits" in text and "activations" in text and "assumed" in text


# --- what is trained


def test_the_shape_of_a_folder_of_the_hub_and_of_the_phase_before(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(_config(KNOWN["meta-llama/Llama-3.2-1B"])))
    second = PHASE.replace("train.a", "train.b")
    recipe = schema.load(written(tmp_path, MODEL + PHASE + second), [f"train.b.init={tmp_path}"])
    shapes = costs.shapes_of(recipe)
    assert shapes["a"].hidden_size == 32 and shapes["b"] == KNOWN["meta-llama/Llama-3.2-1B"]
    recipe = schema.load(written(tmp_path, PHASE + second), ["train.a.init=hf:Qwen/Qwen2.5-7B@main"])
    assert set(costs.shapes_of(recipe).values()) == {KNOWN["Qwen/Qwen2.5-7B"]}
    assert (
        costs.shapes_of(schema.load(recipe.path.as_posix(), [f"train.a.init=hf:{tmp_path}"]))["a"].vocab_size == 128_256
    )


def _config(shape: Any) -> dict[str, Any]:
    return {name: getattr(shape, name) for name in shape.__struct_fields__}


def test_a_config_in_the_hubs_cache_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "models--some--body" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(_config(KNOWN["meta-llama/Llama-2-7b-hf"])))
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    recipe = schema.load(written(tmp_path, PHASE), ["train.a.init=hf:some/body"])
    assert costs.shapes_of(recipe)["a"] == KNOWN["meta-llama/Llama-2-7b-hf"]


@pytest.mark.parametrize(
    ("init", "error", "what"),
    [
        ("hf:codellama/CodeLlama-7b", MissingError, "did you mean 'codellama/CodeLlama-7b-hf'"),
        ("hf:nobody/nothing", MissingError, "not known without fetching"),
        ("hf:one-word", MissingError, "not known without fetching"),
        ("hf:../../x/y", MissingError, "not known without fetching"),
        ("codellama/CodeLlama-7b-hf", MissingError, "no folder"),
        ("no/such/folder", MissingError, "no checkpoint at no/such/folder"),
    ],
)
def test_starts_that_are_not_known(tmp_path: Path, init: str, error: type[LlemmaError], what: str) -> None:
    with pytest.raises(error, match=what):
        planned(written(tmp_path, PHASE), (f'train.a.init="{init}"',))


def test_a_later_phase_with_a_start_does_not_help_the_first(tmp_path: Path) -> None:
    text = PHASE + PHASE.replace("train.a", "train.b") + 'init = "hf:Qwen/Qwen2.5-7B"\n'
    with pytest.raises(RecipeError, match="nothing says what the phase 'a' trains"):
        planned(written(tmp_path, text))


# --- answers


def test_without_a_kind_every_kind_is_answered_with_its_smallest_machine() -> None:
    plans, text = planned("llemma-7b")
    found = {one.device: one for one in plans["math"].estimates}
    assert {"h100", "h200", "a100-40", "a100-80", "b200", "mi300x", "l40s", "rtx-4090"} == set(found)
    assert all(one.fits for one in found.values()) and "smallest machine" in text
    assert "cpu" in {one.device for one in planned("mini")[0]["math"].estimates}


def test_a_mesh_that_does_not_fit_says_what_would() -> None:
    plans, text = planned("llemma-34b", gpu="a100-40", mesh="shard=256", micro_batch=2)
    (one,) = plans["math"].estimates
    assert not one.fits and one.layout.checkpointing == "none" and "DOES NOT FIT" in text
    instead = plans["math"].instead
    assert instead is not None and instead.fits and instead.layout.gpus == 256 and "would fit on as many" in text
    plans, text = planned("llemma-34b", gpu="h100", gpus=2)
    instead = plans["math"].instead
    assert instead is not None and instead.layout.gpus == 8 and "the least that fits: 8 x h100" in text
    _, text = planned("llemma-7b", gpu="cpu")
    assert "no number of cpu up to 1 is enough" in text


def test_the_micro_batch_of_a_mesh_is_the_recipes() -> None:
    plans, _ = planned("llemma-7b", gpu="a100-40", mesh="replica=16,shard=8,tensor=2", gpus=256)
    assert plans["math"].estimates[0].layout.micro_batch == 4


def test_assumptions_can_be_changed() -> None:
    asked = {"gpu": "h100", "mesh": "shard=8", "micro_batch": 1}
    (one,) = planned("llemma-7b", **asked, mfu=0.25, price=1.0)[0]["math"].estimates
    (two,) = planned("llemma-7b", **asked, mfu=0.5, price=3.0)[0]["math"].estimates
    assert one.hours == pytest.approx(2 * two.hours) and two.cost == pytest.approx(1.5 * one.cost)


@pytest.mark.parametrize(
    ("question", "error", "what"),
    [
        ({"gpu": "h10"}, UsageError, "did you mean 'h100'"),
        ({"gpu": "h100", "mesh": "shard=8", "gpus": 16}, UsageError, "has 8 GPUs, not 16"),
        ({"gpu": "h100", "mesh": "shard=8", "micro_batch": 3}, RecipeError, "micro-batches of 3"),
        ({"gpu": "h100", "mesh": "shard=3"}, RecipeError, "do not divide"),
        ({"gpu": "h100", "gpus": 3}, UsageError, "do not divide among 3 GPUs"),
        ({"gpu": "h100", "gpus": 8, "micro_batch": 3}, UsageError, "in micro-batches of 3"),
        ({"gpus": 8}, UsageError, "--gpu"),
    ],
)
def test_questions_that_have_no_answer(question: dict[str, Any], error: type[LlemmaError], what: str) -> None:
    with pytest.raises(error) as caught:
        planned("llemma-7b", **question)
    assert what in str(caught.value)


# --- recipes that are refused


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("micro_batch = 3", "batch 8 is not a multiple of micro_batch 3"),
        ("decay_steps = 5", "decay_steps does nothing under schedule = 'cosine'"),
        ('schedule = "wsd"\nwarmup_steps = 50\ndecay_steps = 31', "warm-up and decay take 81 of the 80 steps"),
        ("schedule_steps = -1", "cannot be negative"),
        ('schedule = "cosin"', "Invalid enum value 'cosin'"),
    ],
)
def test_settings_that_types_cannot_refuse(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(RecipeError, match=what):
        schema.load(written(tmp_path, f"{MODEL}{PHASE}{line}\n"))


# --- the command


def llemma(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "llemma", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_answers_fast_and_as_json() -> None:
    started = time.monotonic()
    code, out, errors = llemma("train", "llemma-7b", "--plan", "--gpu", "h200", "--gpus", "64", "--json")
    assert code == 0, errors
    assert time.monotonic() - started < 15  # a second or less on a machine that is not busy
    phase = json.loads(out)["math"]
    assert phase["parameters"] == 6_738_546_688 and phase["steps"] == 42_000
    (one,) = phase["estimates"]
    assert one["fits"] and one["layout"]["shard"] * one["layout"]["replica"] * one["layout"]["tensor"] == 64
    assert set(one["memory"]) >= {"weights", "gradients", "optimizer", "communication", "activations", "loss", "peak"}


def test_no_torch_is_imported() -> None:
    program = (
        "import sys; from llemma.cli.main import main\n"
        "sys.argv = ['llemma', 'train', 'llemma-34b', '--plan']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('heavy:', [name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "smallest machine" in done.stdout and done.stdout.endswith("heavy: []\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--plan", "--gpu", "h10"], 2, "did you mean"),
        (["--plan", "--gpu", "h100", "--mesh", "shard=8", "--gpus", "4"], 2, "not 4"),
        (["--plan", "--gpu", "h100", "--mesh", "shard=8", "--micro-batch", "3"], 4, "micro-batches of 3"),
        (["--plan", "--set", "train.math.init=hf:nobody/nothing"], 3, "config.json"),
        (["--gpu", "h100"], 2, "add --plan"),
        (["--plan", "--mfu", "0"], 2, "mfu"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, what: str) -> None:
    found, _, errors = llemma("train", "llemma-7b", *arguments)
    assert found == code and what in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["llemma-7b", "llemma-34b"])
def test_recipe_check_and_show(name: str) -> None:
    assert llemma("recipe", "check", name)[0] == 0
    code, out, _ = llemma("recipe", "show", name)
    assert code == 0 and "schedule_steps" in out and "CodeLlama" in out
