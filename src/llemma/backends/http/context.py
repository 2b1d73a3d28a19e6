"""Prompts that are too long for the server's model.

Only the server has the tokenizer, so it is asked first, and what it says is believed: how long its context is, and how
many tokens the prompt has. Then the rule of our own checkpoints holds (`backends.local`): the prompt stays whole as
long as a quarter of the context is left for the answer; what is more is cut off on the left (as the paper did, which
kept the last `context - 1024` tokens). Tokens are cut by characters, in proportion and a little too many.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from llemma.backends.http.client import Refused
from llemma.core.types import Request

MARGIN = 0.97
"""A cut keeps this share of the characters that would fit if all tokens were of one length."""

_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|context_length_exceeded|exceed_context|prompt is too long"
    r"|too many tokens|max_new_tokens` must be|max_model_len",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"(?:context (?:length|size|window)[^0-9]{0,40}|max_model_len[^0-9]{0,20}|must be <= )(\d{2,9})", re.IGNORECASE
)
_PROMPT = re.compile(
    r"(\d{1,9}) (?:in the (?:messages|prompt)|(?:text )?input tokens|tokens from the input|`inputs` tokens)"
    r"|(?:input|request|prompt) \((\d{1,9}) tokens"
    r"|resulted in (\d{1,9}) tokens",
    re.IGNORECASE,
)


class Overflow(msgspec.Struct, frozen=True):
    """A refusal for length: tokens of the context and of the prompt, each None where the server does not say."""

    context: int | None
    prompt: int | None


def overflow(refusal: Refused) -> Overflow | None:
    """What a refusal says about lengths; None when it is about something else.

    The wordings are those of vLLM, SGLang, TGI, llama.cpp and OpenAI; llama.cpp adds `n_ctx` and `n_prompt_tokens`.
    """
    if refusal.status not in (400, 413, 422) or not _TOO_LONG.search(refusal.why):
        return None
    fields = _fields(refusal.payload)
    context, prompt = _CONTEXT.search(refusal.why), _PROMPT.search(refusal.why)
    # vLLM stops counting where the prompt no longer fits, and says "at least"
    exact = "at least" not in refusal.why
    return Overflow(
        _count(fields.get("n_ctx")) or (int(context.group(1)) if context else None),
        _count(fields.get("n_prompt_tokens")) or (_first(prompt) if prompt and exact else None),
    )


def budget(request: Request, context: int, prompt: int) -> int:
    """New tokens for a prompt of `prompt` tokens: what was asked for, or what is left, at least a quarter of all."""
    return max(1, min(request.max_tokens, max(context - prompt - 1, context // 4)))


def fitted(request: Request, context: int, prompt: int) -> Request:
    """`request` with a prompt and a budget that ought to fit."""
    tokens = budget(request, context, prompt)
    room = max(1, context - tokens - 1)
    kept = len(request.prompt) if prompt <= room else int(MARGIN * len(request.prompt) * room / prompt)
    return msgspec.structs.replace(request, prompt=request.prompt[len(request.prompt) - kept :], max_tokens=tokens)


def _fields(payload: Any) -> dict[str, Any]:
    error = payload.get("error") if isinstance(payload, dict) else None
    return error if isinstance(error, dict) else payload if isinstance(payload, dict) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 1 << 40 else None


def _first(match: re.Match[str]) -> int:
    return next(int(group) for group in match.groups() if group)
