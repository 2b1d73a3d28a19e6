"""The sizes of a network that decide what it costs, and those of well-known checkpoints; no torch, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.errors import DataError, MissingError, suggest

BIASED = ("qwen2",)
QK_NORMED = ("qwen3",)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes that decide the cost; field names as in `config.json`. `head_dim` 0 means width over heads; the
    biases (Qwen 2: of queries, keys and values) and `qk_norm` (Qwen 3) are what some families add to Llama's layers."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    tie_word_embeddings: bool
    head_dim: int = 0
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in Shape.__struct_fields__[:6]}
        if min(sizes.values()) < 1 or self.head_dim < 0 or self.num_attention_heads % self.num_key_value_heads:
            raise DataError(
                f"no network has these sizes: {', '.join(f'{name} {size}' for name, size in sizes.items())}",
                where="[model] or config.json",
                mend="make every size at least 1 and the query heads a multiple of the key heads",
            )

    @property
    def query_size(self) -> int:
        """Width of all query heads together."""
        return self.num_attention_heads * (self.head_dim or self.hidden_size // self.num_attention_heads)

    @property
    def key_size(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.query_size // self.num_attention_heads * self.num_key_value_heads


def shape_of(model: object, vocab_size: int) -> Shape:
    """The sizes of a model that `[model]` or a network's own config describes, with its vocabulary."""
    names = [name for name in Shape.__struct_fields__ if name != "vocab_size" and hasattr(model, name)]
    return Shape(vocab_size=vocab_size, **{name: getattr(model, name) for name in names})


