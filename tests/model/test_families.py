"""For each family, random weights that transformers made: we read them, compute the same, and write them back.

Tolerances. float32: sums are taken in another order (grouped attention, fused norms), so results agree to some 1e-6 of
their size. bfloat16 has 8 bits: each rounding on the way (our norms and transformers' round at different places) is
2^-9 of a value, and a few layers of them add up to some 2^-6.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from llemma.model import rope, weights
from llemma.model.generate import Sampling, generate
from llemma.model.llama import KVCache, Llama

transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    "vocab_size": 89,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 96,
    "initializer_range": 0.2,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LENGTH = 48  # beyond the original length (32) of the scalings below
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def old(kind: str, **more: Any) -> dict[str, Any]:
    """The spelling of transformers 4."""
    return {"rope_theta": 500.0, "rope_scaling": {"type": kind, **more}}


FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama 2": ("llama", {"num_key_value_heads": 4}),
    "llama 3": ("llama", {"rope_theta": 500_000.0}),
    "llama 3.1": ("llama", {"rope_parameters": {**LLAMA3, "rope_theta": 500.0}}),
    "llama 3.2": ("llama", {"rope_theta": 500.0, "rope_scaling": LLAMA3, "tie_word_embeddings": True, "head_dim": 16}),
    "code llama": ("llama", {"rope_theta": 1_000_000.0, "rms_norm_eps": 1e-5}),
    "biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "linear": ("llama", old("linear", factor=4.0)),
    "dynamic": ("llama", {**old("dynamic", factor=4.0), "max_position_embeddings": 32}),
    "yarn": ("llama", old("yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=4.0, truncate=False)),
    "yarn with mscale": (
        "llama",
        {"rope_parameters": {**YARN, "rope_theta": 9.0, "mscale": 1.0, "mscale_all_dim": 0.7}},
    ),
    "yarn, a length given": ("llama", {"rope_parameters": {**YARN, "rope_theta": 500.0, "attention_factor": 0.8}}),
    "qwen 2": ("qwen2", {"rope_theta": 1_000_000.0, "tie_word_embeddings": True, "use_sliding_window": False}),
    "qwen 2.5, long": ("qwen2", {"rope_theta": 500.0, "rope_scaling": YARN}),
    "qwen 2, windows": ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
    "qwen 3": ("qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen 3, windows": (
        "qwen3",
        {
            "head_dim": 16,
            "attention_bias": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "mistral": ("mistral", {"sliding_window": None, "head_dim": 16, "rope_theta": 1_000_000.0}),
    "mistral 0.1": ("mistral", {"sliding_window": 8}),
}
every = pytest.mark.parametrize("family", FAMILIES)
Found = tuple[Any, Llama, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Found]:
    """transformers' model of a family, ours from its folder, and the folder."""
    kept: dict[str, Found] = {}

    def make(family: str) -> Found:
        if family not in kept:
            kind, changes = FAMILIES[family]
            torch.manual_seed(len(kept))
            config = transformers.AutoConfig.for_model(kind, **{**SIZES, **changes})
            theirs = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
            with torch.no_grad():
                for name, weight in theirs.named_parameters():
                    if weight.dim() == 1:  # biases are zero and norms one at first: that would hide mistakes
                        weight.copy_(torch.randn_like(weight) * 0.2 + (0.0 if name.endswith("bias") else 1.0))
            folder = tmp_path_factory.mktemp("family")
            theirs.save_pretrained(folder)
            kept[family] = theirs, weights.load(folder).eval(), folder
        return kept[family]

    return make


def ids(rows: int = 2, length: int = LENGTH) -> Tensor:
    return torch.randint(0, 89, (rows, length), generator=torch.Generator().manual_seed(5))


def nll(logits: Tensor, batch: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :-1].float().flatten(0, 1), batch[:, 1:].flatten())


@every
def test_logits_loss_and_gradients(made: Callable[[str], Found], family: str) -> None:
    theirs, ours, _ = made(family)
    batch = ids()
    found, wanted = ours(batch), theirs(batch, labels=batch)
    torch.testing.assert_close(found, wanted.logits, atol=2e-5, rtol=1e-5)
    loss = nll(found, batch)
    torch.testing.assert_close(loss, wanted.loss, atol=2e-6, rtol=1e-6)
    theirs.zero_grad(), ours.zero_grad()
    loss.backward(), wanted.loss.backward()
    others = dict(theirs.named_parameters())
    assert others.keys() == dict(ours.named_parameters()).keys()
    for name, weight in ours.named_parameters():
        assert weight.grad is not None
        scale = float(others[name].grad.abs().max())
        torch.testing.assert_close(weight.grad, others[name].grad, atol=2e-5 * scale, rtol=1e-4, msg=name)


