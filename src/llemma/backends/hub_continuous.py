"""Greedy answers by transformers' continuous batching: whoever ends makes room at once for the next in line.

For greedy requests alone: transformers draws all samples from one stream of random numbers, and ours have one each.
Keys and values lie in pages, and pages of equal beginnings are shared.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Literal

import msgspec
import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from llemma.backends.base import failed
from llemma.backends.batching import Decode, Fitted, Stopped, StopStrings, completion, marked
from llemma.core.errors import LlemmaError
from llemma.core.types import Completion, Request
from llemma.model.sampling import Generated, Sampling

PAGE = 32  # tokens a page where we say how many there are
CPU_BATCH = 512  # tokens computed at once on a CPU; on a GPU transformers decides
_WAIT = 1.0  # seconds between looks at whether the loop is still alive
_TRIED = ([3, 4, 5, 6, 7], [3, 4, 5])


class _Open(msgspec.Struct):
    """A request on its way."""

    request: Request
    fitted: Fitted
    stopped: Stopped
    seen: int = 0
    """New tokens that were looked at."""


def answers(
    model: PreTrainedModel,
    requests: Sequence[Request],
    fit: Callable[[Request], Fitted],
    decode: Decode,
    eos: Collection[int],
    rows: int,
) -> Iterator[list[Completion]]:
    """The completions of greedy requests as they end, at most `rows` at once; equal samples are computed once."""
    stops = {tuple(request.stop): StopStrings(request.stop, decode) for request in requests}
    going = {str(at): _Open(r, fit(r), stops[tuple(r.stop)]) for at, r in enumerate(requests)}
    if not going:
        return
    with _loop(model, [one.fitted for one in going.values()], eos, rows) as manager:
        for name, one in going.items():
            budget = one.fitted.sampling.max_tokens
            manager.add_request(one.fitted.prompt, name, budget, bool(one.request.stop), eos_token_id=sorted(eos) or -1)
        while going:
            result = manager.get_result(timeout=_WAIT)
            if result is None:
                _alive(manager)
            elif result.request_id in going:  # else cancelled, and told once more
                samples = _ended(going[result.request_id], result, decode, eos)
                if samples is not None:
                    del going[result.request_id]
                    if not result.is_finished():
                        manager.cancel_request(result.request_id)
                    yield samples


def _ended(one: _Open, result: Any, decode: Decode, eos: Collection[int]) -> list[Completion] | None:
    """The samples of a request whose newest state is `result`, or None while it goes on."""
    if result.error is not None:
        return failed(one.request, f"transformers: {result.error}")
    ids: list[int] = result.generated_tokens
    length, finish = len(ids), "length"
    for at in range(one.seen, len(ids)):
        if ids[at] in eos or one.stopped(ids[: at + 1]):
            length, finish = at + (ids[at] not in eos), "stop"
            break
    one.seen = len(ids)
    if finish == "length" and not result.is_finished():
        return None
    counted = length + (finish == "stop" and length < len(ids) and ids[length] in eos)
    made = Generated(ids[:length], math.fsum(result.logprobs[:counted]), _finish(finish))
    seconds = (result.lifespan[1] if result.is_finished() else time.perf_counter()) - result.lifespan[0]
    sample = completion(one.request, 0, made, decode, seconds / one.request.n)
    same = [msgspec.structs.replace(sample, sample=number) for number in range(one.request.n)]
    return marked(same, one.fitted.cut)


def _finish(name: str) -> Literal["stop", "length"]:
    return "stop" if name == "stop" else "length"


def _alive(manager: Any) -> None:
    if not manager.is_running():
        reason = manager.background_thread_status.fatal_error
        raise LlemmaError(
            f"transformers' continuous batching has ended: {reason}", where="hf:", mend="ask with ?batching=static"
        )


@contextlib.contextmanager
def _loop(model: PreTrainedModel, work: Sequence[Fitted], eos: Collection[int], rows: int) -> Iterator[Any]:
    """A running manager; the model's own attention is set meanwhile, and what was set before comes back."""
    log = logging.getLogger("ContinuousBatchingLogger")
    before, level = model.config._attn_implementation, log.level
    log.setLevel(logging.CRITICAL)  # what goes wrong comes back as an error
    model.set_attn_implementation("sdpa")
    greedy = {"do_sample": False, "eos_token_id": sorted(eos) or -1, "pad_token_id": 0, "max_new_tokens": 1}
    open_manager: Any = model.continuous_batching_context_manager
    try:
        with open_manager(
            generation_config=GenerationConfig(**greedy),  # type: ignore[no-untyped-call]
            continuous_batching_config=_settings(model, work, rows),
            warmup=model.device.type == "cuda",
            timeout=5,
        ) as manager:
            yield manager
    finally:
        model.set_attn_implementation(before)
        log.setLevel(level)


def _settings(model: PreTrainedModel, work: Sequence[Fitted], rows: int) -> ContinuousBatchingConfig:
    """Room for `rows` requests. On a GPU transformers measures the memory; on a CPU it is told."""
    common: dict[str, Any] = {
        "return_logprobs": True,
        "max_requests_per_batch": rows,
        # without the package it would be fetched
        "auto_switch_to_flash": importlib.util.find_spec("flash_attn") is not None,
    }
    if model.device.type == "cuda":
        return ContinuousBatchingConfig(**common)
    sizes = sorted((len(one.prompt) + one.sampling.max_tokens for one in work), reverse=True)[:rows]
    pages = sum(math.ceil(size / PAGE) + 1 for size in sizes)
    return ContinuousBatchingConfig(page_size=PAGE, num_blocks=pages, max_batch_tokens=CPU_BATCH, **common)


def obstacle(model: PreTrainedModel) -> str:
    """Why this model cannot be asked so, or nothing; two prompts of unequal length are tried out at one token each.

    Their tokens must be, up to rounding, the most probable ones that the model finds without a cache.
    """
    size = model.config.get_text_config(decoder=True).vocab_size
    prompts = [[token % size for token in ids] for ids in _TRIED]
    asked = [Request(str(at), "", max_tokens=1) for at in range(len(prompts))]
    given: dict[str, Completion] = {}
    try:
        for [sample] in answers(
            model, asked, lambda r: Fitted(prompts[int(r.id)], Sampling(1), False), _numbers, (), len(asked)
        ):
            given[sample.request] = sample
        if any(sample.finish == "error" for sample in given.values()):
            return next(sample.error for sample in given.values() if sample.error)
        return (
            "" if all(_agrees(model, ids, given[str(at)]) for at, ids in enumerate(prompts)) else "its results differ"
        )
    except Exception as error:  # a model's own code, or a kernel, may refuse in any way
        return f"{type(error).__name__}: {error}"


def _numbers(ids: list[int]) -> str:
    return " ".join(map(str, ids))


@torch.inference_mode()
def _agrees(model: PreTrainedModel, prompt: list[int], sample: Completion) -> bool:
    logits = model(input_ids=torch.tensor([prompt], device=model.device)).logits[0, -1]
    limit = (1e-3 if logits.dtype == torch.float32 else 0.2) * float(logits.float().std())
    logprobs, token = logits.float().log_softmax(0), int(sample.text)
    near = abs(float(logprobs[token]) - (sample.logprob or 0.0)) <= limit
    return near and float(logprobs.max() - logprobs[token]) <= limit
