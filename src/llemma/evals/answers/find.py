"""Where the answer is in a completion, or that there is none.

The last explicit statement or box wins ("Final Answer: …", "The answer is …", `#### n`, `\\boxed{}`), because an answer
may be recited inside the reasoning before the final one; boxes joined by "and" or a comma are one answer. Then the
whole text, when it is short enough to be an answer and nothing else; then what its last sentence concludes. A text
that runs on into a next problem is cut there first. All patterns are bounded: completions are untrusted and can be
megabytes of anything.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from llemma.evals.answers.conclusion import concluded, labelled, said
from llemma.evals.answers.normalise import canonical

MAX_BARE = 80
"""Characters of a text that may be an answer by itself."""

MAX_FORMULA = 500
"""The same for a text without words: a matrix, a polynomial."""

MAX_READ = 200_000
"""Characters at the end of a completion in which an answer is looked for; longer than any model's budget."""

MAX_ANSWER = 2_000
"""Characters kept of an answer."""

_TRIED = 20  # candidates looked at from the end: a degenerate text repeats its marker, or an unclosed box, endlessly
_LINES = 20  # a formula may go over
_BRACES_TRIED = 10_000

_NEXT_PROBLEM = re.compile(r"^[ \t]{0,8}(?:Problem|Question|Q):", re.MULTILINE)
_MARKER = re.compile(
    r"\banswer(?:[ \t](?:to|of|for)[ \t][^\n.:=]{0,80}?)?[ \t]{0,4}\*{0,2}"
    r"(?:\b(?:is|are|was|equals)(?![A-Za-z])|[:=])[ \t]{0,4}:?"
    r"|(?<!\S)####(?!\#)",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]{0,8}")
_MAX_GAP = 60  # characters between two boxes that are joined
_JOINT = re.compile(
    r"(?: [a-z]{2,15}(?= (?:and|or) ))?"  # \boxed{1} paper and \boxed{2} bins
    r"(?:[ \t$,;&]|\n(?!\n)|\\[()\[\],;! ]|\\q?quad|\\text ?\{ ?(?:and|or)? ?\}|and(?![a-z])|or(?![a-z]))*"
    r"(?:[a-z](?:_\{?[0-9]\}?)? ?= ?)?"
)
_NAME_BEFORE = re.compile(r"(?<![A-Za-z\\])[a-z](?:_\{?[0-9]\}?)? ?= ?$")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_END = re.compile(r"\.(?=\s|$)|,? (?:because|since|which)\b|[ \t]I hope\b")
# $18 is money and opens no formula: a number, then the end of a sentence or a plain word
_MONEY = re.compile(r"\$-?[0-9][0-9,]*(?:\.[0-9]+)?(?=$|[.,;!?](?:\s|$)|\s[A-Za-z]{2})")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_ADJECTIVE = re.compile(r"[a-z]{3,20}")
_CHECKED = re.compile(r"\b(?:check|verify|test)(?: (?:our|the|this|my|your))? ?$")  # "check our answer: 2 + 3 = 5"
_SILENT = re.compile(r"\\(?:begin|end) ?\{[A-Za-z*]{1,20}\}|\b(?:and|or)\b")  # words that formulas may hold
# "the answer is correct" speaks about an answer and does not give one
_OPINIONS = frozenset({"correct", "right", "wrong", "incorrect", "reasonable", "valid", "given", "found", "unknown"})


class Found(msgspec.Struct, frozen=True):
    """An answer as it stands in the text, and by which rule it was found."""

    answer: str
    rule: str


def find(text: str) -> Found | None:
    """The answer that `text` (a completion, or a bare answer) ends in, or None."""
    text = tail(text)
    (stated_at, stated), (boxed_at, boxed) = _stated(text), _last_box(text)
    if boxed and stated and _ADJECTIVE.fullmatch(stated.answer):
        stated = None  # "... = \\boxed{3}. The answer is positive, because ..."
    # a box behind "the answer is" is part of it, or more final than it
    found = (boxed or stated if boxed_at > stated_at else stated or boxed) or _bare(text)
    if found is not None:
        return found
    answer = concluded(text)
    return Found(answer, "last sentence") if answer else None


def tail(text: str) -> str:
    """The part of a completion that is read: its end, before a following problem."""
    return before_next_problem(text).rstrip()[-MAX_READ:]


