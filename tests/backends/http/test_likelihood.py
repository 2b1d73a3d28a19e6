"""Texts scored by servers that echo them, and by servers that do not."""

from __future__ import annotations

from typing import Any

import pytest

from llemma.backends.base import Likelihood
from llemma.backends.http.likelihood import likelihood
from llemma.core.errors import DataError, LlemmaError, MissingError


def pieces(text: str) -> list[str]:
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def echoing(server: Any, *, bos: bool = False, least: int = 0, context: int = 10**6) -> Any:
    """A server whose tokens are three characters of 0.5 nats; `least`: the smallest `max_tokens` it takes."""

    def answer(body: dict[str, Any]) -> Any:
        text, new = body["prompt"], body["max_tokens"]
        tokens = (["<s>"] if bos else []) + pieces(text)
        if new < least:
            return server.reply({"error": {"message": "max_tokens must be at least 1"}}, 400)
        if len(tokens) > context:
            return server.reply({"error": {"message": f"maximum context length is {context} tokens"}}, 400)
        usage = {"prompt_tokens": len(tokens), "completion_tokens": new}
        tokens += ["new"] * new
        values = [None] + [-0.5] * (len(tokens) - 1)
        logprobs = {"tokens": tokens, "token_logprobs": values}
        choice = {"text": text + "new" * new, "finish_reason": "length", "logprobs": logprobs}
        return server.reply({"choices": [choice], "usage": usage})

    return answer


@pytest.mark.parametrize("least", [0, 1])
def test_texts_are_scored_in_order(server: Any, least: int) -> None:
    backend, server.answer = server.open(), echoing(server, bos=True, least=least)
    texts = ["abcdef", "", "ü" * 7, "x"]
    assert list(backend.score(texts)) == [
        Likelihood(1.0, 2, 6),
        Likelihood(0.0, 0, 0),
        Likelihood(1.5, 3, 14),
        Likelihood(0.5, 1, 1),
    ]
    assert server.asked[-1]["max_tokens"] == least


def test_a_first_token_without_probability_counts_in_neither(server: Any) -> None:
    backend, server.answer = server.open(), echoing(server)
    assert list(backend.score(["ücdefghi"])) == [Likelihood(1.0, 2, 5)]


def test_a_text_longer_than_the_context_is_scored_in_parts(server: Any) -> None:
    backend, server.answer = server.open(), echoing(server, bos=True, context=11)
    text = "some words " * 20
    [found] = backend.score([text])
    assert found.bytes == len(text) and found.tokens >= len(text) / 3 and found.nats == found.tokens / 2


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "echo is not supported"},
        {"choices": [{"text": "1 + 1 = 2, and 2 + 2 = 4."}]},
        {"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}}]},
    ],
)
def test_a_server_without_them_is_refused_at_the_call(server: Any, answer: dict[str, Any]) -> None:
    backend = server.open()
    server.answer = lambda _: server.reply(answer)
    with pytest.raises(MissingError, match="gives no logprobs for prompts") as error:
        backend.score(["text"])
    assert "perplexity = false" in error.value.mend


def test_chats_have_no_likelihoods(server: Any) -> None:
    with pytest.raises(MissingError, match="chats alone"):
        server.open("api=chat").score(["text"])


def test_a_text_that_fails_ends_the_scoring(server: Any) -> None:
    backend, good = server.open(), echoing(server)
    server.answer = lambda body: server.reply({"error": "no"}, 400) if body["prompt"] == "bad" else good(body)
    scores = backend.score(["good one", "bad", "good two"])
    assert next(scores).tokens == 2
    with pytest.raises(LlemmaError, match="a text was not scored: the server says 400: no"):
        next(scores)


def reply(text: str, tokens: list[str], values: list[Any], **logprobs: Any) -> dict[str, Any]:
    return {"choices": [{"text": text, "logprobs": {"tokens": tokens, "token_logprobs": values, **logprobs}}]}


def test_new_tokens_are_told_by_their_place() -> None:
    payload = reply("abcd!", ["ab", "cd", "!"], [None, -1.0, -9.0], text_offset=[0, 2, 4])
    assert likelihood(payload, "abcd") == Likelihood(1.0, 1, 2)


def test_a_first_character_of_several_tokens_is_left_out_whole() -> None:
    payload = reply("𝔽ab", ["\ufffd", "\ufffd", "a", "b"], [None, -1.0, -2.0, -4.0])
    assert likelihood(payload, "𝔽ab") == Likelihood(6.0, 2, 2)


@pytest.mark.parametrize("value", [None, "x", float("nan"), float("-inf"), True, 0.5])
def test_a_hole_in_the_probabilities_is_no_likelihood(value: Any) -> None:
    with pytest.raises(DataError, match="a token has no log-probability"):
        likelihood(reply("abcd", ["a", "b", "cd"], [None, -1.0, value]), "abcd")
