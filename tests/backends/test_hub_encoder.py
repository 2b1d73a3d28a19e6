"""A model with an encoder, of the kind of ReProver's: T5 over bytes, made here with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")

from llemma.backends.base import open_backend
from llemma.core.errors import MissingError
from llemma.core.types import Request

GOALS = ["n : ℕ\n⊢ n + 0 = n", "a b : ℝ\nh : a < b\n⊢ ¬b ≤ a", "⊢ True"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    path = tmp_path_factory.mktemp("t5")
    torch.manual_seed(3)
    tokenizer = ByT5Tokenizer(extra_ids=0)
    config = T5Config(
        vocab_size=259,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        initializer_factor=2.5,
    )
    T5ForConditionalGeneration(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def hub(folder: Path) -> Any:
    return open_backend(f"hf:{folder}?dtype=float32&device_map=cpu")


def requests(**more: Any) -> list[Request]:
    return [Request(f"g{i}", goal, max_tokens=10, **more) for i, goal in enumerate(GOALS)]


def complete(hub: Any, asked: list[Request]) -> dict[str, list[tuple[str, int, float]]]:
    found = {samples[0].request: [(s.text, s.tokens, s.logprob) for s in samples] for samples in hub.complete(asked)}
    return dict(sorted(found.items()))


def theirs(hub: Any, goal: str, **settings: Any) -> tuple[list[str], Any]:
    asked = hub.tokenizer(goal, return_tensors="pt")
    made = hub.model.generate(
        **asked, max_new_tokens=10, do_sample=False, return_dict_in_generate=True, output_scores=True, **settings
    )
    return [hub.decode(row[1:].tolist()) for row in made.sequences], made


def test_greedy_answers_are_transformers_own(hub: Any) -> None:
    found = complete(hub, requests())
    for i, goal in enumerate(GOALS):
        [text], made = theirs(hub, goal)
        scores = hub.model.compute_transition_scores(made.sequences, made.scores, normalize_logits=True)
        assert found[f"g{i}"][0][0] == text
        assert found[f"g{i}"][0][2] == pytest.approx(float(scores.sum()), abs=5e-3)
    assert len({rows[0][0] for rows in found.values()}) > 1  # the encoder is listened to


def test_beams_are_transformers_own_as_a_proof_search_asks_for_them(hub: Any) -> None:
    found = complete(hub, requests(n=4, beam=True))
    for i, goal in enumerate(GOALS):
        texts, made = theirs(hub, goal, num_beams=4, num_return_sequences=4, length_penalty=0.0, early_stopping=False)
        assert [text for text, _, _ in found[f"g{i}"]] == texts
        assert [logprob for _, _, logprob in found[f"g{i}"]] == pytest.approx(made.sequences_scores.tolist(), abs=5e-3)
    assert complete(hub, requests(n=4, beam=True)[::-1]) == found


def test_samples_differ_and_do_not_depend_on_their_neighbours(hub: Any) -> None:
    found = complete(hub, requests(n=5, temperature=3.0, top_p=0.95))
    assert all(len({text for text, _, _ in rows}) > 1 for rows in found.values())
    [alone] = complete(hub, requests(n=5, temperature=3.0, top_p=0.95)[1:2]).values()
    assert [text for text, _, _ in alone] == [text for text, _, _ in found["g1"]]


def test_the_encoder_has_its_context_for_itself(folder: Path) -> None:
    hub: Any = open_backend(f"hf:{folder}?dtype=float32&device_map=cpu")
    hub.context = 40
    ids, sampling, cut = hub._fit(Request("a", "x" * 39, max_tokens=40))
    assert (len(ids), sampling.max_tokens, cut) == (40, 40, False)  # and the token that ends the prompt
    [[sample]] = hub.complete([Request("a", "y" * 40, max_tokens=3)])
    assert sample.cut is True


def test_there_is_no_likelihood_of_a_text_alone(hub: Any) -> None:
    with pytest.raises(MissingError, match="cannot tell how likely"):
        hub.score(["two"])
