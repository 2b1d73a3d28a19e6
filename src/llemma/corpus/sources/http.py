"""An HTTP answer as a web archive keeps it: status, headers, and the body unpacked, whatever its headers claim.

Archives hold answers of all ages: headers without a status line, line ends of all kinds, bodies that were unpacked
while the header stayed, bodies cut in the middle. What can be read is read; nothing here raises.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

MAX_BODY = 20_000_000
"""Bytes of a body, unpacked, that are kept: nothing worth reading is longer, and a bomb ends here."""

_STATUS = re.compile(rb"(?:HTTP/\d{1,2}(?:\.\d{1,2})?|ICY)[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,80}[ \t]*:")
_BLANK = re.compile(rb"\r?\n\r?\n")
_MAX_HEAD = 1 << 18
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE)
_PIECE = 1 << 14


class Answer(NamedTuple):
    """`status` is None where there was no status line. `headers` have small names; of a repeated one the first value.
    `cut`: the body is longer, or breaks off."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    cut: bool

    @property
    def charset(self) -> str | None:
        """The character set that the Content-Type declares."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return found[1] if found else None


def answer(block: bytes) -> Answer:
    """Read the block of a `response` record."""
    status = _STATUS.match(block)
    if not status and not _FIELD.match(block):
        return _bounded(Answer(None, {}, block, False))
    end = _BLANK.search(block, 0, _MAX_HEAD)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block[:_MAX_HEAD], b"")
    headers, codings = _headers(head)
    found = Answer(int(status[1]) if status else None, headers, body, False)
    if "chunked" in codings and not _CHUNK.match(body):
        codings.remove("chunked")
    for coding in reversed(codings):
        data, cut = _dechunked(found.body) if coding == "chunked" else unpacked(coding, found.body)
        found = found._replace(body=data, cut=found.cut or cut)
    if found.body.startswith(b"\x1f\x8b\x08") and "html" in headers.get("content-type", "html").lower():
        data, cut = unpacked("gzip", found.body)  # packed twice, or without a word
        found = found._replace(body=data, cut=found.cut or cut)
    return _bounded(found)


def _bounded(found: Answer) -> Answer:
    return found._replace(body=found.body[:MAX_BODY], cut=True) if len(found.body) > MAX_BODY else found


def _headers(head: bytes) -> tuple[dict[str, str], list[str]]:
    """The headers, and how the body was coded, in the order in which that was done."""
    headers: dict[str, str] = {}
    codings: dict[str, list[str]] = {"content-encoding": [], "transfer-encoding": []}
    for line in re.split(r"\r?\n(?![ \t])", head.decode("latin-1")):
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if colon and name:
            headers.setdefault(name, value)
            if name in codings:
                codings[name] += [part.strip().lower() for part in value.split(",")]
    # no honest answer is packed more than a few times
    return headers, (codings["content-encoding"] + codings["transfer-encoding"])[:5]


def _dechunked(body: bytes) -> tuple[bytes, bool]:
    """The chunks of a body, and whether they break off."""
    parts: list[bytes] = []
    at = 0
    while found := _CHUNK.match(body, at):
        size, begin = int(found[1], 16), found.end()
        if size == 0:
            return b"".join(parts), False
        parts.append(body[begin : begin + size])
        at = begin + size
        at += 2 if body[at : at + 2] == b"\r\n" else body[at : at + 1] == b"\n"
    return b"".join(parts), True


def _brotli() -> Callable[[bytes], bytes]:
    import brotli  # type: ignore[import-untyped]  # fastwarc brings it along

    process: Callable[[bytes], bytes] = brotli.Decompressor().process
    return process


def _zstd() -> Callable[[bytes], bytes]:
    import zstandard

    unpack: Callable[[bytes], bytes] = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj().decompress
    return unpack


# How bodies are coded -> ways to read them, tried in this order (servers disagree on what deflate is).
_WAYS: dict[str, tuple[Callable[[], Callable[[bytes], bytes]], ...]] = {
    "gzip": (lambda: zlib.decompressobj(31).decompress,),
    "deflate": (lambda: zlib.decompressobj(15).decompress, lambda: zlib.decompressobj(-15).decompress),
    "br": (_brotli,),
    "zstd": (_zstd,),
}
_WAYS["x-gzip"] = _WAYS["gzip"]


def unpacked(coding: str, body: bytes) -> tuple[bytes, bool]:
    """At most `MAX_BODY` bytes of what `body` holds, and whether it holds more or breaks off; the body as it stands
    where it is not coded so."""
    for way in _WAYS.get(coding, ()):
        data, cut = _read(way(), body)
        if data:
            return data, cut
    return body, False


def _read(unpack: Callable[[bytes], bytes], body: bytes) -> tuple[bytes, bool]:
    parts, total, step, source = list[bytes](), 0, _PIECE, BytesIO(body)
    while piece := source.read(step):
        try:
            part = unpack(piece)
        except Exception:  # each library has its own
            return b"".join(parts), True
        parts.append(part)
        total += len(part)
        step = _PIECE if len(part) < 64 * _PIECE else 64  # a bomb comes out in small pieces
        if total > MAX_BODY:
            return b"".join(parts)[:MAX_BODY], True
    return b"".join(parts), not _ended(unpack)


def _ended(unpack: Any) -> bool:
    """Whether the stream came to its own end; true where the library does not tell."""
    state: Any = getattr(unpack, "__self__", None)
    if hasattr(state, "is_finished"):
        return bool(state.is_finished())
    return bool(getattr(state, "eof", True))
