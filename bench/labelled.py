"""Labelled pairs of answers, made by rules out of real gold answers.

python bench/labelled.py ../shared/benchmarks OUT

OUT/open.jsonl and OUT/held.jsonl get rows {id, rule, pred, gold, equal, kind}; the same folder gives the same rows. A
hash of the gold answer decides the half, so that no answer lies in both. Look at the open half while working on a
judge, and at nothing but counts of the other.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import damage  # noqa: F401
import dress  # noqa: F401
import perturbs  # noqa: F401
import reading
import rewrites  # noqa: F401
from rules import OTHER, SAME, Gold, Rule

SOURCES = {"math": 1, "college_math": 1, "ocw_courses": 1, "gsm8k": 2, "asdiv": 6, "amc23": 1, "gsm_hard": 6}
"""Data sets, and which of their rows are taken: every one, every second, ... (word problems: numbers only)."""
PAIRS = 120
"""Pairs a rule may give."""

_ONE_LINE = re.compile(r"(?:\\\$|[^\n$]){1,120}")
_PROSE = re.compile(r"\\text\{[^}]{25,}|[a-z]{3,} [a-z]{2,} [a-z]{2,}|Solution|np\.|\\quad|\\mathrm")


def box(solution: str) -> str | None:
    """What stands in the last `\\boxed{}`."""
    start = solution.rfind("\\boxed{")
    depth = 0
    for at in range(start + 6, len(solution)):
        depth += (solution[at] == "{") - (solution[at] == "}")
        if start >= 0 and depth == 0:
            return solution[start + 7 : at]
    return None


def final(row: dict[str, Any]) -> tuple[str, str]:
    """A row's final answer without dollar signs around it, and what it counts."""
    row = {key.lower(): value for key, value in row.items()}
    given = row.get("answer", row.get("target", row.get("solution")))
    text = str(int(given) if isinstance(given, float) and given.is_integer() else given)
    text = text.rpartition("####")[2].strip() if "####" in text else box(text) or text.strip()
    inner = re.fullmatch(r"\$([^$]+)\$\.?", text)
    counted = re.fullmatch(r"(-?[\d.]+) \(([^()]+)\)", text)
    return (counted[1], counted[2]) if counted else ((inner[1].strip() if inner else text), "")


def golds(folder: Path) -> list[Gold]:
    """Distinct gold answers that can stand in one line, each with another answer of the same kind."""
    found: dict[str, Gold] = {}
    for name, step in SOURCES.items():
        path = folder / name / "test.jsonl"
        for line in islice(path.open(encoding="utf-8") if path.is_file() else (), 0, None, step):
            text, unit = final(json.loads(line))
            if _ONE_LINE.fullmatch(text) and not _PROSE.search(text):
                found.setdefault(text, Gold(text, reading.read(text), name, unit))
    return _with_others(list(found.values()))


def _with_others(golds: list[Gold]) -> list[Gold]:
    chance, kinds = random.Random(7), dict[Any, list[Gold]]()
    for gold in golds:
        kinds.setdefault(_kind(gold), []).append(gold)
    result = []
    for gold in golds:
        group = kinds[_kind(gold)]
        other = next((o for o in (chance.choice(group) for _ in range(20)) if _apart(gold, o)), None)
        result.append(gold._replace(other=other.text if other else "17"))
    return [gold for gold in result if gold.text != "17"]


def _kind(gold: Gold) -> Any:
    return (gold.value.kind, gold.rational is None) if gold.value else gold.text.startswith("\\text")


def _apart(gold: Gold, other: Gold) -> bool:
    if gold.rational is not None and gold.rational == other.rational:
        return False
    return re.sub(r"\W", "", gold.text).lower() != re.sub(r"\W", "", other.text).lower()


def confirmed(rule: Rule, gold: Gold, pred: str) -> bool:
    """Whether the label holds: by the second reader, or by the rule itself where one of the two cannot be read."""
    if rule.kind == "completion":
        return True
    value = reading.read(pred)
    verdict = reading.same(gold.value, value) if gold.value and value else None
    if verdict is None:
        return rule.safe
    if not rule.equal and _small(gold, value):
        return False
    return verdict is rule.equal


def _small(gold: Gold, value: reading.Value | None) -> bool:
    """Whether a decimal was changed by less than a twentieth: a judge with a tolerance may let it pass."""
    if gold.rational is None or value is None or value.kind != "expression" or "." not in gold.text:
        return False
    changed = value.parts[0]
    return bool(changed.is_number and abs(changed - gold.rational) < abs(gold.rational) / 20)


def pairs(golds: list[Gold], rule: Rule) -> Iterator[dict[str, Any]]:
    """Up to `PAIRS` rows of one rule, from golds in an order of its own."""
    chance, count = random.Random(rule.name), 0
    shuffled = golds[:]
    chance.shuffle(shuffled)
    for gold in shuffled:
        if count == PAIRS:
            return
        pred = rule.make(gold, chance)
        if not pred or pred == gold.text or len(pred) > 1000 or (not rule.equal and vague(gold)):
            continue
        if confirmed(rule, gold, pred):
            count += 1
            yield {
                "id": f"{rule.name}-{count}",
                "rule": rule.name,
                "pred": pred,
                "gold": gold.text,
                "equal": rule.equal,
                "kind": rule.kind,
            }


def vague(gold: Gold) -> bool:
    """Whether a constant of integration lets many texts be right."""
    return gold.source != "math" and re.search(r"(?<![a-zA-Z\\])[CcKk](?![a-zA-Z])", gold.text) is not None


def half(gold: str) -> str:
    """`open` or `held`, by the gold answer alone."""
    return ("open", "held")[sha256(gold.encode()).digest()[0] % 2]


def build(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of both halves."""
    found = golds(folder)
    halves: dict[str, list[dict[str, Any]]] = {"open": [], "held": []}
    for rule in (*SAME, *OTHER):
        for row in pairs(found, rule):
            halves[half(row["gold"])].append(row)
    return halves


def main(folder: Path, out: Path) -> None:
    """Write both halves and print how many pairs each rule gave."""
    out.mkdir(parents=True, exist_ok=True)
    halves = build(folder)
    for name, rows in halves.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    counts = Counter((row["equal"], row["rule"]) for rows in halves.values() for row in rows)
    for rule in (*SAME, *OTHER):
        print(f"{'equal' if rule.equal else 'different':10}{rule.name:28}{counts[rule.equal, rule.name]:5}")
    for equal in (True, False):
        sizes = [sum(row["equal"] is equal for row in halves[name]) for name in ("open", "held")]
        print(f"{'equal' if equal else 'different'}: {sizes[0]} open, {sizes[1]} held out")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
