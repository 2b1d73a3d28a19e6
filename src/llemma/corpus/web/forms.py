"""The markups of formulas, one function a form: `(element) -> Formula | None`.

A new markup is a new function and a line in `BY_TAG` or `BY_CLASS` (and in `CANDIDATES`, if its class is a new word).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from llemma.corpus.web import asciimath, mathml
from llemma.corpus.web.shelf import Shelf


class Formula(NamedTuple):
    """LaTeX without delimiters, and whether it stands on a line of its own."""

    latex: str
    display: bool


_DELIMITED = (("$$", "$$", True), ("\\[", "\\]", True), ("\\(", "\\)", False), ("$", "$", False))
_DISPLAY_ENVIRONMENT = re.compile(
    r"\\begin\{(?:equation|align|gather|multline|eqnarray|displaymath|flalign|alignat)\*?\}"
)


def undelimited(source: str, display: bool = False) -> Formula:
    """`source` without the delimiters it may stand in; they decide about display."""
    source = source.strip()
    for left, right, shown in _DELIMITED:
        if source.startswith(left) and source.endswith(right) and len(source) >= len(left) + len(right):
            return Formula(source[len(left) : len(source) - len(right)].strip(), shown or display)
    return Formula(source, display or bool(_DISPLAY_ENVIRONMENT.match(source)))


def text_of(element: Any) -> str:
    """All text inside an element."""
    return "".join(element.itertext())


def classes(element: Any) -> list[str]:
    """The class names of an element."""
    return (element.get("class") or "").split()


# --- scripts ---------------------------------------------------------------------------------------------------------

_CDATA = re.compile(r"^\s*%?\s*<!\[CDATA\[|%?\s*\]\]>\s*$")


def script(element: Any) -> Formula | None:
    """MathJax 2: `<script type="math/tex; mode=display">`, `math/asciimath`, `math/mml`."""
    kind = (element.get("type") or "").lower().replace(" ", "")
    if not kind.startswith("math/"):
        return None
    # A script is raw text: entities in it come from a page's generator (or from our own repair of stray brackets).
    source, display = unescape(_CDATA.sub("", element.text or "")), "mode=display" in kind
    if kind.startswith("math/asciimath"):
        return Formula(asciimath.to_latex(source), display)
    if kind.startswith("math/mml"):
        return _parsed_mathml(source, display)
    return Formula(source, display)


def _parsed_mathml(source: str, display: bool = False) -> Formula | None:
    from lxml import etree, html

    try:
        root = html.fragment_fromstring(source.strip(), create_parent="div")
    except (etree.LxmlError, ValueError):
        return None
    found = next((e for e in root.iter() if mathml.local_name(e) == "math"), None)
    formula = math(found) if found is not None else None
    return formula and Formula(formula.latex, display or formula.display)


# --- MathML ----------------------------------------------------------------------------------------------------------

_DISPLAYSTYLE = re.compile(r"^\{\s*\\(?:display|text)style\b\s*(.*)\}$", re.DOTALL)


def math(element: Any) -> Formula | None:
    """`<math>`: its TeX annotation, else `alttext`, else its presentation MathML converted."""
    display = "block" in (element.get("display") or "") or "display" in (element.get("mode") or "")
    latex = _annotation(element) or _tex_alttext(element) or mathml.to_latex(element)
    latex = _plain_style(latex)
    return Formula(latex, display) if latex else None


def _annotation(element: Any) -> str:
    for child in element.iter():
        if mathml.local_name(child) == "annotation" and "tex" in (child.get("encoding") or "").lower():
            return text_of(child).strip()
    return ""


def _tex_alttext(element: Any) -> str:
    # Some tools write words ("x squared") into alttext; then the converter knows better.
    alt = (element.get("alttext") or "").strip()
    has_tree = any(True for _ in element.iterchildren())
    spoken = re.search(r"[A-Za-z]{3,} [A-Za-z]{2,}", alt) and "\\" not in alt
    return "" if spoken and has_tree else alt


def _plain_style(latex: str) -> str:
    """MediaWiki wraps each formula in `{\\displaystyle ...}`; LaTeXML starts it with `\\displaystyle`."""
    latex = latex.strip()
    match = _DISPLAYSTYLE.match(latex)
    if match and _balanced(match[1]):
        return match[1].strip()
    return latex.removeprefix("\\displaystyle").strip() if re.match(r"\\displaystyle(?![A-Za-z])", latex) else latex


def _balanced(latex: str) -> bool:
    depth = 0
    for char in re.findall(r"\\.|[{}]", latex):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0


def _inner_math(element: Any) -> Any | None:
    return next((e for e in element.iter() if mathml.local_name(e) == "math"), None)


def rendered(element: Any) -> Formula | None:
    """MathJax output saved with the page: the assistive MathML or `data-mathml`; its script, if any, is read
    instead."""
    inner = _inner_math(element)
    if inner is not None:
        formula = math(inner)
        shown = element.get("display") == "true" or "MathJax_Display" in classes(element)
        return formula and Formula(formula.latex, formula.display or shown)
    source = element.get("data-mathml")
    return _parsed_mathml(source) if source else None


def katex(element: Any) -> Formula | None:
    """KaTeX: the TeX annotation, once; `.katex-html` draws the same formula again."""
    inner = _inner_math(element)
    if inner is None:
        return None
    formula = math(inner)
    parent = element.getparent()
    shown = "katex-display" in classes(element) or (parent is not None and "katex-display" in classes(parent))
    return formula and Formula(formula.latex, formula.display or shown)


def mediawiki(element: Any) -> Formula | None:
    """`.mwe-math-element`: annotation or alttext, else the fallback image's alt."""
    inner, image = _inner_math(element), next(element.iter("img"), None)
    formula = math(inner) if inner is not None else None
    if formula is None and image is not None:
        formula = Formula(_plain_style(image.get("alt") or ""), False)
    shown = image is not None and "display" in (image.get("class") or "")
    return formula and Formula(formula.latex, formula.display or shown)


