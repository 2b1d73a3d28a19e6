"""The canonical worked examples out of an installed lm-evaluation-harness, for prompts equal to its own.

Nothing of the harness is imported or run: its YAML is read without tags, and the list in its Python file as a literal.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

from llemma.core.errors import DataError, MissingError
from llemma.evals.answers import find
from llemma.evals.task import Example

_COMMAND = "pip install lm_eval"


def version() -> str:
    """`lm-eval 0.4.9`, as results name these examples."""
    return f"lm-eval {importlib.metadata.version('lm_eval')}"


def gsm8k() -> tuple[Example, ...]:
    """The eight chain-of-thought examples of its task `gsm8k_cot` (Wei et al. 2022)."""
    path = _tasks() / "gsm8k" / "gsm8k-cot.yaml"
    try:
        samples = _yaml(path)["fewshot_config"]["samples"]
        return tuple(_example(each["question"], each["target"]) for each in samples)
    except (OSError, KeyError, TypeError) as error:
        raise _foreign(path, error) from error


def minerva() -> tuple[Example, ...]:
    """The four examples of its tasks `minerva_math_*` (Lewkowycz et al. 2022)."""
    path = _tasks() / "minerva_math" / "utils.py"
    try:
        return tuple(_example(each["problem"], each["solution"]) for each in _literal(path, "list_fewshot_samples"))
    except (OSError, KeyError, TypeError, ValueError, SyntaxError) as error:
        raise _foreign(path, error) from error


def _tasks() -> Path:
    found = importlib.util.find_spec("lm_eval")
    folders = list(found.submodule_search_locations or []) if found else []
    if not folders:
        raise MissingError("lm_eval is not installed", where="--prompts lm-eval", mend=_COMMAND)
    return Path(folders[0]) / "tasks"


def _foreign(path: Path, error: Exception) -> DataError:
    reason = f"{type(error).__name__}: {str(error)[:100]}"
    return DataError(
        f"this version of lm_eval keeps its examples in another way ({reason})",
        where=str(path),
        mend="give the examples as a file: --prompts FILE",
    )


def _yaml(path: Path) -> Any:
    try:
        import yaml  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingError("PyYAML is not installed", where=str(path), mend="pip install pyyaml") from error

    class Untagged(yaml.SafeLoader):  # type: ignore[misc]
        """Reads plain values; `!function` and other tags are nothing."""

    Untagged.add_multi_constructor("!", lambda loader, suffix, node: None)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Untagged)
    except yaml.YAMLError as error:
        raise TypeError(str(error)) from error


def _literal(path: Path, function: str) -> Any:
    """What `function` in a Python file returns, where that is a literal."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    return ast.literal_eval(inner.value)
    raise KeyError(function)


def _example(problem: str, solution: str) -> Example:
    found = find(solution)
    return Example(problem, solution, found.answer if found else "")
