"""Presentation MathML to LaTeX, for formulas that carry no TeX of their own (W3C MathML 3, chapter 3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from llemma.corpus.web.symbols import FUNCTIONS, LATEX_OF

MAX_DEPTH = 120
"""Nesting beyond this is cut: no real formula is that deep, and a hostile one must not exhaust the stack."""

_ACCENTS = {
    "^": "hat", "ˆ": "hat", "\u0302": "hat", "~": "tilde", "˜": "tilde", "\u0303": "tilde", "¯": "bar", "―": "bar",
    "‾": "bar", "\u0304": "bar", "\u0305": "bar", "_": "underline", "→": "vec", "⃗": "vec", "←": "overleftarrow",
    "˙": "dot", "\u0307": "dot", "¨": "ddot", "\u0308": "ddot", "⏞": "overbrace", "⏟": "underbrace", "ˇ": "check",
    "︷": "overbrace", "︸": "underbrace", "⃛": "dddot", "°": "mathring", "˚": "mathring", "´": "acute", "`": "grave",
    "˘": "breve", "↔": "overleftrightarrow", "−": "overline", "̲": "underline",
}  # fmt: skip
_WIDE = {"hat": "widehat", "tilde": "widetilde", "bar": "overline", "vec": "overrightarrow"}
_BELOW = {"bar": "underline", "hat": "underset{\\hat{}}", "tilde": "underset{\\tilde{}}", "vec": "underrightarrow"}
_ARROWS = {"→": "xrightarrow", "←": "xleftarrow", "⟶": "xrightarrow", "⟵": "xleftarrow", "↪": "xhookrightarrow",
           "⇒": "xRightarrow", "↦": "xmapsto", "↔": "xleftrightarrow"}  # fmt: skip
_MATRICES = {("(", ")"): "pmatrix", ("[", "]"): "bmatrix", ("|", "|"): "vmatrix", ("‖", "‖"): "Vmatrix",
             ("∥", "∥"): "Vmatrix", ("{", "}"): "Bmatrix", ("{", ""): "cases"}  # fmt: skip
_PAIRS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "〈": "〉", "⌊": "⌋", "⌈": "⌉", "|": "|", "‖": "‖", "∥": "∥", "": ""}
_LARGE = frozenset("∑∏∐∫∬∭∮⋃⋂")
_LIMITS = re.compile(
    r"\\(?:sum|prod|coprod|i*int|oint|lim|liminf|limsup|max|min|sup|inf|det|gcd|Pr|arg|bigcup|bigcap|bigoplus|bigotimes|bigvee"
    r"|bigwedge|bigsqcup|(?:und|ov)erbrace)(?![A-Za-z])|\\operatorname\*?\{"
)
_FENCES = {"{": "\\{", "}": "\\}", "⟨": "\\langle", "⟩": "\\rangle", "〈": "\\langle", "〉": "\\rangle", "|": "|",
           "‖": "\\|", "∥": "\\|", "": ".",
           "⌊": "\\lfloor", "⌋": "\\rfloor", "⌈": "\\lceil", "⌉": "\\rceil"}  # fmt: skip
_VARIANTS = {"bold": "mathbf", "double-struck": "mathbb", "script": "mathcal", "fraktur": "mathfrak",
             "sans-serif": "mathsf", "monospace": "mathtt", "bold-italic": "boldsymbol"}  # fmt: skip
_INVISIBLE = dict.fromkeys([0x2061, 0x2062, 0x2063, 0x2064, 0x200B, 0x200C, 0x200D, 0xFEFF])


def local_name(element: Any) -> str:
    """The tag without namespace or prefix, lower case; empty for comments."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1].rsplit(":", 1)[-1].lower() if isinstance(tag, str) else ""


def to_latex(element: Any) -> str:
    """LaTeX of a MathML element (lxml). Unknown elements give their children; never raises on odd input."""
    return " ".join(_convert(element, 0).split())


def _convert(element: Any, depth: int) -> str:
    name = local_name(element)
    if depth > MAX_DEPTH or name in (
        "annotation",
        "annotation-xml",
        "maligngroup",
        "malignmark",
        "script",
        "",
    ):
        return ""
    return _RULES.get(name, _row)(element, depth + 1)


def _children(element: Any) -> list[Any]:
    return [child for child in element if isinstance(child.tag, str)]


