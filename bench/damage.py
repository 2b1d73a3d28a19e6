"""Rules that change an equation, an interval, a list, a matrix, a word or a completion: the label is `different`."""

from __future__ import annotations

import random
import re
from typing import Any

from rules import Gold, changed_at, latex, other, reasoned, split_items

# equations, inequalities, intervals


@other()
def equation_coefficient(gold: Gold, chance: random.Random) -> str | None:
    if gold.value is None or gold.value.kind != "relation":
        return None
    return changed_at(gold.text, r"(?<![\d^{])\d+(?!\d)", lambda m: str(int(m[0]) + chance.randint(1, 3)), chance)


@other()
def other_equation(gold: Gold, chance: random.Random) -> str | None:
    """Two equations that end alike."""
    if gold.value is None or gold.value.kind != "relation" or "=" not in gold.text or "=" not in gold.other:
        return None
    left, lone = gold.other.split("=")[0].strip(), r"[a-zA-Z](_\{?\w\}?)?(\(.*\))?"
    if re.fullmatch(lone, left) or re.fullmatch(lone, gold.text.split("=")[0].strip()):
        return None  # the name of a value, rather than an equation
    return f"{left} = {gold.text.split('=')[1].strip()}"


@other(safe=True)
def direction_turned(gold: Gold, chance: random.Random) -> str | None:
    turn = {"\\le": "\\ge", "\\ge": "\\le", "<": ">", ">": "<"}
    text = re.sub(r"(\\[lg]e)q?(?![a-z])|[<>]", lambda m: turn[m[1] or m[0]], gold.text)
    return None if re.search(r"\\(?:left|text|cup)|,", gold.text) else text


@other(safe=True)
def strictness_changed(gold: Gold, chance: random.Random) -> str | None:
    turn = {"\\le": "<", "\\ge": ">", "<": "\\le ", ">": "\\ge "}
    if "," in gold.text or "\\left" in gold.text:
        return None
    return changed_at(gold.text, r"(\\[lg]e)q?(?![a-z])|[<>]", lambda m: turn[m[1] or m[0]], chance)


@other(safe=True)
def bracket_changed(gold: Gold, chance: random.Random) -> str | None:
    """Open for closed at a finite end of what can only be an interval."""
    if not re.search(r"[\[\]]|\\infty", gold.text) or "matrix" in gold.text or "array" in gold.text:
        return None
    turn = {"(": "[", "[": "(", ")": "]", "]": ")"}
    number = r"(?:-?\\frac\{\d+\}\{\d+\}|-?[\d.]+)"
    ends = rf"[(\[](?= ?{number} ?,[^,]*[)\]])|(?<=\d)[)\]]|(?<=\d\}})[)\]]"
    if not re.fullmatch(
        rf"(?:[(\[]\s*(?:{number}|-\\infty)\s*,\s*(?:{number}|\\infty)\s*[)\]](?:\s*\\cup\s*)?)+", gold.text
    ):
        return None
    return changed_at(gold.text, ends, lambda m: turn[m[0]], chance)


