"""An evaluation as lm-evaluation-harness leaves one, for tools that read it.

`results_<date>.json` and, for each task, `samples_<task>_<date>.jsonl`, with one row for each problem and reading
(`greedy`, `maj`). Keys and hashes of rows are those of the harness' `--log_samples` (lm_eval/evaluator.py): SHA-256 of
the document as JSON, of the prompt, and of the target.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from llemma.core import jsonl
from llemma.core.files import read_json, write_json
from llemma.core.types import Completion, Problem, Verdict
from llemma.evals.results import GREEDY, SAMPLE_METRIC, VOTED, Results, TaskFacts, split_id
from llemma.evals.runner import COMPLETIONS, PROBLEMS, RESULTS, VERDICTS


def export(out: Path, to: Path, date: str) -> list[Path]:
    """Write the evaluation in `out` into the folder `to`, results and samples; `date` goes into the names as it is."""
    results = to / f"results_{date}.json"
    write_json(results, read_json(out / RESULTS, dict))
    return [results, *export_samples(out, to, date)]


def export_samples(out: Path, to: Path, date: str) -> list[Path]:
    """The samples alone: one file a task."""
    tasks = read_json(out / RESULTS, Results).llemma.tasks
    problems = {problem.id: problem for problem in jsonl.read(out / PROBLEMS, Problem)}
    votes = _votes(jsonl.read(out / VERDICTS, Verdict))
    written = []
    for task in tasks:
        path = to / f"samples_{task.task}_{date}.jsonl"
        jsonl.write(path, _rows(task, problems, votes, out))
        written.append(path)
    return written


def _votes(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    return {verdict.problem: verdict for verdict in verdicts if split_id(verdict.problem)[1] in (GREEDY, VOTED)}


def _rows(
    task: TaskFacts, problems: dict[str, Problem], final: dict[str, Verdict], out: Path
) -> Iterator[dict[str, Any]]:
    numbers = {
        name: i for i, name in enumerate(name for name, problem in problems.items() if problem.task == task.task)
    }
    completions = jsonl.read(out / COMPLETIONS, Completion)
    for request, group in groupby(completions, key=lambda completion: completion.request):
        name, mode = split_id(request)
        if name in numbers:
            texts = [completion.text for completion in group]
            verdict = final[request if mode == GREEDY else f"{name}#{VOTED}"]
            yield row(numbers[name], problems[name], task, mode, texts, verdict)


def row(
    number: int, problem: Problem, task: TaskFacts, mode: str, texts: list[str], verdict: Verdict
) -> dict[str, Any]:
    """One row of the format: `texts` are all samples of the reading `mode`, `verdict` is the one that counts."""
    prompt = problem.meta.get("prompt", problem.text)
    facts = {key: value for key, value in problem.meta.items() if key != "prompt"}
    document = {"id": problem.id, "problem": problem.text, "answer": problem.answer, **facts}
    greedy = mode == GREEDY
    asked = {"until": task.stop, "max_gen_toks": task.max_tokens, "do_sample": not greedy}
    if not greedy:
        asked |= {"temperature": task.temperature, "top_p": task.top_p}
    metrics = [SAMPLE_METRIC] if greedy else [SAMPLE_METRIC, f"maj@{task.k}"]
    return {
        "doc_id": number,
        "doc": document,
        "target": problem.answer,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": asked}},
        "resps": [texts],
        "filtered_resps": [verdict.answer if verdict.answer is not None else "[invalid]"],
        "filter": "greedy" if greedy else "sampled",
        "metrics": metrics,
        "doc_hash": _sha(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _sha(prompt),
        "target_hash": _sha(problem.answer),
        **dict.fromkeys(metrics, float(verdict.outcome == "right")),
    }


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
