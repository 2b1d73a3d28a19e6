"""Checkpoints as Hugging Face folders: `config.json`, `generation_config.json`, weights in safetensors, tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llemma.core.errors import DataError, MissingError
from llemma.core.files import digest, file_digest
from llemma.model.llama import Llama, LlamaConfig
from llemma.model.llama_config import ROPE_KEYS, covered, from_table, to_table
from llemma.model.stored import DTYPES, Stored, read_json, sharded, sharded_files

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja"),
)
CARRIED = ("config.json", "generation_config.json", "chat_template.jinja")
LEFT_BEHIND = ROPE_KEYS | {  # keys of a config that are no longer true of what we write
    *("_name_or_path", "auto_map", "dtype", "torch_dtype", "transformers_version", "_attn_implementation")
}
SHARD = 5_000_000_000  # bytes of weights in a file; transformers 4 divides there, too


def read_table(folder: Path) -> dict[str, Any]:
    """`config.json` of a checkpoint folder."""
    path = folder / "config.json"
    if not path.is_file():
        raise MissingError(
            f"no checkpoint at {folder}", where="config.json", mend="give a Hugging Face checkpoint folder"
        )
    return read_json(path)


def read_config(folder: Path) -> LlamaConfig:
    """The network's part of `config.json`; refuses what this network would compute differently."""
    return from_table(read_table(folder), str(folder / "config.json"))


def load(
    folder: Path,
    *,
    rope_theta: float | None = None,
    dtype: torch.dtype | None = torch.float32,
    device: str | torch.device = "cpu",
) -> Llama:
    """The network of a checkpoint folder on `device`; beside it, only a piece of a tensor is in memory at a time.

    Weights are cast to `dtype`, or stay as stored (None). `rope_theta` replaces the config's RoPE base (Llemma 7B
    contracts Code Llama's from 1e6 to 1e4). Raises `DataError` for missing, foreign or damaged tensors.
    """
    config, stored = read_config(folder), Stored(folder)
    if rope_theta is not None:
        config = msgspec.structs.replace(config, rope_theta=rope_theta)
    with torch.device("meta"):
        model = Llama(config)
    check_names(model, stored)
    for name, weight in list(model.named_parameters()):
        made = torch.empty(weight.shape, dtype=dtype or DTYPES[stored.dtypes[name]], device=device)
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, nn.Parameter(made))
    model.tie()
    fill(model, stored)
    model.carried = {name: (folder / name).read_bytes() for name in CARRIED if (folder / name).is_file()}
    return model.to(device)


def generation_config(bos: int, eos: int) -> dict[str, Any]:
    """`generation_config.json`: draw from the model's own distribution, unless greedy decoding is asked for.

    Servers (`transformers serve`) heed a request's temperature only under `do_sample`, and would keep no more than the
    50 most probable tokens without `top_k`: 0 is none of that.
    """
    sampling = {"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": 0}
    return {"bos_token_id": bos, "eos_token_id": eos, **sampling}


def ends(folder: Path) -> frozenset[int]:
    """The ids that end a text, as `generation_config.json` names them, else `config.json`; none where neither does."""
    for name in ("generation_config.json", "config.json"):
        found = read_json(folder / name).get("eos_token_id") if (folder / name).is_file() else None
        ids = found if isinstance(found, list) else [found]
        if ids and all(isinstance(one, int) for one in ids):
            return frozenset(ids)
    return frozenset()


Fill = Callable[[nn.Module, Callable[[str, int, int], Tensor]], None]
"""Copies rows, found by the name of a weight and their numbers, into what a process holds of a network."""


def restore(model: nn.Module, folder: Path, into: Fill | None = None) -> None:
    """Copy the weights of a folder that `save` wrote from this network into it; `into` where it is cut in slices."""
    if isinstance(model, Llama):
        stored = Stored(folder)
        check_names(model, stored)
        fill(model, stored)
        return
    from llemma.model.foreign import Foreign

    assert isinstance(model, Foreign)
    model.restore(folder, into)


def fill(model: Llama, stored: Stored) -> None:
    """Copy the weights of a folder into a network that is there."""
    for name, weight in model.named_parameters():
        stored.copy(name, weight.detach())


def check_names(model: Llama, stored: Stored) -> None:
    """Refuse weights that are missing, foreign, of another shape, or quantised."""
    wanted = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    found = {  # old exports carry a computed buffer
        name: shape for name, shape in stored.shapes.items() if not name.endswith("rotary_emb.inv_freq")
    }
    if model.config.tie_word_embeddings and "lm_head.weight" in found:
        _check_tied(stored)
        del found["lm_head.weight"]
    wrong = [
        f"{name} {found.get(name, 'missing')} should be {shape}"
        for name, shape in wanted.items()
        if found.get(name) != shape
    ]
    wrong += [f"{name} is not part of the network" for name in found if name not in wanted]
    wrong += [f"{name} is stored as {stored.dtypes[name]}" for name in found if stored.dtypes[name] not in DTYPES]
    if wrong:
        raise DataError(
            f"the weights do not fit the config: {'; '.join(wrong[:4])}"
            + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""),
            where=str(stored.folder),
            mend="use the config.json that belongs to these weights, and weights that are not quantised",
        )


