"""Any causal language model that transformers can load: `hf:NAME`, `hf:NAME@REVISION`, `hf:./FOLDER`.

Options are written behind the name as in an address: `hf:NAME?dtype=float16&chat=true`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
import torch
from safetensors import SafetensorError
from torch import Tensor

from llemma.backends import beam
from llemma.backends.base import Likelihood, no_likelihoods
from llemma.backends.batching import Fitted, Stopped, answers, apart, searched
from llemma.backends.scoring import scores
from llemma.core.console import Console
from llemma.core.errors import DataError, LlemmaError, MissingError, RecipeError, suggest
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.model.decode import decode
from llemma.model.sampling import Generated, Row, Sampling

CONTEXT = 2048  # of a model that does not say
ENCODER_CONTEXT = 8192  # of an encoder that does not: those of the T5 kind have relative positions and no bound


class HubOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a model of the hub is loaded and asked."""

    revision: str = ""
    """Branch, tag or commit; without it, the main branch."""

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Of weights and products; `auto`: bfloat16 on a GPU, float32 on a CPU."""

    device_map: str = ""
    """A device (`cpu`, `cuda:1`), or how to spread the layers over several, as in transformers (`auto`, `balanced`;
    needs accelerate); without it, the first GPU or the CPU."""

    batch: int = 64
    """Samples computed at once."""

    batching: Literal["auto", "continuous", "static"] = "auto"
    """Of greedy requests: `continuous` lets the next one in as soon as one ends, `static` computes batch after batch;
    `auto`: continuous on a GPU, for models that transformers' continuous batching has."""

    chat: bool = False
    """Each prompt as a user's message in the model's chat template."""

    bos: bool | None = None
    """Whether a prompt begins with the beginning-of-text token; without it, as the tokenizer has it."""

    window: int = 0
    """Tokens scored at once, of a text whose likelihood is asked; 0: the model's context."""

    stride: int = 0
    """Tokens from one such window to the next; 0: half a window."""

    trust_remote_code: bool = False
    """Run Python code that comes with the model."""


def open_hf(name: str, **options: Any) -> Hub:
    """The opener of `hf:NAME[@REVISION][?OPTION=VALUE&…]`; `options` are `HubOptions`, and `warn` (text -> None).

    Raises `MissingError` where transformers, the model or the hub is not there, `DataError` for pickled weights.
    """
    given, settings = parse(name, options)
    _transformers()
    return Hub(f"hf:{name}", given, settings, options.get("warn") or Console().warn)


def parse(name: str, options: dict[str, Any]) -> tuple[str, HubOptions]:
    """The model's name or folder, and its options; those written in `name` go before others."""
    given, _, query = name.partition("?")
    if not given:
        raise RecipeError("no model is named", where=f"hf:{name}", mend="write hf:OWNER/NAME or hf:./FOLDER")
    fields = HubOptions.__struct_fields__
    written = dict(parse_qsl(query, keep_blank_values=True))
    for key in written:
        if key not in fields:
            mend = suggest(key, fields) or f"one of {', '.join(fields)}"
            raise RecipeError(f"unknown option '{key}'", where=f"hf:{name}", mend=mend)
    if "@" in given and not Path(given).expanduser().is_dir():
        given, _, written["revision"] = given.rpartition("@")
    merged = {key: value for key, value in options.items() if key in fields} | written
    try:
        return given, msgspec.convert(merged, HubOptions, strict=False)
    except msgspec.ValidationError as error:
        raise RecipeError(f"bad option: {error}", where=f"hf:{name}") from error


def _transformers() -> None:
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingError(
            f"transformers cannot be imported: {error}", where="hf:", mend="pip install 'llemma[hf]'"
        ) from error


