"""Requests and completions as JSON of the OpenAI API (`/completions`, and `/chat/completions` with one message)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from llemma.backends.base import cut
from llemma.backends.http.address import Api
from llemma.backends.http.client import Refused
from llemma.core.types import Request

MOST_STOPS = 4  # stop strings that the OpenAI API takes; we cut at all of them, whatever the server does


class Dialect(msgspec.Struct, frozen=True):
    """Which of the fields that can be done without a server takes, and how it calls the budget of new tokens."""

    logprobs: bool = True
    seed: bool = True
    stop: bool = True
    budget: str = "max_tokens"

    def after(self, refusal: Refused) -> Dialect | None:
        """The dialect without what `refusal` complains about; None when there is nothing left to leave out."""
        if refusal.status not in (400, 422):
            return None
        words = set(re.findall(r"[a-z_]+", refusal.why.lower()))
        if "max_completion_tokens" in words and self.budget == "max_tokens":
            return msgspec.structs.replace(self, budget="max_completion_tokens")
        named = {"logprobs": "logprobs" in words or "top_logprobs" in words, "seed": "seed" in words}
        drop = {**named, "stop": "stop" in words}
        if not any(drop[field] and getattr(self, field) for field in drop):
            drop = dict.fromkeys(drop, True)  # it does not say what it dislikes
        less = msgspec.structs.replace(self, **{field: False for field in drop if drop[field]})
        return None if less == self else less


class Sample(msgspec.Struct, frozen=True):
    """One choice of an answer; `tokens` is None where the server counts only all choices together, `finish` is empty
    where it does not say how the text ended."""

    text: str
    finish: Literal["stop", "length", "error", ""]
    tokens: int | None = None
    logprob: float | None = None
    error: str = ""


def question(model: str, api: Api, dialect: Dialect, request: Request, n: int, seed: int) -> dict[str, Any]:
    """The body that asks for `n` samples of `request`."""
    body: dict[str, Any] = {"model": model, "temperature": request.temperature, dialect.budget: request.max_tokens}
    if api == "chat":
        body["messages"] = [{"role": "user", "content": request.prompt}]
    else:
        body["prompt"] = request.prompt
    stop = [mark for mark in request.stop if mark][:MOST_STOPS]
    optional = {
        "n": n if n > 1 else None,
        "top_p": request.top_p if request.top_p < 1 and request.temperature > 0 else None,
        "stop": stop if dialect.stop and stop else None,
        "seed": seed if dialect.seed else None,
        "logprobs": (True if api == "chat" else 1) if dialect.logprobs else None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def samples(payload: dict[str, Any], request: Request, n: int) -> list[Sample]:
    """The choices of an answer, at most `n`, in the order of their indices; what is wrong with one is its error."""
    choices = payload.get("choices")
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    indices = [choice.get("index") for choice in found]
    if all(type(index) is int for index in indices) and len(set(indices)) == len(indices):
        found.sort(key=lambda choice: int(choice["index"]))
    read = [_sample(choice, request) for choice in found]
    counted = _counted(read, _whole(_get(payload, "usage", "completion_tokens")))
    return [_ended(sample, request.max_tokens) for sample in counted[:n]]


def _sample(choice: dict[str, Any], request: Request) -> Sample:
    text = _text(choice)
    reason = choice.get("finish_reason")
    if text is None and reason == "length":
        text = ""  # a model that thinks aloud elsewhere, and never came to its answer
    if text is None:
        return Sample("", "error", error=f"a choice without text (finish_reason {_short(reason)})")
    tokens, logprob = _probabilities(choice.get("logprobs"))
    text, stopped = cut(_sound(text), request.stop)
    finish = "stop" if stopped else _finish(reason)
    why = f"the server ended the text with finish_reason {_short(reason)}" if finish == "error" else ""
    return Sample(text, finish, tokens, logprob, why)


def _finish(reason: Any) -> Literal["stop", "length", "error", ""]:
    if reason is None or reason == "":
        return ""
    if reason in ("stop", "eos", "eos_token", "stop_sequence", "end_turn"):
        return "stop"
    return "length" if reason in ("length", "max_tokens") else "error"


def _ended(sample: Sample, budget: int) -> Sample:
    """`sample` with an end: a text whose end has no name was cut off if it used up its budget."""
    if sample.finish:
        return sample
    return msgspec.structs.replace(sample, finish="length" if (sample.tokens or 0) >= budget else "stop")


def _text(choice: dict[str, Any]) -> str | None:
    """`text`, or the content of `message`: a string, or parts of which some are text."""
    text = choice.get("text")
    if text is None:
        text = _get(choice, "message", "content")
    if isinstance(text, list):
        parts = [part.get("text") for part in text if isinstance(part, dict) and part.get("type") == "text"]
        text = "".join(part for part in parts if isinstance(part, str)) if parts else None
    return text if isinstance(text, str) else None


def _probabilities(logprobs: Any) -> tuple[int | None, float | None]:
    """The number of tokens of a choice and the sum of their log-probabilities, each where it is told.

    Completions hold `token_logprobs`, chats `content` with a `logprob` in each row (llama.cpp: in both).
    """
    values = _get(logprobs, "token_logprobs")
    if not isinstance(values, list):
        rows = _get(logprobs, "content")
        values = [_get(row, "logprob") for row in rows] if isinstance(rows, list) else None
    if not values:
        return None, None
    return len(values), round(math.fsum(values), 4) if all(map(finite, values)) else None


def _counted(read: Sequence[Sample], total: int | None) -> list[Sample]:
    """Give tokens to samples without a count: a share of `total` by the length of the text, the sum being `total`."""
    if total is None or not read or any(sample.tokens is not None for sample in read):
        counts = [sample.tokens or 0 for sample in read]
    else:
        sizes = [len(sample.text) + 1 for sample in read]
        ends = [total * sum(sizes[: i + 1]) // sum(sizes) for i in range(len(sizes))]
        counts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [msgspec.structs.replace(sample, tokens=tokens) for sample, tokens in zip(read, counts, strict=True)]


def finite(value: Any) -> bool:
    """Whether a value of JSON is a number that can be added (Python's own servers write NaN and Infinity)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 40 else None


def _get(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _short(value: Any) -> str:
    return repr(value)[:60]


def _sound(text: str) -> str:
    """`text` without halves of surrogate pairs, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
