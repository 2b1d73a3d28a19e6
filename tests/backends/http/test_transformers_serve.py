"""A real server: `transformers serve` on the CPU, with a tiny random model that the test makes."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llemma.backends.base import Backend, open_backend
from llemma.core.errors import LlemmaError, MissingError, RecipeError
from llemma.core.types import Request

NEEDED = ("transformers", "fastapi", "uvicorn", "openai", "accelerate")
LACKING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"`transformers serve` needs {', '.join(LACKING)}"),
]
START_SECONDS = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("served")
    saved(root / "final", max_position_embeddings=256)
    return root / "final"


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            direct.open(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"`transformers serve` did not start (exit {process.poll()})")


@pytest.fixture
def backend(url: str, folder: Path) -> Backend:
    return open_backend(f"{url}#{folder}")


@pytest.mark.slow
def test_greedy_answers_are_the_models_own(backend: Backend, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    requests = [Request(str(i), "what is two " * (i + 1), max_tokens=12) for i in range(6)]
    given = {samples[0].request: samples for samples in backend.complete(requests)}
    assert given.keys() == {request.id for request in requests}
    for request in requests:
        asked = tokenizer(request.prompt, return_tensors="pt")
        ids = model.generate(**asked, max_new_tokens=12, do_sample=False)[0][asked["input_ids"].shape[1] :]
        [sample] = given[request.id]
        assert (sample.text, sample.tokens) == (tokenizer.decode(ids, skip_special_tokens=True), len(ids))


def test_samples_differ_and_are_all_there(backend: Any) -> None:
    [samples] = backend.complete([Request("a", "two plus", n=5, temperature=1.0, max_tokens=12, seed=4)])
    assert [sample.sample for sample in samples] == list(range(5))
    assert len({sample.text for sample in samples}) > 1
    assert backend.samples == 1  # this server gives one choice, whatever `n` is


def test_a_stop_string_is_not_part_of_the_text(backend: Backend) -> None:
    [[free]] = backend.complete([Request("a", "two", max_tokens=16)])
    mark = free.text[5:7]
    [[cut]] = backend.complete([Request("a", "two", max_tokens=16, stop=[mark])])
    assert cut.text == free.text[: free.text.index(mark)] and cut.finish == "stop"


def test_what_this_server_cannot_do_is_said(url: str, backend: Backend) -> None:
    with pytest.raises(MissingError, match="gives no logprobs for prompts"):
        backend.score(["two plus two"])
    with pytest.raises(RecipeError, match="refuses a first request"):
        open_backend(f"{url}#another")
    with pytest.raises(LlemmaError):
        open_backend(f"{url}#{backend.name.partition('#')[2]}?api=chat")
