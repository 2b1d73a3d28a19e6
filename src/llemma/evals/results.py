"""Scores out of verdicts, and `results.json` in lm-evaluation-harness' keys with our own under `llemma`.

What is known of a run besides its verdicts is one record, `Facts`; it lies in `results.json`, so that stored
completions can be judged again without the tasks or the model at hand.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core import registry
from llemma.core.console import table
from llemma.core.types import OUTCOMES, Problem, Score, Verdict
from llemma.evals.answers import Judge
from llemma.evals.curves import Samples, ladder, majority_curve, pass_curve
from llemma.evals.intervals import Z95, bootstrap_mean, bootstrap_means, wilson
from llemma.evals.perplexity import MATHEMATICS, METRIC, Scored
from llemma.evals.perplexity import scores as perplexity_scores
from llemma.evals.task import Source
from llemma.evals.vote import clusters

GREEDY, SAMPLED, VOTED = "greedy", "maj", "vote"
"""What follows the `#` of a request's or verdict's id: the greedy sample, the k samples, the vote over these."""


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
    general: list[str] = []
    """Subsets of texts that are not mathematics."""
    seed: int = 0
    max_errors: float = 0.01


class Results(msgspec.Struct, frozen=True):
    """`results.json`. The first six keys are lm-evaluation-harness' own."""

    results: dict[str, dict[str, Any]]
    versions: dict[str, int]
    n_shot: dict[str, int] = msgspec.field(name="n-shot")
    higher_is_better: dict[str, dict[str, bool]]
    n_samples: dict[str, dict[str, int]] = msgspec.field(name="n-samples")
    configs: dict[str, dict[str, Any]]
    llemma: Facts

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


