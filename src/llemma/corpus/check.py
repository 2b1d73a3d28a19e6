"""Turn the `corpus` section of a recipe into sources and steps, or say everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import structs

from llemma.core.errors import LlemmaError, RecipeError, suggest
from llemma.core.registry import find, names
from llemma.core.types import Document, Drop
from llemma.corpus.config import CorpusConfig, SlurmConfig, SourceConfig
from llemma.corpus.source import Source

Step = Callable[[Document], Document | Drop]

# Names become folder and file names; `dropped` is the ledger's.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
EXECUTORS = ("local", "ray", "slurm")
DEDUP = ("minhash", "simhash")
RULE_SETS = ("default", "llemma")
PUBLISHED = RULE_SETS[1]
CHUNK_DEDUP = ("none", "default", "llemma")
SPLIT_RULES = ("hash", "published")


def open_sources(config: CorpusConfig) -> dict[str, Source]:
    """The sources by name, in the order of the recipe; raises one `RecipeError` with all problems of the section."""
    problems = list(_limits(config))
    opened: dict[str, Source] = {}
    for name, source in config.sources.items():
        path = f"corpus.sources.{name}"
        problems += [*_source_limits(name, source, config), *_wrong_steps(source, path)]
        found, wrong = _open(source, path)
        problems += wrong
        if found is not None:
            opened[name] = found
    if problems:
        many = (
            f"{len(problems)} problems in the corpus section:"
            if len(problems) > 1
            else "the corpus section is refused:"
        )
        raise RecipeError("\n  ".join([many, *problems]), where="corpus", mend="mend these keys in the recipe")
    return opened


def guarded(config: CorpusConfig) -> CorpusConfig:
    """The section with its rule set in every source, and with every source read through `without-tests`, where it names
    problems to `protect`."""
    if not config.protect and config.rules == RULE_SETS[0]:
        return config
    open_sources(config)  # what is wrong is told by the recipe's own keys
    config = _by_rules(config) if config.rules == PUBLISHED else config
    sources = {}
    if not config.protect:
        return config
    for name, source in config.sources.items():
        options: dict[str, Any] = {"kind": source.kind, "options": source.options, "tests": config.protect}
        options |= {"ngram": config.decontaminate_ngram, "rules": config.rules}
        already = source.kind == "without-tests"
        sources[name] = source if already else structs.replace(source, kind="without-tests", options=options)
    return structs.replace(config, sources=sources)


def _by_rules(config: CorpusConfig) -> CorpusConfig:
    """The section with the published form of whatever has one."""
    known = set(names("step"))
    sources = {}
    for name, source in config.sources.items():
        steps = [f"{step}-{PUBLISHED}" if f"{step}-{PUBLISHED}" in known else step for step in source.steps]
        chunks = PUBLISHED if source.chunk_dedup == "default" else source.chunk_dedup
        sources[name] = structs.replace(source, steps=steps, chunk_dedup=chunks)
    chunks = PUBLISHED if config.chunk_dedup == "default" else config.chunk_dedup
    return structs.replace(config, sources=sources, chunk_dedup=chunks)


def with_chunks(source: SourceConfig, config: CorpusConfig) -> SourceConfig:
    """A source with its way to find chunk duplicates, the corpus' own where it names none.

    The paper's scripts removed chunk duplicates from what came from GitHub, so the published rules bring that along.
    """
    kind = source.options.get("kind") if source.kind == "without-tests" else source.kind
    papers = kind == "github" and f"algebraic-stack-{PUBLISHED}" in source.steps and config.chunk_dedup == "none"
    return structs.replace(source, chunk_dedup=source.chunk_dedup or (PUBLISHED if papers else config.chunk_dedup))


def open_source(config: SourceConfig, path: str) -> Source:
    """One source; `path` is its place in the recipe, for the message of the `RecipeError`."""
    found, problems = _open(config, path)
    if found is None:
        raise RecipeError("\n  ".join(problems), where=path)
    return found


def open_steps(config: SourceConfig) -> list[tuple[str, Step]]:
    """The steps of a source with their names."""
    return [(name, open_step(name, config.step_options.get(name))) for name in config.steps]


def open_step(name: str, options: dict[str, Any] | None = None) -> Step:
    """A step by name: a function as it is, or a struct of options that is called like one, made of `options`."""
    found = find("step", name)
    return cast(Step, msgspec.convert(options or {}, found) if _has_options(found) else found)


def _has_options(step: Any) -> bool:
    return isinstance(step, type) and issubclass(step, msgspec.Struct)


def _open(config: SourceConfig, path: str) -> tuple[Source | None, list[str]]:
    try:
        kind = find("source", config.kind)
    except LlemmaError as error:
        return None, [f"{path}.kind: {error.what}; {error.mend}"]
    problems = list(_wrong_options(kind, config.options, f"{path}.options"))
    if problems:
        return None, problems
    try:
        return msgspec.convert(config.options, kind), []
    except msgspec.ValidationError as error:
        return None, [f"{path}.options: {error}"]


def _wrong_options(kind: Any, options: dict[str, Any], path: str) -> Iterator[str]:
    """Unknown, missing and mistyped options of a source's Struct, each with its key path."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in options.items():
        if key not in fields:
            yield f"{path}.{key}: unknown key; {suggest(key, fields) or 'known are ' + ', '.join(fields)}"
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            yield f"{path}.{key}: {error}"
    for key, field in fields.items():
        if field.required and key not in options:
            yield f"{path}.{key}: missing"