@other(safe=True)
def infinity_turned(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(?:\\left)?([(\[])([^,\\]+), ?\\infty(?:\\right)?\)", gold.text)
    return found and f"(-\\infty, {found[2]}{')' if found[1] == '(' else ']'}"


@other()
def union_part_lost(gold: Gold, chance: random.Random) -> str | None:
    parts = gold.text.split("\\cup")
    return " \\cup ".join(parts[1:]).strip() if len(parts) > 2 else None


# tuples, lists, sets, matrices


def _items(gold: Gold) -> tuple[str, list[str], str] | None:
    """Opening, items, closing."""
    if gold.value is None or gold.value.kind not in ("list", "set", "tuple") or "cup" in gold.text:
        return None
    found = re.fullmatch(r"((?:\\left)?(?:\\\{|[(\[])\s*)?(.*?)(\s*(?:\\right)?(?:\\\}|[)\]]))?", gold.text, re.S)
    if not found or (gold.value.kind == "list" and (found[1] or found[3])):
        return None
    return found[1] or "", [item.strip() for item in split_items(found[2])], found[3] or ""


@other()
def coordinates_swapped(gold: Gold, chance: random.Random) -> str | None:
    found = _items(gold)
    if not found or gold.value is None or gold.value.kind != "tuple" or "infty" in gold.text:
        return None
    before, items, after = found
    return before + ", ".join([*items[1:], items[0]]) + after


@other()
def item_dropped(gold: Gold, chance: random.Random) -> str | None:
    found = _items(gold)
    if not found or len(found[1]) < 3 or len(set(found[1])) < len(found[1]):
        return None
    before, items, after = found
    items.pop(chance.randrange(len(items)))
    return before + ", ".join(items) + after


@other()
def item_added(gold: Gold, chance: random.Random) -> str | None:
    found = _items(gold)
    if not found:
        return None
    before, items, after = found
    return before + ", ".join([*items, str(chance.randint(11, 99))]) + after


@other(safe=True)
def first_item_only(gold: Gold, chance: random.Random) -> str | None:
    found = _items(gold)
    return found[1][0] if found and gold.value and gold.value.kind == "list" and len(set(found[1])) > 1 else None


@other()
def item_changed(gold: Gold, chance: random.Random) -> str | None:
    found = _items(gold)
    if not found:
        return None
    before, items, after = found
    at = chance.randrange(len(items))
    items[at] = str(chance.randint(11, 99))
    return before + ", ".join(items) + after


@other(safe=True)
def item_joined(gold: Gold, chance: random.Random) -> str | None:
    """A second solution beside the only one."""
    value = gold.rational
    return f"{gold.text}, {value + chance.randint(1, 9)}" if value is not None and "." not in gold.text else None


@other()
def entry_changed(gold: Gold, chance: random.Random) -> str | None:
    if "matrix" not in gold.text:
        return None
    return changed_at(
        gold.text, r"(?<=[ &])-?\d+(?= )", lambda m: str(int(m[0]) + chance.choice((-2, -1, 1, 2))), chance
    )


def _rows(gold: Gold) -> list[list[str]] | None:
    found = re.fullmatch(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", gold.text, re.S)
    return found and [[cell.strip() for cell in row.split("&")] for row in found[1].split("\\\\") if row.strip()]


def _matrix(rows: list[Any]) -> str:
    inner = " \\\\ ".join(" & ".join(row) for row in rows)
    return f"\\begin{{pmatrix}} {inner} \\end{{pmatrix}}"


@other()
def matrix_turned(gold: Gold, chance: random.Random) -> str | None:
    rows = _rows(gold)
    return (rows and len({len(row) for row in rows}) == 1 and _matrix(list(zip(*rows, strict=True)))) or None


@other()
def rows_swapped(gold: Gold, chance: random.Random) -> str | None:
    rows = _rows(gold)
    return (rows and _matrix([*rows[1:], rows[0]])) or None


# words


UNITS = {"cm": "m", "inches": "feet", "feet": "inches", "hours": "minutes", "minutes": "hours", "seconds": "minutes",
         "cents": "dollars", "dollars": "cents", "miles": "feet", "degrees": "radians", "pounds": "ounces",
         "meters": "centimeters", "square feet": "square inches", "square units": "cubic units"}  # fmt: skip


@other(safe=True)
def unit_changed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(.+?\\text\{\s*)([a-z ]+?)(\s*\}(?:\^\{?\d\}?)?)", gold.text)
    return (found and found[2] in UNITS and found[1] + UNITS[found[2]] + found[3]) or None


@other(safe=True)
def word_changed(gold: Gold, chance: random.Random) -> str | None:
    word = r"\\text\{\s*([A-Za-z]{3,})\s*\}"
    one, two = re.fullmatch(word, gold.text), re.fullmatch(word, gold.other)
    return gold.other if one and two and one[1].lower() != two[1].lower() else None


@other(safe=True)
def letter_changed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(\(?\\text\{\(?)([A-F])(\)?\}\)?)", gold.text)
    return found and found[1] + chance.choice([c for c in "ABCDEF" if c != found[2]]) + found[3]


@other(safe=True)
def letters_more(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"[A-F](, ?[A-F])+", gold.text)
    return found and f"{gold.text},{chance.choice([c for c in 'ABCDEFG' if c not in gold.text])}"


# whole completions


def _wrong(gold: Gold, chance: random.Random) -> str | None:
    """A near miss of a number or of an expression."""
    value = gold.expression
    if value is None:
        return None
    return latex(value + chance.randint(1, 9)) if value.is_number else latex(2 * value + 1)


@other(kind="completion")
def wrong_sentence(gold: Gold, chance: random.Random) -> str | None:
    wrong = _wrong(gold, chance)
    before = reasoned(gold, chance)
    return wrong and f"{before}Final Answer: The final answer is ${wrong}$. I hope it is correct."


@other(kind="completion")
def gold_recited_before(gold: Gold, chance: random.Random) -> str | None:
    """The gold answer on the way, another one at the end."""
    wrong = _wrong(gold, chance)
    before = f"At first sight it is ${gold.text}$, but this counts a case too little.\n"
    return wrong and f"{before}Final Answer: The final answer is ${wrong}$. I hope it is correct."


@other(kind="completion")
def gold_in_what_follows(gold: Gold, chance: random.Random) -> str | None:
    """A wrong answer, then a further problem whose answer happens to be the gold one."""
    wrong = _wrong(gold, chance)
    after = (
        f"\n\nProblem:\nWhat else?\n\nSolution:\nFinal Answer: The final answer is ${gold.text}$. I hope it is correct."
    )
    return wrong and f"Final Answer: The final answer is ${wrong}$. I hope it is correct.{after}"


@other(kind="completion")
def wrong_box(gold: Gold, chance: random.Random) -> str | None:
    wrong = _wrong(gold, chance)
    return wrong and f"It cannot be ${gold.text}$, as we have seen. Therefore it is $\\boxed{{{wrong}}}$."


@other(safe=True, kind="completion")
def no_end(gold: Gold, chance: random.Random) -> str | None:
    """The text stops before any answer: nothing was claimed."""
    if gold.text in ("2", "4"):
        return None
    return f"{REASONING_CUT}{gold.other} and we must compare the two cases, of which the second is the larger one, so"


REASONING_CUT = "First we look at the numbers that are given. The first case leads to the value "
