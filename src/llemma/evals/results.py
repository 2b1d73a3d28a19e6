"""Scores out of verdicts, and `results.json` in lm-evaluation-harness' keys with our own under `llemma`.

What is known of a run besides its verdicts is one record, `Facts`; it lies in `results.json`, so that stored
completions can be judged again without the tasks or the model at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from llemma.core import registry
from llemma.core.intervals import Z95
from llemma.core.types import OUTCOMES, Problem, Score, Verdict
from llemma.evals.cost import Cost, Meter
from llemma.evals.perplexity import MATHEMATICS, METRIC, Scored
from llemma.evals.perplexity import scores as perplexity_scores
from llemma.evals.tally import GREEDY, SAMPLED, VOTED, Tally
from llemma.evals.task import Source

SAMPLE_METRIC = "exact_match"
"""Of every row of the harness' sample files, whatever its reading: 1 where the answer that counts is right."""

__all__ = [
    "GREEDY",
    "SAMPLED",
    "VOTED",
    "Facts",
    "Part",
    "Results",
    "TaskFacts",
    "gather",
    "request_id",
    "shape",
    "split_id",
]


class TaskFacts(msgspec.Struct, frozen=True):
    """How a task was asked: enough to report it and to judge its completions again."""

    task: str
    version: int
    shots: int
    judge: str
    judge_version: int
    problems: int
    """Problems the task has."""
    asked: int
    """Problems asked."""
    k: int
    temperature: float
    top_p: float
    max_tokens: int
    stop: list[str]
    seed: int
    sandbox: str = ""
    """Of a task whose answers are the values of programs, the isolation under which these ran."""
    programs: dict[str, int] = {}
    """How these programs ended, by ending (`ok`, `error`, ...; `none` where a completion held no program)."""
    protocol: str = "default"
    prompts: str = "own"
    """Whose worked examples were shown."""
    data: Source | None = None
    """Where the problems came from, with a checksum."""


class Part(msgspec.Struct, frozen=True):
    """A score of the problems of a task that share a fact: `by` is `subject` or `level`, `name` its value."""

    by: str
    name: str
    score: Score


class Facts(msgspec.Struct, frozen=True):
    """The part of `results.json` that is ours."""

    model: str
    identity: str
    device: str
    seconds: float
    """Wall time spent in the backend, over all attempts of all processes."""
    tasks: list[TaskFacts] = []
    scores: list[Score] = []
    curves: list[Score] = []
    """maj@k and pass@k for the smaller k of `ladder`, and pass@K, out of the same samples."""
    parts: list[Part] = []
    """The scores again by subject and by level, where problems have them. A task's own score counts every problem
    once (the totals over subjects that the paper prints), so it is their mean weighted by their problems."""
    costs: list[Cost] = []
    general: list[str] = []
    """Subsets of texts that are not mathematics."""
    seed: int = 0
    max_errors: float = 0.01


class Results(msgspec.Struct, frozen=True):
    """`results.json`. All keys but `llemma` are lm-evaluation-harness' own, and its own tools read them."""

    results: dict[str, dict[str, Any]]
    versions: dict[str, int]
    n_shot: dict[str, int] = msgspec.field(name="n-shot")
    higher_is_better: dict[str, dict[str, bool]]
    n_samples: dict[str, dict[str, int]] = msgspec.field(name="n-samples")
    configs: dict[str, dict[str, Any]]
    llemma: Facts
    config: dict[str, Any] = {}
    model_source: str = ""
    model_name: str = ""

    def errors(self) -> tuple[int, int]:
        """Items that ended in an error (samples and documents, not the votes over them), and items in all."""
        counted = [score.outcomes for score in self.llemma.scores if _counts_items(score, self.llemma)]
        total = sum(outcomes.get(name, 0) for outcomes in counted for name in (*OUTCOMES, "scored"))
        return sum(outcomes.get("error", 0) for outcomes in counted), total


def _counts_items(score: Score, facts: Facts) -> bool:
    if score.metric == METRIC:
        return score.task != MATHEMATICS
    return not score.metric.startswith("maj@")