def _wrong_steps(config: SourceConfig, path: str) -> Iterator[str]:
    for number, name in enumerate(config.steps):
        try:
            step = find("step", name)
        except LlemmaError as error:
            yield f"{path}.steps[{number}]: {error.what}; {error.mend}"
            continue
        options, place = config.step_options.get(name, {}), f"{path}.step_options.{name}"
        if _has_options(step):
            yield from _wrong_options(step, options, place)
        elif options:
            yield f"{place}: the step has no options"
    for name in config.step_options.keys() - set(config.steps):
        yield f"{path}.step_options.{name}: no such step here; {suggest(name, config.steps) or 'add it to steps'}"


def _limits(config: CorpusConfig) -> Iterator[str]:
    if not config.sources:
        yield "corpus.sources: no source at all"
    if not 0 < config.dedup_threshold <= 1:
        yield f"corpus.dedup_threshold: must be above 0 and at most 1, not {config.dedup_threshold}"
    for key in ("decontaminate_ngram", "shard_bytes", "workers", "merge_memory"):
        if getattr(config, key) < 1:
            yield f"corpus.{key}: must be at least 1, not {getattr(config, key)}"
    yield from _one_of("corpus.executor", "executor", config.executor, EXECUTORS)
    yield from _one_of("corpus.rules", "rule set", config.rules, RULE_SETS)
    yield from _one_of("corpus.dedup", "way to find near-duplicates", config.dedup, DEDUP)
    yield from _one_of("corpus.chunk_dedup", "way to find chunk duplicates", config.chunk_dedup, CHUNK_DEDUP)
    yield from _slurm_limits(config.slurm)


def _one_of(path: str, what: str, value: str, known: Sequence[str]) -> Iterator[str]:
    if value not in known:
        yield f"{path}: unknown {what} '{value}'; {suggest(value, known) or 'known are ' + ', '.join(known)}"


_WORD, _TIME, _SIZE = r"[A-Za-z0-9_.,@-]*", r"[0-9]+(?:[-:][0-9]+)*", r"[0-9]+[KMGT]?"
_SLURM_FORMS = {
    "partition": _WORD,
    "account": _WORD,
    "time": _TIME,
    "merge_time": _TIME,
    "memory": _SIZE,
    "merge_memory": _SIZE,
}


def _slurm_limits(slurm: SlurmConfig) -> Iterator[str]:
    """Values that would be other lines of the job script, or no sizes and times."""
    for key, form in _SLURM_FORMS.items():
        if not re.fullmatch(form, getattr(slurm, key)):
            yield f"corpus.slurm.{key}: '{getattr(slurm, key)}' is not in the form that sbatch takes"
    for key, least in (("tasks", 1), ("cpus", 1), ("merge_cpus", 1), ("at_once", 0)):
        if getattr(slurm, key) < least:
            yield f"corpus.slurm.{key}: must be at least {least}, not {getattr(slurm, key)}"
    for line in slurm.directives:
        if not re.fullmatch(r"--?[A-Za-z][^\n\r]*", line):
            yield f"corpus.slurm.directives: an option of sbatch such as '--qos=low', not '{line}'"


def _source_limits(name: str, source: SourceConfig, config: CorpusConfig) -> Iterator[str]:
    path = f"corpus.sources.{name}"
    if not _NAME.fullmatch(name):
        yield f"{path}: a name may only have letters, digits, '.', '_' and '-'"
    if not _NAME.fullmatch(source.subset) or source.subset == "dropped":
        yield f"{path}.subset: '{source.subset}' cannot name a folder of the corpus"
    if not 0 < source.keep <= 1:
        yield f"{path}.keep: must be above 0 and at most 1, not {source.keep}"
    yield from _one_of(f"{path}.splits", "way to choose splits", source.splits, SPLIT_RULES)
    if source.chunk_dedup is not None:
        yield from _one_of(f"{path}.chunk_dedup", "way to find chunk duplicates", source.chunk_dedup, CHUNK_DEDUP)
    validation, test = split_shares(source, config)
    if min(validation, test) < 0 or validation + test >= 1:
        yield f"{path}: validation {validation} and test {test} must not be negative and must leave a train split"


def split_shares(source: SourceConfig, config: CorpusConfig) -> tuple[float, float]:
    """The validation and the test share of a source."""
    validation = config.validation if source.validation is None else source.validation
    return validation, config.test if source.test is None else source.test
