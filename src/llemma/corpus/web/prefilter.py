"""A cheap look at raw bytes: may this page hold mathematics? Decides before anything is parsed."""

from __future__ import annotations

import re

# Markup that only pages with formulas carry (the list of OpenWebMath's prefilter, widened by the forms it misses).
_MARKS = re.compile(
    rb"mathjax|<(?:\w+:)?math[\s>]|math-container|katex|latex\.php|codecogs|mathtex|mimetex|tex\.cgi"
    rb"|class=[\"']?(?:tex|latex|math|formulainl|formuladsp)\b|mwe-math|math/(?:tex|asciimath)|asciimath|ltx_math"
    rb"|data-(?:math|expr|tex|latex)=|\[(?:tex|itex|math|latex)\]|\\begin\{(?:equation|align|gather|eqnarray)"
    rb"|cht=tx|render/math\?|quicklatex|ql-img|equation_image|data-(?:equation|formula|asciimath)|<d-math|math-renderer"
    rb"|upmath\.me|ztext-math|equation\?tex=|texrender",
    re.IGNORECASE,
)
# Commands that are hardly ever typed outside a formula.
_COMMANDS = re.compile(
    rb"\\(?:frac|sqrt|sum|int|prod|lim|infty|alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|omega|phi|pi|mu|partial"
    rb"|nabla|mathbb|mathcal|mathbf|mathrm|leq?|geq?|neq|cdot|times|rightarrow|to|in|subset|cup|cap|forall|exists"
    rb"|left|right|binom|text|overline|hat|vec|ldots|cdots|equiv|approx|sim)(?![A-Za-z])"
)
_DOLLARS = re.compile(
    rb"\$\$[^$]{1,2000}\$\$|\$[A-Za-z0-9\\({](?=[^$\n<]{0,200}?[\^_=\\])[^$\n<]{0,400}\$|\\\([^\n<]{1,200}?\\\)|\\\[[^<]{1,300}?\\\]"
)


# One of these (in small letters) is in every match of `_MARKS`. To look for words takes a tenth of the time of the
# pattern, and most pages of a crawl have none of them.
_WORDS = (
    b"math", b"latex", b"katex", b"mimetex", b"codecogs", b"tex.cgi", b"class=tex", b'class="tex', b"class='tex",
    b"formula", b"data-expr", b"data-tex", b"[tex]", b"[itex]", b"\\begin{", b"cht=tx",
)  # fmt: skip
_AROUND = 64  # bytes: longer than any match


def looks_mathematical(raw: bytes) -> bool:
    """True when the page carries formula markup, a LaTeX command or a dollar formula. Never false for want of a
    parse."""
    return bool(_COMMANDS.search(raw) or _DOLLARS.search(raw) or _marked(raw))


def _marked(raw: bytes) -> bool:
    """Whether `_MARKS` is found; looked for around the words alone."""
    small = raw.lower()
    for word in _WORDS:
        at = small.find(word)
        while at >= 0:
            if _MARKS.search(raw, max(0, at - _AROUND), at + _AROUND):
                return True
            at = small.find(word, at + _AROUND // 2)
    return False