def read_shape(folder: Path) -> Shape:
    """The sizes in a checkpoint folder's `config.json`, with transformers' defaults for what it leaves out."""
    path = folder / "config.json"
    try:
        return _shape_of_config(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise MissingError(
            f"no checkpoint at {folder}", where="config.json", mend="give a Hugging Face checkpoint folder, or hf:NAME"
        ) from error
    except (ValueError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise DataError(
            f"not the config of a Llama-like model: {error}",
            where=str(path),
            mend="give a checkpoint's own config.json",
        ) from error


def _shape_of_config(table: dict[str, Any]) -> Shape:
    kind = table.get("model_type", "llama")
    if table.get("num_experts") or table.get("num_local_experts"):
        raise ValueError(f"{kind} has experts, whose costs are not counted")
    found = {name: table[name] for name in Shape.__struct_fields__ if table.get(name) is not None}
    found.setdefault("num_key_value_heads", table.get("num_attention_heads"))
    found.setdefault("tie_word_embeddings", False)
    found["o_bias"] = bool(table.get("attention_bias"))
    found["qkv_bias"] = kind in BIASED or found["o_bias"]
    found["qk_norm"] = kind in QK_NORMED
    return msgspec.convert(found, Shape)


def known_shape(name: str) -> Shape:
    """The sizes of a checkpoint of the hub by its name, capitals or not; raises `MissingError` for one not listed."""
    found = {known.lower(): shape for known, shape in KNOWN.items()}.get(name.lower())
    if found is None:
        raise MissingError(
            f"the sizes of '{name}' are not known without fetching it {suggest(name, KNOWN)}".rstrip(),
            where="init",
            mend="fetch its config.json into a folder and plan with --set train.PHASE.init=FOLDER",
        )
    return found


def parameters(shape: Shape) -> int:
    """Number of weights of a network of this shape."""
    return layer_parameters(shape) + shape.vocab_size * shape.hidden_size * (1 if shape.tie_word_embeddings else 2)


def layer_parameters(shape: Shape) -> int:
    """Weights in layers and norms: everything but embedding and head."""
    return shape.num_hidden_layers * one_layer(shape) + shape.hidden_size


def one_layer(shape: Shape) -> int:
    """Weights of one layer."""
    head = shape.query_size // shape.num_attention_heads
    vectors = (
        shape.hidden_size * (2 + shape.o_bias) + (2 * shape.intermediate_size + shape.hidden_size) * shape.mlp_bias
    )
    vectors += (shape.query_size + 2 * shape.key_size) * shape.qkv_bias + 2 * head * shape.qk_norm
    return layer_matrices(shape) + vectors


def layer_matrices(shape: Shape) -> int:
    """Weights of one layer that multiply: projections of attention and MLP."""
    return shape.hidden_size * (2 * shape.query_size + 2 * shape.key_size + 3 * shape.intermediate_size)


def multiplying(shape: Shape) -> int:
    """Weights that multiply for each token: all matrices and the head; the embedding is looked up."""
    return shape.num_hidden_layers * layer_matrices(shape) + shape.vocab_size * shape.hidden_size


def _known(
    vocabulary: int,
    width: int,
    inner: int,
    layers: int,
    heads: int,
    keys: int,
    *,
    tied: bool = False,
    bias: bool = False,
) -> Shape:
    return Shape(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        tie_word_embeddings=tied,
        qkv_bias=bias,
    )


_LLAMA_7B = _known(32_000, 4096, 11_008, 32, 32, 32)
_CODE_LLAMA_7B = _known(32_016, 4096, 11_008, 32, 32, 32)
_CODE_LLAMA_34B = _known(32_000, 8192, 22_016, 48, 64, 8)
_LLAMA_8B = _known(128_256, 4096, 14_336, 32, 32, 8)
_LLAMA_70B = _known(128_256, 8192, 28_672, 80, 64, 8)
_QWEN_1_5B = _known(151_936, 1536, 8960, 28, 12, 2, tied=True, bias=True)
_QWEN_7B = _known(152_064, 3584, 18_944, 28, 28, 4, bias=True)

KNOWN = {
    # config.json of each repository; the tests compare the sums with the published numbers of parameters
    "codellama/CodeLlama-7b-hf": _CODE_LLAMA_7B,
    "codellama/CodeLlama-13b-hf": _known(32_016, 5120, 13_824, 40, 40, 40),
    "codellama/CodeLlama-34b-hf": _CODE_LLAMA_34B,
    "EleutherAI/llemma_7b": _CODE_LLAMA_7B,
    "EleutherAI/llemma_34b": _CODE_LLAMA_34B,
    "meta-llama/Llama-2-7b-hf": _LLAMA_7B,
    "meta-llama/Llama-2-13b-hf": _known(32_000, 5120, 13_824, 40, 40, 40),
    "meta-llama/Llama-2-70b-hf": _known(32_000, 8192, 28_672, 80, 64, 8),
    "meta-llama/Meta-Llama-3-8B": _LLAMA_8B,
    "meta-llama/Meta-Llama-3-70B": _LLAMA_70B,
    "meta-llama/Llama-3.1-8B": _LLAMA_8B,
    "meta-llama/Llama-3.1-70B": _LLAMA_70B,
    "meta-llama/Llama-3.2-1B": _known(128_256, 2048, 8192, 16, 32, 8, tied=True),
    "meta-llama/Llama-3.2-3B": _known(128_256, 3072, 8192, 28, 24, 8, tied=True),
    "Qwen/Qwen2.5-0.5B": _known(151_936, 896, 4864, 24, 14, 2, tied=True, bias=True),
    "Qwen/Qwen2.5-1.5B": _QWEN_1_5B,
    "Qwen/Qwen2.5-3B": _known(151_936, 2048, 11_008, 36, 16, 2, tied=True, bias=True),
    "Qwen/Qwen2.5-7B": _QWEN_7B,
    "Qwen/Qwen2.5-14B": _known(152_064, 5120, 13_824, 48, 40, 8, bias=True),
    "Qwen/Qwen2.5-32B": _known(152_064, 5120, 27_648, 64, 40, 8, bias=True),
    "Qwen/Qwen2.5-72B": _known(152_064, 8192, 29_568, 80, 64, 8, bias=True),
    "Qwen/Qwen2.5-Math-1.5B": _QWEN_1_5B,
    "Qwen/Qwen2.5-Math-7B": _QWEN_7B,
    "mistralai/Mistral-7B-v0.1": _known(32_000, 4096, 14_336, 32, 32, 8),
}
