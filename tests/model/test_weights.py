"""Checkpoint folders: read in pieces, written in shards, and nothing hostile or damaged taken for weights."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.model import stored, weights
from llemma.model.llama import Llama, LlamaConfig

CONFIG = LlamaConfig(
    vocab_size=97,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)
INDEX = "model.safetensors.index.json"


def save(folder: Path, shard: int = weights.SHARD, **changes: Any) -> Llama:
    model = Llama(msgspec.structs.replace(CONFIG, **changes)).init_weights(3)
    weights.save(model, folder, tokenizer=folder, bos=0, eos=1, shard=shard)
    return model


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refused(folder: Path, match: str, kind: type[LlemmaError] = DataError) -> LlemmaError:
    with pytest.raises(kind, match=match) as told:
        weights.load(folder)
    assert told.value.mend
    return told.value


def test_pieces_and_shards_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PIECE", 700)
    model = save(tmp_path, shard=9_000)
    files = sorted(tmp_path.glob("model-*"))
    assert len(files) > 3
    assert all(sum(t.nbytes for t in load_file(f).values()) <= 9_000 or len(load_file(f)) == 1 for f in files)
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(weight.nbytes for weight in model.parameters())
    again = dict(weights.load(tmp_path).named_parameters())
    assert all(torch.equal(weight, again[name]) for name, weight in model.named_parameters())


def test_precision_is_cast_or_kept_in_and_out(tmp_path: Path) -> None:
    model = save(tmp_path)
    weights.save(model, tmp_path / "half", tokenizer=tmp_path, bos=0, eos=1, dtype=torch.bfloat16)
    assert json.loads((tmp_path / "half" / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert model.lm_head.weight.dtype == torch.float32
    kept, cast = weights.load(tmp_path / "half", dtype=None), weights.load(tmp_path / "half")
    assert kept.lm_head.weight.dtype == torch.bfloat16 and cast.lm_head.weight.dtype == torch.float32
    assert torch.equal(cast.lm_head.weight, model.lm_head.weight.bfloat16().float())
    assert kept.rotary.frequency.dtype == torch.float32
    assert all(weight.requires_grad for weight in kept.parameters())


def test_files_beside_the_weights_are_carried(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.6}')
    change(tmp_path / "config.json", eos_token_id=[1, 5], pad_token_id=7, auto_map={}, _name_or_path="/home/me")
    for name in ("tokenizer.model", "merges.txt"):
        (tmp_path / name).write_text(name)
    model = weights.load(tmp_path, rope_theta=77.0)
    weights.save(model, tmp_path / "out", tokenizer=tmp_path, bos=0, eos=1)
    table = json.loads((tmp_path / "out" / "config.json").read_text())
    assert table["eos_token_id"] == [1, 5] and table["pad_token_id"] == 7
    assert table["rope_theta"] == table["rope_parameters"]["rope_theta"] == 77.0
    assert "_name_or_path" not in table and "auto_map" not in table
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.model", "merges.txt")
    }


def test_weights_that_are_missing_foreign_or_of_another_shape(tmp_path: Path) -> None:
    save(tmp_path)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    norm = "model.norm.weight"
    for changed, match in (
        ({name: weight for name, weight in state.items() if name != norm}, "norm.weight missing should be"),
        ({**state, norm: torch.ones(31)}, r"norm.weight \(31,\) should be \(32,\)"),
        ({**state, "model.layers.0.extra": torch.ones(2)}, "extra is not part of the network"),
        ({**state, norm: torch.ones(32, dtype=torch.int8)}, "norm.weight is stored as I8"),
        ({**state, norm: torch.ones(32).to(torch.float8_e4m3fn)}, "norm.weight is stored as F8_E4M3"),
    ):
        save_file(changed, path)
        refused(tmp_path, match)
    save_file({**state, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}, path)
    weights.load(tmp_path)


def test_a_tied_head_that_differs_from_the_embedding(tmp_path: Path) -> None:
    save(tmp_path, tie_word_embeddings=True)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    embedding = state["model.embed_tokens.weight"]
    save_file({**state, "lm_head.weight": embedding.clone()}, path)
    model = weights.load(tmp_path)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    save_file({**state, "lm_head.weight": embedding + 1}, path)
    refused(tmp_path, "differs from the embedding")


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ".safetensors", "x.bin", 7])
def test_an_index_may_name_files_of_its_folder_only(tmp_path: Path, name: object) -> None:
    save(tmp_path / "m", shard=9_000)
    save(tmp_path)
    table = json.loads((tmp_path / "m" / INDEX).read_text())
    table["weight_map"]["model.norm.weight"] = name
    (tmp_path / "m" / INDEX).write_text(json.dumps(table))
    refused(tmp_path / "m", "index")


def test_shards_that_are_missing_or_hold_a_tensor_twice(tmp_path: Path) -> None:
    save(tmp_path, shard=9_000)
    first, second = sorted(tmp_path.glob("model-*"))[:2]
    save_file({**load_file(second), **load_file(first)}, second)
    refused(tmp_path, "is in two files")
    second.unlink()
    refused(tmp_path, second.name, MissingError)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 200_000,
        b"not json",
        b'{"model.norm.weight":{"dtype":"F32","shape":[32],"data_offsets":[0,99999999999]}}',
        b'{"model.norm.weight":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,128]}}',
        b'{"model.norm.weight":{"dtype":"F32","shape":[32],"data_offsets":[-128,0]}}',
    ],
)
def test_hostile_headers(tmp_path: Path, header: bytes) -> None:
    save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(128))
    refused(tmp_path, "damaged weights")
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + header)
    refused(tmp_path, "damaged weights")


def test_hostile_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path)
    path = tmp_path / "config.json"
    good = path.read_text()
    for content in ("[" * 100_000, "[]", "", '"a"', "\x00"):
        path.write_text(content)
        refused(tmp_path, "config.json")
    for changes in (
        {"num_hidden_layers": 10**12},
        {"num_hidden_layers": "many"},
        {"hidden_size": -32},
        {"num_attention_heads": 0},
        {"num_key_value_heads": None, "num_attention_heads": []},
        {"max_position_embeddings": "far"},
        {"rms_norm_eps": float("nan")},
        {"rope_theta": float("inf"), "rope_parameters": None},
        {"rope_scaling": "linear"},
        {"rope_scaling": {"type": "linear", "factor": -1.0}},
        {"rope_scaling": {"type": []}},
    ):
        path.write_text(good)
        change(path, **changes)
        refused(tmp_path, ".")
    monkeypatch.setattr(stored, "SMALL", 10)
    path.write_text(good)
    refused(tmp_path, "larger than")


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "save_pretrained" in refused(tmp_path, "pickled").mend


MEASURE = """
import sys
from pathlib import Path
from llemma.model import stored, weights
def read(name):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name)) / 1024
stored.PIECE = 1 << 22
before = read("VmRSS")
model = weights.load(Path(sys.argv[1]))
print(sum(w.nbytes for w in model.parameters()) / 2**20, read("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.slow
def test_memory_is_not_doubled(tmp_path: Path, dtype: torch.dtype) -> None:
    with torch.device("meta"):
        model = Llama(msgspec.structs.replace(CONFIG, vocab_size=300_000, hidden_size=64))
    weights.save(model.to_empty(device="cpu"), tmp_path, tokenizer=tmp_path, bos=0, eos=1, dtype=dtype)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True, env=environment
    )
    size, peak = map(float, done.stdout.split())
    assert size > 140
    assert peak < 1.2 * size
