"""Tensor parallelism: processes that share each window compute what one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors.torch import load_file

from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.train.config import TrainConfig
from llemma.train.mesh import Mesh
from llemma.train.tensor import check

SIZES = LlamaConfig(
    vocab_size=320,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)
SPLIT = "tensor_parallel=2"


@pytest.fixture(scope="module")
def split(launch: Any, helpers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phase folder of an undisturbed run in two processes that share each window; read only."""
    out = tmp_path_factory.mktemp("split") / "run"
    helpers.ended(launch(out, 2, SPLIT))
    return out / "base"


@pytest.mark.slow
def test_two_that_share_each_window_compute_what_one_does(alone: Path, split: Path, helpers: Any) -> None:
    helpers.close(alone, split)
    norms = [[row["grad_norm"] for row in helpers.read(run) if "grad_norm" in row] for run in (alone, split)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)
    bits = [[row["validation"]["a"] for row in helpers.read(run) if "validation" in row] for run in (alone, split)]
    assert len(bits[0]) == 2 and bits[0] == pytest.approx(bits[1], abs=1e-4)


@pytest.mark.slow
def test_they_are_killed_and_end_the_same(launch: Any, split: Path, helpers: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    helpers.kill_while_writing(launch(out, 2, SPLIT), out / "base", 20)
    said = helpers.ended(launch(out, 2, SPLIT))
    assert "goes on after step 10" in said or "goes on after step 20" in said  # a busy machine kills late
    assert helpers.untimed(helpers.read(out / "base")) == helpers.untimed(helpers.read(split))
    same = [(run / "final" / "model.safetensors").read_bytes() for run in (split, out / "base")]
    assert same[0] == same[1]


@pytest.mark.slow
def test_the_layout_may_change(launch: Any, alone: Path, helpers: Any, tmp_path: Path) -> None:
    """Four processes as two pairs, then two that divide the batch, then one. The run's own recipe says the layout."""
    out = tmp_path / "run"
    assert helpers.kill_after(launch(out, 4, SPLIT), out / "base", 13, 0.0)
    recipe = (out / "recipe.toml").read_text()
    assert "tensor_parallel = 2" in recipe
    (out / "recipe.toml").write_text(recipe.replace("tensor_parallel = 2", "tensor_parallel = 1"))
    assert helpers.kill_after(launch(out, 2), out / "base", 24, 0.0)
    assert "goes on after step" in helpers.ended(launch(out, 0))
    helpers.close(alone, out / "base")


@pytest.mark.slow
def test_norms_of_heads_and_every_switch(launch: Any, stores: Path, helpers: Any, tmp_path: Path) -> None:
    """Qwen 3's norms and biases belong to all heads, of which each process has some."""
    config = msgspec.structs.replace(
        SIZES, qk_norm=True, qkv_bias=True, o_bias=True, model_type="qwen3", tie_word_embeddings=False
    )
    model = Llama(config).init_weights(1)
    weights.save(model, tmp_path / "init", tokenizer=stores / "tokenizer", bos=0, eos=1)
    switches = [f"init={str(tmp_path / 'init')!r}", "loss_chunk=7", "z_loss=1e-4", "micro_batch=1"]
    switches += ["document_mask=true", "checkpointing='selective'", "parity_check=false"]
    helpers.ended(launch(tmp_path / "one", 0, *switches))
    helpers.ended(launch(tmp_path / "two", 2, SPLIT, *switches))
    one, two = (helpers.losses(helpers.read(tmp_path / name / "base")) for name in ("one", "two"))
    assert len(one) == 40 and max(abs(one[step] - two[step]) for step in one) < 5e-5
    first, second = (load_file(tmp_path / name / "base" / "final" / "model.safetensors") for name in ("one", "two"))
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 1}, r"key heads \(1\)"),
        ({"vocab_size": 321}, "the vocabulary"),
        ({"intermediate_size": 47}, "the MLP's width"),
    ],
)
def test_what_cannot_be_shared_is_refused(changes: dict[str, int], said: str) -> None:
    config = TrainConfig(mixture=[], tokens=Count(1), context=16, batch=2, tensor_parallel=2)
    check(SIZES, config)
    with pytest.raises(RecipeError, match=said):
        check(msgspec.structs.replace(SIZES, **changes), config)
    with pytest.raises(RecipeError, match="eight bits"):
        check(SIZES, msgspec.structs.replace(config, precision="fp8"))
    with pytest.raises(RecipeError, match="Muon"):
        check(SIZES, msgspec.structs.replace(config, optimizer="muon"))
    with pytest.raises(RecipeError, match="compiled layers"):
        check(SIZES, msgspec.structs.replace(config, compile=True))


def test_groups_that_the_processes_cannot_form_are_refused() -> None:
    mesh = Mesh(5, 8, "cpu").arrange(4)
    assert (mesh.readers, mesh.reader) == (2, 1)
    with pytest.raises(RecipeError, match="1 processes cannot form groups of 2"):
        Mesh(0, 1, "cpu").arrange(2)