def latexml_table(element: Any) -> Formula | None:
    """ar5iv / LaTeXML: a `ltx_eqn_table` lays out one display formula, an equation group one row each."""
    rows = [" ".join(f.latex for m in row.iter("math") if (f := math(m))) for row in element.iter("tr")]
    rows = [row for row in rows if row]
    if not rows:
        return None
    body = " \\\\\n".join(rows)
    return Formula(f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}" if len(rows) > 1 else body, True)


# --- elements whose text is TeX --------------------------------------------------------------------------------------

_NUMBERING = ("eqno", "headerlink", "MathJax_Preview")


def sphinx(element: Any) -> Formula | None:
    """`span.math`, `div.math`: Sphinx, pandoc, docutils, jupyter; text in delimiters, equation number beside it."""
    image = next(element.iter("img"), None)
    shown = element.tag == "div" or "display" in classes(element)
    if image is not None:
        formula = undelimited(image.get("alt") or "", shown)
        return formula if formula.latex else None
    source = "".join(_text_without(element, _NUMBERING)).strip()
    formula = undelimited(source, shown)
    bare = formula.latex == source
    rendered_by_hand = bare and not re.search(r"[\\^_]", source) and len(element) > 0
    return None if rendered_by_hand or not source or "$" in source.strip("$").replace("\\$", "") else formula


