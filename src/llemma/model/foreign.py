"""Other architectures: a transformers module with the face of our own network (`model/network` chooses).

Needs the extra `hf`. Only transformers' own code runs, never code that comes with a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from llemma.core.errors import DataError, MissingError, RecipeError
from llemma.model.stored import DTYPES, Stored, read_json, sharded, weight_files
from llemma.model.weights import Fill, read_table


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What of a foreign config the loop and its plan ask for; names as in `LlamaConfig`."""

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    tie_word_embeddings: bool


class Foreign(nn.Module):
    """A causal language model of transformers: ids (B, T) in, logits (B, T, V) out, parameters under their own names.

    Dropout stays off, also in training: a resumed run must compute what an undisturbed one does, and its random numbers
    are no part of a checkpoint.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__()
        object.__setattr__(self, "inner", inner.eval())  # beside the registered modules: names get no prefix
        self._modules, self._parameters, self._buffers = inner._modules, inner._parameters, inner._buffers
        self.config = _sizes(inner.config)

    inner: Any

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The layers: the longest list of modules."""
        lists = [part for part in self.modules() if isinstance(part, nn.ModuleList)]
        return max(lists, key=len, default=[])  # type: ignore[arg-type]

    def train(self, mode: bool = True) -> Foreign:
        """Remember the mode; see the class for dropout."""
        self.training = mode
        return self

    def forward(self, ids: Tensor, *, positions: Tensor | None = None) -> Tensor:
        """Ids (B, T) -> logits (B, T, V); `positions` (B, T) where the architecture takes them."""
        where = {} if positions is None else {"position_ids": positions}
        return self.inner(input_ids=ids, use_cache=False, **where).logits  # type: ignore[no-any-return]

    def save(
        self, folder: Path, dtype: torch.dtype | None, shard: int, tensors: dict[str, Tensor] | None = None
    ) -> None:
        """Write config, generation settings and weights (or the copies `tensors`) as transformers does; where they are
        cut in slices, all processes must take part in gathering them, in the order of `parameters`."""
        cut = any(hasattr(weight, "full_tensor") for weight in self.inner.parameters())
        writer, state = self._gathered() if cut else (self.inner, tensors or self.inner.state_dict())
        if dtype is not None:
            state = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
        writer.save_pretrained(folder, state_dict=state, max_shard_size=shard)
        if dtype is not None:
            path = folder / "config.json"
            path.write_text(json.dumps(read_json(path) | {"dtype": str(dtype).removeprefix("torch.")}, indent=2) + "\n")

    def _gathered(self) -> tuple[Any, dict[str, Tensor]]:
        """A module that holds whole weights in main memory, and these by name: transformers cannot save slices."""
        whole = {id(weight): _whole(weight) for weight in self.inner.parameters()}
        named = self.inner.named_parameters(remove_duplicate=False)
        weights = {name: whole[id(weight)] for name, weight in named}
        state = {**self.inner.state_dict(), **weights}  # last: it changes what lies in the modules
        with torch.device("meta"):
            found = type(self.inner)(self.inner.config)
        found.load_state_dict(state, assign=True)
        found.generation_config = self.inner.generation_config
        return found, state

    def save_config(self, folder: Path) -> None:
        """Write config and generation settings alone."""
        self.inner.config.save_pretrained(folder)
        if self.inner.can_generate():
            self.inner.generation_config.save_pretrained(folder)

    def restore(self, folder: Path, into: Fill | None = None) -> None:
        """Take over the weights of a folder that `save` wrote (on disk, some have other names than in the module);
        `into` fills a module that is cut in slices."""
        found = read(folder, rope_theta=None, dtype=None)
        if into is not None:
            drawn = dict(found.named_parameters())
            into(self, lambda name, start, stop: drawn[name].detach()[start:stop])
        state, weights = found.state_dict(), {id(weight) for weight in self.inner.parameters()}
        with torch.no_grad():
            for name, value in self.inner.state_dict(keep_vars=True).items():
                if into is None or id(value) not in weights:
                    value.copy_(state[name])


