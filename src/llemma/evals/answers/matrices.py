"""Matrices as answers: entry by entry, and sums and products of matrices worked out.

`2\\begin{pmatrix}1&0\\\\0&1\\end{pmatrix}` is the matrix with 2 on its diagonal.
"""

from __future__ import annotations

import re

from llemma.evals.answers import formula, values
from llemma.evals.answers.forms import Found
from llemma.evals.answers.numbers import ROW
from llemma.evals.answers.values import Unread, Value

MAX_CELLS, MAX_FACTORS = 100, 8

_MATRIX = re.compile(
    r"\\begin ?\{([pbvBV]?matrix|smallmatrix|array)\} ?(?:\{[lcr| ]{1,20}\})?(.*?)\\end ?\{\1\}", re.DOTALL
)
_BRACKETED = re.compile(r"([(\[]) ?(\\begin ?\{array\}(?:(?!\\begin).)*\\end ?\{array\}) ?[)\]]", re.DOTALL)
_DETERMINANTS = ("vmatrix", "Vmatrix")
_TIMES = ("", "\\cdot", "*")

Rows = list[list[Value]]


def matrix(text: str) -> Found | None:
    """The form of a matrix, a determinant, or a sum and product of matrices; None for anything else."""
    text = _BRACKETED.sub(r"\2", text)
    found = list(_MATRIX.finditer(text))
    if not found:
        return None
    kinds = {match.group(1) in _DETERMINANTS for match in found}
    if len(found) == 1 and found[0].group() == text.strip():
        return Found(_shown("det" if kinds == {True} else "matrix", _rows(found[0].group(2))))
    if True in kinds or len(found) > MAX_FACTORS:
        raise Unread
    return Found(_shown("matrix", _combined(text, found)))


def _rows(inside: str) -> Rows:
    if "\\begin" in inside:
        raise Unread
    rows = [[_cell(cell) for cell in row.split("&")] for row in inside.split(ROW) if row.strip()]
    if not rows or len({len(row) for row in rows}) > 1 or len(rows) * len(rows[0]) > MAX_CELLS:
        raise Unread
    return rows


def _cell(text: str) -> Value:
    return formula.read(text.strip().replace("\\hline", "").strip())


def _shown(kind: str, rows: Rows) -> str:
    return f"{kind}[{';'.join(','.join(values.key(cell) for cell in row) for row in rows)}]"


def _combined(text: str, found: list[re.Match[str]]) -> Rows:
    """Terms joined by + and -, each a product of matrices with an optional number before it."""
    if text[found[-1].end() :].strip():
        raise Unread
    total: Rows | None = None
    term: Rows | None = None
    end = 0
    for match in found:
        before, rows = text[end : match.start()].strip(), _rows(match.group(2))
        end = match.end()
        if term is not None and before in _TIMES:
            term = _product(term, rows)
            continue
        total = _sum(total, term)
        term = _scaled(before, rows, first=match is found[0])
    result = _sum(total, term)
    assert result is not None
    return result


def _scaled(before: str, rows: Rows, *, first: bool) -> Rows:
    """A matrix times the number before it, which begins with a sign unless it is the first."""
    if not first and before[:1] not in ("+", "-"):
        raise Unread
    number = before.removesuffix("\\cdot").strip()
    number = f"{number}1" if number in ("", "+", "-") else number
    factor = formula.read(number.removeprefix("+"))
    return [[values.multiply(factor, cell) for cell in row] for row in rows]


def _sum(a: Rows | None, b: Rows | None) -> Rows | None:
    if a is None or b is None:
        return a or b
    if (len(a), len(a[0])) != (len(b), len(b[0])):
        raise Unread
    return [[values.add(x, y) for x, y in zip(one, other, strict=True)] for one, other in zip(a, b, strict=True)]


def _product(a: Rows, b: Rows) -> Rows:
    if len(a[0]) != len(b) or len(a) * len(b[0]) > MAX_CELLS:
        raise Unread
    return [[_dot(row, [line[column] for line in b]) for column in range(len(b[0]))] for row in a]


def _dot(row: list[Value], column: list[Value]) -> Value:
    total = values.constant(0)
    for x, y in zip(row, column, strict=True):
        total = values.add(total, values.multiply(x, y))
    return total
