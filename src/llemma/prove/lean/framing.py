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
        """The blocks that `data` completes; those without a brace cannot be replies and are left out."""
        self._held += data
        end = self._held.rfind(_END, self._seen)
        if end < 0:
            self._seen = max(0, len(self._held) - len(_END) + 1)
            return []
        done = bytes(self._held[:end])
        del self._held[: end + len(_END)]
        self._seen = 0
        return [block for block in done.split(_END) if b"{" in block] if b"{" in done else []


def reply_in(block: bytes) -> dict[str, Any] | None:
    """The reply that a block is, below any lines of noise that other programs wrote; None where it is all noise.

    Only the first line of a reply begins with a brace, because those within it are indented. Raises `Damaged` for a
    block that begins like a reply and is not a JSON object.
    """
    openings = [match.start() for match in _OPENING.finditer(block)]
    if not openings:
        return None
    try:
        found = msgspec.json.decode(block[openings[-1] :])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(found, dict):
        raise Damaged("a reply is an object")
    return found
