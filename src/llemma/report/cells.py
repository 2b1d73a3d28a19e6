"""Fenced blocks of code and of outputs in a completion, apart from the prose around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llemma.report.formulas import Piece, pieces
from llemma.report.text import visible

# A fence at the start of a line; it is closed by the next one or by the end, so the search is linear.
_BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w{0,20})[ \t]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
MAX_CELLS = 100  # of one text


def cells(text: str) -> list[Piece]:
    """`text` cut into runs of prose, formulas (see `formulas.pieces`), and `["code" | "output", text]` for each block
    between fences; a block named `output` is what a program printed."""
    return list(_cells(text))


def _cells(text: str) -> Iterator[Piece]:
    end = 0
    for number, block in enumerate(_BLOCK.finditer(text)):
        if number == MAX_CELLS:
            break
        yield from pieces(text[end : block.start()])
        yield ["output" if block[1] == "output" else "code", visible(block[2].rstrip("\n"))]
        end = block.end()
    yield from pieces(text[end:])