def _check_tied(stored: Stored) -> None:
    embedding = "model.embed_tokens.weight"
    if embedding in stored.shapes and not stored.equal("lm_head.weight", embedding):
        raise DataError(
            "lm_head.weight differs from the embedding, though the config says they are one",
            where=f"{stored.folder}/config.json tie_word_embeddings",
            mend="set tie_word_embeddings to false, if the weights are right",
        )


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """What `save` writes of a network: tensors by name, of which transformers' modules may have one under several."""
    if isinstance(model, Llama):
        return dict(model.named_parameters())
    return model.inner.state_dict()  # type: ignore[union-attr]


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies in the CPU's memory; what is one tensor under two names stays one."""
    made: dict[tuple[int, torch.Size], Tensor] = {}
    found = {}
    for name, tensor in tensors.items():
        key = tensor.data_ptr(), tensor.shape
        if key not in made:
            made[key] = tensor.detach().to("cpu", copy=True)
        found[name] = made[key]
    return found


def save(
    model: nn.Module,
    folder: Path,
    *,
    tokenizer: Path,
    bos: int,
    eos: int,
    dtype: torch.dtype | None = None,
    shard: int = SHARD,
    tensors: dict[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint into `folder` (made if need be); `tokenizer` is the folder whose files go along.

    Weights are cast to `dtype`, and lie in files of at most `shard` bytes; `tensors` are copies of them, where the
    network's own change meanwhile. Config and generation settings of the checkpoint that the network came from are
    kept. Not atomic: callers wrap it in `core.files.replacing`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, Llama):
        named = tensors or tensors_of(model)
        sizes = {name: weight.numel() * (dtype or weight.dtype).itemsize for name, weight in named.items()}
        write_tensors(sizes, lambda name: _gathered(named[name], dtype), folder, shard)
    else:
        from llemma.model.foreign import Foreign

        assert isinstance(model, Foreign)
        model.save(folder, dtype, shard, tensors)
    save_settings(model, folder, tokenizer=tokenizer, bos=bos, eos=eos, dtype=dtype)


def save_settings(
    model: nn.Module, folder: Path, *, tokenizer: Path, bos: int, eos: int, dtype: torch.dtype | None = None
) -> None:
    """What `save` writes beside the weights: config, generation settings, tokenizer."""
    if isinstance(model, Llama):
        table = hf_config(model, bos, eos, dtype)
        for name, content in model.carried.items():
            (folder / name).write_bytes(content)
        (folder / "config.json").write_text(json.dumps(table, indent=2) + "\n")
        if "generation_config.json" not in model.carried:
            settings = json.dumps(generation_config(bos, eos), indent=2)
            (folder / "generation_config.json").write_text(f"{settings}\n")
    elif not (folder / "config.json").is_file():
        from llemma.model.foreign import Foreign

        assert isinstance(model, Foreign)
        model.save_config(folder)
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def hf_config(model: Llama, bos: int, eos: int, dtype: torch.dtype | None = None) -> dict[str, Any]:
    """`config.json` as transformers (4 and 5) reads it, with what the original config says beside the computation."""
    before = json.loads(model.carried.get("config.json", b"{}"))
    kept = {key: value for key, value in before.items() if key not in LEFT_BEHIND and value is not None}
    return {
        "bos_token_id": bos,
        "eos_token_id": eos,
        **kept,
        **to_table(model.config),
        "torch_dtype": str(dtype or next(model.parameters()).dtype).removeprefix("torch."),
    }


def write_tensors(sizes: dict[str, int], of: Callable[[str], Tensor], folder: Path, shard: int = SHARD) -> None:
    """`model.safetensors`, or several files and their index; one file's tensors, of so many bytes, are asked for at a
    time."""
    groups = list(_groups(sizes, shard))
    count, places = len(groups), dict[str, str]()
    for number, names in enumerate(groups, 1):
        file = f"model-{number:05d}-of-{count:05d}.safetensors" if count > 1 else "model.safetensors"
        save_file({name: of(name) for name in names}, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    if count > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def consolidate(folder: Path, to: Path) -> None:
    """Write a checkpoint whose weights many processes wrote as a Hugging Face folder `to`, in this process alone and
    with one file's tensors in memory at a time."""
    table = read_table(folder)
    to.mkdir(parents=True, exist_ok=True)
    if covered(table):
        from llemma.model import foreign

        foreign.load(folder, dtype=None).save(to, None, SHARD)
    else:
        stored = Stored(folder)
        sizes = {name: DTYPES[stored.dtypes[name]].itemsize * prod(shape) for name, shape in stored.shapes.items()}
        write_tensors(sizes, lambda name: stored.rows(name, 0, stored.shapes[name][0]).contiguous(), to)
    for file in folder.iterdir():
        if file.is_file() and file.name != "state.json" and not (to / file.name).exists():
            shutil.copyfile(file, to / file.name)


def _gathered(weight: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A whole weight in the CPU's memory; one that is sharded over processes is put together (all must take part)."""
    whole = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
    return whole.detach().to("cpu", dtype or whole.dtype).contiguous()


def _groups(sizes: dict[str, int], limit: int) -> Iterator[list[str]]:
    """Names in order, in groups of at most `limit` bytes (a larger tensor alone)."""
    names: list[str] = []
    for name, size in sizes.items():
        if names and sum(sizes[other] for other in names) + size > limit:
            yield names
            names = []
        names.append(name)
    if names:
        yield names


def identity(folder: Path) -> str:
    """16 hex characters that name a checkpoint's content: weights, config and tokenizer."""
    names = ("config.json", "tokenizer.json")
    files = [
        *sorted(folder.glob("model*.safetensors") if not sharded(folder) else sharded_files(folder)),
        *(folder / name for name in names if (folder / name).is_file()),
    ]
    return digest([(file.name, file_digest(file)) for file in files])
