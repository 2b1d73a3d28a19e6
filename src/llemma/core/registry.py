"""Plug-in points, found by name. Nothing is imported until it is asked for.

The built-in tables map a name to `"module:attribute"`. A recipe's `plugins = ["mine.py"]` and the
entry-point group `llemma.plugins` add to them by calling `register`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Any

from llemma.core.errors import MissingError, RecipeError, suggest

KINDS = ("source", "step", "task", "judge", "backend", "prover", "tracker")

_TABLES: dict[str, dict[str, Any]] = {
    "source": {
        "folder": "llemma.corpus.sources.folder:Folder",
        "archive": "llemma.corpus.sources.archive:Archive",
        "pypi": "llemma.corpus.sources.pypi:PyPI",
        "installed": "llemma.corpus.sources.installed:Installed",
        "stdlib": "llemma.corpus.sources.installed:Stdlib",
        "rocq": "llemma.corpus.sources.rocq:Rocq",
        "warc": "llemma.corpus.sources.warc:Warc",
        "arxiv": "llemma.corpus.sources.arxiv:Arxiv",
        "stack": "llemma.corpus.sources.stack:Stack",
        "github": "llemma.corpus.sources.github:GitHub",
        "proof-pile-2": "llemma.corpus.sources.proofpile:ProofPile",
        "without-tests": "llemma.corpus.sources.without_tests:WithoutTests",
        "synthetic": "llemma.corpus.sources.synthetic:Synthetic",
        "lean-steps": "llemma.corpus.sources.proofsteps:LeanSteps",
        "isabelle-steps": "llemma.corpus.sources.proofsteps:IsabelleSteps",
        "rocq-steps": "llemma.corpus.sources.rocqsteps:RocqSteps",
        "theorems": "llemma.corpus.sources.rocqsteps:Theorems",
    },
    "step": {
        "not-empty": "llemma.corpus.steps:not_empty",
        "size": "llemma.corpus.steps:size",
        "numeric-density": "llemma.corpus.steps:numeric_density",
        "no-generated": "llemma.corpus.steps:no_generated",
        "no-minified": "llemma.corpus.steps:no_minified",
        "no-tests": "llemma.corpus.steps:no_tests",
        "python-math": "llemma.corpus.steps:python_math",
        "rocq": "llemma.corpus.steps:rocq",
        "text-docs": "llemma.corpus.steps:text_docs",
        "algebraic-stack": "llemma.corpus.languages:algebraic_stack",
        "algebraic-stack-llemma": "llemma.corpus.languages:algebraic_stack_llemma",
        "long-enough": "llemma.corpus.web.quality.plain:long_enough",
        "has-formulas": "llemma.corpus.web.quality.plain:has_formulas",
        "few-accents": "llemma.corpus.web.quality.plain:few_accents",
        "little-boilerplate": "llemma.corpus.web.quality.plain:little_boilerplate",
        "no-macro-lines": "llemma.corpus.web.quality.plain:no_macro_lines",
        "english": "llemma.corpus.web.quality.language:English",
        "math-score": "llemma.corpus.web.quality.score:MathScore",
        "perplexity": "llemma.corpus.web.quality.perplexity:Perplexity",
        "addresses": "llemma.corpus.web.quality.addresses:Addresses",
        "libretexts": "llemma.corpus.web.quality.addresses:libretexts",
        "open-web-math": "llemma.corpus.web.quality.passes:FirstPass",
        "open-web-math-second": "llemma.corpus.web.quality.passes:SecondPass",
    },
    "task": {
        "gsm8k": "llemma.evals.benchmarks:gsm8k",
        "math": "llemma.evals.benchmarks:math",
        "math500": "llemma.evals.benchmarks:math500",
        "ocw_courses": "llemma.evals.benchmarks:ocw_courses",
        "mmlu_stem": "llemma.evals.benchmarks:mmlu_stem",
        "sat_math": "llemma.evals.benchmarks:sat_math",
        "svamp": "llemma.evals.benchmarks:svamp",
        "asdiv": "llemma.evals.benchmarks:asdiv",
        "gsm_hard": "llemma.evals.benchmarks:gsm_hard",
        "college_math": "llemma.evals.benchmarks:college_math",
        "aime24": "llemma.evals.benchmarks:aime24",
        "amc23": "llemma.evals.benchmarks:amc23",
        "gsm8k_python": "llemma.evals.benchmarks:gsm8k_python",
        "math_python": "llemma.evals.benchmarks:math_python",
    },
    "judge": {
        "default": "llemma.evals.answers:DEFAULT",
        "number": "llemma.evals.answers.numeric:NUMBER",
        "choice": "llemma.evals.answers.choices:CHOICE",
        "measured": "llemma.evals.answers.measured:MEASURED",
        "program": "llemma.evals.answers.python_values:PROGRAM",
        "llemma-gsm8k": "llemma.evals.answers.llemma.judges:GSM8K",
        "llemma-choice": "llemma.evals.answers.llemma.judges:CHOICE",
        "llemma-gsm8k-python": "llemma.evals.answers.llemma.programs:GSM8K_PYTHON",
        "llemma-math-python": "llemma.evals.answers.llemma.programs:MATH_PYTHON",
        "llemma-math": "llemma.evals.answers.llemma.judges:MATH",
        "llemma-ocw": "llemma.evals.answers.llemma.judges:OCW",
    },
    "prover": {
        "rocq": "llemma.prove.rocq:Rocq",
        "lean": "llemma.prove.lean:Lean",
        "isabelle": "llemma.prove.isabelle:Isabelle",
    },
    "tracker": {
        "tensorboard": "llemma.train.metrics:tensorboard",
        "wandb": "llemma.train.metrics:wandb",
    },
    "backend": {
        "automation": "llemma.backends.automation:open_automation",
        "echo": "llemma.backends.echo:open_echo",
        "http": "llemma.backends.http:open_http",
        "https": "llemma.backends.http:open_https",
        "hf": "llemma.backends.hub:open_hf",
        "replay": "llemma.backends.replay:open_replay",
        "run": "llemma.backends.local:open_run",
    },
}
_entry_points_read = False


def register(kind: str, name: str, what: Any) -> None:
    """Add a plug-in: `what` is the object itself or a lazy `"module:attribute"` string."""
    _table(kind)[name] = what


def names(kind: str) -> list[str]:
    """All names of a kind, sorted, those of installed plug-ins included."""
    _read_entry_points()
    return sorted(_table(kind))


def find(kind: str, name: str, *, where: str = "") -> Any:
    """The object called `name`; an unknown name is an error with a suggestion."""
    known = names(kind)
    if name not in known:
        hint = suggest(name, known)
        raise RecipeError(
            f"unknown {kind} '{name}'",
            where=where,
            mend=f"{hint}  `llemma list {kind}s` shows all {len(known)}".strip(),
        )
    target = _table(kind)[name]
    return _load(target) if isinstance(target, str) else target


def load_plugin(path: Path) -> None:
    """Run a plug-in file of the recipe; it calls `register`."""
    if not path.is_file():
        raise MissingError(f"no plug-in file {path}", where="plugins", mend="check the path in the recipe")
    name = f"llemma_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _table(kind: str) -> dict[str, Any]:
    if kind not in _TABLES:
        raise RecipeError(f"unknown kind '{kind}'", mend=suggest(kind, KINDS) or f"one of {', '.join(KINDS)}")
    return _TABLES[kind]


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _read_entry_points() -> None:
    global _entry_points_read
    if not _entry_points_read:
        _entry_points_read = True
        for entry in importlib.metadata.entry_points(group="llemma.plugins"):
            entry.load()
