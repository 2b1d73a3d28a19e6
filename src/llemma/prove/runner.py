"""A run over theorems: proposals of one model, provers side by side, every finished theorem kept.

out/
  proofs.jsonl     results.Row, in the order of the theorems
  results.json     results.Results
  trees/           the journal of finished theorems, each with its search tree
  baseline/        the same of the no-model baseline
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import msgspec

from llemma.backends.base import Backend, open_backend
from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import Interrupted, ItemsError, LlemmaError, RecipeError
from llemma.core.files import digest, read_json, write_json
from llemma.core.interrupt import deferred
from llemma.core.runs import locked
from llemma.prove import whole
from llemma.prove.attempt import Asked, Attempt, Halted, Turn, searching
from llemma.prove.config import ProveConfig, SearchConfig
from llemma.prove.journal import Journal
from llemma.prove.pool import Pool, Session
from llemma.prove.propose import Proposer, few_shot
from llemma.prove.prover import Prover, open_prover
from llemma.prove.results import Baseline, Results, Told, first_expansion, parts, pass_curve, row, score
from llemma.prove.tasks import Task
from llemma.prove.theorem import Theorem

VERSION = 1
"""Of all that decides how a theorem ends and is not a setting; finished work of another version is done again."""

PROOFS, RESULTS, TREES, BASELINE = "proofs.jsonl", "results.json", "trees", "baseline"
AUTOMATION = "automation:"
BASELINE_SECONDS = 60.0
"""Of the baseline, a theorem."""


def prove(
    backend: Backend,
    task: Task,
    prover: str,
    config: ProveConfig,
    out: Path,
    *,
    console: Console,
    baseline: bool = True,
) -> Results:
    """Attempt every theorem of `task`, write `out`, and set the no-model baseline beside the score.

    Interrupted or killed, the same call goes on where it was: a kill loses the theorems at work, no others. Theorems
    that ended in an error are attempted again. Raises `MissingError` where the prover cannot start, `Interrupted`
    after a Ctrl-C, and `ItemsError` after everything is written when too many theorems ended in an error.
    """
    with locked(out):
        identity = _identity(prover, config)
        attempts, session, journal = _attempt(backend, task, prover, identity, config, out, console)
        told = [Told(theorem, attempts[theorem.id]) for theorem in task.theorems]
        jsonl.write(out / PROOFS, (row(attempt, _tree(journal, theorem)) for theorem, attempt in told))
        compared = _baseline(backend, told, task, prover, config, out, console) if baseline else None
        results = _results(backend, told, task, prover, identity, config, session, compared)
        write_json(out / RESULTS, results)
    _refuse_errors(told, results, out)
    return results


def _identity(prover: str, config: ProveConfig) -> str:
    worker = open_prover(prover, config.prover)
    try:
        return worker.identity
    finally:
        worker.close()


def _tree(journal: Journal, theorem: Theorem) -> str:
    return f"{TREES}/{journal.path(theorem).name}"


def _attempt(
    backend: Backend, task: Task, prover: str, identity: str, config: ProveConfig, out: Path, console: Console
) -> tuple[dict[str, Attempt], Session, Journal]:
    """Every theorem's attempt: from the journal, else made now."""
    decides = msgspec.structs.replace(config, workers=1, open=None, batch=1, max_errors=0.0)
    journal = Journal(out / TREES, VERSION, prover, identity, backend.identity, decides, _shown(prover, config))
    kept = {theorem.id: journal.read(theorem) for theorem in task.theorems}
    attempts = {name: found for name, found in kept.items() if found is not None}
    missing = [theorem for theorem in task.theorems if theorem.id not in attempts]
    if not missing:
        return attempts, _last_session(out), journal
    counts = Counter(attempt.outcome for attempt in attempts.values())
    lock = threading.Lock()
    with console.progress(f"prove {task.name}", len(task.theorems), "theorems") as bar, deferred(console) as pending:
        bar.resume(len(attempts))

        def finished(theorem: Theorem, attempt: Attempt) -> None:
            journal.write(theorem, attempt)
            with lock:
                attempts[theorem.id] = msgspec.structs.replace(attempt, tree=[])
                counts[attempt.outcome] += 1
                bar.advance(1, ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))

        pool = _pool(missing, prover, config, finished)
        try:
            session = pool.run(backend, pending)
        except Interrupted as stopped:
            raise Interrupted(
                f"stopped after {len(attempts)} of {len(task.theorems)} theorems",
                where=str(out),
                mend="the same command goes on from here",
            ) from stopped
    return attempts, session, journal


