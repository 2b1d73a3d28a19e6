"""Bytes of a page to text: byte order mark, declared character set, detection; never an exception.

Labels mean what https://encoding.spec.whatwg.org/ makes of them: `iso-8859-1` is read as windows-1252, and so on.
"""

from __future__ import annotations

import codecs
import re

_META = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset\s*=\s*|\?xml[^>]{0,100}?encoding\s*=\s*)["']?\s*([A-Za-z0-9_:.+-]{2,40})""",
    re.IGNORECASE,
)
_LOOK = 8192  # bytes in which a page may say what its character set is
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python's name of an encoding -> the superset that pages labelled so are written in.
_SUPERSETS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "iso8859-9": "cp1254",
              "shift_jis": "cp932", "euc_kr": "cp949", "iso8859-11": "cp874", "tis-620": "cp874", "big5": "big5hkscs",
              "johab": "cp949", "hz": "hz"}  # fmt: skip
_LABELS = {"x-sjis": "cp932", "windows-31j": "cp932", "ms_kanji": "cp932", "x-gbk": "gb18030", "x-euc-jp": "euc_jp",
           "windows-949": "cp949", "ks_c_5601-1987": "cp949", "ksc5601": "cp949", "windows-874": "cp874",
           "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
           "logical": "iso8859-8", "iso-8859-8-i": "iso8859-8", "win-1251": "cp1251", "win1251": "cp1251",
           "cp-1251": "cp1251", "win-1252": "cp1252", "unicode": "utf-8", "utf8mb4": "utf-8",
           "x-big5": "big5hkscs"}  # fmt: skip
_MULTI = ("gb18030", "cp932", "euc_jp", "cp949", "big5hkscs", "shift_jis_2004", "iso2022_jp", "hz")
_SINGLE = re.compile(r"cp(?:125\d|437|85\d|86\d|874|720|737|775)|iso8859-\d+|koi8-[rut]|mac[_-]\w+|kz1048|ptcp154")
_SEVEN_BIT = ("iso2022_jp", "hz")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_GOOD_SHARE = 20  # at most one broken character in so many others: the encoding is right, the bytes are damaged


def decode(raw: bytes, charset: str | None = None) -> str:
    """Text of `raw`. `charset` is what the transport declared; a declaration the bytes contradict is passed over."""
    if encoding := wide(raw):
        return raw.decode(encoding, errors="replace").removeprefix("\ufeff")
    meta = _META.search(raw, 0, _LOOK)
    declared = [name for label in (charset, meta and meta[1].decode("ascii")) if label and (name := known(label))]
    for name in [*(name for name in declared if name in _SEVEN_BIT), "utf-8"]:
        if (text := _strict(raw, name)) is not None:
            return text
    for name in ("utf-8", *declared):
        if (text := _nearly(raw, name)) is not None:
            return text
    return _detected(raw)


def wide(raw: bytes) -> str:
    """The encoding of UTF-16, UTF-32 or marked UTF-8 by the first bytes; empty for all others."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    head = raw[:256]
    if len(head) >= 8 and head.count(0) * 3 > len(head):
        even, odd = head[::2].count(0), head[1::2].count(0)
        if not even and odd * 10 > len(head) * 4:
            return "utf-16-le"
        if not odd and even * 10 > len(head) * 4:
            return "utf-16-be"
    return ""


def known(label: str) -> str:
    """Python's name for a character set that web pages use; empty for any other.

    Python knows encodings that are none of text, and some that take quadratic time: only those of pages are used.
    """
    label = label.strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError, TypeError):
        return ""
    name = _SUPERSETS.get(name, name)
    if name.startswith(("utf-16", "utf-32")):
        return "utf-8"  # a page that could be read so far as to find this label in it is none
    return name if name == "utf-8" or name in _MULTI or _SINGLE.fullmatch(name) else ""


def _strict(raw: bytes, name: str) -> str | None:
    try:
        return raw.decode(name)
    except (UnicodeDecodeError, ValueError):
        return None


def _nearly(raw: bytes, name: str) -> str | None:
    """The text where nearly all characters beyond ASCII are right: pages are cut within one, or pasted together.

    In a set of single bytes hardly any is wrong, whatever the bytes are: there the declaration is believed.
    """
    text = raw.decode(name, errors="replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return text if bad <= 1 + good // _GOOD_SHARE and (good or not bad) else None


def _detected(raw: bytes) -> str:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    try:
        return str(bytes_to_str(raw, detect_encoding(raw) or "cp1252", errors="replace"))
    except Exception:
        # The detector comes from a library and sees hostile bytes; this always works.
        return raw.decode("cp1252", errors="replace")


def printable(text: str) -> str:
    """`text` without control characters and lone surrogates, which parsers choke on."""
    return _CONTROLS.sub("", text).encode("utf-8", "ignore").decode("utf-8")