class Hub:
    """A transformers model in this process; `cut_prompts` counts the prompts that were too long for its context."""

    def __init__(self, name: str, model: str, options: HubOptions, warn: Callable[[str], None]) -> None:
        from llemma.backends import hub_encoder, hub_files, hub_network

        self.name, self.options, self.warn, self.batch = name, options, warn, options.batch
        folder, content = hub_files.find(model, options.revision, options.trust_remote_code)
        self.dtype = _dtype(options)
        if options.trust_remote_code:
            warn(f"{name} runs the Python code that comes with the model, with all your rights")
        self.identity = digest(content, str(self.dtype), options.chat, options.bos)
        self.tokenizer = _tokenizer(folder, options)
        self.model = _model(folder, self.dtype, options)
        self.device = _device(self.model)
        self.config = self.model.config.get_text_config(decoder=True)
        self.context = _context(self.model.config, self.tokenizer)
        self.eos = _ends(self.model, self.tokenizer)
        self.encodes = bool(self.model.config.is_encoder_decoder)
        self.state, why = (hub_encoder.states if self.encodes else hub_network.states)(self.model)
        self.continuous = self._continuous()
        self.cut_prompts = 0
        if why:
            warn(f"{name} computes the beginning that prompts share for each of them: {why}")
        self._check_chat()

    def _continuous(self) -> bool:
        """Whether greedy requests are batched continuously; what was asked for and cannot be is an error."""
        wanted = self.options.batching
        if wanted == "static" or (wanted == "auto" and (self.encodes or self.model.device.type != "cuda")):
            return False
        from llemma.backends import hub_continuous

        why = "its prompts go to an encoder" if self.encodes else hub_continuous.obstacle(self.model)
        if why and wanted == "continuous":
            raise MissingError(
                f"no continuous batching of this model: {why}", where=self.name, mend="ask with ?batching=static"
            )
        if why:
            self.warn(f"{self.name} is asked batch by batch, because transformers' continuous batching refuses: {why}")
        return not why

    def _check_chat(self) -> None:
        template = getattr(self.tokenizer, "chat_template", None)
        if template and not self.options.chat:
            self.warn(f"{self.name} is a chat model and is asked plain prompts; `?chat=true` uses its chat template")
        if self.options.chat and not template:
            raise RecipeError(f"{self.name} has no chat template", where="chat=true", mend="leave the option out")

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`; requests of equal sampling settings are computed together."""
        before = self.cut_prompts
        fitted = {id(request): self._fit(request) for request in requests}
        drawn, sought = apart(requests)
        if self.cut_prompts and not before:
            self.warn(
                f"{self.cut_prompts} of {len(requests)} prompts lose their beginning: {self.name} sees {self.context} "
                "tokens, with the answer; later ones are cut without another warning"
            )
        if self.continuous:
            from llemma.backends import hub_continuous

            greedy = [request for request in drawn if request.temperature == 0]
            drawn = [request for request in drawn if request.temperature > 0]
            yield from hub_continuous.answers(
                self.model, greedy, lambda request: fitted[id(request)], self.decode, self.eos, self.batch
            )
        yield from answers(drawn, self.batch, lambda request: fitted[id(request)], self._generate, self.decode)
        yield from searched(sought, self.batch, lambda request: fitted[id(request)], self._search, self.decode)

    def _fit(self, request: Request) -> Fitted:
        """The newest ids of the prompt that leave room for `max_tokens`, as the paper's evaluation code cut them.

        Of a context that is too short for that, a quarter is left to the prompt. An encoder has its context for itself.
        """
        ids = self.encode(request.prompt)
        budget, room = self._room(request)
        self.cut_prompts += len(ids) > room
        return Fitted(ids[-room:], Sampling(budget, request.temperature, request.top_p), len(ids) > room)

    def _room(self, request: Request) -> tuple[int, int]:
        """New tokens at most, and tokens of the prompt."""
        budget = min(request.max_tokens, self.context - (0 if self.encodes else max(1, self.context // 4)))
        return budget, self.context - (0 if self.encodes else budget)

    def lengths(self, request: Request) -> tuple[int, int]:
        """The tokens of a request's prompt, and how many of them fit beside its answer."""
        return len(self.encode(request.prompt)), self._room(request)[1]

    def encode(self, prompt: str) -> list[int]:
        """The ids of a prompt, at least one."""
        if self.options.chat:
            message = [{"role": "user", "content": prompt}]
            prompt = self.tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        special = not self.options.chat and self.options.bos is not False
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=special)["input_ids"]
        first = self.tokenizer.bos_token_id
        if self.options.bos and first is not None and ids[:1] != [first]:
            ids = [first, *ids]
        return ids or [self._first()]

    def decode(self, ids: list[int]) -> str:
        """The text of new ids."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _first(self) -> int:
        """What stands before a text's first token: the token that begins texts, else the one that ends them."""
        found = self.tokenizer.bos_token_id
        return found if found is not None else min(self.eos, default=0)

    @torch.inference_mode()
    def _generate(
        self, prompts: list[list[int]], seeds: list[list[int]], sampling: Sampling, stopped: Stopped
    ) -> list[list[Generated]]:
        rows = [Row(seed) for own in seeds for seed in own]
        with self._in_memory(len(rows)):
            state = self.state(prompts, [len(own) for own in seeds])
            made = iter(decode(state, rows, sampling, self.eos, stopped))
        return [[next(made) for _ in own] for own in seeds]

    @torch.inference_mode()
    def _search(self, prompts: list[list[int]], width: int, max_tokens: int, stopped: Stopped) -> list[list[Generated]]:
        with self._in_memory(len(prompts) * width):
            state = self.state(prompts, [width] * len(prompts))
            if not getattr(state, "picks", True):
                raise MissingError(
                    "no beam search: the rows of this model's cache cannot be copied",
                    where=self.name,
                    mend="draw samples instead (temperature above 0)",
                )
            return beam.search(state, len(prompts), width, max_tokens, self.eos, stopped)

    @contextlib.contextmanager
    def _in_memory(self, rows: int) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise LlemmaError(
                f"no memory for {rows} samples at once", where=self.name, mend="set a smaller batch: ?batch=N"
            ) from error

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """The likelihood of each text after the token that begins texts; an encoder's model tells none."""
        if self.encodes:
            no_likelihoods(self.name)
        return self._scores(texts)

    def _scores(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        for text in texts:
            ids = [self._first(), *self.tokenizer(text, add_special_tokens=False)["input_ids"]]
            window = self.options.window or self.context
            found = scores(ids, window, self.config.vocab_size, self._logits, self.options.stride)
            yield Likelihood(float(found.nats.sum()), len(ids) - 1, len(text.encode()), found.by_place)

    @torch.inference_mode()
    def _logits(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=ids.to(self.model.device), use_cache=False).logits
        return logits


def _dtype(options: HubOptions) -> torch.dtype:
    gpu = torch.cuda.is_available() and options.device_map != "cpu"
    name = options.dtype if options.dtype != "auto" else "bfloat16" if gpu else "float32"
    found: torch.dtype = getattr(torch, name)
    return found


def _device(model: Any) -> str:
    index = model.device.index or 0
    return f"cuda:{index} {torch.cuda.get_device_name(index)}" if model.device.type == "cuda" else str(model.device)


def _tokenizer(folder: Path, options: HubOptions) -> Any:
    from transformers import AutoTokenizer

    with _refusals(folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=options.trust_remote_code, local_files_only=True)


def _model(folder: Path, dtype: torch.dtype, options: HubOptions) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the caller shows that it loads
    device = options.device_map or ("cuda" if torch.cuda.is_available() else "cpu")
    one = device.startswith(("cpu", "cuda"))
    with _refusals(folder):
        trust = {"trust_remote_code": options.trust_remote_code, "local_files_only": True}
        encodes = AutoConfig.from_pretrained(folder, **trust).is_encoder_decoder
        loaded: Any = (AutoModelForSeq2SeqLM if encodes else AutoModelForCausalLM).from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            **trust,
            **({} if one else {"device_map": device}),
        )
        model, told = loaded
        if told["missing_keys"]:  # transformers would draw them at random
            raise ValueError(f"no weights for {', '.join(sorted(told['missing_keys'])[:3])}")
        return (model.to(device) if one else model).eval()


@contextlib.contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    """transformers' errors in our words."""
    try:
        yield
    except ImportError as error:
        raise MissingError(
            f"a package is missing: {error}", where=str(folder), mend="pip install what it names"
        ) from error
    except torch.OutOfMemoryError as error:
        raise LlemmaError(
            "no memory for the weights", where=str(folder), mend="spread the layers: ?device_map=auto"
        ) from error
    except (ValueError, OSError, KeyError, RuntimeError, SafetensorError) as error:
        if "accelerate" in str(error):
            raise MissingError(
                "layers are spread over devices by accelerate", where="device_map", mend="pip install accelerate"
            ) from error
        code = "trust_remote_code" in str(error)
        mend = "the model brings its own Python code: if you trust its makers, add ?trust_remote_code=true"
        raise DataError(
            f"transformers cannot load the model: {str(error).strip()}",
            where=str(folder),
            mend=mend if code else "check that it is a whole causal language model, or use a newer transformers",
        ) from error


def _context(config: Any, tokenizer: Any) -> int:
    """Tokens that prompt and answer share, found where lm-evaluation-harness looks for them."""
    text = config.get_text_config(decoder=True)
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if isinstance(getattr(text, name, None), int):
            return int(getattr(text, name))
    told = getattr(tokenizer, "model_max_length", None)
    if told and told < 10**9:
        return int(told)
    return ENCODER_CONTEXT if config.is_encoder_decoder else CONTEXT


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a text: of the generation config, else of the model's, else of the tokenizer."""
    for holder in (model.generation_config, model.config, tokenizer):
        found = getattr(holder, "eos_token_id", None)
        if found is not None:
            return frozenset(found if isinstance(found, list) else [found])
    return frozenset()
