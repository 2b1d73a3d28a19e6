"""Configs as their makers published them, in the spelling of their time, and what must be refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llemma.core.errors import DataError
from llemma.model.llama_config import FAMILIES, RopeScaling, covered, from_table, to_table

COMMON = {
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.1",
    "use_cache": True,
    "attention_dropout": 0.0,
}


def table(kind: str, sizes: tuple[int, ...], **more: Any) -> dict[str, Any]:
    """`sizes`: hidden, intermediate, layers, heads, key/value heads, positions, vocabulary."""
    names = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads "
    names += "max_position_embeddings vocab_size"
    architecture = FAMILIES[kind].architecture
    given = dict(zip(names.split(), sizes, strict=True))
    return {"model_type": kind, "architectures": [architecture], **COMMON, **given, **more}


LLAMA31 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}
PUBLISHED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Llama 2 7B": (
        table("llama", (4096, 11008, 32, 32, 32, 4096, 32000), rms_norm_eps=1e-5, rope_scaling=None, pretraining_tp=1),
        {"rope_theta": 10_000.0, "head_dim": 128, "qkv_bias": False},
    ),
    "Code Llama 7B": (
        table("llama", (4096, 11008, 32, 32, 32, 16384, 32016), rope_theta=1000000, rope_scaling=None),
        {"rope_theta": 1e6, "rope_scaling": None},
    ),
    "Llama 3.1 8B": (
        table(
            "llama",
            (4096, 14336, 32, 32, 8, 131072, 128256),
            rope_theta=500000.0,
            rope_scaling=LLAMA31,
            mlp_bias=False,
            bos_token_id=128000,
            eos_token_id=[128001, 128008, 128009],
        ),
        {"rope_theta": 5e5, "rope_scaling": msgspec.convert(LLAMA31, RopeScaling), "num_key_value_heads": 8},
    ),
    "Qwen 2.5 Math 7B": (
        table(
            "qwen2",
            (3584, 18944, 28, 28, 4, 4096, 152064),
            max_window_layers=28,
            sliding_window=4096,
            use_sliding_window=False,
            use_mrope=False,
            rope_theta=10000,
        ),
        {"qkv_bias": True, "o_bias": False, "sliding_window": 0},
    ),
    "Qwen 2.5 7B, long": (
        table(
            "qwen2",
            (3584, 18944, 28, 28, 4, 32768, 152064),
            use_sliding_window=False,
            rope_theta=1000000.0,
            rope_scaling={"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"},
        ),
        {"rope_scaling": RopeScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=32768)},
    ),
    "Qwen 3 4B": (
        table("qwen3", (2560, 9728, 36, 32, 8, 40960, 151936), head_dim=128, attention_bias=False, rope_theta=1000000),
        {"head_dim": 128, "qk_norm": True, "qkv_bias": False},
    ),
    "Mistral 7B 0.1": (
        table("mistral", (4096, 14336, 32, 32, 8, 32768, 32000), sliding_window=4096, rope_theta=10000.0),
        {"sliding_window": 4096, "slides": True},
    ),
    "Mistral 7B 0.3": (
        table("mistral", (4096, 14336, 32, 32, 8, 32768, 32768), sliding_window=None, rope_theta=1000000.0),
        {"sliding_window": 0, "slides": False},
    ),
    "as transformers 5 writes": (
        {
            **table("llama", (64, 96, 2, 4, 2, 256, 100)),
            "dtype": "float32",
            "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 7000.0},
        },
        {"rope_theta": 7000.0, "rope_scaling": RopeScaling(rope_type="linear", factor=2.0)},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configs(name: str) -> None:
    given, wanted = PUBLISHED[name]
    found = from_table(given, name)
    assert {key: getattr(found, key) for key in wanted} == wanted
    assert from_table(to_table(found), "again") == found
    assert covered(given) == ""


LLAMA = PUBLISHED["Llama 2 7B"][0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "gemma"}, "model_type 'gemma'"),
        ({"model_type": None}, "model_type None"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "LlamaForSequenceClassification"),
        ({"hidden_act": "gelu"}, "activation 'gelu'"),
        ({"attention_dropout": 0.1}, "attention_dropout = 0.1"),
        ({"logit_scale": 0.5}, "logit_scale = 0.5"),
        ({"num_local_experts": 8}, "num_local_experts = 8"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
        ({"sliding_window": 128}, "sliding_window = 128"),  # transformers' Llama has none
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"rope_scaling": {"type": "longrope", "short_factor": [1.0]}}, "RoPE 'longrope'"),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [1]}}, "RoPE 'mrope'"),
        ({"rope_scaling": {"type": "linear"}}, "factor"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0, "extra": 1}}, "extra"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"rope_parameters": {"full_attention": {}, "sliding_attention": {}}}, "full_attention"),
    ],
)
def test_what_would_be_computed_differently_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError) as told:
        from_table({**LLAMA, **changes}, "config.json")
    assert named in told.value.what and "transformers" in told.value.mend
    assert named in covered({**LLAMA, **changes})


def test_what_changes_nothing_is_passed_over() -> None:
    notes = {"pretraining_tp": 2, "_name_or_path": "x", "unsloth_version": "1", "pad_token_id": 9, "logit_scale": None}
    notes |= {"partial_rotary_factor": 1.0, "hidden_act": "swish", "is_encoder_decoder": False}
    assert from_table({**LLAMA, **notes}, "") == from_table(LLAMA, "")


def test_impossible_sizes() -> None:
    for changes in ({"num_attention_heads": 24, "num_key_value_heads": 7}, {"head_dim": 33}, {"vocab_size": None}):
        with pytest.raises(DataError):
            from_table({**LLAMA, **changes}, "config.json")