@every
def test_frequencies_are_equal_and_scalings_matter(made: Callable[[str], Found], family: str) -> None:
    theirs, ours, _ = made(family)
    with torch.no_grad():
        theirs(ids(1))
    ulps = 1e-6 if family == "dynamic" else 0.0  # transformers' base is a float32 there
    found = rope.frequencies(ours.config, LENGTH)
    torch.testing.assert_close(found, theirs.model.rotary_emb.inv_freq, rtol=ulps, atol=0.0)
    assert ours.rotary.length == theirs.model.rotary_emb.attention_scaling
    if ours.config.rope_scaling is not None:
        plain = Llama(msgspec.structs.replace(ours.config, rope_scaling=None))
        plain.load_state_dict(ours.state_dict())
        assert (plain(ids()) - ours(ids())).abs().max() > 0.02


@every
def test_bfloat16(made: Callable[[str], Found], family: str) -> None:
    _, exact, folder = made(family)
    ours = weights.load(folder, dtype=torch.bfloat16)
    other = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    batch = ids()
    found, wanted, true = nll(ours(batch), batch), other(batch, labels=batch).loss.float(), nll(exact(batch), batch)
    assert abs(found - wanted) < 0.05 and abs(found - true) < 0.05
    found.backward(), wanted.backward()
    pairs = {name: (weight.grad.float(), dict(other.named_parameters())[name].grad.float())
             for name, weight in ours.named_parameters()}  # fmt: skip
    for name, (mine, given) in pairs.items():
        assert (mine - given).norm() < 0.15 * given.norm(), name
    assert ours.rotary.frequency.dtype == torch.float32


@every
def test_a_cache_changes_nothing(made: Callable[[str], Found], family: str) -> None:
    _, ours, _ = made(family)
    length = 32 if family == "dynamic" else LENGTH  # its angles depend on the length: cached keys have those of theirs
    batch = ids(2, length)
    with torch.no_grad():
        whole = ours(batch)
        caches = [KVCache(2, ours.config, length, torch.float32, torch.device("cpu")) for _ in ours.blocks]
        cuts = [0, 20, *range(21, 27), length]
        pieces = [ours(batch[:, a:b], caches=caches, start=a) for a, b in pairwise(cuts)]
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=2e-5, rtol=1e-5)


@every
def test_left_padding(made: Callable[[str], Found], family: str) -> None:
    theirs, ours, _ = made(family)
    batch, padding = ids(2, 30), torch.tensor([0, 7])
    places = torch.arange(30)
    there = places >= padding[:, None]
    positions = (places - padding[:, None]).clamp(min=0)
    mask = (places <= places[:, None]) & there[:, None, :] | torch.eye(30, dtype=torch.bool)
    with torch.no_grad():
        found = ours(batch, mask=mask[:, None], positions=positions)
        wanted = theirs(batch, attention_mask=there.long(), position_ids=positions).logits
        alone = ours(batch[1:, 7:])
    torch.testing.assert_close(found[there], wanted[there], atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(found[1, 7:], alone[0], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["llama 3.2", "biases", "qwen 2.5, long", "qwen 3", "mistral"])
def test_generation_with_a_shared_prefix(made: Callable[[str], Found], family: str) -> None:
    _, ours, _ = made(family)
    prompts = [[1, 5, 9, 30], [1, 5, 9, 31, 7]]
    for prompt, (sample,) in zip(prompts, generate(ours, prompts, [[1]] * 2, Sampling(40), eos=()), strict=True):
        with torch.no_grad():
            whole = ours(torch.tensor([[*prompt, *sample.ids]]))[0]
        assert whole[len(prompt) - 1 : -1].argmax(-1).tolist() == sample.ids


@every
def test_written_and_read_back(made: Callable[[str], Found], family: str, tmp_path: Path) -> None:
    theirs, ours, folder = made(family)
    weights.save(ours, tmp_path, tokenizer=folder, bos=1, eos=2, shard=20_000)
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 1
    again, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not any(told.values())
    assert type(again) is type(theirs)
    with torch.no_grad():
        assert torch.equal(again(ids()).logits, theirs(ids()).logits)
        assert torch.equal(weights.load(tmp_path)(ids()), ours(ids()))
    assert weights.read_config(tmp_path) == ours.config
