"""What an evaluation will ask, before it asks (`llemma eval --plan`): reads the problems, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from llemma.core.console import duration, table
from llemma.core.types import Document
from llemma.evals import runner
from llemma.evals.config import EvalConfig
from llemma.evals.cost import Cost
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
    expected_tokens: int | None = None
    """About; of all completions, as long as those of the evaluation that is already there."""
    seconds: float | None = None
    """About, at the speed that is known; without the computation of prompts."""
    price: float | None = None
    """About, at the price that is given: prompts count once a request, which a server of few samples a request exceeds,
    and completions to the end of their budget, which few reach."""


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


def priced(
    estimates: Sequence[Estimate],
    costs: Sequence[tuple[Cost, int]] = (),
    speed: float | None = None,
    price: tuple[float, float] | None = None,
) -> list[Estimate]:
    """`estimates` with time and cost, where these can be told.

    `costs` are those of an earlier evaluation of the model, with the budgets of its tasks: its speed counts where
    `speed` (new tokens a second) is not given, and the length of its completions where the budget is the same. `price`
    is that of a million prompt tokens and of a million new ones.
    """
    found = []
    for each in estimates:
        own = [(cost, budget) for cost, budget in costs if cost.task == each.task]
        rates = [cost.tokens_per_second for cost, _ in (*own, *costs) if cost.tokens_per_second]
        rate = speed or (rates[0] if rates else None)
        like = [cost for cost, budget in own if cost.tokens and budget * each.completions == each.new_tokens]
        length = like[0].tokens / like[0].samples if like else None
        expected = round(length * each.completions) if length else None
        new = expected or each.new_tokens
        paid = (each.prompt_tokens * price[0] + each.new_tokens * price[1]) / 1e6 if price else None
        found.append(
            msgspec.structs.replace(
                each,
                expected_tokens=expected,
                seconds=new / rate if rate and each.completions else None,
                price=paid,
            )
        )
    return found


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
    return "\n".join([table(head, [_line(each) for each in estimates]), *_totals(estimates)])


def _totals(estimates: Sequence[Estimate]) -> list[str]:
    """Time and cost of everything, or how to have them told."""
    timed = [each for each in estimates if each.completions]
    lines = []
    if timed and all(each.seconds is not None for each in timed):
        bound = "about" if all(each.expected_tokens for each in timed) else "at most about"
        lines.append(f"time: {bound} {duration(sum(each.seconds or 0.0 for each in timed))}, without the prompts")
    elif timed:
        lines.append("time: unknown; give --speed TOKENS/S, or ask some with --limit 20 first: that speed is then used")
    if estimates and all(each.price is not None for each in estimates):
        lines.append(f"cost: about {sum(each.price or 0.0 for each in estimates):,.2f}")
    return lines


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
        f"~{each.expected_tokens:,}" if each.expected_tokens else f"up to {each.new_tokens:,}",
        samples if each.completions else "bits per byte",
    )
