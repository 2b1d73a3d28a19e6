"""Sizes of networks: counts against what is published, and configs as the hub has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llemma.core.errors import DataError, MissingError
from llemma.train.shapes import KNOWN, known_shape, multiplying, parameters, read_shape

# numbers of parameters as the repositories' safetensors files sum up to
PUBLISHED = {
    "codellama/CodeLlama-7b-hf": 6_738_546_688,
    "codellama/CodeLlama-13b-hf": 13_016_028_160,
    "codellama/CodeLlama-34b-hf": 33_743_970_304,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-13b-hf": 13_015_864_320,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248,
    "meta-llama/Meta-Llama-3-70B": 70_553_706_496,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen2.5-32B": 32_763_876_352,
    "Qwen/Qwen2.5-72B": 72_706_203_648,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_known_shapes_have_the_published_number_of_parameters(name: str) -> None:
    assert parameters(KNOWN[name]) == PUBLISHED[name]


def test_the_embedding_does_not_multiply_and_the_head_does() -> None:
    shape = KNOWN["codellama/CodeLlama-7b-hf"]
    norms = (2 * 32 + 1) * 4096
    assert multiplying(shape) == parameters(shape) - norms - 32_016 * 4096
    tied = KNOWN["meta-llama/Llama-3.2-1B"]
    assert multiplying(tied) == parameters(tied) - (2 * 16 + 1) * 2048


def write(folder: Path, **table: object) -> Path:
    (folder / "config.json").write_text(json.dumps(table))
    return folder


QWEN = {
    "vocab_size": 151_936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
}


def test_a_config_of_the_hub(tmp_path: Path) -> None:
    folder = write(tmp_path, model_type="qwen2", tie_word_embeddings=True, use_cache=True, **QWEN)
    assert read_shape(folder) == KNOWN["Qwen/Qwen2.5-0.5B"]


def test_what_old_configs_leave_out(tmp_path: Path) -> None:
    table = {key: value for key, value in QWEN.items() if key != "num_key_value_heads"}
    shape = read_shape(write(tmp_path, model_type="llama", **table))
    assert shape.num_key_value_heads == 14 and not shape.tie_word_embeddings and not shape.qkv_bias


def test_heads_wider_than_the_model_and_their_norms(tmp_path: Path) -> None:
    """Qwen3 0.6B, whose heads of 128 make 2,048 of a width of 1,024; published: 596,049,920."""
    table = {
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    }
    assert parameters(read_shape(write(tmp_path, model_type="qwen3", **table))) == 596_049_920


def test_biases_of_every_product(tmp_path: Path) -> None:
    table = {
        "vocab_size": 8,
        "hidden_size": 4,
        "intermediate_size": 6,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
    }
    plain = parameters(read_shape(write(tmp_path, **table)))
    biased = parameters(read_shape(write(tmp_path, attention_bias=True, mlp_bias=True, **table)))
    assert biased - plain == 3 * (4 * 4 + 6 + 6 + 4)  # q, k, v, o; gate, up, down


def test_configs_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no checkpoint"):
        read_shape(tmp_path)
    for text in ("{", "[]", '{"model_type": "gpt2", "n_embd": 768}', '{"hidden_size": "wide"}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(DataError, match="not the config of a Llama-like model"):
            read_shape(tmp_path)


def test_sizes_that_no_network_has(tmp_path: Path) -> None:
    for change in ({"num_attention_heads": 0}, {"hidden_size": -1}, {"num_key_value_heads": 5}):
        with pytest.raises(DataError, match="no network has these sizes"):
            read_shape(write(tmp_path, **{**QWEN, **change}))
    with pytest.raises(DataError, match="has experts"):
        read_shape(write(tmp_path, model_type="mixtral", num_local_experts=8, **QWEN))


def test_a_name_that_is_not_known() -> None:
    assert known_shape("CODELLAMA/codellama-7b-HF") == KNOWN["codellama/CodeLlama-7b-hf"]
    with pytest.raises(MissingError, match="did you mean 'codellama/CodeLlama-7b-hf'") as caught:
        known_shape("codellama/CodeLlama-7b")
    assert "init=FOLDER" in caught.value.mend
