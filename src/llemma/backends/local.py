"""Our own checkpoints, computed in this process: `run:DIR`, a training run or a Hugging Face folder of a Llama."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from llemma.backends.base import Likelihood, cut
from llemma.core.errors import MissingError
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.model import weights
from llemma.model.generate import Generated, Sampling, generate
from llemma.model.llama import Llama
from llemma.tokens import tokenizer as tokenizers
from llemma.tokens.tokenizer import Tokenizer

SCORE_ROWS = 16


def open_run(name: str, **options: Any) -> Local:
    """The backend for `run:NAME`: a training run (its `final/`, else its newest checkpoint) or a checkpoint folder."""
    return Local(f"run:{name}", checkpoint_of(Path(name)), batch=int(options.get("batch", 64)))


def checkpoint_of(path: Path) -> Path:
    """The checkpoint folder that `path` stands for."""
    candidates = [path, path / "final", *sorted((path / "checkpoints").glob("step-*"), reverse=True)]
    for folder in candidates:
        if (folder / "config.json").is_file():
            return folder
    raise MissingError(
        f"no checkpoint in {path}",
        where="final/, checkpoints/ or config.json",
        mend="give the folder of a finished or interrupted training run, or a Hugging Face folder",
    )


class Local:
    """A model in this process; float32 on a CPU, bfloat16 on a GPU. `batch` samples are generated at once."""

    def __init__(self, name: str, folder: Path, batch: int) -> None:
        self.name = name
        self.folder, self.batch = folder, batch
        cuda = torch.cuda.is_available()
        self.device = f"cuda:0 {torch.cuda.get_device_name(0)}" if cuda else "cpu"
        self.dtype = torch.bfloat16 if cuda else torch.float32
        # scoring is one large product after the other: bfloat16 where the processor has it, twice as fast and equal to
        # 1e-5 of the bits (weights and sums stay float32)
        self.bf16_products = not cuda and _has_bf16()
        self.identity = digest(weights.identity(folder), str(self.dtype), self.bf16_products)
        self.tokenizer: Tokenizer = tokenizers.load(folder)
        self.model: Llama = weights.load(folder).to("cuda" if cuda else "cpu", self.dtype).eval()

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """Answer requests in groups of equal sampling settings."""
        groups: dict[tuple[Any, ...], list[tuple[Request, list[int]]]] = {}
        for request in requests:
            prompt, sampling = self._fit(request)
            groups.setdefault((sampling, tuple(request.stop)), []).append((request, prompt))
        for (sampling, stop), group in groups.items():
            for chunk in _chunks(group, self.batch):
                yield from self._complete(chunk, sampling, stop)

    def _fit(self, request: Request) -> tuple[list[int], Sampling]:
        """The prompt's ids, cut on the left where need be, and the settings, with a budget that fits the context.

        The prompt stays whole as long as a quarter of the context is left for the answer.
        """
        context = self.model.config.max_position_embeddings
        ids = self.tokenizer.encode(request.prompt)
        budget = min(request.max_tokens, max(context - len(ids) - 1, context // 4, 1))
        kept = max(0, context - budget - 1)
        prompt = [self.tokenizer.bos, *ids[max(0, len(ids) - kept) :]]
        return prompt, Sampling(budget, request.temperature, request.top_p)

    def _complete(
        self, chunk: list[tuple[Request, list[int]]], sampling: Sampling, stop: Sequence[str]
    ) -> list[list[Completion]]:
        """One batch of requests that share their sampling settings."""
        started = time.monotonic()
        found = generate(
            self.model,
            [prompt for _, prompt in chunk],
            [[int(digest(r.seed, r.id, sample), 16) for sample in range(r.n)] for r, _ in chunk],
            sampling,
            eos=self.tokenizer.eos,
            stopped=lambda ids: self._stopped(ids, stop),
        )
        seconds = (time.monotonic() - started) / len(chunk)
        return [self._completions(r, samples, seconds) for (r, _), samples in zip(chunk, found, strict=True)]

    def _stopped(self, ids: list[int], stop: Sequence[str]) -> bool:
        """Whether the newest token completed a stop string; only the tail is decoded, a token is at least one byte."""
        if not stop:
            return False
        tail = self.tokenizer.decode(ids[-(4 * max(map(len, stop)) + 4) :])
        return any(mark in tail for mark in stop)

    def _completions(self, request: Request, samples: list[Generated], seconds: float) -> list[Completion]:
        done = []
        for number, sample in enumerate(samples):
            text, _ = cut(self.tokenizer.decode(sample.ids), request.stop)
            done.append(
                Completion(
                    request=request.id,
                    sample=number,
                    text=text,
                    finish=sample.finish,
                    tokens=len(sample.ids),
                    logprob=round(sample.logprob, 4),
                    seconds=round(seconds, 3),
                )
            )
        return done

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """The likelihood of each text after the beginning-of-document token.

        Texts longer than the context are read in windows that overlap by half: every token is scored once, and with at
        least half a context before it wherever the text has that much.
        """
        for text in texts:
            ids = [self.tokenizer.bos, *self.tokenizer.encode(text)]
            rows = windows(len(ids) - 1, self.model.config.max_position_embeddings)
            nats = sum(self._nats(ids, chunk) for chunk in _chunks(rows, SCORE_ROWS))
            yield Likelihood(nats=nats, tokens=len(ids) - 1, bytes=len(text.encode()))

    @torch.inference_mode()
    def _nats(self, ids: list[int], rows: list[tuple[int, int, int]]) -> float:
        """Summed negative log-likelihood of windows `(start, scored from, end)` of `ids`; padded on the right, where
        causal attention cannot see."""
        width = max(end - start for start, _, end in rows)
        device = self.model.model.embed_tokens.weight.device
        inputs = torch.zeros(len(rows), width, dtype=torch.long, device=device)
        targets = torch.full((len(rows), width), -100, dtype=torch.long, device=device)
        for index, (start, scored, end) in enumerate(rows):
            inputs[index, : end - start] = torch.tensor(ids[start:end])
            targets[index, scored - start : end - start] = torch.tensor(ids[scored + 1 : end + 1])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16_products):
            logits: Tensor = self.model(inputs)
        return float(F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum"))


def _has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware."""
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())


def windows(length: int, context: int) -> list[tuple[int, int, int]]:
    """Cut `length` predictions into windows `(start, scored from, end)` of at most `context` inputs.

    Every prediction in [0, length) is scored exactly once.
    """
    if length <= context:
        return [(0, 0, length)] if length else []
    stride = max(1, context // 2)
    found, scored = [(0, 0, context)], context
    while scored < length:
        end = min(length, scored + stride)
        found.append((end - context, scored, end))
        scored = end
    return found


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
