"""Rows of the benchmarks as they are published, in all their known variants, turned into problems.

Ids are `<task>/<own id>` where the data set gives its rows ids, else `<task>/<subject>/<n>` or `<task>/<n>`, n counted
from 0 in the order of the data set: they do not depend on where the rows came from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from llemma.core.errors import DataError
from llemma.core.types import Problem
from llemma.evals import data
from llemma.evals.answers import find
from llemma.evals.data import Located, Row

CHOICE_LINE = "What of the following is the right choice? Explain your answer."
"""Stands between a question and its choices in the published prompt (Lewkowycz et al. 2022, appendix G)."""

STEM = (
    "abstract_algebra",
    "astronomy",
    "college_biology",
    "college_chemistry",
    "college_computer_science",
    "college_mathematics",
    "college_physics",
    "computer_security",
    "conceptual_physics",
    "electrical_engineering",
    "elementary_mathematics",
    "high_school_biology",
    "high_school_chemistry",
    "high_school_computer_science",
    "high_school_mathematics",
    "high_school_physics",
    "high_school_statistics",
    "machine_learning",
)
"""The eighteen subjects of MMLU that the paper counts as STEM."""

_LETTERS = "ABCDEFGHIJ"
_SEVERAL = re.compile(r"separated by comma")
_UNIT = re.compile(r"([0-9][^()]{0,40}?) *\(([^()]{0,80})\)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


class Item(NamedTuple):
    """A row that was read: what is asked, the gold answer as the row has it, and facts for the tables.

    `name` is the row's own id; without one, rows are counted within their `group`.
    """

    text: str
    gold: str
    name: str = ""
    group: str = ""
    meta: dict[str, Any] = {}


Reader = Callable[[Row], Item | None]
"""Reads one row; None leaves it out. A `KeyError` names what it lacks."""


def read(task: str, located: Located, reader: Reader, gold: Callable[[Item], str]) -> Iterator[Problem]:
    """The problems of a located benchmark; `gold` finds the final answer in what a row gives as its answer.

    A row that cannot be read, and two rows of one id, are a `DataError` that names file and row.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for where, row in _all_rows(located):
        item = _item(reader, row, where)
        if item is None:
            continue
        name = item.name or "/".join(part for part in (item.group, str(counts[item.group])) if part)
        counts[item.group] += 1
        if name in seen:
            raise DataError(f"two problems have the id '{name}'", where=where, mend="give each row an id of its own")
        seen.add(name)
        yield Problem(id=f"{task}/{name}", task=task, text=item.text, answer=gold(item), meta=item.meta)
    if not seen:
        raise DataError("no problems in the file", where=str(located.files[0]), mend="get the data set again")


def _all_rows(located: Located) -> Iterable[tuple[str, Row]]:
    for path in located.files:
        for number, row in enumerate(data.rows(path), start=1):
            yield f"{path} row {number}", row


def _item(reader: Reader, row: Row, where: str) -> Item | None:
    try:
        return reader(row)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise DataError(f"a row that is none of this benchmark: {reason}", where=where, mend="check the file") from None


def _pick(row: Row, *names: str) -> str:
    """The first of the fields that holds text, as it stands; a `KeyError` when none does."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value
    raise KeyError(f"no '{names[0]}'")


def _optional(row: Row, *names: str) -> str:
    return next((row[name] for name in names if isinstance(row.get(name), str)), "")


def _facts(**facts: Any) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value not in ("", None)}


def _question(row: Row) -> str:
    """The question, after the story it is about where the row keeps that apart."""
    question = _pick(row, "question", "Question", "problem", "Problem", "input")
    story = _optional(row, "body", "Body").strip()
    return f"{story}{'' if story.endswith(('.', '?', '!')) else '.'} {question.strip()}" if story else question


def _answer(row: Row) -> str:
    return _pick(row, "answer", "Answer", "target", "final_ans", "expected_answer", "solution").strip()


def word_problem(row: Row) -> Item:
    """GSM8K, GSM-hard, SVAMP, ASDiv: a number, behind `####`, alone, or with its unit in brackets."""
    answer, kind = _answer(row), _optional(row, "Type", "type", "solution_type")
    unit = _UNIT.fullmatch(answer)
    meta = _facts(solution=answer if "####" in answer else "", type=kind, unit=unit[2] if unit else "")
    return Item(_question(row), unit[1] if unit else answer, _optional(row, "ID"), meta=meta)


def competition(row: Row) -> Item:
    """AIME and AMC: an integer, under the row's own id."""
    name, solution = _optional(row, "id"), _optional(row, "solution")
    return Item(_question(row).strip(), _answer(row), name, meta=_facts(solution=solution, url=_optional(row, "url")))


