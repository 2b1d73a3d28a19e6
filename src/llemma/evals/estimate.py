"""What an evaluation will ask, before it asks (`llemma eval --plan`): reads the problems, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from llemma.core.console import table
from llemma.core.types import Document
from llemma.evals import runner
from llemma.evals.config import EvalConfig
from llemma.evals.perplexity import select
from llemma.evals.task import Task

BYTES_PER_TOKEN = 3.0
"""UTF-8 bytes of a prompt that are about one token: between a Llama tokenizer's ~2.7 on formulas and ~3.8 on prose."""


class Estimate(msgspec.Struct, frozen=True):
    """What one task costs. Prompts count once a request, however many samples it wants."""

    task: str
    problems: int
    shots: int
    requests: int
    completions: int
    """Greedy ones and samples."""
    k: int
    temperature: float
    top_p: float
    prompt_tokens: int
    """About; of all requests."""
    longest_prompt: int
    """About; in tokens."""
    new_tokens: int
    """At most; of all completions."""


def estimate(task: Task, config: EvalConfig) -> Estimate:
    """What `runner.evaluate` would ask of a model for this task."""
    _, problems = runner.load(task, config)
    requests = runner.plan(task, problems, config)
    drawn = runner.sampling(task, config)
    sizes = [len(request.prompt.encode()) for request in requests]
    return Estimate(
        task=task.name,
        problems=len(problems),
        shots=len(task.shown(config.shots)),
        requests=len(requests),
        completions=sum(request.n for request in requests),
        k=drawn.k,
        temperature=drawn.temperature,
        top_p=drawn.top_p,
        prompt_tokens=round(sum(sizes) / BYTES_PER_TOKEN),
        longest_prompt=round(max(sizes, default=0) / BYTES_PER_TOKEN),
        new_tokens=sum(request.n * request.max_tokens for request in requests),
    )


def of_texts(texts: Mapping[str, Sequence[Document]], config: EvalConfig) -> list[Estimate]:
    """What the likelihood of each group of texts costs: passages that are read, and nothing generated."""
    found = []
    for group, documents in texts.items():
        passages = select(group, documents, config.perplexity_bytes, config.perplexity_document_bytes)
        sizes = [len(passage.text.encode()) for passage in passages]
        whole, longest = (round(size / BYTES_PER_TOKEN) for size in (sum(sizes), max(sizes, default=0)))
        found.append(Estimate(group, len(passages), 0, len(passages), 0, 1, 0.0, 1.0, whole, longest, 0))
    return found


def text(estimates: Sequence[Estimate]) -> str:
    """The estimates for a terminal."""
    head = ("task", "problems", "shots", "requests", "completions", "prompt tokens", "longest", "new tokens", "samples")
    return table(head, [_line(each) for each in estimates])


def _line(each: Estimate) -> tuple[str, ...]:
    samples = f"k = {each.k}, temperature {each.temperature:g}, top-p {each.top_p:g}" if each.k > 1 else "greedy"
    return (
        each.task,
        f"{each.problems:,}",
        str(each.shots),
        f"{each.requests:,}",
        f"{each.completions:,}",
        f"~{each.prompt_tokens:,}",
        f"~{each.longest_prompt:,}",
        f"up to {each.new_tokens:,}",
        samples if each.completions else "bits per byte",
    )
