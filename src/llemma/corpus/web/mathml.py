"""Presentation MathML to LaTeX, for formulas that carry no TeX of their own (W3C MathML 3, chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llemma.corpus.web.symbols import FUNCTIONS, LATEX_OF

MAX_DEPTH = 120
"""Nesting beyond this is cut: no real formula is that deep, and a hostile one must not exhaust the stack."""

_ACCENTS = {
    "^": "hat", "ˆ": "hat", "\u0302": "hat", "~": "tilde", "˜": "tilde", "\u0303": "tilde", "¯": "overline",
    "‾": "overline", "\u0304": "bar", "\u0305": "overline", "_": "underline", "→": "vec", "⃗": "vec",
    "˙": "dot", "\u0307": "dot", "¨": "ddot", "\u0308": "ddot", "⏞": "overbrace", "⏟": "underbrace", "ˇ": "check",
    "︷": "overbrace", "︸": "underbrace",
}  # fmt: skip
_FENCES = {"{": "\\{", "}": "\\}", "⟨": "\\langle", "⟩": "\\rangle", "〈": "\\langle", "〉": "\\rangle", "|": "|",
           "‖": "\\|", "∥": "\\|", "⌊": "\\lfloor", "⌋": "\\rfloor", "⌈": "\\lceil", "⌉": "\\rceil"}  # fmt: skip
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
        "mphantom",
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
    parts = _parts(element, depth)
    return _join(parts) if parts else symbols(_text(element))


def _join(parts: list[str]) -> str:
    """Pieces side by side; a blank only where a command would swallow the next letter."""
    out = ""
    for part in parts:
        if out and part and _ends_in_command(out) and part[0].isalpha():
            out += " "
        out += part
    return out


def _ends_in_command(text: str) -> bool:
    tail = text[text.rfind("\\") + 1 :] if "\\" in text else "1"
    return tail.isalpha()


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
    latex = symbols(text)
    if variant and latex:
        return f"\\{variant}{{{latex}}}"
    return f"\\mathrm{{{latex}}}" if len(text) > 1 and text.isalpha() and text.isascii() else latex


def _operator(element: Any, depth: int) -> str:
    text = _text(element)
    if text in FUNCTIONS:
        return f"\\{text} "
    if text in ("lim sup", "lim inf"):
        return "\\" + text.replace(" ", "")
    return f"\\operatorname{{{text}}}" if len(text) > 1 and text.isalpha() and text.isascii() else symbols(text)


def _mtext(element: Any, depth: int) -> str:
    text = "".join(element.itertext()).replace("\xa0", " ")
    return f"\\text{{{text}}}" if text.strip() else " "


def _group(latex: str) -> str:
    return latex if len(latex) == 1 else f"{{{latex}}}"


def _base(latex: str) -> str:
    simple = len(latex) <= 1 or (latex[0] == "\\" and latex[1:].isalpha())
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
    if element.get("linethickness") in ("0", "0pt", "0px", "0em"):
        return f"\\binom{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _sqrt(element: Any, depth: int) -> str:
    return f"\\sqrt{{{_row(element, depth)}}}"


def _root(element: Any, depth: int) -> str:
    parts = _parts(element, depth)
    return f"\\sqrt[{_nth(parts, 1)}]{{{_nth(parts, 0)}}}"


def _scripts(*marks: str) -> Callable[[Any, int], str]:
    def convert(element: Any, depth: int) -> str:
        base, *rest = _parts(element, depth) or [""]
        ends = "".join(f"{mark}{_group(part)}" for mark, part in zip(marks, rest, strict=False) if part.strip())
        return f"{_base(base.strip())}{ends}"

    return convert


def _accent(element: Any, depth: int) -> str:
    children = _children(element)
    command = _ACCENTS.get(_text(children[1])) if len(children) == 2 else None
    if command is None or (
        command in ("hat", "tilde", "vec", "bar") and len(_text(children[0])) > 1 and command == "vec"
    ):
        return _scripts("_" if local_name(element) == "munder" else "^")(element, depth)
    return f"\\{command}{{{_convert(children[0], depth)}}}"


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
    rows = [_parts(row, depth + 1) for row in _children(element) if local_name(row) in ("mtr", "mlabeledtr")]
    body = " \\\\ ".join(" & ".join(row) for row in rows)
    return f"\\begin{{matrix}} {body} \\end{{matrix}}"


def _number(element: Any, depth: int) -> str:
    return symbols(_text(element))


def _space(element: Any, depth: int) -> str:
    return " "


def _enclose(element: Any, depth: int) -> str:
    inner = _row(element, depth)
    return f"\\boxed{{{inner}}}" if "box" in element.get("notation", "") else inner


def _semantics(element: Any, depth: int) -> str:
    children = _children(element)
    return _convert(children[0], depth) if children else ""


def _string(element: Any, depth: int) -> str:
    return f"\\text{{{_text(element)}}}"


_RULES: dict[str, Callable[[Any, int], str]] = {
    "mi": _identifier, "mn": _number, "mo": _operator, "mtext": _mtext, "ms": _string, "mspace": _space,
    "mfrac": _fraction, "msqrt": _sqrt, "mroot": _root, "msub": _scripts("_"), "msup": _scripts("^"),
    "msubsup": _scripts("_", "^"), "munderover": _scripts("_", "^"), "munder": _accent, "mover": _accent,
    "mmultiscripts": _multiscripts, "mfenced": _fenced, "mtable": _table, "menclose": _enclose,
    "semantics": _semantics, "none": _space,
}  # fmt: skip
