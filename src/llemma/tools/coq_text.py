"""Text in the language of Coq, cut into sentences as Coq's own lexer ends them (clexer.mll of 8.16, in our words).

A sentence ends with a full stop, or three, that blank or the end of the text follows. Bullets, braces and braces with a
goal selector are sentences of their own. Comments nest, and strings inside comments hide their brackets. The pieces put
together are the text, so this serves for whole files too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BLANK = " \t\n\r"
_GAP = re.compile(r"[ \t\n\r]+")
_MARK = re.compile(r'"|\(\*|\.+')
_INSIDE = re.compile(r'"|\(\*|\*\)')
_BULLET = re.compile(r"-+|\++|\*+")
_BRACE = re.compile(r"(?:(?:[0-9]+|\[[ \t\n\r]*[^\W\d][\w']*[ \t\n\r]*\])[ \t\n\r]*:[ \t\n\r]*)?\{|\}")


class Piece(NamedTuple):
    """A sentence `text` and the blank and comments before it. `complete` is false of a remainder with no end."""

    before: str
    text: str
    complete: bool = True


def sentences(text: str) -> list[Piece]:
    """The pieces of `text`, in order; joined (`before + text` of each) they are `text` again.

    Blank or comments after the last sentence make one last piece whose `text` is empty.
    """
    pieces, start = [], 0
    while start < len(text):
        begin = _skip(text, start)
        end = _end(text, begin) if begin < len(text) else None
        complete = end is not None
        stop = len(text) if end is None else end
        pieces.append(Piece(text[start:begin], text[begin:stop], complete))
        start = stop
    return pieces


def uncommented(text: str) -> str | None:
    """`text` with one blank in place of each comment; None where a comment or a string has no end."""
    kept, position = [], 0
    while found := _MARK.search(text, position):
        mark = found.group()
        stop = _over(text, found.start(), mark)
        if stop is None:
            return None
        kept += [text[position : found.start()], " " if mark == "(*" else text[found.start() : stop]]
        position = stop
    return "".join([*kept, text[position:]])


def _skip(text: str, position: int) -> int:
    """Where the sentence after blank and comments begins; the end of the text when a comment has no end."""
    while True:
        gap = _GAP.match(text, position)
        position = gap.end() if gap else position
        if not text.startswith("(*", position):
            return position
        after = _comment(text, position)
        if after is None:
            return len(text)
        position = after


def _end(text: str, begin: int) -> int | None:
    """Where the sentence that begins at `begin` ends."""
    short = _BULLET.match(text, begin) or _BRACE.match(text, begin)
    if short:
        return short.end()
    position = begin
    while found := _MARK.search(text, position):
        mark = found.group()
        if mark in (".", "...") and (found.end() == len(text) or text[found.end()] in BLANK):
            return found.end()
        after = _over(text, found.start(), mark)
        if after is None:
            return None
        position = after
    return None


def _over(text: str, start: int, mark: str) -> int | None:
    """The end of the string, comment or run of dots that begins at `start`; None where it has no end."""
    if mark == '"':
        stop = text.find('"', start + 1)  # a doubled quote ends one string and begins the next, which comes to the same
        return stop + 1 if stop >= 0 else None
    return _comment(text, start) if mark == "(*" else start + len(mark)


def _comment(text: str, start: int) -> int | None:
    """The end of the comment that opens at `start`."""
    depth, position = 1, start + 2
    while depth:
        found = _INSIDE.search(text, position)
        if found is None:
            return None
        position = found.end()
        if found.group() == '"':
            stop = text.find('"', position)
            if stop < 0:
                return None
            position = stop + 1
        else:
            depth += 1 if found.group() == "(*" else -1
    return position