def _parts(element: Any, depth: int) -> list[str]:
    return [_convert(child, depth) for child in _children(element)]


def _text(element: Any) -> str:
    return "".join(element.itertext()).translate(_INVISIBLE).strip()


def _row(element: Any, depth: int) -> str:
    children = _children(element)
    if not children:
        return symbols(_text(element))
    return _fenced_matrix(children, depth) or _stretched(children, depth) or _joined(children, depth)


def _joined(children: list[Any], depth: int) -> str:
    """The children side by side; what looks like `( matrix )` among them becomes one environment."""
    parts, at = [], 0
    while at < len(children):
        trio = children[at : at + 3]
        matrix = _fenced_matrix(trio, depth) if len(trio) == 3 and at + 3 < len(children) else ""
        parts.append(matrix or _convert(children[at], depth))
        at += 3 if matrix else 1
    return _join(parts)


def _fenced_matrix(children: list[Any], depth: int) -> str:
    """A table or a fraction without line between brackets: `pmatrix`, `cases`, `\\binom`; else nothing."""
    if len(children) not in (2, 3) or depth > MAX_DEPTH:
        return ""
    brackets = [_only(children[0]), *(_only(child) for child in children[2:])]
    if any(local_name(bracket) != "mo" for bracket in brackets):
        return ""
    opening, closing, inner = _text(brackets[0]), _text(brackets[1]) if len(brackets) == 2 else "", _only(children[1])
    if local_name(inner) == "mtable" and (name := _MATRICES.get((opening, closing))):
        return _environment(inner, name, depth)
    if _is_atop(inner) and (opening, closing) == ("(", ")"):
        top, bottom = [*_parts(inner, depth), "", ""][:2]
        return f"\\binom{{{top}}}{{{bottom}}}"
    return ""


def _only(element: Any) -> Any:
    """The single element inside rows and styles that only wrap it."""
    for _ in range(10):
        children = _children(element)
        if local_name(element) not in ("mrow", "mstyle", "mpadded") or len(children) != 1:
            break
        element = children[0]
    return element


def _is_atop(element: Any) -> bool:
    return (
        local_name(element) == "mfrac" and re.match(r"0(?:[a-z]+|\.0*)?$", element.get("linethickness", "")) is not None
    )


def _stretched(children: list[Any], depth: int) -> str:
    """`\\left( .. \\right)` where brackets enclose the whole row and something tall."""
    first, last = children[0], children[-1]
    if len(children) < 3 or local_name(first) != "mo" or local_name(last) != "mo":
        return ""
    left, right = _text(first), _text(last)
    inner_closed = any(_text(child) in (left, right) for child in children[1:-1] if local_name(child) == "mo")
    fits = (
        left in _PAIRS
        and (right in (_PAIRS[left], "", "]", ")") or left == "")
        and right in {*_PAIRS, *_PAIRS.values()}
    )
    if not fits or inner_closed or left == right == "" or "false" in (first.get("stretchy"), last.get("stretchy")):
        return ""
    # Looked up in the tree: converting the inside to look at it would double the work at every level.
    if not any(_is_tall(part) for child in children[1:-1] for part in child.iter()):
        return ""
    return f"\\left{_fence(left)} {_joined(children[1:-1], depth)} \\right{_fence(right)}"


def _is_tall(element: Any) -> bool:
    name = local_name(element)
    return name in ("mfrac", "mtable", "munderover") or (name == "mo" and (element.text or "").strip() in _LARGE)


def _join(parts: list[str]) -> str:
    """Pieces side by side; a blank only where a command would swallow the next letter."""
    out = ""
    for part in parts:
        if out and part and _ends_in_command(out) and part[0].isalpha():
            out += " "
        out += part
    return out


def _ends_in_command(text: str) -> bool:
    _, backslash, tail = text[-40:].rpartition("\\")
    return bool(backslash) and tail.isalpha()


def symbols(text: str) -> str:
    """Unicode mathematics as LaTeX commands, character by character."""
    if text.isascii() and not any(c in "{}%&#$" for c in text):
        return text
    return _join([LATEX_OF.get(c, f"\\{c}" if c in "{}%&#$" else c) for c in text])