def _whole(weight: Any) -> Tensor:
    """A weight in the CPU's memory where it was cut in slices, else as it is."""
    return weight.full_tensor().detach().cpu() if hasattr(weight, "full_tensor") else weight.detach()  # type: ignore[no-any-return]


def load(
    folder: Path, *, rope_theta: float | None = None, dtype: torch.dtype | None = torch.float32, device: Any = "cpu"
) -> Foreign:
    """The model of a checkpoint folder in transformers' own module; arguments as those of `weights.load`.

    Raises `MissingError` without transformers, `DataError` where it does not know the model or weights are missing.
    """
    if read_table(folder).get("quantization_config"):
        raise DataError("quantised weights cannot be trained", where=str(folder), mend="use the original weights")
    if not sharded(folder):
        weight_files(folder)  # refuses pickled ones
    return Foreign(read(folder, rope_theta=rope_theta, dtype=dtype).to(device))


def read(folder: Path, *, rope_theta: float | None, dtype: torch.dtype | None) -> Any:
    """transformers' model of a folder, on the CPU, with all its weights."""
    transformers = _transformers(folder)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if sharded(folder):
            return _put_together(
                transformers.AutoModelForCausalLM, _with_base(config, rope_theta, folder), folder, dtype
            )
        model, told = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            config=_with_base(config, rope_theta, folder),
            dtype=dtype or "auto",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (ValueError, OSError, KeyError, RuntimeError, ImportError, AttributeError, TypeError) as error:
        raise DataError(
            f"transformers cannot load the model: {str(error).strip()[:400]}",
            where=str(folder),
            mend="check that it is a whole causal language model whose code is part of transformers",
        ) from error
    for kind in ("missing_keys", "mismatched_keys"):
        if told.get(kind):
            names = ", ".join(sorted(map(str, told[kind]))[:3])
            raise DataError(f"no weights for {names}", where=str(folder), mend="fetch the checkpoint again")
    return model


def _put_together(maker: Any, config: Any, folder: Path, dtype: torch.dtype | None) -> Any:
    """The model of a checkpoint whose weights many processes wrote, under the names that they have in the module."""
    stored = Stored(folder)
    model = maker.from_config(config, dtype=dtype or DTYPES[next(iter(stored.dtypes.values()))])
    for name, weight in model.named_parameters():
        stored.copy(name, weight.detach())
    return model


def _transformers(folder: Path) -> Any:
    try:
        import transformers
        from transformers.utils import logging
    except ImportError as error:
        raise MissingError(
            f"transformers cannot be imported: {error}", where=str(folder), mend="pip install 'llemma[hf]'"
        ) from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the caller shows that it loads
    return transformers


def _with_base(config: Any, rope_theta: float | None, folder: Path) -> Any:
    if rope_theta is None:
        return config
    rope = getattr(config, "rope_parameters", None)
    if isinstance(rope, dict) and "rope_theta" in rope:
        config.rope_parameters = {**rope, "rope_theta": rope_theta}
    elif hasattr(config, "rope_theta"):
        config.rope_theta = rope_theta
    else:
        raise RecipeError(
            "this architecture has no single RoPE base to replace", where=f"rope_theta, {folder}", mend="leave it out"
        )
    return config


def _sizes(config: Any) -> Sizes:
    text = config.get_text_config(decoder=True)
    heads = int(text.num_attention_heads)
    inner = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * text.hidden_size
    return Sizes(
        model_type=str(config.model_type),
        vocab_size=int(text.vocab_size),
        hidden_size=int(text.hidden_size),
        intermediate_size=int(inner),
        num_hidden_layers=int(text.num_hidden_layers),
        num_attention_heads=heads,
        num_key_value_heads=int(getattr(text, "num_key_value_heads", None) or heads),
        max_position_embeddings=int(getattr(text, "max_position_embeddings", None) or 2048),
        tie_word_embeddings=bool(getattr(text, "tie_word_embeddings", False)),
    )
