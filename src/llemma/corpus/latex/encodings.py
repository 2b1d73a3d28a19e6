"""Bytes of a LaTeX file to text: byte order marks, UTF-8, the encoding that `inputenc` names, and guesses."""

from __future__ import annotations

import codecs
import re

# Names of LaTeX's inputenc (its manual lists them) to Python's.
_INPUTENC = {
    "latin1": "cp1252", "latin2": "iso8859-2", "latin3": "iso8859-3", "latin4": "iso8859-4", "latin5": "iso8859-9",
    "latin9": "iso8859-15", "latin10": "iso8859-16", "ansinew": "cp1252", "cp1252": "cp1252", "applemac": "mac-roman",
    "macce": "mac-latin2", "cp1250": "cp1250", "cp1251": "cp1251", "cp1257": "cp1257", "cp437": "cp437",
    "cp850": "cp850", "cp852": "cp852", "cp858": "cp858", "cp865": "cp865", "cp866": "cp866", "koi8-r": "koi8-r",
    "koi8-ru": "koi8-u", "koi8-u": "koi8-u", "maccyr": "mac-cyrillic", "iso88595": "iso8859-5",
    "next": "cp1252", "gbk": "gbk", "gb2312": "gbk", "gb": "gbk", "big5": "big5", "bg5": "big5", "euc-jp": "euc-jp",
    "sjis": "shift-jis", "euc-kr": "euc-kr",
}  # fmt: skip
_DECLARED = re.compile(
    rb"\\(?:usepackage\s*\[\s*([\w-]{2,12})\s*\]\s*\{inputenc\}|inputencoding\s*\{\s*([\w-]{2,12})\s*\}"
    rb"|begin\s*\{CJK\*?\}\s*(?:\[[^\]]{0,20}\])?\{(\w{2,9})\})"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = dict.fromkeys([*range(9), 11, *range(14, 32), 127], None)
MOSTLY = 0.9
"""Share of the bytes beyond ASCII that must be UTF-8 for a file to be UTF-8 with a few broken places."""


def declared(data: bytes) -> str | None:
    """The Python name of the encoding that a file says it is in, or None."""
    match = _DECLARED.search(data)
    name = (match[1] or match[2] or match[3]).decode("ascii").lower() if match else ""
    return _INPUTENC.get(name)


def decode(data: bytes, fallback: str | None = None) -> str:
    """`data` as text with `\\n` line ends and no control characters; "" for binary data.

    UTF-8 wins where the bytes are valid, whatever the file declares; `fallback` is what the main file declares.
    """
    if data.isascii():
        text = data.decode("ascii")
    else:
        text = _decoded(data, fallback)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isprintable() else _without_control(text)


def _without_control(text: str) -> str:
    if text.count("\x00", 0, 4000) > 40:
        return ""
    return text.translate(_CONTROL) if _HAS_CONTROL.search(text) else text


_HAS_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def _decoded(data: bytes, fallback: str | None) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace").lstrip("\ufeff")
    if wide := _wide(data[:2000]):
        return data.decode(wide, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    said = declared(data) or fallback
    if said is None and _mostly_utf8(data):
        return data.decode("utf-8", errors="replace")
    return data.decode(said or _guess(data), errors="replace")


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of Latin text is zero."""
    half = len(head) // 2
    if half > 20 and head[1::2].count(0) > 0.7 * half:
        return "utf-16-le"
    return "utf-16-be" if half > 20 and head[::2].count(0) > 0.7 * half else None


def _mostly_utf8(data: bytes) -> bool:
    """Whether the bytes beyond ASCII are UTF-8 but for a few, as after a careless cut or paste."""
    high = sum(map(data.count, (bytes([byte]) for byte in range(128, 256))))
    broken = data.decode("utf-8", errors="replace").count("\ufffd") - data.count(b"\xef\xbf\xbd")
    return broken <= (1 - MOSTLY) * high


def _guess(data: bytes) -> str:
    """Windows-1252 or Mac Roman: the one in which more of the bytes beyond ASCII are letters after letters."""
    letters = {name: _letters(data[:200_000], name) for name in ("cp1252", "mac-roman")}
    return "mac-roman" if letters["mac-roman"] > 2 * letters["cp1252"] else "cp1252"


_FOREIGN = re.compile(r"(?<=[a-z])[àâäãáåæçéèêëíìîïñóòôöõøœúùûüÿß](?=[a-z\s.,;:-])")


def _letters(data: bytes, name: str) -> int:
    return len(_FOREIGN.findall(data.decode(name, errors="replace")))
