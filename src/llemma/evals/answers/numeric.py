"""Word problems: the answer is one number."""

from __future__ import annotations

import re
from dataclasses import replace

from llemma.evals.answers.equivalent import DEFAULT
from llemma.evals.answers.find import Found, find, tail
from llemma.evals.answers.normalise import canonical

# "A: 18" or "A: $18" on a line of its own, the form of verifier-style solutions; "A: There are 15 trees" gives none
_A_LINE = re.compile(r"^[ \t]{0,8}A:[ \t]{0,8}(\S[^\n]{0,80})$", re.MULTILINE)

# "7 m", "2.5 h", "12 a day": elsewhere the letter would be a variable, in a word problem it is a unit
_MEASURED = re.compile(r"^([-+]?[$€£]?\d[\d,.]{0,40}) ?(?:[mghslL]|an? [a-z]{1,20})\.?$")


def find_number(text: str) -> Found | None:
    """`find`, without a unit of one letter behind the number; and then a last line `A: 18`."""
    found = find(text)
    if found is not None:
        measured = _MEASURED.match(found.answer)
        return Found(measured.group(1), found.rule) if measured else found
    lines = [match.group(1) for match in _A_LINE.finditer(tail(text))]
    return Found(lines[-1].strip(), "A:") if lines and canonical(lines[-1]).number else None


NUMBER = replace(DEFAULT, name="number", version=2, find=find_number)
"""The judge of word problems."""
