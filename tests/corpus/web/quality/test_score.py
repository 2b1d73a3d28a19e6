"""The score is a probability of the words alone; files that are no score are refused."""

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as encode

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Drop
from llemma.corpus.web.quality.features import buckets
from llemma.corpus.web.quality.score import FORMAT, STARTER, MathScore, ScoreModel, load, save

MATHEMATICS = (
    "Suppose that the function is continuous on the closed interval. By the mean value theorem there is a point where "
    "the derivative equals the slope of the secant, and therefore the polynomial has a root in that interval. "
) * 3
NEWS = (
    "The mayor said on Tuesday that the new stadium will open in the spring, although residents of the neighbourhood "
    "complained about the noise, and the police announced that several streets will be closed to traffic. "
) * 3


def document(text: str, found_math: int = 0) -> Document:
    return Document("id", text, "web", {"found_math": found_math})


def test_the_starter_tells_mathematics_from_news() -> None:
    starter = load(STARTER)
    assert starter.score(MATHEMATICS) > 0.8 and starter.score(NEWS) < 0.15
    assert STARTER.stat().st_size < 1_000_000 and "Debian" in starter.about["trained_on"]


@given(st.text(max_size=300))
def test_a_score_is_a_probability_and_always_the_same(text: str) -> None:
    starter = load(STARTER)
    score = starter.score(text)
    assert 0 <= score <= 1 and score == starter.score(text)


@given(st.lists(st.sampled_from(["group", "ring", "mayor", "proof", "the"]), max_size=12), st.randoms())
def test_the_order_of_paragraphs_does_not_count(words: list[str], chance: object) -> None:
    shuffled = words[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    apart = [" $x$ ".join(some) for some in (words, shuffled)]  # a formula between the words: no pairs
    assert np.array_equal(buckets(apart[0], 1 << 18), buckets(apart[1], 1 << 18))


def test_formulas_are_not_judged() -> None:
    starter = load(STARTER)
    assert starter.score(NEWS) == starter.score(NEWS + " $\\int_0^1 f$ `code` \\alpha")
    assert load(STARTER).score("") == pytest.approx(1 / (1 + np.exp(-starter.bias)), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "formulas", "reason"),
    [
        (MATHEMATICS, 0, ""),
        (MATHEMATICS, 3, ""),
        (MATHEMATICS[:200], 0, "no formulas and short: 200 characters"),
        (NEWS, 3, "low mathematics score with formulas: 0.0"),
        (NEWS, 0, "low mathematics score without formulas: 0.0"),
    ],
)
def test_the_step(text: str, formulas: int, reason: str) -> None:
    result = MathScore()(document(text, formulas))
    assert isinstance(result, Drop) == bool(reason)
    assert not reason or (isinstance(result, Drop) and result.reason.startswith(reason))
    assert isinstance(MathScore(with_formulas=0, without_formulas=0, min_chars=0)(document(text, formulas)), Document)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    model = ScoreModel(np.arange(8, dtype=np.float32), -1.5, {"trained_on": "two rows"})
    save(model, tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.weights.tolist() == model.weights.tolist() and loaded.bias == -1.5 and loaded.about == model.about


GOOD = {"weights": np.zeros(8, np.float16), "bias": np.zeros(1, np.float32)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        b"\x80\x04\x95pickle" * 10,
        b"\xff" * 64,
        (2**60).to_bytes(8, "little") + b"{}",
        encode(GOOD),
        encode(GOOD, metadata={"format": "another"}),
        encode({**GOOD, "weights": np.zeros(7, np.float16)}, metadata={"format": FORMAT}),
        encode({**GOOD, "weights": np.zeros((2, 4), np.float16)}, metadata={"format": FORMAT}),
        encode({**GOOD, "weights": np.full(8, np.nan, np.float16)}, metadata={"format": FORMAT}),
        encode({**GOOD, "weights": np.zeros(8, np.float64)}, metadata={"format": FORMAT}),
        encode({**GOOD, "bias": np.zeros(2, np.float32)}, metadata={"format": FORMAT}),
    ],
)
def test_files_that_are_no_score_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(DataError, match="not a mathematics score"):
        load(path)


@given(data=st.binary(max_size=200))
def test_no_file_is_met_with_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes(data)
    with pytest.raises(DataError):
        load(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no score file"):
        load(tmp_path / "none")


@pytest.mark.parametrize("text", ["x" * 2_000_000, "a " * 1_000_000, "$" * 1_000_000, "word\n" * 200_000])
def test_hostile_text_takes_no_time(text: str) -> None:
    starter = load(STARTER)
    begun = time.process_time()
    starter.score(text)
    assert time.process_time() - begun < 2


def test_thresholds_outside_of_a_probability_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"with_formulas": 1.5}, MathScore)
