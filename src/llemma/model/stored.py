"""The weights of a Hugging Face folder as they lie on disk: names and shapes at once, numbers in pieces when asked for.

A folder may come from anywhere. Its index may name files of this folder only, and pickled weights, which are programs,
are never opened. A checkpoint of many processes has no such files: each process wrote its slices into `train_state`,
and they are put together as they are read.
"""

from __future__ import annotations

import json
import re
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from llemma.core.errors import DataError, MissingError

PIECE = 1 << 24  # bytes of a file that are in memory at once
SMALL = 1 << 26  # bytes of the largest JSON file that is read
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SLICES = "DCP_SHARDING_INFO"
"""Where torch.distributed.checkpoint notes in a file's metadata which slices it holds (torch 2.13, `_hf_utils.py`)."""
AGAIN = "fetch or export the checkpoint again"
CONVERT = (
    "convert them on a machine that has nothing to lose: "
    'AutoModelForCausalLM.from_pretrained("FOLDER", use_safetensors=False).save_pretrained("NEW_FOLDER")'
)


class Piece(NamedTuple):
    """A part of a tensor in a file: where it begins in the whole, and its shape."""

    file: Path
    offsets: tuple[int, ...]
    shape: tuple[int, ...]


class Stored:
    """`shapes` and `dtypes` of all tensors by name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sliced = folder, sharded(folder)
        self.files = sharded_files(folder) if self.sliced else weight_files(folder)
        self.places: dict[str, Path] = {}
        self.pieces: dict[str, list[Piece]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}
        self._open: tuple[Path, Any] | None = None
        self._touched = 0
        for file in self.files:
            if self.sliced:
                self._note_slices(file)
            else:
                self._note(file)
        for name, pieces in self.pieces.items():
            self.shapes[name] = _whole(name, pieces)

    def _note(self, file: Path) -> None:
        tensors = self._handle(file)
        for name in tensors.keys():  # noqa: SIM118 (a safetensors handle is no dict)
            if name in self.places:
                raise DataError(f"{name} is in two files", where=f"{self.places[name].name}, {file.name}", mend=AGAIN)
            part = tensors.get_slice(name)
            self.places[name], self.shapes[name], self.dtypes[name] = file, tuple(part.get_shape()), part.get_dtype()

    def _note_slices(self, file: Path) -> None:
        """The slices of weights in a process' file; the optimizer's numbers are `WEIGHT/KEY`."""
        handle = self._handle(file)
        try:
            known = json.loads((handle.metadata() or {}).get(SLICES, "{}"))
            for name in (name for name in handle.keys() if "/" not in name):  # noqa: SIM118
                part = handle.get_slice(name)
                shape = tuple(part.get_shape())
                offsets = tuple(map(int, known[name]["saved_offsets"])) if name in known else (0,) * len(shape)
                self.pieces.setdefault(name, []).append(Piece(file, offsets, shape))
                self.dtypes[name] = part.get_dtype()
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"damaged weights: {error}", where=str(file), mend=AGAIN) from error

    def _handle(self, file: Path) -> Any:
        """The open file. It is mapped, and what was read of it counts as memory in use until it is opened anew."""
        if self._open is None or self._open[0] != file or self._touched > PIECE:
            try:
                self._open, self._touched = (file, safe_open(file, framework="pt")), 0
            except (SafetensorError, OSError, ValueError) as error:
                raise DataError(f"damaged weights: {error}", where=str(file), mend=AGAIN) from error
        return self._open[1]

    def rows(self, name: str, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop` of a tensor, as stored; a view of the file, to be copied and let go."""
        if self.sliced:
            return self._joined(name, start, stop)
        part = self._handle(self.places[name]).get_slice(name)[start:stop]
        self._touched += part.numel() * part.element_size()
        return part  # type: ignore[no-any-return]

    def _joined(self, name: str, start: int, stop: int) -> Tensor:
        whole = torch.empty((stop - start, *self.shapes[name][1:]), dtype=DTYPES[self.dtypes[name]])
        for file, (row, *rest), (count, *sizes) in self.pieces[name]:
            low, high = max(start, row), min(stop, row + count)
            if low < high:
                part = self._handle(file).get_slice(name)[low - row : high - row]
                self._touched += part.numel() * part.element_size()
                places = [slice(first, first + size) for first, size in zip(rest, sizes, strict=True)]
                whole[(slice(low - start, high - start), *places)] = part
        return whole

    def copy(self, name: str, into: Tensor) -> None:
        """Copy a tensor into one of the same shape, cast to its precision, `PIECE` bytes at a time."""
        count = into.shape[0]
        step = max(1, PIECE * count // max(1, into.numel() * into.element_size()))
        with torch.no_grad():
            for start in range(0, count, step):
                into[start : start + step].copy_(self.rows(name, start, min(count, start + step)))

    def equal(self, one: str, other: str) -> bool:
        """Whether two tensors hold the same numbers."""
        if self.shapes[one] != self.shapes[other]:
            return False
        count = self.shapes[one][0]
        step = max(1, PIECE // (4 * max(1, *self.shapes[one][1:])))
        spans = [(start, min(count, start + step)) for start in range(0, count, step)]
        return all(torch.equal(self.rows(one, *span).clone(), self.rows(other, *span)) for span in spans)


def sharded(folder: Path) -> bool:
    """Whether many processes wrote the weights of this checkpoint."""
    return not any(folder.glob("model*.safetensors")) and bool(sharded_files(folder))


def sharded_files(folder: Path) -> list[Path]:
    """What each process wrote of a checkpoint."""
    return sorted((folder / "train_state").glob("shard-*.safetensors"))


def _whole(name: str, pieces: list[Piece]) -> tuple[int, ...]:
    """The shape that pieces make up; raises `DataError` where one is missing."""
    shape = tuple(
        map(max, zip(*([a + b for a, b in zip(p.offsets, p.shape, strict=True)] for p in pieces), strict=True))
    )
    if sum(prod(piece.shape) for piece in pieces) != prod(shape):
        raise DataError(f"{name} has a gap", where=str(pieces[0].file.parent), mend="use an older checkpoint")
    return shape


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder: the only one, those of its index, or all `model*.safetensors`."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if index.is_file():
        return _indexed(index)
    files = sorted(file for file in folder.glob("model*.safetensors") if file.is_file())
    if files:
        return files
    pickled = sorted(file.name for ending in ("*.bin", "*.pt", "*.pth") for file in folder.glob(ending))
    if pickled:
        raise DataError(
            "only pickled weights, which are programs and are not opened", where=f"{folder}/{pickled[0]}", mend=CONVERT
        )
    raise MissingError(f"no model*.safetensors in {folder}", mend="give a folder with safetensors weights")


def _indexed(index: Path) -> list[Path]:
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise DataError("the index has no weight_map", where=str(index), mend=AGAIN)
    files = sorted(set(named.values()))
    for name in files:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name, re.ASCII):
            raise DataError(f"the index names {name[:80]!r}, no file of this folder", where=str(index), mend=AGAIN)
        if not (index.parent / name).is_file():
            raise MissingError(f"no {name}, which the index names", where=str(index), mend=AGAIN)
    return [index.parent / name for name in files]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small JSON file."""
    try:
        if path.stat().st_size > SMALL:
            raise ValueError(f"larger than {SMALL} bytes")
        table = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"damaged {path.name}: {error}", where=str(path), mend=AGAIN) from error
    if not isinstance(table, dict):
        raise DataError(f"{path.name} holds no object", where=str(path), mend=AGAIN)
    return table
