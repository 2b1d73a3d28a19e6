"""Multiple choice: which letter a completion settles on.

A letter counts where it is marked as a choice: in brackets, in a box, behind "answer is", before a full stop or colon,
or alone. A lower-case letter counts in the same places, but not the article ("the answer is a prime").
"""

from __future__ import annotations

import re
from collections import deque

from llemma.evals.answers.equivalent import Comparison, Judge
from llemma.evals.answers.find import Found, find, tail
from llemma.evals.answers.normalise import unwrap

_FONT = re.compile(
    r"\\(?:text|textbf|textrm|textit|mathbf|mathrm|mbox|boxed|fbox)(?![A-Za-z])[ ]?|[{}$*`\"']|\\[()\[\]]"
)
# "(B)", "[B]", "B.", "B)", "B:", "option B", alone or before words; of a bare letter nothing may follow it on its line
_LEADING = re.compile(
    r"(?:(?:the )?(?:correct )?(?:choice|option|answer|letter)[ ]?)?"
    r"(?:[(\[]{1,2}[ ]?(?P<round>[A-Za-z])[ ]?[)\]]{1,2}|(?P<dotted>[A-Za-z])(?:[):]|\.(?![A-Za-z0-9]))"
    r"|(?P<alone>[A-Za-z])(?=[ ]*(?:$|[,;])))",
    re.IGNORECASE,
)
_UPPER_THEN_WORDS = re.compile(r"([B-HJ-Z])(?= [a-z])")  # "B because ..."; A and I are words
_HEDGE = re.compile(r"[ ]?(?:,|or|and|,[ ]or|/)[ ]?[(\[]?[ ]?[A-H](?![A-Za-z])")  # "(A) or (B)" settles on nothing
_WORDS = re.compile(r"[A-Za-z]+")
_MARKED = re.compile(r"\([ ]?([A-H])[ ]?\)")
_CHOSEN = re.compile(
    r"\b(?i:choice|option|answer|ans)\b[.:]?[ ](?:(?:is|must be|should be|would be)[ ])?"
    r"\(?(?P<named>[A-H])\)?(?![A-Za-z0-9'])"
    r"|(?<![A-Za-z0-9(])\(?(?P<judged>[A-H])\)? is (?:the )?(?:correct|right|best)\b"
)


def choice(answer: str) -> str | None:
    """The letter A-Z that an answer stands for (`(B)`, `B.`, `\\boxed{\\text{b}}`, `B: because`), or None."""
    text = " ".join(_FONT.sub(" ", unwrap(answer[:500])).split())
    match = _LEADING.match(text)
    if match is not None:
        letter = next(group for group in match.groups() if group)
        return None if _HEDGE.match(text, match.end()) else letter.upper()
    match = _UPPER_THEN_WORDS.match(text)
    return match.group(1) if match else None


def find_choice(text: str) -> Found | None:
    """The last letter that is stated, boxed or chosen; else the only one that the text puts in brackets."""
    text = tail(text)
    found = find(text)
    letter = choice(found.answer) if found else None
    if letter is not None and found is not None:
        return Found(f"({letter})", found.rule)
    first = text.lstrip().partition("\n")[0].strip()
    letter = choice(first) if len(first) <= 12 and len(_WORDS.findall(first)) < 2 else None
    if letter is not None:
        return Found(f"({letter})", "first line")
    chosen = deque(_CHOSEN.finditer(text), maxlen=1)
    if chosen and not _HEDGE.match(text, chosen[0].end()):
        return Found(f"({chosen[0][chosen[0].lastgroup or 0]})", "choice")
    marked = {match.group(1) for match in _MARKED.finditer(text)}
    letter = choice(text) if len(text) <= 500 and len(marked) <= 1 else None
    if letter is not None:
        return Found(f"({letter})", "leading letter")
    return Found(f"({marked.pop()})", "the only letter in brackets") if len(marked) == 1 else None


def compare_choices(answer: str, gold: str) -> Comparison:
    """Whether two answers are the same letter; without a letter they are different, unless they are equal texts."""
    one, other = _form(answer), _form(gold)
    return Comparison(
        one == other,
        f"{'same choice' if one == other else 'choices differ:'} {one}" + ("" if one == other else f" and {other}"),
    )


def _form(answer: str) -> str:
    letter = choice(answer)
    return f"({letter})" if letter else answer.strip()[:80]


CHOICE = Judge("choice", 1, find=find_choice, canonical=_form, compare=compare_choices)
"""The judge of multiple-choice questions."""
