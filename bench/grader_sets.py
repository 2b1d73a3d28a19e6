"""The sets of labelled pairs that graders are measured on."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import reading
from labelled import box


class Pair(NamedTuple):
    """A prediction, a gold answer, whether they are the same, how to read them, and the rule or file they come from."""

    pred: str
    gold: str
    equal: bool
    kind: str
    rule: str


def made(path: Path) -> list[Pair]:
    """A half that `labelled.py` wrote."""
    rows = (json.loads(line) for line in path.open(encoding="utf-8"))
    return [Pair(row["pred"], row["gold"], row["equal"], row["kind"], row["rule"]) for row in rows]


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    path = folder / name / "test.jsonl"
    return [json.loads(line) for line in path.open(encoding="utf-8")] if path.is_file() else []


def math_golds(folder: Path) -> list[str]:
    """The final answers of MATH's test set."""
    return [
        box(row["solution"]) or row["solution"].rpartition("\\boxed")[2].strip("$ .") for row in _rows(folder, "math")
    ]


def identity(folder: Path) -> list[Pair]:
    """Every answer of MATH given as the answer."""
    return [Pair(gold, gold, True, "answer", "identity") for gold in math_golds(folder)]


def shuffled(folder: Path) -> list[Pair]:
    """Answers of MATH against those of other problems; pairs that are or may be the same are left out."""
    golds = math_golds(folder)
    others = golds[:]
    random.Random(0).shuffle(others)
    pairs = zip(golds, others, strict=True)
    return [Pair(other, gold, False, "answer", "shuffled") for gold, other in pairs if not _maybe_same(gold, other)]


def _maybe_same(one: str, other: str) -> bool:
    if _bare(one) == _bare(other):
        return True
    a, b = reading.read(_bare(one)), reading.read(_bare(other))
    return a is not None and b is not None and reading.same(a, b) is True


def _bare(answer: str) -> str:
    """Without names, units, marks and sizes of brackets."""
    text = re.sub(r"\\(?:text|mbox|mathrm)\{[^}]*\}|\^\{?\\circ\}?|\\[$%!,; ]|\\left|\\right|\\d?t?frac", "", answer)
    return (
        re.sub(r"^[a-zA-Z]\s*=|[\s{}]", "", text) if re.search(r"\d", text) else re.sub(r"[\s(){}]|\\\w+", "", answer)
    )


def word_problems(folder: Path) -> list[Pair]:
    """Solutions of GSM8K against their own answers, and against the next problem's where it differs."""
    rows = [row["answer"] for row in _rows(folder, "gsm8k")]
    finals = [row.rpartition("####")[2].strip() for row in rows]
    own = [Pair(row, final, True, "gsm8k", "own") for row, final in zip(rows, finals, strict=True)]
    turned = zip(rows, finals, finals[1:] + finals[:1], strict=True)
    return own + [Pair(row, nxt, False, "gsm8k", "next") for row, final, nxt in turned if nxt != final]


def cases(path: Path) -> Iterator[Pair]:
    """The parametrised (gold, pred, expected) of a test file, read from its syntax tree; nothing of it is run.

    Rows that ask for other than the default options are left out.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or len(node.args) < 2:
            continue
        if node.func.attr != "parametrize" or not isinstance(node.args[1], ast.List):
            continue
        names = re.split(r"\s*,\s*", ast.literal_eval(node.args[0]).strip())
        for row in node.args[1].elts:
            found = _case(names, row)
            if found:
                yield found._replace(rule=path.stem)


def _case(names: list[str], row: ast.expr) -> Pair | None:
    try:
        fields = dict(zip(names, ast.literal_eval(row), strict=True))
    except (ValueError, TypeError):
        return None
    label = fields.get("expected", fields.get("result"))
    usual = fields.get("strict", True) is True and fields.get("allow_set_relation_comp", False) is False
    if label not in (0, 1) or not usual or "gold" not in fields or "pred" not in fields:
        return None
    return Pair(fields["pred"], fields["gold"], bool(label), "text", "")


def samples(path: Path) -> list[Pair]:
    """Published samples: a JavaScript file `var DATA = {subset: [{reference_answer, model_answer, result}]}`, or rows
    {pred, gold, equal} as JSON lines. A published verdict is a label only as good as the grader that gave it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        return [Pair(row["pred"], row["gold"], row["equal"], "completion", "samples") for row in rows]
    subsets = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return [
        Pair(row["model_answer"], row["reference_answer"], row["result"] == "Correct", "text", name)
        for name, rows in subsets.items()
        for row in rows
        if "Final Answer" in row["model_answer"]
    ]
