"""The mathematics score: the probability that a page is about mathematics, by its words alone.

OpenWebMath's classifier is a fastText model of word n-grams (Paster et al. 2023, section 3); it was never released.
With two classes, fastText's averaged embeddings and output layer collapse to one weight an n-gram, so ours is that: a
logistic regression on hashed words and pairs of words. `training` makes one, `starter.safetensors` is one.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core.errors import DataError, MissingError
from llemma.core.files import write_bytes
from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.features import buckets
from llemma.corpus.web.quality.fresh import kept
from llemma.corpus.web.quality.plain import formulas

STARTER = Path(__file__).with_name("starter.safetensors")
"""The score that comes with the toolkit; docs/quality.md says what it was trained on."""
FORMAT = "llemma math score 1"
MAX_BYTES = 64_000_000
"""A larger file is no score: 2^24 weights of two bytes take 34 MB."""

Weights = NDArray[np.float32]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ScoreModel(msgspec.Struct, frozen=True):
    """Weights by bucket (shape `(2^k,)`), the intercept, and what the model says of its training."""

    weights: Weights
    bias: float
    about: dict[str, str]

    def score(self, text: str) -> float:
        """The probability in [0, 1] that `text` is about mathematics; a text without words has that of the bias."""
        found = buckets(text, len(self.weights))
        return float(1 / (1 + np.exp(-np.clip(logit(self.weights, self.bias, found), -30, 30))))


def logit(weights: Weights, bias: float, found: NDArray[np.int64]) -> float:
    """Sum of the weights over the square root of their number, so that much evidence counts more than little."""
    return float(weights[found].sum() / np.sqrt(max(1, len(found))) + bias)


def save(model: ScoreModel, path: Path) -> None:
    """Write `model` as safetensors: `weights` in half precision, `bias`, and `about` as the metadata.

    The library's own writer puts the metadata in another order each time; a score is named by its bytes.
    """
    weights, bias = model.weights.astype("<f2").tobytes(), np.array([model.bias], "<f4").tobytes()
    header = {
        "__metadata__": {"format": FORMAT, **model.about},
        "weights": {"dtype": "F16", "shape": [len(model.weights)], "data_offsets": [0, len(weights)]},
        "bias": {"dtype": "F32", "shape": [1], "data_offsets": [len(weights), len(weights) + len(bias)]},
    }
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    write_bytes(path, struct.pack("<Q", len(text)) + text + weights + bias)


def load(path: Path) -> ScoreModel:
    """Read a score; `MissingError` where there is none, `DataError` for a file that is not one."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refused(path, f"larger than {MAX_BYTES:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        mend = "train one: llemma corpus train-score LABELLED.jsonl --out score.safetensors"
        raise MissingError(f"no score file {path}", mend=mend) from error
    try:
        return _decoded(data)
    except (ValueError, struct.error) as error:  # msgspec's errors are ValueErrors, as is UnicodeDecodeError
        raise _refused(path, str(error)) from error


def _decoded(data: bytes) -> ScoreModel:
    """A safetensors file (8 bytes of length, a JSON header, the tensors) of exactly our form, or ValueError."""
    (size,) = struct.unpack("<Q", data[:8])
    header, body = msgspec.json.decode(data[8 : 8 + size], type=_Header), data[8 + size :]
    if header.about.pop("format", "") != FORMAT:
        raise ValueError("a safetensors file of something else")
    weights, bias = _tensor(header.weights, "F16", "<f2", body), _tensor(header.bias, "F32", "<f4", body)
    if len(weights).bit_count() != 1 or len(bias) != 1:
        raise ValueError("wrong shapes")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError("weights that are no numbers")
    return ScoreModel(weights, float(bias[0]), header.about)


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    weights: _Tensor
    bias: _Tensor
    about: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


def _tensor(told: _Tensor, dtype: str, form: str, body: bytes) -> Weights:
    begin, end = told.data_offsets
    part = body[begin:end] if 0 <= begin <= end <= len(body) else b""
    if told.dtype != dtype or not part or told.shape != [len(part) // np.dtype(form).itemsize]:
        raise ValueError("wrong types or shapes")
    return np.frombuffer(part, form).astype(np.float32)


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"not a mathematics score: {why}", where=str(path), mend="use what `train-score` wrote")


@kept
def opened(path: str) -> ScoreModel:
    """The score at `path`, the starter for an empty one; kept for the process."""
    return load(Path(path) if path else STARTER)


def described(path: str) -> str:
    """One sentence on a score: its name, what it was trained on, how it did on what was held out."""
    facts = opened(path).about
    name = f"the mathematics score `{Path(path).name}`" if path else "the toolkit's starter score of mathematics"
    told = {key: facts.get(key, "?") for key in ("trained_on", "precision", "recall", "held_out")}
    held = f"precision {told['precision']}, recall {told['recall']} on {told['held_out']} texts held out"
    return f"{name}, trained on {told['trained_on']} ({held})"


class MathScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Drops a page whose mathematics score is too low. The thresholds are OpenWebMath's."""

    model: str = ""
    """File of the score; the starter when empty."""
    with_formulas: Share = 0.15
    """Least score of a page in which formulas were found."""
    without_formulas: Share = 0.8
    """Least score of a page without one."""
    min_chars: int = 500
    """A page without formulas must be longer than this."""

    def files(self) -> list[Path]:
        """The files that decide."""
        return [Path(self.model) if self.model else STARTER]

    def about(self) -> str:
        """What the data card says of the score."""
        return f"{described(self.model)}; at least {self.with_formulas} with formulas, {self.without_formulas} without"

    def __call__(self, document: Document) -> Document | Drop:
        """The document, or why it is dropped."""
        found = formulas(document)
        if not found and len(document.text) <= self.min_chars:
            return Drop(f"no formulas and short: {len(document.text)} characters")
        score, least = opened(self.model).score(document.text), self.with_formulas if found else self.without_formulas
        kind = "with" if found else "without"
        return document if score >= least else Drop(f"low mathematics score {kind} formulas: {score:.3f}")
