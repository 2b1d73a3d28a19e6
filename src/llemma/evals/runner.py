"""An evaluation: problems asked, completions kept, verdicts given, scores told; each of the four can be repeated alone.

out/
  problems.jsonl.zst      Problem, meta.prompt = the whole prompt
  completions.jsonl.zst   Completion, request = <problem>#greedy or <problem>#maj
  executions.jsonl.zst    Ran, one for each completion of a task that runs programs
  verdicts.jsonl.zst      Verdict, problem = the request's id, or <problem>#vote for the vote
  likelihoods.jsonl.zst   Scored, when texts are scored
  results.json            Results
  parts/                  the journal of finished batches
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from llemma.backends.base import Backend
from llemma.core import jsonl, registry
from llemma.core.console import Console, Progress
from llemma.core.errors import DataError, ItemsError, RecipeError, suggest
from llemma.core.files import digest, read_json, write_json
from llemma.core.types import Completion, Document, Problem, Request, Verdict
from llemma.evals import journal as log
from llemma.evals.answers import Judge
from llemma.evals.answers.tasks import ready
from llemma.evals.config import EvalConfig
from llemma.evals.cost import Cost, Meter
from llemma.evals.journal import Journal
from llemma.evals.judging import Sample, judged_safely, samples, verdicts
from llemma.evals.perplexity import Passage, Scored, select
from llemma.evals.programs import Ran, run_programs
from llemma.evals.results import GREEDY, SAMPLED, Facts, Results, TaskFacts, gather, request_id, split_id
from llemma.evals.task import Sampling, Task

PROBLEMS, COMPLETIONS = "problems.jsonl.zst", "completions.jsonl.zst"
EXECUTIONS = "executions.jsonl.zst"
VERDICTS, LIKELIHOODS, RESULTS = "verdicts.jsonl.zst", "likelihoods.jsonl.zst", "results.json"

_PASSAGES = 16  # texts scored at a time
_GREEDY = Sampling(1, 0.0, 1.0)


def evaluate(
    backend: Backend,
    tasks: Sequence[Task],
    config: EvalConfig,
    out: Path,
    *,
    console: Console,
    texts: Mapping[str, Sequence[Document]] | None = None,
) -> Results:
    """Ask `backend` the problems of `tasks` and the likelihood of `texts` (documents by group), judge, write `out`.

    Interrupted or killed, the same call goes on where it was and ends in the same files. The caller opens the tasks:
    `config.tasks` is not read. Raises `ItemsError` after everything is written when too many items ended in an error.
    """
    check(tasks)
    log.sweep(out)
    journal = Journal(out / "parts")
    asked = [(task, load(task, config)) for task in tasks]
    problems = _by_id(problem for _, (_, chosen) in asked for problem in chosen)
    passages = _passages(texts or {}, config)
    likelihoods = _score(backend, passages, journal, console)
    jsonl.write(out / PROBLEMS, problems.values())  # now, so that `llemma view` has them while answers come in
    requests = {task.name: plan(task, chosen, config) for task, (_, chosen) in asked}
    walls = [
        Cost(task.name, _ask(backend, task, requests[task.name], problems, config, journal, console))
        for task, _ in asked
    ]
    jsonl.write(out / COMPLETIONS, _stored(backend, requests, config, journal))
    if any(task.program for task in tasks):
        jsonl.write(out / EXECUTIONS, _executed(backend, tasks, requests, config, journal, console))
    jsonl.write(out / LIKELIHOODS, likelihoods.records)
    facts = Facts(
        model=backend.name,
        identity=backend.identity,
        device=backend.device,
        seconds=round(likelihoods.seconds + sum(cost.seconds for cost in walls), 3),
        costs=walls,
        tasks=[_facts(task, total, len(chosen), config) for task, (total, chosen) in asked],
        general=config.general,
        seed=config.seed,
        max_errors=config.max_errors,
    )
    return _settle(out, facts, problems)


def costs(out: Path) -> list[tuple[Cost, int]]:
    """What each task of the evaluation in `out` has cost, and its budget of new tokens; nothing where there is none."""
    if not (out / RESULTS).is_file():
        return []
    facts = read_json(out / RESULTS, Results).llemma
    budgets = {task.task: task.max_tokens for task in facts.tasks}
    return [(cost, budgets.get(cost.task, 0)) for cost in facts.costs]


def rescore(out: Path, judge: str | None = None) -> Results:
    """Judge the stored completions of `out` again, by the same judges or all by `judge`; no model is needed."""
    facts = read_json(out / RESULTS, Results).llemma
    if judge is not None:
        facts = msgspec.structs.replace(facts, tasks=[msgspec.structs.replace(t, judge=judge) for t in facts.tasks])
    return _settle(out, facts, _by_id(jsonl.read(out / PROBLEMS, Problem)))


def _settle(out: Path, facts: Facts, problems: Mapping[str, Problem]) -> Results:
    """From stored completions to verdicts, scores and `results.json`."""
    judges: dict[str, Judge] = {task.task: ready(registry.find("judge", task.judge)) for task in facts.tasks}
    ended = _endings(out, facts, problems)
    dated = [
        msgspec.structs.replace(task, judge_version=judges[task.task].version, programs=ended.get(task.task, {}))
        for task in facts.tasks
    ]
    facts = msgspec.structs.replace(facts, tasks=dated)
    programs = {task.task for task in facts.tasks if task.sandbox}
    runs = jsonl.read(out / EXECUTIONS, Ran) if programs else ()
    meter = Meter()
    completions = _metered(jsonl.read(out / COMPLETIONS, Completion), problems, meter)
    judged = samples(completions, problems, programs, runs)
    jsonl.write(out / VERDICTS, verdicts(judged, problems, judges))
    rows = list(jsonl.read(out / LIKELIHOODS, Scored))
    results = gather(facts, problems, jsonl.read(out / VERDICTS, Verdict), rows, meter)
    write_json(out / RESULTS, results)
    errors, items = results.errors()
    if errors > facts.max_errors * items:
        raise ItemsError(
            f"{errors} of {items} items ended in an error, {facts.max_errors:.0%} are allowed{_first_error(out, rows)}",
            where=str(out / VERDICTS),
            mend="their reasons are in the verdicts; the same command asks only these again",
        )
    return results


def _metered(completions: Iterable[Completion], problems: Mapping[str, Problem], meter: Meter) -> Iterator[Completion]:
    for completion in completions:
        name, mode = split_id(completion.request)
        if name in problems:
            meter.completion(problems[name].task, mode, completion)
        yield completion


def _endings(out: Path, facts: Facts, problems: Mapping[str, Problem]) -> dict[str, dict[str, int]]:
    """How the programs of each task that has any ended, the most frequent ending first."""
    counts: dict[str, Counter[str]] = {}
    for row in jsonl.read(out / EXECUTIONS, Ran) if any(task.sandbox for task in facts.tasks) else ():
        problem = problems.get(split_id(row.request)[0])
        ending = row.execution.outcome if row.execution else "none"
        if problem is not None:
            counts.setdefault(problem.task, Counter())[ending] += 1
    return {task: dict(count.most_common()) for task, count in counts.items()}


def _first_error(out: Path, rows: Sequence[Scored]) -> str:
    """`; the first: ...`: one reason says more than a count."""
    verdicts = (v.why for v in jsonl.read(out / VERDICTS, Verdict) if v.outcome == "error")
    why = next(chain(verdicts, (row.error for row in rows if row.error)), "")
    return f"; the first: {why}" if why else ""


def load(task: Task, config: EvalConfig) -> tuple[int, list[Problem]]:
    """How many problems the task has, and those to ask, each with its whole prompt in `meta`."""
    problems = list(task.load())
    examples = task.shown(config.shots)
    chosen = problems[: config.limit]
    with_prompt = [
        msgspec.structs.replace(
            problem, task=task.name, meta={**problem.meta, "prompt": task.prompt(problem, examples)}
        )
        for problem in chosen
    ]
    return len(problems), with_prompt


def sampling(task: Task, config: EvalConfig) -> Sampling:
    """How the k samples are drawn: what the user or the recipe says, else what was published for the task."""
    published = task.sampling
    return Sampling(
        k=published.k if config.published_k else config.k,
        temperature=published.temperature if config.temperature is None else config.temperature,
        top_p=published.top_p if config.top_p is None else config.top_p,
    )


def plan(task: Task, problems: Sequence[Problem], config: EvalConfig) -> list[Request]:
    """The requests of a task: all greedy ones, then, for k > 1, those of k samples."""
    drawn = sampling(task, config)
    greedy = [_request(task, problem, GREEDY, config) for problem in problems]
    return greedy + ([_request(task, problem, SAMPLED, config, drawn) for problem in problems] if drawn.k > 1 else [])


def _request(task: Task, problem: Problem, mode: str, config: EvalConfig, drawn: Sampling = _GREEDY) -> Request:
    name = request_id(problem.id, mode)
    return Request(
        id=name,
        prompt=problem.meta["prompt"],
        stop=list(task.stop),
        n=drawn.k,
        temperature=drawn.temperature,
        top_p=drawn.top_p,
        max_tokens=config.max_tokens or task.max_tokens,
        # its own seed, so that neither order nor batch decides what is drawn
        seed=int(digest(config.seed, name)[:7], 16),
    )


def _facts(task: Task, total: int, asked: int, config: EvalConfig) -> TaskFacts:
    drawn = sampling(task, config)
    return TaskFacts(
        task=task.name,
        version=task.version,
        shots=len(task.shown(config.shots)),
        judge=task.judge,
        judge_version=task.find_judge().version,
        problems=total,
        asked=asked,
        k=drawn.k,
        temperature=drawn.temperature,
        top_p=drawn.top_p,
        max_tokens=config.max_tokens or task.max_tokens,
        stop=list(task.stop),
        seed=config.seed,
        sandbox=config.sandbox.mode if task.program is not None else "",
        protocol=task.protocol,
        prompts=task.prompts,
        data=task.source() if task.source else None,
    )


def check(tasks: Sequence[Task]) -> None:
    """Refuse two tasks of one name, and judges and problems that are not there, before a model is loaded or asked."""
    for task in tasks:
        task.find_judge()
        if task.source:
            task.source()
    for name, count in Counter(task.name for task in tasks).items():
        if count > 1:
            raise RecipeError(f"{count} tasks are called '{name}'", where="eval.tasks", mend="rename one of the files")


def _by_id(problems: Iterator[Problem]) -> dict[str, Problem]:
    found: dict[str, Problem] = {}
    for problem in problems:
        if problem.id in found:
            other = found[problem.id].task
            raise DataError(
                f"two problems have the id '{problem.id}'",
                where=f"tasks '{other}' and '{problem.task}'",
                mend="give each problem an id of its own, or evaluate the tasks one by one",
            )
        found[problem.id] = problem
    return found


def _ask(
    backend: Backend,
    task: Task,
    requests: Sequence[Request],
    problems: Mapping[str, Problem],
    config: EvalConfig,
    journal: Journal,
    console: Console,
) -> float:
    """Have every request of a task in the journal; returns the wall seconds its batches have cost."""
    seconds, judge = 0.0, task.find_judge()
    seen: dict[str, Counter[str]] = {GREEDY: Counter(), SAMPLED: Counter()}
    with console.progress(f"eval {task.name}", sum(request.n for request in requests), "samples") as bar:

        def count(given: Sequence[Completion]) -> None:
            name, mode = split_id(given[0].request)
            if task.program is None:  # else nothing is known before the programs have run
                gold = problems[name].answer
                seen[mode].update(judged_safely(Sample(sample), gold, judge).outcome for sample in given)
            bar.advance(len(given), _note(seen))

        for batch in log.batches(requests, config.batch):
            seconds += log.complete(backend, batch, journal, count).seconds
    return seconds


def _note(seen: Mapping[str, Counter[str]]) -> str:
    """`greedy right 12 no answer 3 of 40; sampled right 90 no answer 7 of 320`."""
    parts = []
    for label, counts in (("greedy", seen[GREEDY]), ("sampled", seen[SAMPLED])):
        if counts:
            lost = counts["no_answer"] + counts["cut_off"]
            errors = f" errors {counts['error']}" if counts["error"] else ""
            parts.append(f"{label} right {counts['right']} no answer {lost}{errors} of {sum(counts.values())}")
    return "; ".join(parts)


def _stored(
    backend: Backend, requests: Mapping[str, Sequence[Request]], config: EvalConfig, journal: Journal
) -> Iterator[Completion]:
    for batch in chain.from_iterable(log.batches(part, config.batch) for part in requests.values()):
        path = journal.path("complete", backend.identity, batch)
        yield from journal.read(path, Completion).records


def _executed(
    backend: Backend,
    tasks: Sequence[Task],
    requests: Mapping[str, Sequence[Request]],
    config: EvalConfig,
    journal: Journal,
    console: Console,
) -> Iterator[Ran]:
    """The ends of the programs of the tasks that have any, in the order of their completions."""
    for task in tasks:
        if task.program is not None:
            asked = requests[task.name]
            stored = _stored(backend, {task.name: asked}, config, journal)
            total = sum(request.n for request in asked)
            yield from run_programs(stored, task.program, config.sandbox, journal, console, total)


def _passages(texts: Mapping[str, Sequence[Document]], config: EvalConfig) -> list[Passage]:
    wanted = config.perplexity if isinstance(config.perplexity, list) else list(texts) if config.perplexity else []
    for subset in wanted:
        if subset not in texts:
            known = suggest(subset, texts) or f"the subsets are {', '.join(texts) or 'none'}"
            raise RecipeError(f"no texts of subset '{subset}'", where="eval.perplexity", mend=known)
    cap, budget = config.perplexity_document_bytes, config.perplexity_bytes
    return [passage for subset in wanted for passage in select(subset, texts[subset], budget, cap)]


def _score(backend: Backend, passages: Sequence[Passage], journal: Journal, console: Console) -> log.Part[Scored]:
    seconds, rows = 0.0, list[Scored]()
    if not passages:
        return log.Part(seconds, rows)
    with console.progress("bits per byte", sum(len(p.text.encode()) for p in passages), "bytes") as bar:
        for start in range(0, len(passages), _PASSAGES):
            part = _scored(backend, passages[start : start + _PASSAGES], journal, bar)
            seconds, rows = seconds + part.seconds, rows + part.records
    return log.Part(seconds, rows)


def _scored(backend: Backend, batch: Sequence[Passage], journal: Journal, bar: Progress) -> log.Part[Scored]:
    asked: list[int] = []

    def advance(size: int) -> None:
        asked.append(size)
        bar.advance(size)

    part = log.score(backend, batch, journal, advance)
    if not asked:  # it was in the journal
        bar.advance(sum(row.bytes for row in part.records))
    return part
