"""Our Llama computes what transformers' Llama computes, and keeps doing so with caches, masks and saved weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from llemma.core.errors import DataError, MissingError
from llemma.model import weights
from llemma.model.generate import Sampling, generate, nucleus
from llemma.model.llama import KVCache, Llama, LlamaConfig, plain_attention

CONFIG = LlamaConfig(
    vocab_size=97,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rope_theta=5000.0,
)


def model(tied: bool = False) -> Llama:
    return Llama(LlamaConfig(**{**_fields(), "tie_word_embeddings": tied})).init_weights(3)


def _fields() -> dict[str, object]:
    return {name: getattr(CONFIG, name) for name in LlamaConfig.__struct_fields__}


def ids(rows: int = 3, length: int = 20) -> torch.Tensor:
    return torch.randint(0, 97, (rows, length), generator=torch.Generator().manual_seed(5))


def save(found: Llama, folder: Path) -> Path:
    weights.save(found, folder, tokenizer=folder, bos=0, eos=1)
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_logits_loss_and_gradients_equal_transformers(tmp_path: Path, tied: bool) -> None:
    transformers = pytest.importorskip("transformers")
    ours = model(tied)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(save(ours, tmp_path), dtype=torch.float32)
    assert theirs.config.rope_parameters["rope_theta"] == 5000.0
    batch = ids()
    torch.testing.assert_close(ours(batch), theirs(batch).logits, atol=1e-5, rtol=1e-5)
    loss = F.cross_entropy(ours(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
    other = theirs(batch, labels=batch).loss
    torch.testing.assert_close(loss, other, atol=1e-6, rtol=1e-6)
    loss.backward()
    other.backward()
    theirs_by_name = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, theirs_by_name[name].grad, atol=1e-6, rtol=1e-4)


def test_bf16_training_loss_is_near_fp32() -> None:
    found, batch = model(), ids()
    exact = F.cross_entropy(found(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
    with torch.autocast("cpu", torch.bfloat16):
        logits = found(batch[:, :-1])
    assert F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten()).item() == pytest.approx(
        exact.item(), abs=0.01
    )


def test_plain_attention_is_attention() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 17, 8), torch.randn(2, 3, 17, 8), torch.randn(2, 3, 17, 8)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(plain_attention(q, k, v), expected, atol=1e-5, rtol=1e-5)


def test_a_cache_changes_nothing() -> None:
    found, batch = model(), ids(2, 16)
    whole = found(batch)
    caches = [KVCache(2, found.config, 16, torch.float32, torch.device("cpu")) for _ in range(2)]
    pieces = [found(batch[:, a:b], caches=caches, start=a) for a, b in ((0, 7), (7, 8), (8, 13), (13, 16))]
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_weights_come_back(tmp_path: Path, tied: bool) -> None:
    ours = model(tied)
    again = weights.load(save(ours, tmp_path))
    assert torch.equal(ours(ids()), again(ids()))
    assert again.config.tie_word_embeddings is tied
    contracted = weights.load(tmp_path, rope_theta=10.0)
    assert not torch.equal(ours(ids()), contracted(ids()))


def test_damage_is_told(tmp_path: Path) -> None:
    save(model(), tmp_path)
    table = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**table, "num_hidden_layers": 3}))
    with pytest.raises(DataError, match="do not fit"):
        weights.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(table))
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="damaged weights"):
        weights.load(tmp_path)
    with pytest.raises(MissingError):
        weights.load(tmp_path / "none")


def greedy_by_hand(found: Llama, prompt: list[int], steps: int) -> list[int]:
    row = list(prompt)
    for _ in range(steps):
        row.append(int(found(torch.tensor([row]))[0, -1].argmax()))
    return row[len(prompt) :]


def test_batched_greedy_generation_equals_one_by_one() -> None:
    found = model().eval()
    prompts = [[0, 5, 9], [0, 33, 2, 8, 41, 7, 7], [0]]
    made = generate(found, prompts, [[1]] * 3, Sampling(12), eos={96})
    for prompt, (sample,) in zip(prompts, made, strict=True):
        expected = greedy_by_hand(found, prompt, 12)
        assert sample.ids == (expected[: expected.index(96)] if 96 in expected else expected)


def test_samples_depend_on_their_seed_alone() -> None:
    found = model().eval()
    settings = Sampling(10, temperature=1.0, top_p=0.9)
    alone = generate(found, [[0, 5]], [[7, 8, 9]], settings, eos={96})[0]
    together = generate(found, [[0, 1, 2, 3], [0, 5]], [[1], [9, 7]], settings, eos={96})[1]
    assert [sample.ids for sample in together] == [alone[2].ids, alone[0].ids]


def test_a_stop_ends_a_sample_and_the_others_go_on() -> None:
    found = model().eval()
    free = generate(found, [[0, 5], [0, 9, 4]], [[1], [1]], Sampling(12), eos={96})
    first, second = free[0][0].ids, free[1][0].ids
    assert first[:4] != second[:4]
    cut = generate(found, [[0, 5], [0, 9, 4]], [[1], [1]], Sampling(12), eos={96}, stopped=lambda row: row == first[:4])
    assert cut[0][0].ids == first[:4] and cut[0][0].finish == "stop"
    assert cut[1][0].ids == second


def test_the_nucleus_holds_the_most_probable_tokens_only() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(2001, 1)
    draws = torch.linspace(0, 0.99999, 2001)
    found = nucleus(logits, 0.75, draws)
    assert set(found.tolist()) == {0, 1}
    assert (found == 0).float().mean().item() == pytest.approx(0.5 / 0.8, abs=0.01)
    assert nucleus(logits, 1e-9, draws).unique().tolist() == [0]
    assert len(nucleus(logits, 1.0, draws).unique()) == 4


def test_what_is_saved_is_asked_for_samples_of_the_whole_distribution(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = save(model(), tmp_path)
    settings = transformers.GenerationConfig.from_pretrained(folder)
    assert (settings.do_sample, settings.temperature, settings.top_p, settings.top_k) == (True, 1.0, 1.0, 0)
    assert (settings.bos_token_id, settings.eos_token_id) == (0, 1)
