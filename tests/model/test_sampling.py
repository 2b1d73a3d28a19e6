"""Sorting for the nucleus is exactly PyTorch's stable sort."""

from __future__ import annotations

import pytest
import torch

from llemma.model.sampling import Row, Sampling, choose, descending


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])  # bfloat16 has many ties
@pytest.mark.parametrize("rows", [1, 7])
def test_sorting_is_stable_and_exact(precision: torch.dtype, rows: int) -> None:
    logits = torch.randn(rows, 3000, generator=torch.Generator().manual_seed(rows)) * 4
    logits[0, ::3] = -torch.inf
    probabilities = torch.softmax(logits.to(precision).float(), dim=-1)
    values, ids = descending(probabilities[:, 5:])
    expected = probabilities[:, 5:].sort(dim=-1, descending=True, stable=True)
    assert torch.equal(values, expected.values) and torch.equal(ids, expected.indices)


def test_a_chosen_token_comes_with_its_probability_before_temperature_and_top_p() -> None:
    logits = torch.tensor([[0.1, 2.0, 0.3], [5.0, 0.0, 0.0]])
    for sampling in (Sampling(1), Sampling(1, temperature=0.3, top_p=0.5)):
        tokens, logprobs = choose(logits, [Row(1), Row(2)], sampling)
        assert tokens == [1, 0]
        assert logprobs == pytest.approx(torch.log_softmax(logits, -1)[[0, 1], tokens].tolist(), abs=1e-6)
