"""The markups of formulas, one function a form: `(element) -> Formula | None`.

A new markup is a new function and a line in `BY_TAG` or `BY_CLASS`.
Images have a module of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

from llemma.corpus.web import asciimath, mathml
from llemma.corpus.web.formula import Formula, classes, plain_style, replace, text_of, undelimited
from llemma.corpus.web.images import image
from llemma.corpus.web.shelf import Shelf

# --- scripts ---------------------------------------------------------------------------------------------------------


def _without_cdata(source: str) -> str:
    """`% <![CDATA[ .. %]]>`, which Jekyll puts around a script, taken off."""
    source = source.strip()
    inner = source.removeprefix("%").lstrip()
    if inner.startswith("<![CDATA["):
        source = inner.removeprefix("<![CDATA[").removesuffix("]]>").rstrip().removesuffix("%")
    return source


def script(element: Any) -> Formula | None:
    """MathJax 2: `<script type="math/tex; mode=display">`, `math/asciimath`, `math/mml`."""
    kind = (element.get("type") or "").lower().replace(" ", "")
    if not kind.startswith("math/"):
        return None
    # A script is raw text: entities in it come from a page's generator (or from our own repair of stray brackets).
    source, display = unescape(_without_cdata(element.text or "")), "mode=display" in kind
    if kind.startswith("math/asciimath"):
        return Formula(asciimath.to_latex(source), display)
    if kind.startswith("math/mml"):
        return parsed_mathml(source, display)
    return undelimited(source, display)


def parsed_mathml(source: str, display: bool = False) -> Formula | None:
    """The formula in a string of MathML."""
    from lxml import etree, html

    try:
        root = html.fragment_fromstring(source.strip(), create_parent="div")
    except (etree.LxmlError, ValueError):
        return None
    found = inner_math(root)
    formula = math(found) if found is not None else None
    return formula and Formula(formula.latex, display or formula.display)


# --- MathML ----------------------------------------------------------------------------------------------------------


def math(element: Any) -> Formula | None:
    """`<math>`: its TeX annotation, else `alttext`, else its presentation MathML converted."""
    display = "block" in (element.get("display") or "") or "display" in (element.get("mode") or "")
    latex = _annotation(element) or _tex_alttext(element) or mathml.to_latex(element)
    latex = plain_style(undelimited(latex).latex)
    return Formula(latex, display) if latex else None


def _annotation(element: Any) -> str:
    for child in element.iter():
        if mathml.local_name(child) == "annotation" and "tex" in (child.get("encoding") or "").lower():
            return text_of(child).strip()
    return ""


def _tex_alttext(element: Any) -> str:
    # Some tools write words ("x squared") into alttext; then the converter knows better.
    alt = (element.get("alttext") or element.get("data-latex") or "").strip()
    has_tree = any(True for _ in element.iterchildren())
    spoken = re.search(r"[A-Za-z]{3,} [A-Za-z]{2,}", alt) and "\\" not in alt
    return "" if spoken and has_tree else alt


def picture(element: Any) -> Formula | None:
    """`<img>`: WIRIS' `data-mathml`, whose quotes and brackets are look-alikes, else one of the forms of `images`."""
    source = element.get("data-mathml")
    return parsed_mathml(source.translate(str.maketrans("«»¨§", '<>"&'))) if source else image(element)


def inner_math(element: Any) -> Any | None:
    """The first `<math>` in an element."""
    return next((e for e in element.iter() if mathml.local_name(e) == "math"), None)


def rendered(element: Any) -> Formula | None:
    """MathJax output saved with the page: `data-latex` of version 4, the assistive MathML or `data-mathml`; its
    script, if any, is read instead."""
    shown = element.get("display") == "true" or "MathJax_Display" in classes(element)
    source = next((e.get("data-latex") for e in element.iter() if e.get("data-latex")), None)
    if source:
        return Formula(plain_style(source), shown)
    inner = inner_math(element)
    if inner is not None:
        formula = math(inner)
        return formula and Formula(formula.latex, formula.display or shown)
    saved = next((e.get("data-mathml") for e in element.iter() if e.get("data-mathml")), None)
    return parsed_mathml(saved, shown) if saved else None


def katex(element: Any) -> Formula | None:
    """KaTeX: the TeX annotation, once; `.katex-html` draws the same formula again."""
    inner = inner_math(element)
    if inner is None:
        return None
    formula = math(inner)
    parent = element.getparent()
    shown = "katex-display" in classes(element) or (parent is not None and "katex-display" in classes(parent))
    return formula and Formula(formula.latex, formula.display or shown)


def mediawiki(element: Any) -> Formula | None:
    """`.mwe-math-element`: annotation or alttext, else the fallback image's alt."""
    inner, picture = inner_math(element), next(element.iter("img"), None)
    formula = math(inner) if inner is not None else None
    if formula is None and picture is not None:
        formula = Formula(plain_style(picture.get("alt") or ""), False)
    shown = "mwe-math-element-block" in classes(element) or (
        picture is not None and "display" in (picture.get("class") or "")
    )
    return formula and Formula(formula.latex, formula.display or shown)


