"""Prompts longer than the server's context, as the servers tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.backends.http.client import Refused
from llemma.backends.http.context import Overflow, fitted, overflow
from llemma.core.types import Request

CONTEXT = 100  # tokens; a word is one

# the parts of real refusals that say how long things are
LENGTH = "This model's maximum context length is {c} tokens"
VLLM = LENGTH + ". However, you requested {t} tokens ({p} in the messages, {m} in the completion)."
VLLM_LATER = "'max_tokens' is too large: {m}. " + LENGTH + " and your request has {p} input tokens ({m} > {c} - {p})."
VLLM_AT_LEAST = (
    LENGTH + ". However, your prompt contains at least {q} input tokens, for a total of at least {u} tokens."
)
SGLANG = (
    "the model's maximum context length of {c} tokens. You requested {t} tokens: {p} tokens from the input messages"
)
SGLANG_INPUT = "The input ({p} tokens) is longer than the model's context length ({c} tokens)."
TGI = "`inputs` tokens + `max_new_tokens` must be <= {c}. Given: {p} `inputs` tokens and {m} `max_new_tokens`"
LLAMA_CPP = "request ({p} tokens) exceeds the available context size ({c} tokens), try increasing it"
OPENAI = LENGTH + ". However, your messages resulted in {p} tokens."
SILENT = "the prompt is too long for the available context window"
TELLING = [VLLM, VLLM_LATER, SGLANG, SGLANG_INPUT, TGI, LLAMA_CPP, OPENAI]


def said(wording: str, prompt: int, budget: int) -> str:
    least = min(prompt, CONTEXT - budget + 1)
    return wording.format(c=CONTEXT, p=prompt, m=budget, t=prompt + budget, q=least, u=least + budget)


def limited(server: Any, wording: str, tells_usage: bool = True) -> Any:
    """A server whose tokens are words, and which refuses what does not fit in `wording`."""

    def answer(body: dict[str, Any]) -> Any:
        prompt, budget = len(body["prompt"].split()), body["max_tokens"]
        if prompt + budget > CONTEXT:
            return server.reply({"error": {"message": said(wording, prompt, budget)}}, 400)
        usage = {"usage": {"prompt_tokens": prompt, "completion_tokens": 1}} if tells_usage else {}
        return server.reply({**server.completion("x"), **usage})

    return answer


def words(number: int) -> str:
    return " ".join(f"w{i:05}" for i in range(number))


@pytest.mark.parametrize("wording", TELLING)
def test_the_wordings_of_servers(wording: str) -> None:
    assert overflow(Refused(400, said(wording, 90, 30))) == Overflow(CONTEXT, 90)


def test_wordings_that_tell_less() -> None:
    assert overflow(Refused(400, said(VLLM_AT_LEAST, 90, 30))) == Overflow(CONTEXT, None)
    assert overflow(Refused(400, SILENT)) == Overflow(None, None)
    error = {"message": "exceed_context_size_error", "n_ctx": 512, "n_prompt_tokens": 700}
    assert overflow(Refused(400, error["message"], {"error": error})) == Overflow(512, 700)


@pytest.mark.parametrize("refusal", [Refused(400, "n must be 1"), Refused(500, SILENT), Refused(400, "")])
def test_what_is_about_something_else(refusal: Refused) -> None:
    assert overflow(refusal) is None


@given(st.integers(0, 5000), st.integers(1, 2000), st.integers(1, 3000))
def test_what_is_cut_to_fit_fits(prompt: int, max_tokens: int, context: int) -> None:
    request = Request("a", words(prompt) if prompt else "", max_tokens=max_tokens)
    fit = fitted(request, context, max(1, prompt))
    assert request.prompt.endswith(fit.prompt) and 1 <= fit.max_tokens <= max_tokens
    if context >= 4 and prompt:
        assert len(fit.prompt) / 7 + fit.max_tokens <= context
        assert fit.prompt == request.prompt or fit.max_tokens == min(max_tokens, context // 4) or prompt >= context


@pytest.mark.parametrize("wording", [*TELLING, VLLM_AT_LEAST])
def test_the_prompt_stays_whole_while_a_quarter_is_left(server: Any, wording: str) -> None:
    backend, server.answer = server.open(), limited(server, wording)
    prompt = words(70)
    [[sample]] = backend.complete([Request("a", prompt, max_tokens=50)])
    assert sample.finish == "stop" and server.asked[-1]["prompt"] == prompt and not sample.cut
    assert server.asked[-1]["max_tokens"] == 29


@pytest.mark.parametrize("wording", [*TELLING, VLLM_AT_LEAST])
@pytest.mark.parametrize("length", [90, 160])
def test_a_longer_prompt_is_cut_on_the_left(server: Any, wording: str, length: int) -> None:
    backend, server.answer = server.open(), limited(server, wording)
    prompt = words(length)
    [[sample]] = backend.complete([Request("a", prompt, max_tokens=1024)])
    kept = server.asked[-1]["prompt"]
    assert sample.finish == "stop" and prompt.endswith(kept) and sample.cut is True
    assert server.asked[-1]["max_tokens"] >= 25 and len(kept.split()) >= 50


def test_the_context_that_the_list_of_models_tells_is_enough(server: Any) -> None:
    server.models = server.reply({"data": [{"id": "m", "max_model_len": CONTEXT}]})
    backend, server.answer = server.open(), limited(server, SILENT)
    [[sample]] = backend.complete([Request("a", words(70), max_tokens=50)])
    assert sample.finish == "stop"


def test_without_any_length_the_request_ends_in_an_error_that_says_so(server: Any) -> None:
    backend, server.answer = server.open(), limited(server, SILENT)
    [[sample]] = backend.complete([Request("a", words(70), max_tokens=50)])
    assert sample.error.startswith("the prompt is too long for the context; the server says 400")


def test_a_server_that_always_complains_is_given_up(server: Any) -> None:
    backend = server.open()
    server.answer = lambda body: server.reply({"error": said(VLLM, 90, body["max_tokens"])}, 400)
    [[sample]] = backend.complete([Request("a", words(70), max_tokens=50)])
    assert sample.error.startswith(f"the prompt is too long for the context of {CONTEXT} tokens")
    assert len(server.asked) < 10
