"""Perplexity of a corpus' splits: groups, windows, places, and going on after a kill."""

import math
import os

import pytest

from llemma.backends.base import Likelihood
from llemma.cli.main import run
from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import ItemsError, MissingError
from llemma.core.files import read_json
from llemma.evals.splits import Measured, Perplexities, SplitConfig, measure

QUIET = Console(quiet=True, stream=open(os.devnull, "w", encoding="utf-8"))


class Fake:
    """A nat for each letter, a token for two, and some that is no number."""

    name, identity, device = "fake:", "fake", "none"

    def __init__(self, dies_after=10**9):
        self.scored, self.dies_after = [], dies_after

    def score(self, texts):
        for text in texts:
            if len(self.scored) == self.dies_after:
                raise KeyboardInterrupt
            self.scored.append(text)
            nats = math.nan if "nan" in text else float(len(text))
            yield Likelihood(nats, len(text) // 2, len(text.encode()), [(0, len(text) // 2, nats)])


@pytest.fixture
def corpus(tmp_path):
    """Proof-Pile-2's layout; meta as a table, as JSON in a string, and as no JSON at all."""
    folder = tmp_path / "corpus"
    papers = [{"text": "abcd" * (1 + i % 5), "meta": {"id": f"p{i}"}} for i in range(40)]
    code = [{"text": "12" * (i + 1), "meta": f'{{"lang": "{"coq" if i % 2 else "lean"}"}}'} for i in range(10)]
    jsonl.write(folder / "arxiv/test/00000.jsonl.zst", papers)
    jsonl.write(folder / "arxiv/train/00000.jsonl.zst", [{"text": "never"}])
    jsonl.write(folder / "algebraic-stack/test/00000.jsonl", [*code, {"text": "", "meta": "{'no': 'json'}"}])
    return folder


def test_groups_are_subsets_languages_and_all(corpus, tmp_path):
    found = measure(Fake(), [corpus], SplitConfig(), tmp_path / "out", QUIET)
    groups = {(group.subset, group.language): group for group in found.groups}
    assert list(groups) == [
        ("algebraic-stack", ""),
        ("algebraic-stack", "coq"),
        ("algebraic-stack", "lean"),
        ("arxiv", ""),
        ("all", ""),
    ]
    assert groups["algebraic-stack", ""].documents == 10 and groups["all", ""].documents == 50
    for group in found.groups:
        assert group.bits_per_byte.value == pytest.approx(1 / math.log(2), abs=1e-4)
        assert group.perplexity.value == pytest.approx(math.exp(2), abs=1e-4)
        assert group.perplexity.low <= group.perplexity.value <= group.perplexity.high
    assert [(place.first, place.nats) for place in found.places] == [(0, 2.0)]
    rows = list(jsonl.read(tmp_path / "out" / "likelihoods.jsonl.zst", Measured))
    assert len(rows) == 50 and {row.language for row in rows} == {"", "coq", "lean"}
    assert read_json(tmp_path / "out" / "perplexity.json", Perplexities) == found


def test_a_limit_draws_documents_and_a_cap_leaves_their_ends_out(corpus, tmp_path):
    config = SplitConfig(limit=5, document_bytes=6)
    found = measure(Fake(), [corpus / "arxiv"], config, tmp_path / "out", QUIET)
    rows = list(jsonl.read(tmp_path / "out" / "likelihoods.jsonl.zst", Measured))
    assert len(rows) == 5 and all(row.bytes <= 6 for row in rows) and any(row.left_out for row in rows)
    assert [row.document for row in rows] != [f"p{i}" for i in range(5)] and found.groups[0].documents == 5


def test_what_was_scored_is_not_asked_again(corpus, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        measure(Fake(dies_after=35), [corpus], SplitConfig(), tmp_path / "out", QUIET)
    again = Fake()
    found = measure(again, [corpus], SplitConfig(), tmp_path / "out", QUIET)
    assert len(again.scored) == 50 - 26  # the ten of code and the first batch of papers were kept
    fresh = measure(Fake(), [corpus], SplitConfig(), tmp_path / "fresh", QUIET)
    assert found.groups == fresh.groups
    other = Fake()
    measure(other, [corpus], SplitConfig(window=7), tmp_path / "out", QUIET)
    assert len(other.scored) == 50  # another window is another measurement


def test_documents_without_a_likelihood_are_counted_and_fail_the_command(corpus, tmp_path):
    jsonl.write(corpus / "arxiv/test/00001.jsonl", [{"text": "nan"}])
    with pytest.raises(ItemsError, match="1 of 41"):
        measure(Fake(), [corpus / "arxiv"], SplitConfig(), tmp_path / "out", QUIET)
    found = read_json(tmp_path / "out" / "perplexity.json", Perplexities)
    assert (found.groups[0].errors, found.groups[0].documents) == (1, 40)


def test_a_split_that_is_not_there_is_named(corpus, tmp_path):
    with pytest.raises(MissingError, match="no split 'validation'"):
        measure(Fake(), [corpus], SplitConfig(split="validation"), tmp_path / "out", QUIET)
    with pytest.raises(MissingError, match="no folder"):
        measure(Fake(), [corpus / "none"], SplitConfig(), tmp_path / "out", QUIET)


def test_a_model_without_likelihoods_is_refused_by_the_command(corpus, tmp_path, capsys):
    assert run(["perplexity", "-m", "echo:", str(corpus), "--out", str(tmp_path / "out")]) == 3
    assert "cannot tell how likely a text is" in capsys.readouterr().err