def _identifier(element: Any, depth: int) -> str:
    text = _text(element)
    if text in FUNCTIONS:
        return f"\\{text}"
    variant = _VARIANTS.get(element.get("mathvariant", ""))
    if element.get("mathvariant") == "normal" and len(text) == 1 and text.isascii() and text.isalpha():
        return f"\\mathrm{{{text}}}"
    latex = symbols(text)
    if variant and latex:
        return f"\\{variant}{{{latex}}}"
    return f"\\mathrm{{{latex}}}" if len(text) > 1 and text.isalpha() and text.isascii() else latex


def _operator(element: Any, depth: int) -> str:
    text = _text(element)
    if text in FUNCTIONS:
        return f"\\{text} "
    stretches = element.get("fence") == "true" or element.get("stretchy") or element.get("data-mjx-texclass")
    if text in ("∥", "‖") and stretches:
        return "\\|"
    if text in ("lim sup", "lim inf"):
        return "\\" + text.replace(" ", "")
    return f"\\operatorname{{{text}}}" if len(text) > 1 and text.isalpha() and text.isascii() else symbols(text)


def _mtext(element: Any, depth: int) -> str:
    text = "".join(element.itertext()).replace("\xa0", " ")
    return f"\\text{{{text}}}" if text.strip() else " "


def _group(latex: str) -> str:
    return latex if len(latex) == 1 else f"{{{latex}}}"


def _base(latex: str) -> str:
    simple = len(latex) <= 1 or latex == "\\|" or (latex[0] == "\\" and latex[1:].isalpha())
    return (
        latex
        if simple or (latex.startswith("\\math") and latex.count("{") == 1 and latex.endswith("}"))
        else f"{{{latex}}}"
    )