class Tally:
    """Verdicts of one task, counted as they stream by."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.greedy: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.votes: Counter[str] = Counter()
        self.won: list[float] = []
        self.drawn: list[Samples] = []
        self._open: list[Verdict] = []

    def add(self, verdict: Verdict, mode: str) -> None:
        """Count one verdict; the samples of a problem come before its vote."""
        if mode == GREEDY:
            self.greedy[verdict.outcome] += 1
        elif mode == SAMPLED:
            self.samples[verdict.outcome] += 1
            self._open.append(verdict)
        else:
            self.votes[verdict.outcome] += 1
            self.won.append(float(verdict.outcome == "right"))
            self.drawn.append(_samples(self._open, verdict, self.judge))
            self._open = []

    def scores(self, facts: TaskFacts) -> list[Score]:
        """`greedy`, and with k samples `maj@k` and `pass@1` (the mean share of right samples)."""
        n = sum(self.greedy.values())
        found = [_proportion(facts.task, "greedy", self.greedy, wilson(self.greedy["right"], n))] if n else []
        if self.won:
            found.append(_proportion(facts.task, f"maj@{facts.k}", self.votes, _mean_interval(self.won, facts.seed)))
            shares = [sum(samples.right) / len(samples.right) for samples in self.drawn]
            low, high = _mean_interval(shares, facts.seed)
            value, outcomes = math.fsum(shares) / len(shares), _ordered(self.samples)
            found.append(Score(facts.task, "pass@1", value, low, high, len(shares), outcomes))
        return found

    def curves(self, facts: TaskFacts) -> list[Score]:
        """maj@k for 1 < k < K and pass@k for 1 < k <= K; see `curves` for the estimators.

        A judge with a vote of its own has no maj@k but the voted one: its clusters depend on the order of all samples.
        """
        if not self.drawn:
            return []
        fewest = min(len(samples.right) for samples in self.drawn)
        ks = [k for k in ladder(facts.k) if 1 < k <= fewest]
        smaller = [k for k in ks if k < facts.k] if self.judge.vote is None else []
        values = np.hstack([majority_curve(self.drawn, smaller, facts.seed), pass_curve(self.drawn, ks)])
        names = [*(f"maj@{k}" for k in smaller), *(f"pass@{k}" for k in ks)]
        return _curve(facts, names, values)


def _samples(sampled: Sequence[Verdict], vote: Verdict, judge: Judge) -> Samples:
    rights = [verdict.outcome == "right" for verdict in sampled]
    if judge.vote is not None or vote.outcome in ("error", "timeout"):  # no clusters of its own, or none
        return Samples(rights, [None] * len(rights))
    return Samples(rights, clusters([verdict.answer for verdict in sampled], judge.canonical))


def _curve(facts: TaskFacts, names: Sequence[str], values: NDArray[np.float64]) -> list[Score]:
    found = []
    for name, column, spread in zip(names, values.T, bootstrap_means(values, facts.seed), strict=True):
        low, high = _wilson_of_equal(column.tolist()) or spread
        found.append(Score(facts.task, name, float(column.mean()), low, high, len(column)))
    return found


def _mean_interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    return _wilson_of_equal(values) or bootstrap_mean(values, seed)


def _wilson_of_equal(values: Sequence[float]) -> tuple[float, float] | None:
    # resampling equal values shows no spread, however few they are; Wilson's interval does
    extreme = len(set(values)) == 1 and values[0] in (0.0, 1.0)
    return wilson(round(sum(values)), len(values)) if extreme else None


def _proportion(task: str, metric: str, outcomes: Counter[str], interval: tuple[float, float]) -> Score:
    n = sum(outcomes.values())
    return Score(task, metric, outcomes["right"] / n, *interval, n, _ordered(outcomes))


def _ordered(outcomes: Counter[str]) -> dict[str, int]:
    return {name: outcomes[name] for name in OUTCOMES if outcomes[name]}


def gather(
    facts: Facts, problems: Mapping[str, Problem], verdicts: Iterable[Verdict], likelihoods: Sequence[Scored]
) -> Results:
    """All scores of a run. `problems` by id; `verdicts` as they were written."""
    tallies = {task.task: Tally(registry.find("judge", task.judge)) for task in facts.tasks}
    for verdict in verdicts:
        problem, mode = split_id(verdict.problem)
        tallies[problems[problem].task].add(verdict, mode)
    scores = [score for task in facts.tasks for score in tallies[task.task].scores(task)]
    scores += perplexity_scores(likelihoods, facts.general, facts.seed)
    curves = [score for task in facts.tasks for score in tallies[task.task].curves(task)]
    return shape(msgspec.structs.replace(facts, scores=scores, curves=curves))


def shape(facts: Facts) -> Results:
    """`results.json` of a run whose scores are known."""
    results: dict[str, dict[str, Any]] = {}
    better: dict[str, dict[str, bool]] = {}
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
    )


def _harness_name(score: Score) -> tuple[str, str]:
    """The metric and the filter: `exact_match,greedy`, `maj@8,sampled`, `bits_per_byte,none`."""
    if score.metric == METRIC:
        return METRIC, "none"
    return ("exact_match", "greedy") if score.metric == "greedy" else (score.metric, "sampled")


def _configuration(task: TaskFacts) -> dict[str, Any]:
    return {
        "task": task.task,
        "output_type": "generate_until",
        "num_fewshot": task.shots,
        "repeats": task.k,
        "generation_kwargs": {
            "until": task.stop,
            "max_gen_toks": task.max_tokens,
            "temperature": task.temperature,
            "top_p": task.top_p,
        },
        "metadata": {"version": task.version, "judge": task.judge, "judge_version": task.judge_version},
    }


def text(results: Results) -> str:
    """All scores for a terminal: value, 95 % interval, count, how the items ended; then the curves."""
    rows = [_line(score) for score in results.llemma.scores]
    rows += [_line(score) for score in results.llemma.curves]
    shown = table(("task", "metric", "value", "95 % interval", "n", "outcomes"), rows)
    ran = [f"programs of {task.task}: {_counts(task.programs)}" for task in results.llemma.tasks if task.programs]
    return "\n".join([shown, *ran])


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in numbers.items() if n)


def _line(score: Score) -> tuple[str, ...]:
    bits = score.metric == METRIC
    scale, unit = (1, "") if bits else (100, " %")
    value = f"{score.value * scale:.{3 if bits else 1}f}{unit}"
    interval = (
        "no interval"
        if score.n < 2 and score.low == score.high
        else f"{score.low * scale:.{3 if bits else 1}f} to {score.high * scale:.{3 if bits else 1}f}"
    )
    ends = _counts(score.outcomes)
    return score.task, score.metric, value, interval, f"{score.n:,}", ends or "-"
