"""Checkpoints as Hugging Face folders: `config.json`, `generation_config.json`, weights in safetensors, tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from llemma.core.errors import DataError, MissingError
from llemma.core.files import digest, file_digest
from llemma.model.llama import Llama, LlamaConfig

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def read_config(folder: Path) -> LlamaConfig:
    """The network's part of `config.json`; refuses what this network would compute differently."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingError(
            f"no checkpoint at {folder}", where="config.json", mend="give a Hugging Face checkpoint folder"
        )
    try:
        table = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(
            f"damaged config: {error}", where=str(path), mend="fetch or export the checkpoint again"
        ) from error
    _refuse_unbuilt(table, path)
    rope = table.get("rope_parameters") or {}
    known = {field: table[field] for field in LlamaConfig.__struct_fields__ if table.get(field) is not None}
    known.setdefault("num_key_value_heads", table.get("num_attention_heads"))
    known["rope_theta"] = rope.get("rope_theta", table.get("rope_theta", 10_000.0))
    try:
        return msgspec.convert(known, LlamaConfig)
    except msgspec.ValidationError as error:
        raise DataError(f"incomplete config: {error}", where=str(path), mend="use a Llama checkpoint") from error


def _refuse_unbuilt(table: dict[str, Any], path: Path) -> None:
    rope = table.get("rope_parameters") or table.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    unbuilt = {
        f"model_type {table.get('model_type')!r}": table.get("model_type", "llama") != "llama",
        f"RoPE scaling {kind!r}": kind != "default",
        "biases in attention or MLP": bool(table.get("attention_bias") or table.get("mlp_bias")),
        f"activation {table.get('hidden_act')!r}": table.get("hidden_act", "silu") != "silu",
    }
    found = [what for what, there in unbuilt.items() if there]
    if found:
        raise DataError(
            f"this network does not compute {', '.join(found)}",
            where=str(path),
            mend="use a plain Llama checkpoint (Llama 2, Code Llama, Llemma)",
        )


def hf_config(config: LlamaConfig, bos: int, eos: int, dtype: str = "float32") -> dict[str, Any]:
    """`config.json` as transformers (4 and 5) reads it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "torch_dtype": dtype,
        **msgspec.to_builtins(config),
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }


def generation_config(bos: int, eos: int) -> dict[str, Any]:
    """`generation_config.json`: draw from the model's own distribution, unless greedy decoding is asked for.

    Servers (`transformers serve`) heed a request's temperature only under `do_sample`, and would keep no more than the
    50 most probable tokens without `top_k`: 0 is none of that.
    """
    sampling = {"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": 0}
    return {"bos_token_id": bos, "eos_token_id": eos, **sampling}


def save(model: Llama, folder: Path, *, tokenizer: Path, bos: int, eos: int) -> None:
    """Write a checkpoint into `folder` (made if need be); `tokenizer` is the folder whose files go along.

    Not atomic: callers wrap it in `core.files.replacing`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.detach().cpu().contiguous() for name, weight in model.named_parameters()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(hf_config(model.config, bos, eos, dtype), indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation_config(bos, eos), indent=2) + "\n")
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def load(folder: Path, *, rope_theta: float | None = None) -> Llama:
    """The network of a checkpoint folder, float32, one tensor in memory at a time beside the model.

    `rope_theta` replaces the config's RoPE base (Llemma 7B contracts Code Llama's from 1e6 to 1e4). Raises `DataError`
    for missing, foreign or damaged tensors.
    """
    config = read_config(folder)
    if rope_theta is not None:
        config = msgspec.structs.replace(config, rope_theta=rope_theta)
    with torch.device("meta"):
        model = Llama(config)
    state = _read_tensors(folder)
    _check_names(model, state, folder)
    model.load_state_dict(state, strict=False, assign=True)
    model.finish_loading()
    return model


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise MissingError(f"no model*.safetensors in {folder}", mend="give a folder with safetensors weights")
    state: dict[str, Tensor] = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (a safetensors handle is no dict)
                    state[name] = tensors.get_tensor(name).float()
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"damaged weights: {error}", where=str(file), mend="fetch or export the checkpoint again"
            ) from error
    return state


def _check_names(model: Llama, state: dict[str, Tensor], folder: Path) -> None:
    wanted = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    for name in [key for key in state if key.endswith("rotary_emb.inv_freq")]:
        del state[name]  # old exports carry this computed buffer
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = [
        f"{name} {found.get(name, 'missing')} should be {shape}"
        for name, shape in wanted.items()
        if found.get(name) != shape
    ]
    wrong += [f"{name} is not part of the network" for name in found if name not in wanted]
    if wrong:
        raise DataError(
            f"the weights do not fit the config: {'; '.join(wrong[:4])}"
            + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""),
            where=str(folder),
            mend="use the config.json that belongs to these weights",
        )


def identity(folder: Path) -> str:
    """16 hex characters that name a checkpoint's content: weights, config and tokenizer."""
    names = ("config.json", "tokenizer.json")
    files = [
        *sorted(folder.glob("model*.safetensors")),
        *(folder / name for name in names if (folder / name).is_file()),
    ]
    return digest([(file.name, file_digest(file)) for file in files])
