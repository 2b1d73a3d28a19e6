"""Is what stands between two dollars a formula, or a price, a shell variable, prose? One check a kind of delimiter."""

from __future__ import annotations

import re

from llemma.corpus.web.shelf import OPEN

_STRONG = re.compile(r"[\\^_=<>|+]|" + OPEN)
_PROSE = re.compile(
    r"\\(?:text|mathrm|mbox|operatorname|mathit|textbf|mathbf|textit|mathsf|begin|end|label|ref|tag)\*?\s*\{[^{}]*\}|\\[A-Za-z]+"
)
_WORD = re.compile(r"[A-Za-z]{3,}")
_SHORT = re.compile(r"[A-Za-z](?:['′])?|[-−]?\d+(?:\.\d+)?|[A-Za-z0-9]{1,3}|[\s\w.,:;!*/()\[\]{}'-]{1,24}")
_PRICE = re.compile(r"\d[\d,.]*(?:\s*(?:k|K|M|B|bn|million|billion|USD))?(?:\s|[-–,;.)/]|$)")


def certain(content: str, after: str) -> bool:
    """The judge of delimiters that mean nothing but a formula, such as `\\(...\\)`."""
    return True


def _double(content: str, after: str) -> bool:
    return _words(content) <= 12 or bool(_STRONG.search(content))


def _words(content: str) -> int:
    return len(_WORD.findall(_PROSE.sub(" ", content)))


def _dollar(content: str, after: str) -> bool:
    """For pages that set `$` as a delimiter: everything but prices and prose between two prices."""
    if "\n\n" in content or len(content) > 3000:
        return False
    words, strong = _words(content), bool(_STRONG.search(content))
    # `US$ and A$`: a blank inside the opening dollar, and words.
    if not strong and (after.isdigit() or (words and content[0].isspace())):
        return False
    # `$7 in $US`: a blank before the closing dollar alone
    if not strong and content[-1].isspace() and not content[0].isspace():
        return False
    if _PRICE.match(content) and words and "\\" not in content and not re.search(r"[\^_=]", content):
        return False
    return words <= 1 + (2 if "\\" in content else 0) or (strong and words <= 4 + len(content) // 40)


def _dollar_loose(content: str, after: str) -> bool:
    """For pages with an engine but unknown settings: also no blanks at the edges."""
    return content == content.strip() and not after.isalnum() and _dollar(content, after)


def _loose(content: str, after: str) -> bool:
    """For pages without any engine: TeX must be visible, or a lone letter."""
    if not _dollar_loose(content, after) or re.match(r"[A-Z_]{3,}|\d+(?:\.\d\d)?\s|[?!#@*({]", content):
        return False
    return bool(re.search(r"\\[A-Za-z]+|[\^_=<>]", content)) or bool(
        re.fullmatch(r"[A-Za-z]'?|[A-Za-z]\([A-Za-z, ]+\)", content)
    )


def _never(content: str, after: str) -> bool:
    return False


CHECKS = {"never": _never, "dollar": _dollar, "dollar_loose": _dollar_loose, "loose": _loose, "double": _double}
