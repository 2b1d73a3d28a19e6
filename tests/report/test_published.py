from __future__ import annotations

import pytest

from llemma.core.types import Score
from llemma.report import published
from llemma.report.facts import Facts, TaskFacts


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("hf:EleutherAI/llemma_7b", "Llemma 7B"),
        ("hf:/models/llemma_34b/", "Llemma 34B"),
        ("hf:/cache/models--EleutherAI--llemma_7b/snapshots/0a1b", "Llemma 7B"),
        ("http://localhost:8000/v1#EleutherAI/llemma_7b", "Llemma 7B"),
        ("hf:codellama/CodeLlama-34b-hf", "Code Llama 34B"),
        ("hf:meta-llama/Llama-2-7b-hf", "Llama 2 7B"),
        ("replay:recorded/llemma_7b.jsonl.zst", "Llemma 7B"),
        ("hf:codellama/CodeLlama-7b-Instruct-hf", None),
        ("hf:codellama/CodeLlama-7b-Python-hf", None),
        ("hf:EleutherAI/llemma_7b_muinstruct_camelmath", None),
        ("hf:meta-llama/Llama-2-7b-chat-hf", None),
        ("hf:codellama/CodeLlama-13b-hf", None),
        ("hf:my-llemma_7b", None),
        ("run:runs/llemma_7b/final", None),
        ("echo:", None),
        ("", None),
    ],
)
def test_models_are_recognised_by_whole_names(model: str, name: str | None) -> None:
    found = published.recognise(model)
    assert (found.name if found else None) == name


def test_every_row_has_a_place_for_every_task() -> None:
    for row in published.FIGURES:
        assert len(row.greedy) == len(row.voted) == len(published.TASKS)
        for greedy, voted in zip(row.greedy, row.voted, strict=True):
            assert voted is None or (greedy is not None and greedy < voted <= 100)


def facts(model: str, **asked: object) -> Facts:
    task = TaskFacts("gsm8k", **{"shots": 8, "asked": 1319, "prompts": "lm-eval", "protocol": "llemma", **asked})
    scores = [Score("gsm8k", "greedy", 0.36, 0.33, 0.39, 1319), Score("gsm8k", "maj@8", 0.5, 0.4, 0.6, 1319)]
    return Facts(model=model, tasks=[task, TaskFacts("svamp")], scores=scores)


def test_ours_stands_before_the_model_and_its_peers() -> None:
    found = published.beside(facts("hf:EleutherAI/llemma_7b"))
    assert found is not None and found.columns == [("gsm8k", "greedy"), ("gsm8k", "maj@100")]
    assert [line.name for line in found.lines[1:]] == ["Llama 2 7B", "Code Llama 7B", "Llemma 7B", "Minerva 8B"]
    assert found.lines[0].cells == [published.Cell(36.0), published.Cell(50.0, "maj@8")]
    assert found.lines[3].same and [cell and cell.value for cell in found.lines[3].cells] == [36.4, 54.0]
    assert not found.unlike
    assert "50.0 (maj@8)" in found.text() and "table" in found.text()


def test_other_models_are_set_beside_on_request_alone() -> None:
    assert published.beside(facts("hf:another")) is None
    found = published.beside(facts("hf:another"), everything=True)
    assert found is not None and len(found.lines) == 1 + len(published.FIGURES)
    assert not any(line.same for line in found.lines)
    assert published.beside(Facts(model="hf:EleutherAI/llemma_7b", tasks=[TaskFacts("math500")]), True) is None


def test_what_was_asked_otherwise_is_said() -> None:
    asked = {"shots": 4, "asked": 50, "prompts": "own", "protocol": "default", "k": 8, "temperature": 0.3, "top_p": 0.9}
    found = published.beside(facts("hf:EleutherAI/llemma_7b", **asked))
    assert found is not None
    ((task, how),) = found.unlike
    assert task == "gsm8k" and how == [
        "50 of 1,319 problems",
        "4 worked examples, not 8",
        "worked examples: own, not the published ones",
        "judged by the protocol default, not the paper's own (llemma)",
        "k 8, not 100",
        "temperature 0.3, not 0.6",
        "top-p 0.9, not 0.95",
    ]
