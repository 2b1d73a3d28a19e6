"""The REPL's stream cut into replies: pretty-printed JSON objects, each ended by a blank line."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_END = b"\n\n"
_OPENING = re.compile(rb"^\{", re.MULTILINE)


class Damaged(ValueError):
    """Something that begins like a reply and is none."""


class Blocks:
    """Bytes in, blocks out, in any portions; a block is what stands before a blank line."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0  # no block ends before this

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that `data` completes; those that hold nothing but white space are left out."""
        self._held += data
        found = []
        start = 0
        while (end := self._held.find(_END, self._seen)) >= 0:
            found.append(bytes(self._held[start:end]))
            start = self._seen = end + len(_END)
        del self._held[:start]
        self._seen = max(0, len(self._held) - len(_END) + 1)
        return [block for block in found if block.strip()]

    @property
    def held(self) -> int:
        """Bytes of an unfinished block."""
        return len(self._held)


def reply_in(block: bytes) -> dict[str, Any] | None:
    """The reply that a block is, below any lines of noise that other programs wrote; None where it is all noise.

    Only the first line of a reply begins with a brace, because those within it are indented. Raises `Damaged` for a
    block that begins like a reply and is not a JSON object.
    """
    opening = None
    for opening in _OPENING.finditer(block):
        pass  # the last one counts
    if opening is None:
        return None
    try:
        found = msgspec.json.decode(block[opening.start() :])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(found, dict):
        raise Damaged("a reply is an object")
    return found
