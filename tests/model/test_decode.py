"""A shared beginning, padding and rows that leave change nothing but the time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from llemma.model import decode as decoding
from llemma.model.cache import ROOM, LayerCache
from llemma.model.decode import SharedState, common, packed
from llemma.model.generate import Sampling, generate, prefix_of
from llemma.model.llama import Llama, LlamaConfig

CONFIG = LlamaConfig(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    initializer_range=0.2,
)
MODEL = Llama(CONFIG).init_weights(3).eval()
SHARED = [0, 7, 9, 13, 5, 5, 21, 2]


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefixes of two, four … tokens: short prompts are enough."""
    monkeypatch.setattr(decoding, "PIECE", 2)


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=5))
def test_common_is_what_all_begin_with(rows: list[list[int]]) -> None:
    found = common(rows)
    assert all(row[: len(found)] == found for row in rows)
    assert min(map(len, rows)) == len(found) or len({row[len(found)] for row in rows}) > 1


@given(st.sets(st.integers(0, 20), min_size=1))
def test_packed_rows_move_only_into_places_that_are_free(going: set[int]) -> None:
    order = packed(sorted(going))
    assert sorted(order) == sorted(going)
    assert all(at == old or (at not in going and old >= len(order)) for at, old in enumerate(order))


@pytest.mark.parametrize("rows", [1, 3])
def test_attention_over_prefix_and_own_positions_is_attention(rows: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(rows, 6, 5, 8), torch.randn(rows, 2, 12, 8), torch.randn(rows, 2, 12, 8)
    k[:, :, :7], v[:, :, :7] = k[:1, :, :7], v[:1, :, :7]
    mask = torch.ones(5, 12, dtype=torch.bool).tril(7)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    cache = LayerCache((k[:1, :, :7], v[:1, :, :7]))
    cache.append(k[:, :, 7:], v[:, :, 7:])
    torch.testing.assert_close(cache.attend(q, mask[None, None, :, 7:].expand(rows, 1, -1, -1)), expected)


def test_logits_behind_a_shared_prefix_are_those_of_whole_prompts() -> None:
    prompts = [[*SHARED, 1], [*SHARED, 2, 3, 4, 5], [*SHARED, 2, 8]]
    prefix = prefix_of(MODEL)
    with torch.inference_mode():
        state = SharedState(prefix.forward, prefix, prompts, [1, 2, 3])
        assert state.shared == len(SHARED)
        texts = [prompts[i] for i in (0, 1, 1, 2, 2, 2)]
        for tokens, order in (([11, 12, 13, 14, 15, 16], [0, 1, 2, 3, 4, 5]), ([21, 22, 23], [0, 5, 2])):
            whole = torch.stack([MODEL(torch.tensor([text]))[0, -1] for text in texts])
            torch.testing.assert_close(state.logits, whole, atol=1e-5, rtol=1e-5)
            texts = [[*texts[old], token] for old, token in zip(order, tokens, strict=True)]
            state.advance(tokens, order)
        whole = torch.stack([MODEL(torch.tensor([text]))[0, -1] for text in texts])
        torch.testing.assert_close(state.logits, whole, atol=1e-5, rtol=1e-5)


def test_a_kept_prefix_changes_no_sample() -> None:
    settings, kept = Sampling(12, temperature=1.0, top_p=0.95), prefix_of(MODEL)
    calls = [
        [[*SHARED, 1], [*SHARED, 2, 3]],
        [[*SHARED, 1, 4, 4]],  # all of it becomes the prefix
        [[*SHARED, 1, 4, 4]],
        [[*SHARED[:4], 2], [*SHARED[:5], 3]],  # shorter than what is kept
        [[3], [*SHARED, 1]],  # nothing in common
        [[*SHARED, 1], [*SHARED, 1]],
    ]
    for prompts in calls:
        seeds = [[1, 2, 3], [4]][: len(prompts)]
        fresh = generate(MODEL, prompts, seeds, settings, eos={60})
        again = generate(MODEL, prompts, seeds, settings, eos={60}, prefix=kept)
        assert again == fresh  # bit for bit, probabilities too
        longest = min(len(common(prompts)), min(map(len, prompts)) - 1)
        assert kept.ids == prompts[0][: longest // 2 * 2]


def test_a_prefix_is_extended_not_computed_again() -> None:
    sizes: list[int] = []
    prefix = prefix_of(MODEL)
    inner = prefix.forward

    def counted(ids: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(ids.numel())
        return inner(ids, *rest)  # type: ignore[arg-type]

    prefix.forward = counted
    with torch.inference_mode():
        for prompt, new in (([*SHARED, 1], 8), ([*SHARED, 1, 2, 3], 2), ([*SHARED, 1], 0), ([*SHARED, 8, 9, 9], 2)):
            sizes.clear()
            prefix.of([prompt])
            assert sum(sizes) == new


def test_long_prompts_are_computed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [[(3 * i + j) % 60 for j in range(30 + 9 * i)] for i in range(4)]
    whole = generate(MODEL, prompts, [[1]] * 4, Sampling(6), eos={60})
    monkeypatch.setattr(decoding, "PREFILL", 16)
    assert [s[0].ids for s in generate(MODEL, prompts, [[1]] * 4, Sampling(6), eos={60})] == [s[0].ids for s in whole]


def test_samples_longer_than_the_room_that_is_made_at_first() -> None:
    steps = 2 * ROOM + 10
    [[made]] = generate(MODEL, [[0, 5]], [[1]], Sampling(steps), eos=())
    text = [0, 5, *made.ids]
    assert len(made.ids) == steps
    with torch.inference_mode():
        expected = MODEL(torch.tensor([text]))[0].argmax(-1)[1:-1].tolist()
    assert made.ids == expected