def before_next_problem(text: str) -> str:
    """`text` up to a following "Problem:", "Question:" or "Q:" line: a base model runs on into problems of its own."""
    content = len(text) - len(text.lstrip())
    for match in islice(_NEXT_PROBLEM.finditer(text), 2):
        if match.start() > content:
            return text[: match.start()]
    return text


def _stated(text: str) -> tuple[int, Found | None]:
    """The last explicit statement of an answer, and where it begins; -1 and None without one."""
    for match in _last(_MARKER.finditer(text)):
        answer = _after(text, match.end())
        if _CHECKED.search(text[max(0, match.start() - 25) : match.start()]):
            continue
        if answer and not _opinion(answer):
            return match.start(), Found(said(answer), "####" if match.group().endswith("#") else "answer is")
    return -1, None


def _last(matches: Iterable[re.Match[str]]) -> Iterator[re.Match[str]]:
    return reversed(deque(matches, maxlen=_TRIED))


def _opinion(answer: str) -> bool:
    word = re.match(r"[A-Za-z]{1,20}", answer)
    return word is not None and word.group().lower() in _OPINIONS


def _after(text: str, start: int) -> str:
    """What a marker introduces: the first sentence on the first line that is not blank, and what ends its formula."""
    following = text[start : start + MAX_ANSWER].lstrip("* \t\r\n")
    line = following.partition("\n")[0]
    for end in islice(re.finditer("\n", following.partition("\n\n")[0] + "\n"), _LINES):
        if _outside_formula(following[: end.start()]):
            line = following[: end.start()]
            break
    return _first_sentence(line).strip(" \t\r*")


def _first_sentence(line: str) -> str:
    for end in _END.finditer(line):
        before = line[: end.start()]
        if before.strip() and _outside_formula(before):
            return before
    return line


def _outside_formula(before: str) -> bool:
    """Whether a full stop after `before` ends a sentence: neither inside `$...$` nor inside braces."""
    plain = before.replace("\\$", "")
    closed = plain.count("$") % 2 == 0 or _MONEY.sub("", plain).count("$") % 2 == 0
    return closed and plain.count("{") <= plain.count("}")


def _last_box(text: str) -> tuple[int, Found | None]:
    """The last box, or the last boxes that are joined by "and", "or" and commas; and where they begin."""
    boxes: list[tuple[str, str]] = []
    begin = -1
    for match in _last(_BOX.finditer(text)):
        inside, end = _box_at(text, match.end())
        if not inside:
            if boxes:
                break
            continue
        if boxes and not (begin - end <= _MAX_GAP and _JOINT.fullmatch(text, end, begin)):
            break
        boxes.insert(0, (_named(text, match.start()), inside))
        begin = match.start()
    # names count when each box of several has one: y_1 = \boxed{...} and y_2 = \boxed{...}
    named = len(boxes) > 1 and all(name for name, _ in boxes)
    parts = dict.fromkeys(f"{name}{inside}" if named else inside for name, inside in boxes)
    return begin, Found(", ".join(parts)[:MAX_ANSWER], "\\boxed") if boxes else None


def _named(text: str, begin: int) -> str:
    name = _NAME_BEFORE.search(text, max(0, begin - 20), begin)
    return name.group() if name else ""


def _box_at(text: str, start: int) -> tuple[str, int]:
    """The content of a box whose command ends at `start`, `{...}` with nested braces or the next word, and its end."""
    if text[start : start + 1] != "{":
        words = text[start : start + MAX_BARE].split(maxsplit=1)
        return (words[0].strip("$.,"), start + len(words[0])) if words else ("", start)
    depth = 0
    for match in islice(_BRACE.finditer(text, start), _BRACES_TRIED):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0 and match.group() == "}":
            return text[start + 1 : match.start()].strip()[:MAX_ANSWER], match.end()
    return "", start


def _bare(text: str) -> Found | None:
    answer = text.strip()
    words = len(_WORD.findall(_SILENT.sub("", answer))) if len(answer) <= MAX_FORMULA else MAX_FORMULA
    if not answer or len(answer) > (MAX_FORMULA if not words else MAX_BARE) or answer[-1] in ":=+*/,(<>":
        return None
    if answer.count("{") > answer.count("}") or labelled(answer):
        return None  # broken off; a sentence
    few = words <= (0 if "\n" in answer else 2)
    return Found(answer, "bare") if few or canonical(answer).number else None
