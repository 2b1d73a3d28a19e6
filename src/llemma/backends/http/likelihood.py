"""How likely a given text is, from servers that echo a prompt with its log-probabilities (vLLM)."""

from __future__ import annotations

from typing import Any

from llemma.backends.base import Likelihood
from llemma.backends.http.wire import finite
from llemma.core.errors import DataError

BROKEN = "\ufffd"


def echo(model: str, text: str, max_tokens: int) -> dict[str, Any]:
    """The body that asks for `text` back, with log-probabilities and `max_tokens` (0, or 1 where 0 is refused) new."""
    return {
        "model": model,
        "prompt": text,
        "max_tokens": max_tokens,
        "temperature": 0.0,
        "echo": True,
        "logprobs": 1,
    }


def likelihood(payload: dict[str, Any], text: str) -> Likelihood:
    """The likelihood of `text` in an answer to `echo`; a `DataError` when it is not in there.

    The first token has no probability where the model starts without a token of its own; it is counted in neither
    `nats` nor `bytes`. A first character of several tokens is left out with all of them.
    """
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    logprobs = choice.get("logprobs") if isinstance(choice, dict) else None
    tokens, values = _columns(logprobs)
    if not isinstance(choice, dict) or not str(choice.get("text")).startswith(text) or not tokens:
        raise _no("the text does not come back")
    length = _prompt_tokens(payload, choice, len(tokens), len(text))
    skipped, bytes_skipped = _start(tokens[:length], values[:length], text)
    scored = values[skipped:length]
    if not all(finite(value) and value < 0.001 for value in scored):
        raise _no("a token has no log-probability")
    return Likelihood(nats=-sum(scored), tokens=len(scored), bytes=len(text.encode()) - bytes_skipped)


def _columns(logprobs: Any) -> tuple[list[str], list[Any]]:
    """`tokens` and `token_logprobs`, of one length; empty when there are none."""
    tokens, values = (
        (logprobs.get("tokens"), logprobs.get("token_logprobs")) if isinstance(logprobs, dict) else (None, None)
    )
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        return [], []
    return [str(token) for token in tokens], values


def _prompt_tokens(payload: dict[str, Any], choice: dict[str, Any], tokens: int, characters: int) -> int:
    """How many of the tokens are the prompt's: by `usage`, else by `text_offset`, else all."""
    usage = payload.get("usage")
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if type(told) is int and 0 < told <= tokens:
        return told
    offsets = choice["logprobs"].get("text_offset")
    if isinstance(offsets, list) and len(offsets) == tokens and all(map(finite, offsets)):
        return sum(offset < characters for offset in offsets)
    return tokens


def _start(tokens: list[str], values: list[Any], text: str) -> tuple[int, int]:
    """Tokens without a probability at the beginning, and the bytes of `text` that they spell."""
    skipped = next((i for i, value in enumerate(values) if value is not None), len(values))
    if skipped == 0:
        return 0, 0
    lead = "".join(tokens[:skipped])
    if text.startswith(lead):
        return skipped, len(lead.encode())
    if BROKEN not in lead:
        return skipped, 0  # a token of the model's own, such as <s>
    while skipped < len(tokens) and BROKEN in tokens[skipped]:
        skipped += 1
    at = text.find(tokens[skipped], 1) if skipped < len(tokens) else len(text)
    return skipped, len(text[: at if at > 0 else 1].encode())


def _no(why: str) -> DataError:
    return DataError(f"the server's log-probabilities are of no use: {why}", where="echo", mend="see the server's log")
