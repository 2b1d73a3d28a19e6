"""A checkpoint in this process answers requests and scores texts."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from llemma.backends.base import open_backend
from llemma.backends.local import Local, checkpoint_of
from llemma.backends.scoring import windows
from llemma.core.errors import MissingError
from llemma.core.types import Request


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Callable[..., Path]) -> Path:
    run = tmp_path_factory.mktemp("model") / "run"
    saved(run / "final", max_position_embeddings=32)
    return run


@given(st.integers(0, 400), st.integers(1, 40))
def test_windows_score_everything_once_with_enough_before_it(length: int, context: int) -> None:
    rows = windows(length, context)
    scored = [place for _, first, end in rows for place in range(first, end)]
    assert scored == list(range(length))
    assert all(0 <= start <= first < end and end - start <= context for start, first, end in rows)
    assert all(first - start >= context - max(1, context // 2) for (start, first, _) in rows[1:])
    assert all(a[2] == b[1] for a, b in pairwise(rows))


def test_scores_are_the_models_own(folder: Path) -> None:
    backend = open_backend(f"run:{folder}")
    assert isinstance(backend, Local)
    text = "two plus two"
    ids = [backend.tokenizer.bos, *backend.tokenizer.encode(text)]
    logits = backend.model(torch.tensor([ids[:-1]]))
    expected = F.cross_entropy(logits[0], torch.tensor(ids[1:]), reduction="sum").item()
    long = "what is two plus two? " * 20
    short, longer = backend.score([text, long])
    assert short.nats == pytest.approx(expected, rel=5e-3)
    assert (short.tokens, short.bytes) == (len(ids) - 1, len(text))
    assert longer.bytes == len(long) and longer.nats > 0 and math.isfinite(longer.nats)


def test_requests_are_answered_the_same_in_any_company(folder: Path) -> None:
    backend = open_backend(f"run:{folder}", batch=2)
    requests = [
        Request(id=str(i), prompt="what is " * i, n=1 + i % 2, temperature=0.8 * (i % 2), max_tokens=9, seed=i)
        for i in range(6)
    ]
    together = {samples[0].request: samples for samples in backend.complete(requests)}
    assert sorted(together) == [str(i) for i in range(6)]
    for request in requests:
        alone = next(iter(backend.complete([request])))
        assert [sample.text for sample in alone] == [sample.text for sample in together[request.id]]
        assert len(alone) == request.n and all(sample.tokens <= 9 for sample in alone)


def test_text_ends_before_its_stop_string(folder: Path) -> None:
    backend = open_backend(f"run:{folder}")
    free = next(iter(backend.complete([Request(id="a", prompt="two", max_tokens=12)])))[0]
    mark = free.text[4:6]
    assert mark.strip()
    cut = next(iter(backend.complete([Request(id="a", prompt="two", stop=[mark], max_tokens=12)])))[0]
    assert cut.text == free.text[: free.text.index(mark)] and cut.finish == "stop"


def test_prompt_and_answer_share_the_context(folder: Path) -> None:
    backend = open_backend(f"run:{folder}")
    assert isinstance(backend, Local)
    context = backend.model.config.max_position_embeddings
    for prompt, max_tokens in (("x", 10_000), ("what is two " * 50, 10_000), ("what is two " * 50, 3), ("", 5)):
        ids, sampling, _ = backend._fit(Request("a", prompt, max_tokens=max_tokens))
        assert len(ids) + sampling.max_tokens <= context
        assert sampling.max_tokens >= min(max_tokens, context // 4)
        whole = backend.tokenizer.encode(prompt)
        assert ids[0] == backend.tokenizer.bos and (len(ids) == 1 or ids[1:] == whole[-(len(ids) - 1) :])
        (sample,) = next(iter(backend.complete([Request("a", prompt, max_tokens=max_tokens)])))
        assert sample.finish != "error" and sample.tokens <= sampling.max_tokens
        assert bool(sample.cut) == (len(ids) - 1 < len(whole))


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no checkpoint"):
        open_backend(f"run:{tmp_path}")


@pytest.mark.parametrize("scheme", ["run", "hf"])
def test_lengths_say_what_will_be_cut(folder: Path, scheme: str) -> None:
    if scheme == "hf":
        pytest.importorskip("transformers")
    backend: Any = open_backend(f"{scheme}:{checkpoint_of(folder)}")
    for words in (1, 5, 20, 200):
        request = Request("a", "what is two " * words, max_tokens=9)
        tokens, room = backend.lengths(request)
        [[sample]] = backend.complete([request])
        assert bool(sample.cut) == (tokens > room)


def test_every_token_that_the_checkpoint_names_ends_an_answer(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(folder, copied)
    request = Request(id="a", prompt="two", max_tokens=12)
    free = Local("run:a", copied / "final", 4)
    [[whole]] = free.complete([request])
    ids = free._generate([free._fit(request).prompt], [[0]], free._fit(request).sampling, lambda found: False)[0][0].ids
    at = next(at for at in range(2, len(ids)) if ids[at] not in ids[:at])
    settings = json.loads((copied / "final" / "generation_config.json").read_text())
    for name, value in (("generation_config.json", {**settings, "eos_token_id": [1, ids[at]]}), ("both", None)):
        if value is not None:
            (copied / "final" / name).write_text(json.dumps(value))
        else:  # of the tokenizer
            (copied / "final" / "generation_config.json").write_text(json.dumps(settings))
            table = json.loads((copied / "final" / "tokenizer_config.json").read_text())
            table["eos_token"] = {"content": free.tokenizer.rust.id_to_token(ids[at])}
            (copied / "final" / "tokenizer_config.json").write_text(json.dumps(table))
        ends = Local("run:a", copied / "final", 4)
        [[cut]] = ends.complete([request])
        assert cut.text == free.tokenizer.decode(ids[:at]) != whole.text and cut.finish == "stop"
        assert ends.identity != free.identity
        assert {ids[at], free.tokenizer.eos} <= ends.eos