def latexml_table(element: Any) -> Formula | None:
    """ar5iv / LaTeXML: a `ltx_eqn_table` lays out one display formula, an equation group one row each."""
    if any("ltx_eqn_table" in classes(inner) for inner in element.iterdescendants()):
        return None
    rows = [[f.latex for m in row.iter("math") if (f := math(m))] for row in element.iter("tr")]
    rows = [row for row in rows if row]
    if not rows:
        return None
    numbers = [text_of(tag).strip() for tag in element.iter("span") if "ltx_tag_equation" in classes(tag)]
    numbers += [text_of(tag).strip() for tag in element.iter("span") if "ltx_tag_equationgroup" in classes(tag)]
    if len(rows) == 1:
        return Formula(" ".join(rows[0]), True, " ".join(numbers))
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return Formula(f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}", True, " ".join(numbers))


# --- elements whose text is TeX --------------------------------------------------------------------------------------

_NUMBERING = ("eqno", "headerlink", "MathJax_Preview")


def sphinx(element: Any) -> Formula | None:
    """`span.math`, `div.math`: Sphinx, pandoc, docutils, jupyter; text in delimiters, equation number beside it."""
    pictures = list(element.iter("img"))
    shown = element.tag == "div" or "display" in classes(element)
    number = _number(element)
    if _is_drawn(element):  # by KaTeX or MathJax, and saved so
        formula = drawn(element)
        return formula and Formula(formula.latex, formula.display or shown, number)
    if len(pictures) > 1:
        return None
    if pictures:
        formula = undelimited(pictures[0].get("alt") or "", shown)
        return Formula(plain_style(formula.latex), formula.display, number) if formula.latex else None
    source = "".join(_text_without(element, _NUMBERING)).strip()
    formula = undelimited(source, shown)
    bare = formula.latex == source
    rendered_by_hand = bare and not re.search(r"[\\^_]", source) and len(element) > 0
    if rendered_by_hand or not source or "$" in source.strip("$").replace("\\$", ""):
        return None
    return Formula(formula.latex, formula.display, number)


def _number(element: Any) -> str:
    """The equation number that Sphinx prints in `span.eqno`, without its link."""
    label = next((span for span in element.iter("span") if "eqno" in classes(span)), None)
    return "".join(_text_without(label, ("headerlink",))).strip(" \n¶#") if label is not None else ""