def _text_without(element: Any, unwanted: tuple[str, ...]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if isinstance(child.tag, str) and child.tag != "script" and not set(classes(child)) & set(unwanted):
            yield from _text_without(child, unwanted)
        yield child.tail or ""


def container(element: Any) -> Formula | None:
    """Stack Exchange's `.math-container`: text with dollars, or a formula already drawn with its script beside it."""
    for child in element.iter("script"):
        if formula := script(child):
            return formula
    inner = _inner_math(element)
    return math(inner) if inner is not None else undelimited(text_of(element))


def tex_text(element: Any) -> Formula | None:
    """`.wp-katex-eq`, `.math-tex`, `.arithmatex`, `.texerror`, GitLab's `.js-render-math`: the text is TeX."""
    shown = element.get("data-display") == "true" or element.get("data-math-style") == "display"
    return undelimited(text_of(element), shown or element.tag in ("div", "pre"))


_DATA = ("data-tex", "data-latex", "data-expr", "data-math", "data-formula", "data-equation")


def data_attribute(element: Any) -> Formula | None:
    """`data-tex`, `data-expr`, `data-math` and kin: TeX in the attribute, or in the text when it is only a flag."""
    for name in _DATA:
        value = element.get(name)
        if value is None:
            continue
        if value.lower() in ("", "true", "1", "inline", "block", "display"):
            source, shown = text_of(element), value.lower() in ("block", "display")
        else:
            source, shown = value, False
        if re.search(r"[\\^_=+<>]|^.{1,12}$", source):
            block = (
                element.tag == "div"
                or "display" in (element.get("class") or "")
                or element.get("data-display") == "true"
            )
            return undelimited(source, shown or block)
    return None


# --- images ----------------------------------------------------------------------------------------------------------

_IMAGE_CLASSES = {"math", "latex", "tex", "formulaInl", "formulaDsp", "mwe-math-fallback-image-inline", "texerror",
                  "mwe-math-fallback-image-display", "mathtex", "mimetex", "equation", "inlineformula",
                  "displayformula"}  # fmt: skip
_QUERY_IS_TEX = re.compile(r"codecogs\.com/|mathtex|mimetex|tex\.cgi|texrendr|/latexrender/|quicklatex", re.IGNORECASE)
_QUERY_FIELD = (("latex.php", "latex"), ("chart.googleapis.com", "chl"), ("chart.apis.google.com", "chl"),
                ("render/math", "math"), ("math.vercel.app", "from"), ("/teximg", "tex"))  # fmt: skip
_DIRECTIVES = re.compile(
    r"^(?:\s|&space;|\\(?:dpi\{\d+\}|inline|bg_\w+|fn_\w+|bg\{\w+\}|fg\{\w+\}|reverse|opaque|png|gif|usepackage(?:\[.*?\])?\{.*?\})(?![a-z]))+"
)


def image(element: Any) -> Formula | None:
    """An image of a formula: by the service in `src` (codecogs, latex.php, mathtex ...), by `data-mathml`, by
    class and `alt`."""
    source = element.get("src") or element.get("data-src") or ""
    alt = element.get("alt") or ""
    latex = service_latex(source)
    if latex:
        display = "display" in " ".join(classes(element)) or _alone_in_block(element)
        formula = undelimited(latex, display)
        return Formula(_plain_style(formula.latex), formula.display)
    if element.get("data-mathml"):  # WIRIS writes its quotes and brackets with look-alikes
        return _parsed_mathml(element.get("data-mathml").translate(str.maketrans("«»¨§", '<>"&')))
    names = set(classes(element))
    by_class = names & _IMAGE_CLASSES or any(name.startswith(("x-ck12", "latex", "ql-img")) for name in names)
    by_path = "/images/math/" in source or "/math/render/" in source
    if not alt.strip() or not (by_class or by_path):
        return None
    formula = undelimited(alt, any("display" in name.lower() or name.endswith("Dsp") for name in names))
    return Formula(_plain_style(formula.latex), formula.display)


def _alone_in_block(element: Any) -> bool:
    """Centred on a line of its own: the only content of a `div` or a centred paragraph."""
    parent = element.getparent()
    if parent is None or (element.tail or "").strip() or (parent.text or "").strip() or len(parent) != 1:
        return False
    return parent.tag in ("div", "center", "dd") or "center" in (parent.get("style") or "") + (
        parent.get("align") or ""
    )


def service_latex(url: str) -> str:
    """The LaTeX that an image service was asked for, or nothing for other URLs."""
    for mark, field in _QUERY_FIELD:
        if mark in url:
            return _field(url, field)
    if "upmath.me/" in url:
        return unquote(url.rsplit("/", 1)[-1])
    if _QUERY_IS_TEX.search(url) and "?" in url:
        return _clean_query(url.split("?", 1)[1])
    return ""


def _field(url: str, name: str) -> str:
    """A field of the query; formulas may hold a raw `+` or `&`, so a broken query falls back to cutting by hand."""
    query = url.split("?", 1)[-1].replace("&amp;", "&")
    match = re.search(rf"(?:^|&){name}=(.*?)(?=&(?:bg|fg|s|c|cht|chf|chco|chs|mode|inline)=|$)", query, re.DOTALL)
    if match:
        # WordPress and Google write blanks as `+` and a plus as %2B
        return unquote_plus(match[1]).strip()
    return (parse_qs(urlsplit(url).query).get(name) or [""])[0]


def _clean_query(query: str) -> str:
    latex = unquote(query.split("&chs=")[0])
    latex = latex.replace("&space;", " ").replace("&plus;", "+").replace("&amp;", "&").replace("&hash;", "#")
    latex = re.sub(r"^(?:formdata|expr|latex|eq)=", "", latex)
    if "+" in latex and " " not in latex and "%2B" in query.upper():
        latex = unquote(query.replace("+", " "))
    return _DIRECTIVES.sub("", latex).strip()


# --- the tables ------------------------------------------------------------------------------------------------------

Form = Callable[[Any], "Formula | None"]
BY_TAG: dict[str, Form] = {"img": image, "math": math, "script": script, "mjx-container": rendered}
BY_CLASS: dict[str, Form] = {
    "mwe-math-element": mediawiki, "katex-display": katex, "katex": katex, "katex-block": katex,
    "math-container": container,
    "math": sphinx, "wp-katex-eq": tex_text, "math-tex": tex_text, "arithmatex": tex_text, "texerror": tex_text,
    "js-render-math": tex_text, "formulaDsp": sphinx, "formulaInl": sphinx, "ltx_eqn_table": latexml_table,
    "MathJax": rendered, "MathJax_Display": rendered, "MathJax_SVG": rendered, "MathJax_CHTML": rendered,
    "MathJax_SVG_Display": rendered, "MJXc-display": rendered, "mjx-chtml": rendered,
}  # fmt: skip
_DRAWN = {"MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML", "MathJax_SVG_Display", "MathJax_Preview",
          "MJXc-display", "mjx-chtml", "MathJax_CHTML_Display"}  # fmt: skip


def find(element: Any) -> Formula | None:
    """The formula that this element is, or None."""
    tag = mathml.local_name(element)
    form = BY_TAG.get(tag)
    if form is not None:
        return form(element)
    for name in classes(element):
        if name in BY_CLASS and (formula := BY_CLASS[name](element)):
            return formula
    return data_attribute(element) if any(name in element.attrib for name in _DATA) else None


# What may be a formula, told by the C library; everything else is never looked at from Python.
CANDIDATES = (
    "//img|//script[starts-with(normalize-space(@type),'math/')]|//*[local-name()='math' or contains(name(),':math')]"
    "|//mjx-container|//*[@class][contains(@class,'math') or contains(@class,'katex') or contains(@class,'MathJax')"
    " or contains(@class,'MJX') or contains(@class,'mjx') or contains(@class,'formula')"
    " or contains(@class,'arithmatex')"
    " or contains(@class,'texerror') or contains(@class,'ltx_eqn_table')]|"
    + "|".join(f"//*[@{name}]" for name in _DATA)
)


def shelve(tree: Any, shelf: Shelf) -> None:
    """Replace every element that is a formula by its token; what only draws a formula again goes."""
    candidates = tree.xpath(CANDIDATES)
    has_scripts = any(e.tag == "script" for e in candidates)
    done: set[Any] = set()
    for element in candidates:
        if element in done or element.getparent() is None:
            continue
        if (has_scripts or "MathJax_Preview" in classes(element)) and _DRAWN & set(classes(element)):
            done.update(element.iter())
            replace(element, "")
            continue
        formula = find(element)
        if formula is not None and formula.latex.strip():
            done.update(element.iter())
            replace(element, shelf.formula(formula.latex, formula.display))


def replace(element: Any, text: str) -> None:
    """Put `text` where `element` stood; its tail stays."""
    parent, before = element.getparent(), element.getprevious()
    text += element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + text
    else:
        parent.text = (parent.text or "") + text
    parent.remove(element)