def _nth(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""


def _fraction(element: Any, depth: int) -> str:
    parts = _parts(element, depth)
    top, bottom = _nth(parts, 0), _nth(parts, 1)
    return f"{{{top} \\atop {bottom}}}" if _is_atop(element) else f"\\frac{{{top}}}{{{bottom}}}"


def _sqrt(element: Any, depth: int) -> str:
    return f"\\sqrt{{{_row(element, depth)}}}"


def _root(element: Any, depth: int) -> str:
    parts = _parts(element, depth)
    return f"\\sqrt[{_nth(parts, 1)}]{{{_nth(parts, 0)}}}"


_PRIMES = dict(zip(("′", "″", "‴", "'"), ("'", "''", "'''", "'"), strict=True))


def _scripts(*marks: str) -> Callable[[Any, int], str]:
    def convert(element: Any, depth: int) -> str:
        children = _children(element)
        base, *rest = _parts(element, depth) or [""]
        ends = ""
        for mark, part, child in zip(marks, rest, children[1:], strict=False):
            prime = _PRIMES.get(_text(child)) if mark == "^" else None
            ends += prime or (f"{mark}{_group(part)}" if part.strip() else "")
        return f"{_base(base.strip())}{ends}" if base.strip() else f"{{}}{ends}"

    return convert


def _around(element: Any, depth: int) -> str:
    """`munder`, `mover`, `munderover`: accents, limits of operators, labelled arrows, or something set above."""
    children = _children(element)
    if len(children) < 2:
        return _row(element, depth)
    name, mark = local_name(element), _text(children[1])
    accent = _ACCENTS.get(mark) if len(children) == 2 else None
    base = _convert(children[0], depth).strip()
    if accent:
        return _accented(accent, base, len(_text(children[0])) > 1, name == "munder")
    above = _convert(children[-1], depth).strip() if name != "munder" else ""
    below = _convert(children[1], depth).strip() if name != "mover" else ""
    if arrow := _ARROWS.get(_text(children[0])):
        return f"\\{arrow}[{below}]{{{above}}}" if below else f"\\{arrow}{{{above}}}"
    if _LIMITS.match(base) or name == "munderover" or children[0].get("movablelimits") == "true":
        ends = (f"_{_group(below)}" if below else "") + (f"^{_group(above)}" if above else "")
        return f"{base if _LIMITS.match(base) else _base(base)}{ends}"
    return f"\\overset{{{above}}}{{{base}}}" if above else f"\\underset{{{below}}}{{{base}}}"


def _accented(accent: str, base: str, wide: bool, below: bool) -> str:
    if below:
        accent = _BELOW.get(accent, accent)
    elif wide:
        accent = _WIDE.get(accent, accent)
    return f"\\{accent}{{{base}}}"


def _multiscripts(element: Any, depth: int) -> str:
    children = _children(element)
    names = [local_name(child) for child in children]
    cut = names.index("mprescripts") if "mprescripts" in names else len(children)
    base = _convert(children[0], depth) if children else ""
    before, after = children[cut + 1 :], children[1:cut]
    left = _script_pairs(before, depth)
    return (f"{{}}{left}" if left else "") + base + _script_pairs(after, depth)


def _script_pairs(children: list[Any], depth: int) -> str:
    out = ""
    for index, child in enumerate(children):
        latex = _convert(child, depth) if local_name(child) != "none" else ""
        out += f"{'_^'[index % 2]}{_group(latex)}" if latex else ""
    return out


def _fenced(element: Any, depth: int) -> str:
    left, right = element.get("open", "("), element.get("close", ")")
    separators = (element.get("separators", ",") or "").replace(" ", "")
    out = ""
    for index, part in enumerate(_parts(element, depth)):
        if index and separators:
            out += separators[min(index - 1, len(separators) - 1)] + " "
        out += part
    return f"\\left{_fence(left)} {out} \\right{_fence(right)}"


def _fence(mark: str) -> str:
    return _FENCES.get(mark, mark or ".")


def _table(element: Any, depth: int) -> str:
    rows = [row for row in _children(element) if local_name(row) in ("mtr", "mlabeledtr")]
    if len(rows) == 1 and local_name(rows[0]) == "mlabeledtr":
        label, *cells = _children(rows[0]) or [rows[0]]
        return "".join(_convert(cell, depth + 1) for cell in cells) + f" \\tag{{{_text(label).strip('()')}}}"
    align = (element.get("columnalign") or "").split()
    aligned = align[:2] == ["right", "left"] or ("left" in align and element.get("displaystyle") == "true")
    return _environment(element, "aligned" if aligned else "matrix", depth)


def _environment(table: Any, name: str, depth: int) -> str:
    rows = [row for row in _children(table) if local_name(row) in ("mtr", "mlabeledtr")]
    cells = [_parts(row, depth + 1)[local_name(row) == "mlabeledtr" :] for row in rows]
    body = " \\\\ ".join(" & ".join(row) for row in cells)
    return f"\\begin{{{name}}} {body} \\end{{{name}}}"


def _number(element: Any, depth: int) -> str:
    return symbols(_text(element))


def _space(element: Any, depth: int) -> str:
    width = re.match(r"(\d*\.?\d+)(em|ex)", (element.get("width") or "").strip())
    size = float(width[1]) * (1 if width[2] == "em" else 0.43) if width else 0.0
    steps = ((1.9, "\\qquad "), (0.9, "\\quad "), (0.27, "\\;"), (0.21, "\\:"), (0.1, "\\,"))
    return next((latex for least, latex in steps if size >= least), " ")


def _enclose(element: Any, depth: int) -> str:
    inner, notation = _row(element, depth), element.get("notation", "")
    for word, command in (("box", "boxed"), ("updiagonalstrike", "cancel"), ("downdiagonalstrike", "bcancel"),
                          ("radical", "sqrt"), ("top", "overline"), ("bottom", "underline")):  # fmt: skip
        if word in notation:
            return f"\\{command}{{{inner}}}"
    return inner


def _phantom(element: Any, depth: int) -> str:
    inner = _row(element, depth)
    return f"\\phantom{{{inner}}}" if inner.strip() else ""


def _first(element: Any, depth: int) -> str:
    children = _children(element)
    return _convert(children[0], depth) if children else ""


def _string(element: Any, depth: int) -> str:
    return f"\\text{{{_text(element)}}}"


_RULES: dict[str, Callable[[Any, int], str]] = {
    "mi": _identifier, "mn": _number, "mo": _operator, "mtext": _mtext, "ms": _string, "mspace": _space,
    "mfrac": _fraction, "msqrt": _sqrt, "mroot": _root, "msub": _scripts("_"), "msup": _scripts("^"),
    "msubsup": _scripts("_", "^"), "munderover": _around, "munder": _around,
    "mover": _around,
    "mmultiscripts": _multiscripts, "mphantom": _phantom, "maction": _first, "mfenced": _fenced, "mtable": _table,
    "menclose": _enclose,
    "semantics": _first, "none": _space,
}  # fmt: skip