def _text_without(element: Any, unwanted: tuple[str, ...]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if isinstance(child.tag, str) and child.tag != "script" and not set(classes(child)) & set(unwanted):
            yield from _text_without(child, unwanted)
        yield child.tail or ""


def container(element: Any) -> Formula | None:
    """Stack Exchange's `.math-container`: text with dollars, or a formula already drawn with its script beside it."""
    return undelimited(text_of(element)) if not _is_drawn(element) else drawn(element)


def _is_drawn(element: Any) -> bool:
    return any(
        mathml.local_name(e) == "math" or (e.tag == "script" and (e.get("type") or "").startswith("math/"))
        for e in element.iter()
    )


def drawn(element: Any) -> Formula | None:
    """The one formula drawn in an element: its script, else its MathML; None where there are several."""
    scripts = [formula for child in element.iter("script") if (formula := script(child))]
    if scripts:
        return scripts[0] if len(scripts) == 1 else None
    found = [e for e in element.iter() if mathml.local_name(e) == "math"]
    return math(found[0]) if len(found) == 1 else None


_SHOWN = frozenset(["display", "math-display", "math-block", "katex-block", "js-display-math"])


def tex_text(element: Any) -> Formula | None:
    """`.wp-katex-eq`, `.math-tex`, `.arithmatex`, `.language-math`, `.katex-error`, GitHub's and GitLab's renderers,
    `<d-math>`, `<tex>`: the text is TeX, unless a script or MathML inside says it better."""
    shown = "display" in (element.get("data-display") or "", element.get("data-math-style") or "")
    shown = shown or element.get("data-display") == "true" or element.get("block") is not None
    shown = shown or element.tag in ("div", "pre") or not _SHOWN.isdisjoint(classes(element))
    formula = container(element)
    return formula and Formula(formula.latex, formula.display or shown)


def typeset_text(element: Any) -> Formula | None:
    """`.mathjax`, `.tex`, `.latex` hold one formula, or words around formulas: those are left to the delimiters."""
    source = text_of(element).strip()
    formula = tex_text(element)
    if formula is None or len(source) > 2000:
        return None
    whole = len(formula.latex) < len(source) and not re.search(r"(?<!\\)\$|\\[()\[\]]", formula.latex)
    plain = formula.latex == source and bool(re.search(r"\\[A-Za-z]|[\^_]", source)) and "$" not in source
    return formula if whole or (plain and not re.search(r"\\[(\[]|[A-Za-z]{4,} [A-Za-z]{3,} [a-z]", source)) else None


_DATA = ("data-tex", "data-latex", "data-expr", "data-math", "data-formula", "data-equation", "data-katex",
         "data-equation-content", "data-asciimath", "data-tex-source", "data-original-latex", "data-value")  # fmt: skip
_FLAGS = ("", "true", "inline", "block", "display")


def data_attribute(element: Any) -> Formula | None:
    """`data-tex`, `data-expr`, `data-math` and kin: TeX in the attribute, or in the text when it is only a flag."""
    for name in _DATA:
        value = element.get(name)
        if value is None or (name == "data-value" and "ql-formula" not in classes(element)):
            continue
        flag = value.lower() in _FLAGS or (value == "1" and bool(text_of(element).strip()))
        source = text_of(element) if flag else value
        if name == "data-asciimath":
            return Formula(asciimath.to_latex(source), element.tag == "div")
        if re.search(r"[\\^_=+<>]|^.{1,12}$", source):
            block = element.tag == "div" or "display" in (element.get("class") or "")
            shown = value.lower() in ("block", "display") or element.get("data-display") == "true"
            return undelimited(source, shown or block or element.get("data-eeimg") == "2")
    return None


# --- the tables ------------------------------------------------------------------------------------------------------

Form = Callable[[Any], "Formula | None"]
BY_TAG: dict[str, Form] = {
    "img": picture, "math": math, "script": script, "mjx-container": rendered, "math-renderer": tex_text,
    "d-math": tex_text, "tex-math": tex_text, "la-tex": tex_text, "tex": typeset_text, "latex": typeset_text,
}  # fmt: skip
BY_CLASS: dict[str, Form] = {
    "mwe-math-element": mediawiki, "katex-display": katex, "katex": katex, "katex-block": katex,
    "math-container": container, "katex-error": tex_text, "language-math": tex_text, "math-inline": tex_text,
    "math-display": tex_text, "math-block": tex_text, "noError": tex_text,
    "math": sphinx, "wp-katex-eq": tex_text, "math-tex": tex_text, "arithmatex": tex_text, "texerror": tex_text,
    "js-render-math": tex_text, "formulaDsp": sphinx, "formulaInl": sphinx, "ltx_eqn_table": latexml_table,
    "MathJax": rendered, "MathJax_Display": rendered, "MathJax_SVG": rendered, "MathJax_CHTML": rendered,
    "MathJax_SVG_Display": rendered, "MJXc-display": rendered, "mjx-chtml": rendered,
    "mathjax": typeset_text, "mathjax-inline": typeset_text, "mathjax-block": typeset_text, "tex": typeset_text,
    "latex": typeset_text, "katex-inline": typeset_text, "inline-formula": typeset_text, "tex-inline": typeset_text,
}  # fmt: skip
_DRAWN = {"MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML", "MathJax_SVG_Display", "MathJax_Preview",
          "MJXc-display", "mjx-chtml", "MathJax_CHTML_Display", "MJX_Assistive_MathML"}  # fmt: skip


def find(element: Any) -> Formula | None:
    """The formula that this element is, or None."""
    tag = mathml.local_name(element)
    form = BY_TAG.get(tag)
    if form is not None:
        return form(element)
    for name in classes(element):
        if name in BY_CLASS and (formula := BY_CLASS[name](element)) and formula.latex.strip():
            return formula
    return data_attribute(element) if any(name in element.attrib for name in _DATA) else None


def _may_be(class_names: str) -> bool:
    return any(name in BY_CLASS or name in _DRAWN for name in class_names.split())


def _candidates(tree: Any, source: str) -> list[Any]:
    """What may be a formula, in document order. One pass in Python is faster here than any XPath."""
    data = [name for name in _DATA if name in source]
    prefixed = ":math" in source
    known: dict[str, bool] = {"": False}  # class names of this page: asked for each element, decided once
    found = []
    for element in tree.iter():
        if (tag := element.tag) in BY_TAG or (prefixed and tag.endswith(":math")):
            found.append(element)
            continue
        keys = element.keys()
        if not keys:  # most elements of most pages
            continue
        names = element.get("class", "")
        named = known.get(names)
        if named is None:
            named = known[names] = _may_be(names)
        if named or (data and len(keys) > bool(names) and any(element.get(name) is not None for name in data)):
            found.append(element)
    return found


def shelve(tree: Any, shelf: Shelf, source: str) -> None:
    """Replace every element that is a formula by its token; what only draws a formula again goes. `source` is the
    page's HTML."""
    candidates = _candidates(tree, source)
    has_scripts = any(e.tag == "script" and (e.get("type") or "").startswith("math/") for e in candidates)
    done: set[Any] = set()
    for element in candidates:
        if element in done or element.getparent() is None:
            continue
        if (has_scripts or "MathJax_Preview" in classes(element)) and not _DRAWN.isdisjoint(classes(element)):
            done.update(element.iter())
            replace(element, "")
            continue
        formula = find(element)
        if formula is not None and formula.latex.strip():
            done.update(element.iter())
            replace(element, shelf.formula(formula.latex, formula.display) + (formula.number and f" {formula.number}"))
