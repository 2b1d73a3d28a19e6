"""TeX answers as the published code treats them: found, normalised and compared (MATH, and expressions of OCWCourses).

Normalisation is that of Lewkowycz et al. 2022 (Minerva), appendix D, as lm_eval/mixins.py of the published harness has
it. All of it takes time linear in the text, but for the patterns of `_UNWRAPPED`, which only see short texts.
"""

from __future__ import annotations

import re
from itertools import islice

from llemma.evals.answers.equivalent import Comparison
from llemma.evals.answers.find import Found
from llemma.evals.answers.llemma import sympy_pool

STOP = "I hope it is correct."
"""Where generation stops; the stop string is not part of a completion and is put back before looking for the answer."""

MAX_TEX = 2_000
"""Characters of a normalised answer that a parser may see; longer ones are compared as texts (no gold answer is)."""

SUBSTITUTIONS = (
    ("an ", ""),
    ("a ", ""),  # fault: also at the end of a longer word, "\\alpha x" becomes "\\alphx"
    (".$", "$"),
    ("\\$", ""),
    ("\\ ", ""),
    (" ", ""),  # fault: also the blank behind a command, "\\pi r" becomes "\\pir"
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
)
"""Replaced in this order, wherever they stand (appendix D, SUBSTITUTIONS)."""

# fmt: off
REMOVED_EXPRESSIONS = (
    "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", "\\ldots", "sue", "points",
    "feet", "minutes", "digits", "cents", "degrees", "cm", "gm", "pounds", "meters", "meals", "edges", "students",
    "childrentickets", "multiples", "\\text{s}", "\\text{.}", "\\text{\ns}", "\\text{}^2", "\\text{}^3", "\\text{\n}",
    "\\text{}", "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"', "\\dots",
)
# fmt: on
"""Removed in this order after the substitutions, wherever they stand (appendix D, REMOVED_EXPRESSIONS).

Fault: also within words and commands; "\\left" loses its "ft" and becomes "\\le", which the parser reads as a relation.
"""

_UNWRAPPED = (
    (re.compile(r"\\text\{([^}\n]*)\}"), r"\1"),
    (re.compile(r"\\textbf\{([^}\n]*)\}"), r"\1"),
    (re.compile(r"\\overline\{([^}\n]*)\}"), r"\1"),
    (re.compile(r"\\boxed\{(.*)\}"), r"\1"),
)
_SHORTHAND = (
    (re.compile(r"frac([^{])(.)"), r"frac{\1}{\2}"),  # \frac12 and \frac ab; fault: \frac1{72} becomes \frac{1}{{}72}
    (re.compile(r"sqrt([^{])"), r"sqrt{\1}"),  # \sqrt2; fault: \sqrt[3]{2} becomes \sqrt{[}3]{2}
)
_INTEGER = re.compile(r"-?[1-9][0-9]{0,99}|0")
_CLOSING = re.compile(r". I hope it is correct.")
_BRACE = re.compile(r"[{}]")


def find_closing(text: str, opening: str) -> Found | None:
    """What stands between the first `opening` sentence and " I hope it is correct", on one line.

    The published pattern is `opening` + `(.*?). I hope it is correct.`, whose unescaped full stops match any character
    but a line break. Fault: whatever stands before " I hope" is lost, be it a full stop or the last digit; and without
    a blank before "I hope" (a backend that strips completions) nothing is found at all.
    """
    text += STOP
    start = text.find(opening)
    while start >= 0:
        begin = start + len(opening)
        line = text.find("\n", begin)
        end = len(text) if line < 0 else line
        closing = _CLOSING.search(text, begin, end)
        if closing is not None:
            return Found(text[begin : closing.start()].strip(), opening)
        start = text.find(opening, end)  # a later opening on this line has no closing either
    return None


def find_math(text: str) -> Found | None:
    """The answer of a completion for a problem of MATH."""
    return find_closing(text, "Final Answer: The final answer is")


def gold_math(solution: str) -> str:
    """The last box of a reference solution; a bare final answer stays as it is.

    Fault: a "\\boxed " with a blank wins over any later "\\boxed{", and ends at the next `$`.
    """
    if "\\boxed " in solution:
        return solution.rpartition("\\boxed ")[2].partition("$")[0]
    start = solution.rfind("\\boxed{")
    if start < 0:
        start = solution.rfind("\\fbox{")
    if start < 0:
        return solution
    begin, depth = solution.index("{", start), 0
    for brace in islice(_BRACE.finditer(solution, begin), MAX_TEX):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return solution[begin + 1 : brace.start()]
    return solution


def normalise(answer: str) -> str:
    """The normal form of appendix D."""
    # Fault: of "x = 0" and "2x + 3y = 0" the same "0" is left.
    answer = answer.rpartition("=")[2]
    for before, after in SUBSTITUTIONS:
        answer = answer.replace(before, after)
    for expression in REMOVED_EXPRESSIONS:
        answer = answer.replace(expression, "")
    answer = "\n".join(map(_first_formula, answer.split("\n")))
    if len(answer) <= MAX_TEX:
        for pattern, kept in _UNWRAPPED + _SHORTHAND:
            answer = pattern.sub(kept, answer)
    answer = answer.replace("$", "")
    without_commas = answer.replace(",", "")
    return without_commas if without_commas.isdigit() else answer


def _first_formula(line: str) -> str:
    """`$...$` with the first such formula of a line, or the line."""
    parts = line.split("$", 2)
    return f"${parts[1]}$" if len(parts) == 3 else line


def compare_math(answer: str, gold: str) -> Comparison:
    """Equal texts after normalisation, or equal in sympy. Raises `Undecided`."""
    return compare_normal(normalise(answer), normalise(gold))


def compare_normal(answer: str, gold: str, **limits: float) -> Comparison:
    """Whether two normalised answers are equal texts, or their difference is 0 in sympy. Raises `Undecided`.

    Not symmetric: fault: a `gold` that sympy reads as zero, or cannot read, equals nothing but its own text.
    """
    shown = f"{_short(answer)} for {_short(gold)}"
    if answer == gold:
        return Comparison(True, f"same text, {shown}")
    if not answer or not gold:
        return Comparison(False, f"nothing to read, {shown}")
    if max(len(answer), len(gold)) > MAX_TEX:
        return Comparison(False, f"another text, too long for a parser, {shown}")
    if plain_integer(answer) and plain_integer(gold):
        return Comparison(False, f"another integer, {shown}")
    equal, why = sympy_pool().ask("equal", answer, gold, **limits)
    return Comparison(equal, f"{why}, {shown}")


def plain_integer(answer: str) -> bool:
    """Whether an answer is an integer in its only form, of which sympy says nothing new."""
    return _INTEGER.fullmatch(answer) is not None


def _short(answer: str) -> str:
    return repr(answer if len(answer) <= 60 else f"{answer[:60]}…")
