"""Bytes of a page to text: byte order mark, declared character set, detection; never an exception."""

from __future__ import annotations

import codecs
import re

_META = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset\s*=\s*|\?xml[^>]{0,100}?encoding\s*=\s*)["']?\s*([A-Za-z0-9_:.-]{2,40})""",
    re.IGNORECASE,
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# The HTML standard reads these labels as their Windows supersets.
_ALIASES = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
            "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "iso-8859-9": "cp1254",
            "x-sjis": "shift_jis"}  # fmt: skip
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decode(raw: bytes, charset: str | None = None) -> str:
    """Text of `raw`. `charset` is what the transport declared; a declaration the bytes contradict is passed over."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    for encoding in _candidates(raw, charset):
        try:
            return raw.decode(encoding)
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return _detected(raw)


def _candidates(raw: bytes, charset: str | None) -> list[str]:
    meta = _META.search(raw, 0, 4096)
    declared = [name for name in (charset, meta and meta[1].decode("ascii")) if name]
    # Bytes that are valid UTF-8 are hardly ever anything else, whatever the page claims, except 7-bit stateful sets.
    seven_bit = [name for name in declared if name.lower().startswith(("iso-2022", "hz", "utf-7"))]
    return [
        *(n for n in seven_bit if not n.lower().startswith("utf-7")),
        "utf-8",
        *(_ALIASES.get(n.lower(), n) for n in declared),
    ]


def _detected(raw: bytes) -> str:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    try:
        return str(bytes_to_str(raw, detect_encoding(raw) or "cp1252", errors="replace"))
    except Exception:
        # The detector comes from a library and sees hostile bytes; latin-1 always works.
        return raw.decode("cp1252", errors="replace")


def printable(text: str) -> str:
    """`text` without control characters and lone surrogates, which parsers choke on."""
    return _CONTROLS.sub("", text).encode("utf-8", "ignore").decode("utf-8")
