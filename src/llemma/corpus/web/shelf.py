"""The shelf: formulas, code and tables wait here, out of reach of extractors, behind private-use tokens."""

from __future__ import annotations

import re

OPEN, CLOSE, INDENT = "\ue000", "\ue001", "\ue002"
TOKEN = re.compile(f"{OPEN}([imcbt])(\\d+){CLOSE}")
_STRAY = re.compile(f"[{OPEN}{CLOSE}]")
_DISPLAY_LINE = re.compile(f"[ \\t]*({OPEN}[mbt]\\d+{CLOSE}(?: \\([\\w.*'-]{{1,12}}\\)(?=\\s|$))?)[ \\t]*")
_DOLLAR = re.compile(r"(?<!\\)\$")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*(?:\n[ \t]*|$)")
_LAST_COMMENT = re.compile(r"(?:(?<!\\)%|\n[ \t]*%[^\n]*)\Z")
_BLANKS = re.compile(r"\s*\n\s*")


def tidy(latex: str) -> str:
    """Formula source without outer blanks and empty lines; the rest stands as written. Of comments only one at the end
    goes: it would swallow the closing delimiter."""
    latex = latex.replace("\xa0", " ").strip()
    if "%" in latex:
        latex = _LAST_COMMENT.sub("", latex).rstrip()
    return _BLANKS.sub("\n", latex).strip() if "\n" in latex else latex


class Shelf:
    """Numbered items. A token is `OPEN kind number CLOSE`; kinds: i(nline) m(ath display) c(ode) b(lock of code)
    t(able)."""

    def __init__(self) -> None:
        self._items: list[str] = []

    def formula(self, latex: str, display: bool) -> str:
        """The token of a formula, or nothing for an empty one. Dollars around `latex` are not part of it."""
        latex = tidy(latex)
        if not latex:
            return ""
        # A backslash at the end would escape the dollar.
        latex += " " if latex.endswith("\\") else ""
        return self._put("m", f"$${latex}$$") if display else self._put("i", f"${latex}$")

    def code(self, text: str) -> str:
        """The token of a piece of code inside a line. Dollars are escaped: they stay bare only in fences."""
        text = _DOLLAR.sub(r"\\$", text)
        fence = "``" if "`" in text else "`"
        return self._put("c", f"{fence}{text}{fence}") if text else ""

    def block(self, text: str, language: str = "") -> str:
        """The token of a fenced code block."""
        fence = "````" if "```" in text else "```"
        return self._put("b", f"{fence}{language}\n{text}\n{fence}")

    def table(self, text: str) -> str:
        """The token of a table that is already written as lines."""
        return self._put("t", text)

    def _put(self, kind: str, item: str) -> str:
        # A formula or code that came with tokens of its own (a formula inside \text) is made plain at once,
        # so that only tables hold tokens and restoring ends.
        self._items.append(self.restore(item) if kind != "t" else item)
        return f"{OPEN}{kind}{len(self._items) - 1}{CLOSE}"

    def restore(self, text: str) -> str:
        """`text` with every token replaced by what it stands for; unknown or broken tokens vanish."""
        return _STRAY.sub("", TOKEN.sub(self._item, text))

    def count(self, text: str) -> int:
        """How many formulas `text` holds, those inside its tables included."""
        found = 0
        for match in TOKEN.finditer(text):
            kind, number = match[1], int(match[2])
            found += kind in "im"
            if kind == "t" and number < len(self._items):
                found += sum(inner[1] in "im" for inner in TOKEN.finditer(self._items[number]))
        return found

    def _item(self, match: re.Match[str]) -> str:
        kind, number = match[1], int(match[2])
        if number >= len(self._items):
            return ""
        item = self._items[number]
        if kind == "t":  # a table's tokens were given out before its own
            item = TOKEN.sub(lambda inner: self._cell(inner, number), item)
        return item

    def _cell(self, match: re.Match[str], below: int) -> str:
        number = int(match[2])
        item = _COMMENT.sub(" ", self._items[number]) if number < below else ""
        return item.replace("\n", " ").replace("|", "\\vert ")


def own_lines(text: str) -> str:
    """Display formulas and blocks put on lines of their own; an equation number stays beside its formula."""
    return _DISPLAY_LINE.sub(r"\n\n\1\n\n", text)


def without_tokens(text: str) -> str:
    """`text` with the private characters removed, so that no page can forge a token."""
    return _PRIVATE.sub("", text) if any(mark in text for mark in (OPEN, CLOSE, INDENT)) else text


_PRIVATE = re.compile(f"[{OPEN}{CLOSE}{INDENT}]")
