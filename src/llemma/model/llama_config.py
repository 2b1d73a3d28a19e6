"""What `config.json` says about the network, for the families that `model/llama` computes. No torch.

Read strictly: each key of a config is used, known to change nothing, or refused by name. Rules and defaults are
those of transformers 5.23 (`models/<family>/configuration_<family>.py`, `modeling_rope_utils.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from llemma.core.errors import DataError

FALLBACK = "train and ask it with transformers' own module: implementation = 'transformers' (pip install 'llemma[hf]')"

Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 24)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Base = Annotated[float, msgspec.Meta(gt=1)]


class RopeScaling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rotary positions are stretched beyond the length of the pretraining; see `model/rope` for the formulas.

    Of `llama3`: the two frequency factors. Of `yarn`: from `attention_factor` on.
    """

    rope_type: Literal["linear", "dynamic", "llama3", "yarn"]
    factor: Positive
    original_max_position_embeddings: int = 0
    """The length of the pretraining (`llama3`, `yarn`)."""
    low_freq_factor: Positive = 1.0
    high_freq_factor: Positive = 4.0
    attention_factor: float | None = None
    beta_fast: Positive = 32.0
    beta_slow: Positive = 1.0
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True


_READ: dict[str, tuple[str, ...]] = {
    "llama3": ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"),
    "yarn": ("original_max_position_embeddings", *RopeScaling.__struct_fields__[5:]),
}


class LlamaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of Hugging Face's `config.json` that defines the computation.

    Field names and defaults are those of transformers' `LlamaConfig`; what other families fix or name differently has
    a field of its own here.
    """

    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    num_attention_heads: Count
    num_key_value_heads: Count
    max_position_embeddings: int = 2048
    rope_theta: Base = 10_000.0
    rope_scaling: RopeScaling | None = None
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    initializer_range: float = 0.02
    head_dim: int = 0
    """Width of a head; 0: `hidden_size / num_attention_heads`."""
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    """Queries and keys are normalised over `head_dim` before they are rotated (Qwen3)."""
    sliding_window: int = 0
    """Positions that a query of a sliding layer sees, its own included; 0: all."""
    full_layers: tuple[int, ...] = ()
    """Layers that see all positions although there is a sliding window."""
    model_type: Literal["llama", "qwen2", "qwen3", "mistral"] = "llama"

    def __post_init__(self) -> None:
        if self.head_dim == 0:
            msgspec.structs.force_setattr(self, "head_dim", self.hidden_size // self.num_attention_heads)
        if self.num_attention_heads % self.num_key_value_heads:
            raise DataError(
                f"{self.num_attention_heads} query heads cannot share {self.num_key_value_heads} key/value heads",
                where="num_attention_heads, num_key_value_heads",
                mend="make the number of query heads a multiple of the number of key/value heads",
            )
        if not (math.isfinite(self.rope_theta) and math.isfinite(self.rms_norm_eps) and self.rms_norm_eps >= 0):
            raise DataError("a number is not finite", where="rope_theta, rms_norm_eps", mend="mend config.json")
        if self.head_dim % 2 or self.head_dim < 4:
            raise DataError(
                f"heads of width {self.head_dim} cannot be rotated",
                where="head_dim, hidden_size, num_attention_heads",
                mend="make the width of a head even, and at least 4",
            )

    def window(self, layer: int) -> int:
        """Positions that a query of `layer` sees; 0: all before it."""
        return 0 if layer in self.full_layers else self.sliding_window

    @property
    def slides(self) -> bool:
        """Whether a window is shorter than the context."""
        return 0 < self.sliding_window < self.max_position_embeddings and len(self.full_layers) < self.num_hidden_layers


class Family(msgspec.Struct, frozen=True):
    """What a `model_type` fixes: its class, fields of `LlamaConfig`, transformers' defaults of missing keys."""

    architecture: str
    keys: frozenset[str]
    """Keys of `config.json` that this family reads and others do not."""
    fixed: dict[str, bool] = {}
    missing: dict[str, Any] = {}