def mathematics(row: Row) -> Item:
    """MATH and MATH-500: the answer in the last box of the reference solution; subject and level 1 to 5."""
    subject, level = _optional(row, "type", "subject"), re.search(r"[1-5]", _optional(row, "level"))
    solution, own = _optional(row, "solution"), _optional(row, "unique_id")
    meta = _facts(subject=subject, level=int(level[0]) if level else None, solution=solution)
    name = own.removeprefix("test/").removesuffix(".json")
    return Item(_question(row), _pick(row, "answer", "solution"), name, _slug(subject), meta)


def course(row: Row) -> Item:
    """OCWCourses: answers are numbers, expressions and equations; the rows have ids."""
    return Item(_question(row), _answer(row), _optional(row, "id"), meta=_facts(solution=_optional(row, "solution")))


def college(row: Row) -> Item:
    """College-level exercises: the subject is that of the book."""
    subject = _optional(row, "data_topic").removeprefix("college_math.").replace("_", " ")
    return Item(_question(row), _answer(row), meta=_facts(subject=subject))


def sat(row: Row) -> Item:
    """SAT: the choices are one text, shown as it is stored; the answer is a letter."""
    choices = _pick(row, "options", "choices")
    return Item(f"{_question(row)}\n{CHOICE_LINE}\n{choices}", _letter(_answer(row)), _optional(row, "id"))


def stem(row: Row) -> Item | None:
    """MMLU: four choices, the answer as their index or letter; rows of other subjects are left out."""
    subject = _pick(row, "subject", "type")
    if subject not in STEM:
        return None
    given = row.get("choices")
    choices = (
        [str(each).strip() for each in given]
        if isinstance(given, list)
        else [_pick(row, letter).strip() for letter in "ABCD"]
    )
    answer = _letter(_answer(row))
    if answer[1] not in _LETTERS[: len(choices)]:
        raise ValueError(f"answer {answer} of {len(choices)} choices")
    shown = ", ".join(f"({letter}) {choice}" for letter, choice in zip(_LETTERS, choices, strict=False))
    meta = _facts(subject=subject.replace("_", " "))
    return Item(f"{_question(row)}\n{CHOICE_LINE}\n{shown}", answer, group=subject, meta=meta)


def _letter(answer: str) -> str:
    """`(C)` for C, (C), c or the index 2."""
    letter = answer.strip("() .").upper()
    letter = _LETTERS[int(letter)] if letter.isdecimal() else letter
    if len(letter) != 1 or letter not in _LETTERS:
        raise ValueError(f"no choice '{answer}'")
    return f"({letter})"


def _slug(subject: str) -> str:
    """`Counting & Probability` is counting_and_probability."""
    return "_".join(re.findall(r"[a-z]+", subject.lower().replace("&", "and")))


def gold_answer(item: Item) -> str:
    """The final answer in a gold answer: behind `####`, in the last box of a solution, or all of it.

    Where the problem asks for several answers, the boxes that the solution joins are the answer: five solutions of MATH
    box each of them, and five others box one answer in two forms, of which the last counts.
    """
    _, marker, behind = item.gold.rpartition("####")
    if marker:
        return behind.strip()
    box = last_box(item.gold)
    found = find(item.gold) if box and _SEVERAL.search(item.text) else None
    return found.answer if found and found.rule == "\\boxed" else box or item.gold.strip()


def last_box(text: str) -> str:
    r"""What is inside the last `\boxed{}` or `\fbox{}`, braces matched, or the word behind a bare `\boxed`; else ""."""
    command = max(("\\boxed", "\\fbox"), key=text.rfind)
    start = text.rfind(command)
    inside = text[start + len(command) :].lstrip() if start >= 0 else ""
    if not inside.startswith("{"):
        return re.split(r"[\s$]", inside, maxsplit=1)[0]
    depth = 0
    for brace in _BRACE.finditer(inside):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0 and brace.group() == "}":
            return inside[1 : brace.start()].strip()
    return ""
