"""The settings of a run out of what a user said, and the plan of it."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.console import duration
from llemma.core.errors import UsageError
from llemma.prove.config import ProveConfig, ProverConfig, SearchConfig
from llemma.prove.tasks import Task

# Automation is asked again and again for the same list, and what it cannot close soon it does not close: the published
# limits, made for models, would spend days. These keep 488 theorems within an hour on two cores.
AUTOMATION = {"samples": 64, "expansions": 12, "seconds": 10.0}

WHOLE = "isabelle"
"""The prover that takes no single steps."""


def resolve(model: str, prover: str, options: Mapping[str, Any]) -> ProveConfig:
    """The configuration of a run. What is None in `options` is left at its default; for `automation:` that is lower."""
    given = {key: value for key, value in options.items() if value is not None}
    limits: dict[str, Any] = {name: given[name] for name in ("isolation", "step_seconds", "project") if name in given}
    if given.get("command"):
        limits["command"] = shlex.split(given["command"])
    if "memory" in given:
        limits["memory_mb"] = given["memory"]
    automatic = model.startswith("automation:")
    # Isabelle's server checks whole theories and shows no states between; its task begins from informal proofs
    whole = "whole" if automatic else "informal"
    mode = given.get("mode", whole if prover == WHOLE else "search")
    if prover == WHOLE and mode == "search":
        raise UsageError("Isabelle checks whole proofs", where="--mode search", mend="use --mode informal or whole")
    if given.get("form") == "reprover" and mode != "search":
        raise UsageError("that format proposes tactics", where="--format reprover", mend="leave --mode out")
    published = paper() if prover == WHOLE and given.get("protocol") == "llemma" else {}
    limits["options"] = {**published, **dict(map(_option, given.get("option", ())))}
    search = AUTOMATION if automatic and mode == "search" else {}
    # the paper's candidates are those of a beam search
    beam = "beam" if given.get("protocol") == "llemma" and mode == "search" else "sample"
    fields = {"format": given.get("form", "few-shot"), "proposals": beam, **given}
    search = {**search, **{key: value for key, value in fields.items() if key in SearchConfig.__struct_fields__}}
    run = {key: given[key] for key in ("batch",) if key in given}
    return ProveConfig(
        mode=mode,
        search=msgspec.convert(search, SearchConfig),
        prover=msgspec.convert(limits, ProverConfig),
        workers=given.get("workers") or min(8, os.cpu_count() or 1),
        **run,
    )


def paper() -> dict[str, Any]:
    """Isabelle's options under the protocol `llemma`."""
    from llemma.prove.isabelle.config import PUBLISHED

    options: dict[str, Any] = msgspec.to_builtins(PUBLISHED)
    return options


def _option(given: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value as in a recipe, or a plain word."""
    name, mark, value = given.partition("=")
    if not mark or not name.strip().isidentifier():
        raise UsageError(f"'{given}' is no NAME=VALUE", where="--option", mend="such as --option hammer=false")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value


class Plan(msgspec.Struct, frozen=True):
    """What a run would do; `seconds` is the most it can take, the time of loading headers and checking left out."""

    task: str
    theorems: int
    headers: int
    left_out: dict[str, int]
    prover: str
    model: str
    candidates: int
    """At most, over all theorems."""
    seconds: float
    baseline: bool
    settings: ProveConfig
    out: str


def plan(task: Task, model: str, prover: str, config: ProveConfig, out: Path, *, baseline: bool) -> Plan:
    """The plan of a run over `task`."""
    n, search = len(task.theorems), config.search
    expansions = search.expansions if config.mode == "search" else 1
    return Plan(
        task=task.name,
        theorems=n,
        headers=len({theorem.header for theorem in task.theorems}),
        left_out=task.left_out,
        prover=prover,
        model=model,
        candidates=n * expansions * search.samples,
        seconds=n * search.seconds / min(config.workers, max(1, n)),
        baseline=baseline,
        settings=config,
        out=str(out),
    )


def text(found: Plan) -> str:
    """The plan in lines."""
    search = found.settings.search
    lines = [
        f"{found.task}: {found.theorems} theorems under {found.headers} headers",
        f"prover {found.prover}, model {found.model}, baseline {'yes' if found.baseline else 'no'}",
        f"mode {found.settings.mode}, protocol {search.protocol}: {search.samples} candidates, "
        f"{search.expansions} expansions, {search.seconds:g} s a theorem, {found.settings.workers} workers",
        f"at most {found.candidates:,} candidates and {duration(found.seconds)}",
        f"out: {found.out}",
    ]
    return "\n".join([*lines, *(f"left out: {count} ({why})" for why, count in found.left_out.items())])
