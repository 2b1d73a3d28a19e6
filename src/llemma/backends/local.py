"""Our own checkpoints, computed in this process: `run:DIR`, a training run or a Hugging Face folder of a Llama."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llemma.backends import beam
from llemma.backends.base import Backend, Likelihood
from llemma.backends.batching import Fitted, Stopped, answers, apart, searched
from llemma.backends.scoring import READING, Reading, scores
from llemma.core.errors import MissingError, RecipeError
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.model import weights
from llemma.model.decode import SharedState
from llemma.model.generate import Generated, Sampling, generate, prefix_of
from llemma.model.llama import Llama
from llemma.model.llama_config import covered, from_table
from llemma.tokens import chat as chats
from llemma.tokens import tokenizer as tokenizers
from llemma.tokens.chat import Message
from llemma.tokens.tokenizer import Tokenizer


def open_run(name: str, **options: Any) -> Backend:
    """The backend for `run:NAME`: a training run (its `final/`, else its newest checkpoint) or a checkpoint folder.

    `run:NAME?chat=true` asks each prompt as a user's message in the chat template that lies beside the weights. What
    our own network does not compute (other architectures, generation with a sliding window) is asked through
    transformers, as `hf:FOLDER` is.
    """
    given, _, query = name.partition("?")
    folder, batch = checkpoint_of(Path(given)), int(options.get("batch", 64))
    table = weights.read_table(folder)
    if not covered(table) and not from_table(table, str(folder)).slides:
        reading = Reading(int(options.get("window", 0)), int(options.get("stride", 0)))
        return Local(f"run:{name}", folder, batch=batch, chat=_asks_chat(query, name), reading=reading)
    from llemma.backends.hub import open_hf

    found = open_hf(f"{folder}?{query}" if query else str(folder), **options)
    found.name = f"run:{name}"
    return found


def _asks_chat(query: str, name: str) -> bool:
    """Whether the options behind a run's name ask for its chat template; any other is a `RecipeError`."""
    if query not in ("", "chat=true", "chat=false"):
        raise RecipeError(f"unknown option '{query}'", where=f"run:{name}", mend="the only one is ?chat=true")
    return query == "chat=true"


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
    """A model in this process; float32 on a CPU, bfloat16 on a GPU. `batch` samples are generated at once; `chat`:
    prompts are messages in the tokenizer's chat template."""

    def __init__(self, name: str, folder: Path, batch: int, *, chat: bool = False, reading: Reading = READING) -> None:
        self.name, self.template, self.reading = name, chats.chat(folder) if chat else None, reading
        self.folder, self.batch = folder, batch
        cuda = torch.cuda.is_available()
        self.device = f"cuda:0 {torch.cuda.get_device_name(0)}" if cuda else "cpu"
        self.dtype = torch.bfloat16 if cuda else torch.float32
        # scoring is one large product after the other: bfloat16 where the processor has it, twice as fast and equal to
        # 1e-5 of the bits (weights and sums stay float32)
        self.bf16_products = not cuda and _has_bf16()
        asked = ["chat"] if chat else []
        self.tokenizer: Tokenizer = tokenizers.load(folder)
        self.eos = weights.ends(folder) | self.tokenizer.ends
        asked += [f"ends {sorted(self.eos)}"] if self.eos != {self.tokenizer.eos} else []
        self.identity = digest(weights.identity(folder), str(self.dtype), self.bf16_products, *asked)
        self.model: Llama = weights.load(folder).to("cuda" if cuda else "cpu", self.dtype).eval()
        self.prefix = prefix_of(self.model)  # of the last batch: the worked examples of a task, as a rule

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`; requests of equal sampling settings are computed together."""
        drawn, sought = apart(requests)
        yield from answers(drawn, self.batch, self._fit, self._generate, self.tokenizer.decode)
        yield from searched(sought, self.batch, self._fit, self._search, self.tokenizer.decode)

    def _fit(self, request: Request) -> Fitted:
        """The prompt's ids, cut on the left where need be, and the settings, with a budget that fits the context.

        The prompt stays whole as long as a quarter of the context is left for the answer.
        """
        context = self.model.config.max_position_embeddings
        ids = self._encode(request.prompt)
        budget = min(request.max_tokens, max(context - len(ids) - 1, context // 4, 1))
        kept = max(0, context - budget - 1)
        opening = [] if self.template else [self.tokenizer.bos]  # a chat template writes its own
        prompt = [*opening, *ids[max(0, len(ids) - kept) :]]
        return Fitted(prompt, Sampling(budget, request.temperature, request.top_p), len(ids) > kept)

    def _encode(self, prompt: str) -> list[int]:
        return self.tokenizer.encode(self.template.prompt([Message("user", prompt)]) if self.template else prompt)

    def lengths(self, request: Request) -> tuple[int, int]:
        """The tokens of a request's prompt, and how many of them fit beside its answer."""
        _, sampling, _ = self._fit(request)
        return len(self._encode(request.prompt)), self.model.config.max_position_embeddings - (sampling.max_tokens + 1)

    def _generate(
        self, prompts: list[list[int]], seeds: list[list[int]], sampling: Sampling, stopped: Stopped
    ) -> list[list[Generated]]:
        return generate(self.model, prompts, seeds, sampling, eos=self.eos, stopped=stopped, prefix=self.prefix)

    @torch.inference_mode()
    def _search(self, prompts: list[list[int]], width: int, max_tokens: int, stopped: Stopped) -> list[list[Generated]]:
        state = SharedState(self.prefix.forward, self.prefix, prompts, [width] * len(prompts))
        return beam.search(state, len(prompts), width, max_tokens, self.eos, stopped)

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """The likelihood of each text after the beginning-of-document token."""
        config = self.model.config
        window = self.reading.window or config.max_position_embeddings
        for text in texts:
            ids = [self.tokenizer.bos, *self.tokenizer.encode(text)]
            found = scores(ids, window, config.vocab_size, self._logits, self.reading.stride)
            yield Likelihood(float(found.nats.sum()), len(ids) - 1, len(text.encode()), found.by_place)

    @torch.inference_mode()
    def _logits(self, ids: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16_products):
            return self.model(ids.to(self.prefix.device))  # type: ignore[no-any-return]


def _has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware."""
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())
