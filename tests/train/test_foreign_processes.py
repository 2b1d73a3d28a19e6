"""transformers' own modules under torchrun: an architecture that ours does not cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def neox(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-NeoX checkpoint: parallel residuals, LayerNorm, biases, fused projections."""
    folder = tmp_path_factory.mktemp("neox")
    config = transformers.GPTNeoXConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
    for file in (stores / "tokenizer").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.mark.slow
def test_two_processes_compute_killed_and_not_what_one_does(
    launch: Any, neox: Path, helpers: Any, tmp_path: Path
) -> None:
    switches = [f"init={str(neox)!r}", "checkpointing='full'"]
    helpers.ended(launch(tmp_path / "one", 0, *switches))
    helpers.kill_while_writing(launch(tmp_path / "two", 2, *switches), tmp_path / "two" / "base", 30)
    helpers.ended(launch(tmp_path / "two", 2, *switches))
    one, two = (helpers.losses(helpers.read(tmp_path / name / "base")) for name in ("one", "two"))
    assert len(one) == 40 and one.keys() == two.keys()
    assert max(abs(one[step] - two[step]) for step in one) < 5e-5
    first, second = (load_file(tmp_path / name / "base" / "final" / "model.safetensors") for name in ("one", "two"))
    # a bias of keys moves all scores of a query alike: its gradient is rounding, which AdamW makes large
    sound = [name for name in first if not name.endswith("query_key_value.bias")]
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in sound)


@pytest.mark.slow
def test_a_run_that_is_not_finished_is_read(launch: Any, neox: Path, helpers: Any, tmp_path: Path) -> None:
    from llemma.model import foreign, weights

    out = tmp_path / "run"
    helpers.kill_while_writing(launch(out, 2, f"init={str(neox)!r}"), out / "base", 30)
    folder = out / "base" / "checkpoints" / "latest"
    weights.consolidate(folder.resolve(), tmp_path / "exported")
    ids = torch.arange(2, 22)[None]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "exported", dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(theirs(ids).logits, foreign.load(folder)(ids))
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "exported").bos_token