def _shown(prover: str, config: ProveConfig) -> str:
    """The prompts but for the theorem: other examples are other work."""
    return few_shot(prover, "") if config.mode == "search" else digest(whole.worked(prover))


def _last_session(out: Path) -> Session:
    """Of the process that did the work, when this one had nothing left to do."""
    try:
        return read_json(out / RESULTS, Results).session
    except LlemmaError:
        return Session()


def _pool(
    theorems: Sequence[Theorem], prover: str, config: ProveConfig, finished: Callable[[Theorem, Attempt], None]
) -> Pool:
    searches = config.mode == "search"
    proposer: Proposer | whole.Proposer = Proposer(prover, config.search)
    if config.mode != "search":
        proposer = whole.Proposer(prover, config.search, config.mode)
    method = searching if searches else whole.sampling

    def begin(theorem: Theorem, worker: Prover, halted: Halted) -> Generator[Asked, Turn, Attempt]:
        return method(theorem, worker, config.search, config.prover, halted)

    return Pool(
        theorems,
        open_prover=lambda: open_prover(prover, config.prover),
        begin=begin,
        request=proposer.request,
        read=proposer.read,
        finished=finished,
        workers=config.workers,
        at_once=config.open or 4 * config.workers,
        batch=config.batch,
        open_seconds=config.prover.open_seconds,
        opens=searches,
    )


def _baseline(
    backend: Backend,
    told: Sequence[Told],
    task: Task,
    prover: str,
    config: ProveConfig,
    out: Path,
    console: Console,
) -> Baseline | None:
    """What closing tactics prove in one expansion: of a run that proposes nothing else, its own first expansion.

    None, with a warning, for a prover of which no such tactics are known.
    """
    attempts = [attempt for _, attempt in told]
    if backend.name.startswith(AUTOMATION) and (config.mode == "search" or prover == "isabelle"):
        return Baseline(backend.name, first_expansion(attempts, task.name), round(sum(a.seconds for a in attempts), 3))
    # Isabelle's closing methods are whole proofs, and one of them searches for long; elsewhere they are tactics
    whole_proofs = prover == "isabelle"
    seconds = config.search.seconds if whole_proofs else min(BASELINE_SECONDS, config.search.seconds)
    plain = msgspec.structs.replace(
        config,
        mode="whole" if whole_proofs else "search",
        search=SearchConfig(samples=64, expansions=1, seconds=seconds),
        max_errors=1.0,
    )
    try:
        automation = open_backend(AUTOMATION + prover)
    except RecipeError as error:
        console.warn(f"no baseline: {error.what}")
        return None
    results = prove(automation, task, prover, plain, out / BASELINE, console=console, baseline=False)
    return Baseline(results.model, results.score, results.seconds)


def _results(
    backend: Backend,
    told: Sequence[Told],
    task: Task,
    prover: str,
    identity: str,
    config: ProveConfig,
    session: Session,
    baseline: Baseline | None,
) -> Results:
    attempts = [attempt for _, attempt in told]
    return Results(
        task=task.name,
        data=task.digest,
        prover=prover,
        prover_identity=identity,
        isolation=config.prover.isolation,
        model=backend.name,
        model_identity=backend.identity,
        device=backend.device,
        protocol=config.search.protocol,
        settings=config,
        score=score(attempts, task.name),
        parts=parts(told, task.name),
        passed=pass_curve(attempts, task.name, config.search.seed),
        baseline=baseline,
        left_out=task.left_out,
        not_taken=sum(not attempt.taken for attempt in attempts),
        axioms=dict(Counter(axiom for attempt in attempts for axiom in attempt.axioms).most_common()),
        seconds=round(sum(attempt.seconds for attempt in attempts), 3),
        model_seconds=round(sum(attempt.model_seconds for attempt in attempts), 3),
        tokens=sum(attempt.tokens for attempt in attempts),
        tried=sum(attempt.tried for attempt in attempts),
        expansions=sum(attempt.expansions for attempt in attempts),
        rejected=sum(attempt.rejected for attempt in attempts),
        session=session,
    )


def _refuse_errors(told: Sequence[Told], results: Results, out: Path) -> None:
    errors = [attempt for _, attempt in told if attempt.outcome == "error"]
    broken = [attempt for attempt in errors if attempt.taken]
    too_many = len(broken) > results.settings.max_errors * len(told)
    if errors and (too_many or (len(errors) == len(told) and results.settings.max_errors < 1)):
        first = (broken or errors)[0]
        raise ItemsError(
            f"{len(errors)} of {len(told)} theorems ended in an error; the first, {first.id}: {first.why[:300]}",
            where=str(out / PROOFS),
            mend="their reasons are in the file; the same command attempts only these again",
        )