_WINDOWS = frozenset({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"})
_QWEN = {"max_position_embeddings": 32_768, "num_key_value_heads": 32, "sliding_window": 4096}
FAMILIES = {
    "llama": Family("LlamaForCausalLM", frozenset({"attention_bias", "mlp_bias"})),
    "qwen2": Family("Qwen2ForCausalLM", _WINDOWS, {"qkv_bias": True}, _QWEN),
    "qwen3": Family("Qwen3ForCausalLM", _WINDOWS | {"attention_bias"}, {"qk_norm": True}, {**_QWEN, "head_dim": 128}),
    "mistral": Family(
        "MistralForCausalLM",
        frozenset({"sliding_window"}),
        missing={"max_position_embeddings": 131_072, "num_key_value_heads": 8, "sliding_window": 4096},
    ),
}

_SAME_NAME = """
vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim
max_position_embeddings rms_norm_eps tie_word_embeddings initializer_range
"""
PLAIN = _SAME_NAME.split()
"""Keys that are fields of `LlamaConfig`."""

ROPE_KEYS = frozenset({"rope_theta", "rope_scaling", "rope_parameters", "original_max_position_embeddings"})

_NOTES = """
model_type architectures hidden_act torch_dtype dtype transformers_version use_cache pretraining_tp is_decoder
return_dict max_length min_length max_new_tokens do_sample early_stopping num_beams num_beam_groups temperature top_k
top_p typical_p repetition_penalty length_penalty diversity_penalty num_return_sequences id2label label2id
tokenizer_class task_specific_params finetuning_task problem_type gradient_checkpointing max_sequence_length
model_max_length unsloth_fixed
"""
HARMLESS = frozenset(_NOTES.split())
"""Keys about how a model is stored, split over GPUs or asked, and notes of other tools: not what it computes."""

HARMLESS_ENDS = ("_token_id", "_version", "_token_ids")
IDENTITY = {"partial_rotary_factor": 1.0, "rope_ratio": 1.0, "chunk_size_feed_forward": 0}


def covered(table: Mapping[str, Any]) -> str:
    """Why this network cannot compute the model of `config.json`'s `table`; empty where it can."""
    try:
        from_table(table, "config.json")
    except DataError as error:
        return error.what
    return ""


def from_table(table: Mapping[str, Any], where: str) -> LlamaConfig:
    """The network of a `config.json`; raises `DataError` for what it would compute differently, and for nonsense."""
    family = _family(table, where)
    _refuse_unknown(table, family, where)
    try:
        return msgspec.convert(_fields(table, family, where), LlamaConfig)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise DataError(f"incomplete config: {error}", where=where, mend="fetch the checkpoint again") from error


def _fields(table: Mapping[str, Any], family: Family, where: str) -> dict[str, Any]:
    known = {**family.missing, **table}
    fields: dict[str, Any] = {name: known[name] for name in PLAIN if known.get(name) is not None}
    fields.setdefault("num_key_value_heads", table.get("num_attention_heads"))
    if "num_key_value_heads" in table and table["num_key_value_heads"] is None:
        fields["num_key_value_heads"] = table.get("num_attention_heads")
    bias = bool(table.get("attention_bias"))
    fields |= {"model_type": table["model_type"], "qkv_bias": bias, "o_bias": bias}
    fields |= {"mlp_bias": bool(table.get("mlp_bias")), **family.fixed}
    fields |= _windows(known, family)
    return fields | _rope(table, int(fields.get("max_position_embeddings", 2048)), where)


def _family(table: Mapping[str, Any], where: str) -> Family:
    family = FAMILIES.get(str(table.get("model_type")))
    if family is None:
        _refuse(f"model_type {table.get('model_type')!r}", where)
    named = table.get("architectures") or [family.architecture]
    if family.architecture.lower() not in [str(name).lower() for name in named]:
        _refuse(f"architecture {', '.join(map(str, named))}", where)
    return family


def _refuse_unknown(table: Mapping[str, Any], family: Family, where: str) -> None:
    if table.get("hidden_act", "silu") not in ("silu", "swish"):
        _refuse(f"activation {table['hidden_act']!r}", where)
    known = HARMLESS | ROPE_KEYS | family.keys | set(PLAIN)
    for key, value in table.items():
        noted = key.startswith("_") or key.endswith(HARMLESS_ENDS)
        if key not in known and not noted and value and IDENTITY.get(key) != value:
            shown = repr(value)
            _refuse(f"{key} = {shown if len(shown) < 60 else shown[:60] + '…'}", where)


def _refuse(what: str, where: str) -> NoReturn:
    raise DataError(f"this network does not compute {what}", where=where, mend=FALLBACK)


def _windows(known: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """`sliding_window`: of Mistral in all layers, of Qwen from `max_window_layers` on or as `layer_types` says."""
    size = int(known.get("sliding_window") or 0) if "sliding_window" in family.keys else 0
    if not size or "use_sliding_window" not in family.keys:
        return {"sliding_window": size}
    if not known.get("use_sliding_window"):
        return {}
    kinds, first = known.get("layer_types"), int(known.get("max_window_layers", 28))
    count = int(known.get("num_hidden_layers") or 0)
    if kinds and (len(kinds) != count or not set(kinds) <= {"full_attention", "sliding_attention"}):
        raise DataError(f"layer_types does not name {count} full or sliding layers", where="layer_types", mend=FALLBACK)
    full = [i for i in range(min(count, 1024)) if (kinds[i] == "full_attention" if kinds else i < first)]
    return {"sliding_window": size, "full_layers": full} if len(full) < count else {}


def _rope(table: Mapping[str, Any], positions: int, where: str) -> dict[str, Any]:
    """`rope_theta` and `rope_scaling` from either spelling; the older one goes first, as in transformers."""
    given = table.get("rope_scaling") or table.get("rope_parameters") or {}
    if not isinstance(given, Mapping):
        _refuse(f"rope_scaling = {given!r}", where)
    rope = {key: value for key, value in given.items() if value is not None}
    kind = rope.pop("rope_type", rope.pop("type", "default"))
    rope.pop("type", None)
    theta = rope.pop("rope_theta", table.get("rope_theta") or 10_000.0)
    if rope.pop("partial_rotary_factor", 1.0) != 1.0:
        _refuse("partial_rotary_factor", where)
    rope.pop("finetuned", None)  # a note of the first YaRN checkpoints
    if kind == "default":
        if rope:
            _refuse(f"RoPE with {', '.join(sorted(map(str, rope)))}", where)
        return {"rope_theta": theta}
    if kind in ("llama3", "yarn"):
        above = table.get("original_max_position_embeddings")
        rope["original_max_position_embeddings"] = above or rope.get("original_max_position_embeddings") or positions
    if kind == "yarn" and "factor" in given and "factor" not in rope:
        rope["factor"] = positions / rope["original_max_position_embeddings"]
    try:
        scaling = msgspec.convert({**rope, "rope_type": kind}, RopeScaling)
    except msgspec.ValidationError as error:
        raise DataError(f"this network does not compute RoPE {kind!r}: {error}", where=where, mend=FALLBACK) from error
    return {"rope_theta": theta, "rope_scaling": scaling}


def to_table(config: LlamaConfig) -> dict[str, Any]:
    """The keys of `config.json` from which transformers 4 and 5 build the same network."""
    family = FAMILIES[config.model_type]
    scaling = _scaling_table(config.rope_scaling) if config.rope_scaling else None
    table = {
        "architectures": [family.architecture],
        "model_type": config.model_type,
        "hidden_act": "silu",
        **{name: getattr(config, name) for name in PLAIN},
        "rope_theta": config.rope_theta,
        **({"rope_scaling": scaling} if scaling else {}),  # for transformers 4; 5 remarks on it, even if it is null
        "rope_parameters": {"rope_type": "default", **(scaling or {}), "rope_theta": config.rope_theta},
    }
    if "attention_bias" in family.keys:
        table["attention_bias"] = config.o_bias
    if "mlp_bias" in family.keys:
        table["mlp_bias"] = config.mlp_bias
    if "sliding_window" in family.keys:
        table["sliding_window"] = config.sliding_window or None
    if "layer_types" in family.keys:
        table["use_sliding_window"] = config.sliding_window > 0
        kinds = ("full_attention", "sliding_attention")
        table["layer_types"] = [kinds[config.window(i) > 0] for i in range(config.num_hidden_layers)]
    return table


def _scaling_table(scaling: RopeScaling) -> dict[str, Any]:
    """Only what the kind reads: transformers remarks on the rest."""
    names = ("rope_type", "factor", *_READ.get(scaling.rope_type, ()))
    return {name: getattr(scaling, name) for name in names if getattr(scaling, name) is not None}