def request_id(problem: str, mode: str) -> str:
    """`<problem>#<mode>`."""
    return f"{problem}#{mode}"


def split_id(request: str) -> tuple[str, str]:
    """The problem's id and the mode of a request's or verdict's id."""
    problem, _, mode = request.rpartition("#")
    return problem, mode


def gather(
    facts: Facts,
    problems: Mapping[str, Problem],
    verdicts: Iterable[Verdict],
    likelihoods: Sequence[Scored],
    meter: Meter,
) -> Results:
    """All scores of a run. `problems` by id; `verdicts` as they were written; `meter` has counted the completions.

    The seconds in the backend of each task are those of `facts.costs`; all else there is made again.
    """
    tallies = {task.task: Tally(registry.find("judge", task.judge)) for task in facts.tasks}
    for verdict in verdicts:
        name, mode = split_id(verdict.problem)
        task = problems[name].task
        tallies[task].add(name, verdict, mode)
        meter.judged(task, verdict.seconds)
    scores = [s for task in facts.tasks for s in tallies[task.task].scores(task.task, task.k, task.seed)]
    curves = [s for task in facts.tasks for s in tallies[task.task].curves(task.task, task.k, task.seed)]
    parts = [part for task in facts.tasks for part in _parts(task, tallies[task.task], problems)]
    scores += perplexity_scores(likelihoods, facts.general, facts.seed)
    walls = {cost.task: cost.seconds for cost in facts.costs}
    costs = list(meter.costs(tallies, walls))
    return shape(msgspec.structs.replace(facts, scores=scores, curves=curves, parts=parts, costs=costs))


def _parts(task: TaskFacts, tally: Tally, problems: Mapping[str, Problem]) -> list[Part]:
    return [
        Part(by, name, score)
        for by, name, members in tally.parts(problems)
        for score in tally.scores(task.task, task.k, task.seed, members)
    ]


def shape(facts: Facts) -> Results:
    """`results.json` of a run whose scores are known."""
    results: dict[str, dict[str, Any]] = {}
    better: dict[str, dict[str, bool]] = {}
    source, _, name = facts.model.partition(":")
    for score in (*facts.scores, *facts.curves):
        metric, reading = _harness_name(score)
        row = results.setdefault(score.task, {"alias": score.task})
        row[f"{metric},{reading}"] = score.value
        row[f"{metric}_stderr,{reading}"] = (score.high - score.low) / (2 * Z95)
        better.setdefault(score.task, {})[metric] = score.metric != METRIC
    return Results(
        results=results,
        versions={task.task: task.version for task in facts.tasks},
        n_shot={task.task: task.shots for task in facts.tasks},
        higher_is_better=better,
        n_samples={task.task: {"original": task.problems, "effective": task.asked} for task in facts.tasks},
        configs={task.task: _configuration(task) for task in facts.tasks},
        llemma=facts,
        config={"model": source, "model_args": name, "device": facts.device, "seed": facts.seed},
        model_source=source,
        model_name=name,
    )


def _harness_name(score: Score) -> tuple[str, str]:
    """The metric and the filter: `exact_match,greedy`, `maj@8,sampled`, `bits_per_byte,none`."""
    if score.metric == METRIC:
        return METRIC, "none"
    return (SAMPLE_METRIC, "greedy") if score.metric == "greedy" else (score.metric, "sampled")


def _configuration(task: TaskFacts) -> dict[str, Any]:
    return {
        "task": task.task,
        "output_type": "generate_until",
        "num_fewshot": task.shots,
        "repeats": task.k,
        "metric_list": [{"metric": SAMPLE_METRIC, "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [{"name": name} for name in ("greedy", "sampled")[: 1 + (task.k > 1)]],
        "generation_kwargs": {
            "until": task.stop,
            "max_gen_toks": task.max_tokens,
            "temperature": task.temperature,
            "top_p": task.top_p,
        },
        "metadata": {"version": task.version, "judge": task.judge, "judge_version": task.judge_version},
    }
