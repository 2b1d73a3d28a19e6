"""Formulas as images: the LaTeX stands in the URL of a service, in an attribute, or in the alternative text."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from llemma.corpus.web.formula import Formula, classes, is_delimited, plain_style, undelimited

_CLASSES = frozenset([
    "math", "latex", "latexcenter", "tex", "formulaInl", "formulaDsp", "mwe-math-fallback-image-inline", "texerror",
    "mwe-math-fallback-image-display", "mathtex", "mimetex", "equation", "inlineformula", "displayformula",
    "numberedequation", "texrender", "equation_image", "ztext-math", "math-image", "mathImg", "latexImg", "teximage",
    "formula", "wp-katex-eq"
])  # fmt: skip
_PREFIXES = ("x-ck12", "latex", "ql-img")
_PATHS = ("/images/math/", "/math/render/", "/equation_images/", "/filter/tex/", "/latexrender/")
_DATA = ("data-equation-content", "data-latex", "data-tex", "data-formula", "data-math", "data-expr")
_QUERY_IS_TEX = re.compile(r"codecogs\.com/|mathtex|mimetex|tex\.cgi|texrendr|/latexrender/|quicklatex", re.IGNORECASE)
_QUERY_FIELD = (("latex.php", "latex"), ("chart.googleapis.com", "chl"), ("chart.apis.google.com", "chl"),
                ("render/math", "math"), ("math.vercel.app", "from"), ("/teximg", "tex"), ("/equation?", "tex"),
                ("/latex-image", "latex"), ("latex.gif?", "latex"))  # fmt: skip
_PATH_IS_TEX = re.compile(r"(?:upmath\.me|tex\.s2cms\.ru)/(?:svgb?|png|g)/([^?#]*)")
_DIRECTIVES = re.compile(
    r"^(?:\s|&space;|\\(?:dpi\{\d+\}|inline|bg_\w+|fn_\w+|(?:bg|fg|color)\{\w+\}|large|huge|small|reverse|opaque|png|gif"
    r"|usepackage(?:\[[^\]]*\])?\{[^}]*\})(?![a-z]))+"
)
_COMMAND = re.compile(r"(?<!:)\\[A-Za-z]{2,}(?![A-Za-z\\])")


def image(element: Any) -> Formula | None:
    """An image of a formula: by the service in `src` (codecogs, latex.php, mathtex ...), by attributes of its own, by
    class and `alt`, or by an `alt` that can be nothing but TeX."""
    source = element.get("src") or ""
    source = element.get("data-src") or source if source.startswith("data:") or not source else source
    latex = service_latex(source) or next((value for name in _DATA if (value := element.get(name))), "")
    if latex:
        formula = undelimited(latex, _is_display(element) or _alone_in_block(element))
        return Formula(plain_style(formula.latex), formula.display)
    alt = (element.get("alt") or "").strip().removeprefix("LaTeX:").strip()
    if not alt or not (_is_known(element, source) or _is_tex(alt)):
        return None
    formula = undelimited(alt, _is_display(element))
    return Formula(plain_style(formula.latex), formula.display)


def _is_known(element: Any, source: str) -> bool:
    names = classes(element)
    return any(name in _CLASSES or name.startswith(_PREFIXES) for name in names) or any(p in source for p in _PATHS)


def _is_tex(alt: str) -> bool:
    """LaTeX2HTML and others: no class, but an `alt` in delimiters or with commands (and no Windows path)."""
    return len(alt) < 4000 and (is_delimited(alt) or bool(_COMMAND.search(alt) and re.search(r"[{}^_=]", alt)))


def _is_display(element: Any) -> bool:
    names = classes(element)
    if any("display" in name.lower() or name in ("formulaDsp", "latexcenter", "numberedequation") for name in names):
        return True
    return "block" in (element.get("style") or "").replace("inline-block", "")


def _alone_in_block(element: Any) -> bool:
    """Centred on a line of its own: the only content of a `div` or a centred paragraph."""
    parent = element.getparent()
    if parent is None or (element.tail or "").strip() or (parent.text or "").strip() or len(parent) != 1:
        return False
    centred = "center" in (parent.get("style") or "") + (parent.get("align") or "") + (parent.get("class") or "")
    return parent.tag in ("div", "center", "dd") or centred


def service_latex(url: str) -> str:
    """The LaTeX that an image service was asked for, or nothing for other URLs."""
    for mark, field in _QUERY_FIELD:
        if mark in url:
            return _field(url, field)
    if path := _PATH_IS_TEX.search(url):
        return unquote(path[1])
    if _QUERY_IS_TEX.search(url) and "?" in url:
        return _clean_query(url.split("?", 1)[1])
    return ""


def _field(url: str, name: str) -> str:
    """A field of the query; formulas may hold a raw `+` or `&`, so a broken query falls back to cutting by hand."""
    query = url.split("?", 1)[-1].replace("&amp;", "&").replace("&#038;", "&")
    match = re.search(rf"(?:^|&){name}=(.*?)(?=&(?:bg|fg|s|c|cht|chf|chco|chs|mode|inline|zoom)=|$)", query, re.DOTALL)
    if match:
        # WordPress and Google write blanks as `+` and a plus as %2B; Zhihu encodes twice.
        latex = unquote_plus(match[1]).strip()
        return unquote(latex) if re.search(r"%[2-7][0-9A-F]", latex) else latex
    return (parse_qs(urlsplit(url).query).get(name) or [""])[0]


def _clean_query(query: str) -> str:
    latex = unquote(query.split("&chs=")[0])
    latex = latex.replace("&space;", " ").replace("&plus;", "+").replace("&amp;", "&").replace("&hash;", "#")
    latex = re.sub(r"^(?:formdata|expr|latex|eq)=", "", latex)
    if "+" in latex and " " not in latex and "%2B" in query.upper():
        latex = unquote(query.replace("+", " "))
    return _DIRECTIVES.sub("", latex).strip()
