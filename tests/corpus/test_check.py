"""A wrong section is refused with all its faults at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llemma.core.errors import RecipeError
from llemma.corpus.check import with_chunks
from llemma.corpus.config import CorpusConfig, SourceConfig


def test_a_wrong_section_is_refused_all_at_once(small: Any, tmp_path: Path) -> None:
    sources = {
        "a": SourceConfig("foldr", "code"),
        "b": SourceConfig("folder", "dropped", ["not-emtpy"], {"input": ["x"], "include": "*.py"}),
        "c d": SourceConfig("pypi", "x", [], {"packages": ["sympy"]}, keep=0),
    }
    with pytest.raises(RecipeError) as caught:
        small.run(CorpusConfig(sources, validation=0.7, test=0.4, workers=0, executor="moon"), tmp_path / "out")
    for part in (
        "corpus.sources.a.kind: unknown source 'foldr'; did you mean 'folder'?",
        "corpus.sources.b.steps[0]: unknown step 'not-emtpy'; did you mean 'not-empty'?",
        "corpus.sources.b.options.input: unknown key; did you mean 'inputs'?",
        "corpus.sources.b.options.include: Expected `array`, got `str`",
        "corpus.sources.b.options.inputs: missing",
        "corpus.sources.b.subset: 'dropped' cannot name a folder",
        "corpus.sources.c d: a name may only have",
        "corpus.sources.c d.options: packages must be pinned",
        "corpus.sources.c d.keep: must be above 0",
        "corpus.sources.a: validation 0.7 and test 0.4",
        "corpus.workers: must be at least 1",
        "corpus.executor: unknown executor 'moon'",
    ):
        assert part in caught.value.what
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", ["algebraic-stack", "algebraic-stack-llemma"])
def test_the_published_rules_bring_chunk_deduplication_for_github_alone(step: str) -> None:
    def way(kind: str, own: str | None = None, whole: str = "none", inner: str = "") -> str | None:
        source = SourceConfig(kind=kind, subset="a", steps=[step], chunk_dedup=own, options={"kind": inner})
        return with_chunks(source, CorpusConfig(sources={"s": source}, chunk_dedup=whole)).chunk_dedup

    paper = "llemma" if step.endswith("llemma") else "none"
    assert way("github") == way("without-tests", inner="github") == paper
    assert way("folder") == way("without-tests", inner="folder") == way("github", own="none") == "none"
    assert way("github", whole="default") == way("github", own="default") == "default"
