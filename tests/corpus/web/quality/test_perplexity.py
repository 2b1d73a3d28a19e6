"""Perplexity under back-off models: by hand, and as KenLM counts it."""

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Drop
from llemma.corpus.web.quality import perplexity as room

ARPA = """\\data\\
ngram 1=6
ngram 2=4
ngram 3=2

\\1-grams:
-99\t<s>\t-0.5
-1.2\t</s>
-2.0\t<unk>\t-0.1
-0.8\tthe\t-0.4
-1.1\tring\t-0.3
-1.4\tis

\\2-grams:
-0.3\t<s> the\t-0.2
-0.6\tthe ring\t-0.15
-0.7\tring is\t-0.25
-0.9\tis </s>

\\3-grams:
-0.2\t<s> the ring
-0.4\tthe ring is

\\end\\
"""


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "m.arpa"
    path.write_text(ARPA, "utf-8")
    return path


def test_back_off_by_hand(arpa: Path) -> None:
    model = room.read_arpa(arpa)
    # <s> the; <s> the ring; the ring is; ring is </s> backs off to is </s> with the back-off of ring is
    assert model.logprob(["the", "ring", "is"]) == pytest.approx(-0.3 - 0.2 - 0.4 - 0.25 - 0.9)
    # an unknown word: back-off of <s>, then <unk>; its end: back-off of <unk>, then </s>
    assert model.logprob(["zebra"]) == pytest.approx(-0.5 - 2.0 - 0.1 - 1.2)


def test_perplexity_counts_sentence_ends(arpa: Path) -> None:
    model = room.read_arpa(arpa)
    expected = 10 ** ((0.3 + 0.2 + 0.4 + 0.25 + 0.9) / 4)
    assert room.perplexity(model, "The ring is $x^2$") == pytest.approx(expected)
    assert room.perplexity(model, "the ring is\n\nthe ring is\n") == pytest.approx(expected)
    assert room.perplexity(model, " $x$ ") == math.inf


def test_gzipped_is_the_same(arpa: Path, tmp_path: Path) -> None:
    packed = tmp_path / "m.arpa.gz"
    packed.write_bytes(gzip.compress(ARPA.encode()))
    assert room.opened(str(packed)).logprob(["the"]) == room.read_arpa(arpa).logprob(["the"])


@given(st.lists(st.sampled_from(["the", "ring", "is", "zebra", "ideal"]), max_size=8))
def test_as_kenlm_has_it(tmp_path_factory: pytest.TempPathFactory, sentence: list[str]) -> None:
    kenlm = pytest.importorskip("kenlm", reason="compares with the package kenlm where it is installed")
    path = tmp_path_factory.getbasetemp() / "kenlm.arpa"
    if not path.exists():
        path.write_text(ARPA, "utf-8")
    own, other = room.read_arpa(path), kenlm.Model(str(path))
    assert own.logprob(sentence) == pytest.approx(other.score(" ".join(sentence), bos=True, eos=True), abs=1e-4)
    if sentence:
        assert room.perplexity(own, " ".join(sentence)) == pytest.approx(other.perplexity(" ".join(sentence)), rel=1e-4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no model",
        ARPA.replace("\\end\\", ""),
        ARPA.replace("-0.6\tthe ring", "much\tthe ring"),
        ARPA.replace("-0.6\tthe ring", "-0.6\tthe"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="damaged ARPA"):
        room.read_arpa(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    for name, data in (("a.arpa", b"\xff\xfe\xff"), ("b.arpa.gz", b"\x1f\x8b\x08 damaged"), ("c.arpa.gz", b"plain")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="damaged ARPA"):
            room.opened(str(tmp_path / name))


def test_the_step(arpa: Path) -> None:
    page = Document("id", "the ring is", "web")
    assert room.Perplexity(str(arpa))(page) is page
    result = room.Perplexity(str(arpa), most=2.0)(page)
    assert result == Drop("perplexity too high: 3")


def test_missing_models_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="no language model"):
        room.opened(str(tmp_path / "none.arpa"))
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    (tmp_path / "m.bin").write_bytes(b"mmap lm")
    with pytest.raises(MissingError, match="package kenlm"):
        room.opened(str(tmp_path / "m.bin"))
