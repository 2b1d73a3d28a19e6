"""Pages made of real prose and real formulas in the markup of many page generators.

A document is a list of blocks taken from LaTeX sources; a site is a function that writes one as its generator would,
furniture included. So the labels are known before the page exists.
"""

# ruff: noqa: E501

from __future__ import annotations

import random
import re
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from web_frames import FRAMES, FURNITURE
from web_truth import Formula, Labels


class Block(NamedTuple):
    """A paragraph of alternating text and formula pieces, a display formula, or a list's item."""

    kind: str
    pieces: tuple[tuple[str, str], ...]


# --- documents out of LaTeX ------------------------------------------------------------------------------------------

_PIECES = re.compile(r"\$([^$]+)\$")
_ALLOWED = re.compile(r"[^\\{}%&#_^~$]+")


def documents(archives: list[Path], count: int) -> Iterator[list[Block]]:
    """`count` documents of 14 blocks, always the same for the same archives."""
    blocks = [block for archive in archives for block in _blocks(archive)]
    random.Random(4).shuffle(blocks)
    for number in range(count):
        yield blocks[14 * number : 14 * number + 14]


def _blocks(archive: Path) -> Iterator[Block]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.endswith(".tex") and member.size < 1_000_000:
                stream = tar.extractfile(member)
                yield from _paragraphs(stream.read().decode("utf-8", "replace") if stream else "")


def _paragraphs(source: str) -> Iterator[Block]:
    source = re.sub(r"(?<!\\)%.*", "", source).replace("~", " ").replace("``", "“").replace("''", "”")
    for match in re.finditer(r"\\\[(.{5,300}?)\\\]", source, re.DOTALL):
        latex = match[1].strip()
        if not re.search(r"\\(?:begin|label|ref|includegraphics|xymatrix|\$)|\$", latex) and len(latex) > 8:
            yield Block("display", (("math", latex),))
    for paragraph in re.split(r"\n\s*\n", source):
        paragraph = " ".join(re.sub(r"\\(?:emph|vocab|textbf|define)\{([^{}]*)\}", r"\1", paragraph).split())
        parts = _PIECES.split(paragraph)
        texts, formulas = parts[::2], [f.strip() for f in parts[1::2]]
        plain = all(_ALLOWED.fullmatch(t) or not t for t in texts) and not any("\\ref" in f for f in formulas)
        if plain and 120 < len(paragraph) < 900 and 0 < len(formulas) < 12 and all(formulas):
            pieces = [
                p for t, f in zip(texts, [*formulas, ""], strict=True) for p in (("text", t), ("math", f)) if p[1]
            ]
            yield Block("paragraph", tuple(pieces))


def labels(document: list[Block], kind: str) -> Labels:
    """What an extraction of a page made of `document` must keep, and the furniture it must not."""
    formulas = [Formula(kind, latex) for block in document for what, latex in block.pieces if what == "math"]
    texts = [text.strip() for block in document for what, text in block.pieces if what == "text"]
    return Labels(formulas, [text for text in texts if len(text) > 50], FURNITURE)


# --- writing ---------------------------------------------------------------------------------------------------------

Write = Callable[[str, bool], str]
"""A formula in a site's markup: (latex, display) -> HTML."""


def body(document: list[Block], write: Write, wrap: str = "<p>{}</p>") -> str:
    """The document's blocks as HTML."""
    return "\n".join(wrap.format("".join(_piece(what, value, write, block.kind == "display") for what, value in block.pieces))
                     for block in document)  # fmt: skip


def _piece(what: str, value: str, write: Write, display: bool) -> str:
    return write(value, display) if what == "math" else escape(value, quote=False)


@cache
def mathml(latex: str, display: bool, annotate: bool = True) -> str:
    """Presentation MathML, with the TeX annotation that KaTeX and MediaWiki add."""
    from latex2mathml.converter import convert

    shown = "block" if display else "inline"
    try:
        tree = convert(latex, display=shown)
    except Exception:
        tree = f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="{shown}"><mrow><mi>x</mi></mrow></math>'
    if not annotate:
        return tree
    inner = re.sub(r"^<math[^>]*>|</math>$", "", tree)
    head = re.match(r"<math[^>]*>", tree)
    note = f'<annotation encoding="application/x-tex">{escape(latex)}</annotation>'
    return f"{head[0] if head else '<math>'}<semantics>{inner}{note}</semantics></math>"


def _mediawiki(latex: str, display: bool) -> str:
    kind = "display" if display else "inline"
    wrapped = f"{{\\displaystyle {latex}}}"
    tree = (
        mathml(latex, display)
        .replace(f">{escape(latex)}<", f">{escape(wrapped)}<")
        .replace("<math ", f'<math alttext="{escape(wrapped)}" ')
    )
    return (
        f'<span class="mwe-math-element"><span class="mwe-math-mathml-{kind} mwe-math-mathml-a11y" style="display: none;">'
        f'{tree}</span><img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/0a1b" class="mwe-math-fallback-image-{kind}'
        f' mw-invert" aria-hidden="true" style="vertical-align: -0.3ex;" alt="{escape(wrapped)}"></span>'
    )


def _mediawiki_png(latex: str, display: bool) -> str:
    image = f'<img class="mwe-math-fallback-image-{"display" if display else "inline"} tex" alt="{escape(latex)}" src="//upload/math/a/b/c.png" />'
    return f"<dl><dd>{image}</dd></dl>" if display else image


def _katex(latex: str, display: bool) -> str:
    core = (
        f'<span class="katex"><span class="katex-mathml">{mathml(latex, display)}</span><span class="katex-html" aria-hidden="true">'
        f'<span class="base"><span class="strut" style="height:1em;"></span><span class="mord mathnormal">{escape(latex[:1])}</span></span></span></span>'
    )
    return f'<span class="katex-display">{core}</span>' if display else core


def _katex_error(latex: str, display: bool) -> str:
    return _katex(latex, display).replace('class="katex-html"', 'class="katex-html" data-x="1"')


def _mathjax2(latex: str, display: bool) -> str:
    shown = "; mode=display" if display else ""
    drawn = f'<span class="MathJax" id="MathJax-Element-1-Frame" tabindex="0"><nobr><span class="math"><span class="mi">{escape(latex[:3])}</span></span></nobr></span>'
    drawn = f'<div class="MathJax_Display" style="text-align: center;">{drawn}</div>' if display else drawn
    return f'<span class="MathJax_Preview" style="color: inherit;"></span>{drawn}<script type="math/tex{shown}" id="MathJax-Element-1">{latex}</script>'


def _mathjax2_bare(latex: str, display: bool) -> str:
    return f'<script type="math/tex{"; mode=display" if display else ""}">{latex}</script>'


def _jekyll(latex: str, display: bool) -> str:
    return f'<script type="math/tex{"; mode=display" if display else ""}">% <![CDATA[\n{latex} %]]></script>'


def _wordpress(latex: str, display: bool) -> str:
    query = quote_plus(("\\displaystyle " if display else "") + latex)
    source = f"https://s0.wp.com/latex.php?latex={query}&#038;bg=ffffff&#038;fg=333333&#038;s=0&#038;c=20201002"
    alt = escape(latex).replace("&#x27;", "'")
    image = f'<img src="{source}" srcset="{source}&#038;zoom=4.5 4x" alt="{alt}" class="latex" />'
    return f'<p align="center">{image}</p>' if display else image


def _codecogs(latex: str, display: bool) -> str:
    query = quote(latex, safe="\\{}^_=()+-*/,.;:!|[]'~@").replace("%20", "&space;")
    style = "" if display else "\\inline&space;"
    return f'<img src="https://latex.codecogs.com/gif.latex?{style}{query}" title="{escape(latex)}" />'


def _codecogs_svg(latex: str, display: bool) -> str:
    return f'<img alt="equation" src="https://latex.codecogs.com/svg.image?{quote(latex)}">'


def _mimetex(latex: str, display: bool) -> str:
    return f'<img src="/cgi-bin/mimetex.cgi?{quote(latex, safe="{}^_=()+-*/,")}" alt="" align="middle" />'


def _github(latex: str, display: bool) -> str:
    url = f"https://render.githubusercontent.com/render/math?math={quote(latex)}"
    return f'<img src="{url}&amp;mode={"display" if display else "inline"}">'


def _math_renderer(latex: str, display: bool) -> str:
    mark = "$$" if display else "$"
    name = "js-display-math" if display else "js-inline-math"
    return f'<math-renderer class="{name}" style="display: inline-block" data-run-id="0c1">{mark}{escape(latex, quote=False)}{mark}</math-renderer>'


def _chart(latex: str, display: bool) -> str:
    return f'<img src="https://chart.googleapis.com/chart?cht=tx&amp;chf=bg,s,FFFFFF00&amp;chl={quote(latex)}" />'


def _quicklatex(latex: str, display: bool) -> str:
    name = "ql-img-displayed-equation" if display else "ql-img-inline-formula"
    alt = "".join(f"&#{ord(c)};" for c in (f"\\[{latex}\\]" if display else latex))
    image = f'<img src="/ql-cache/quicklatex.com-0a_l3.svg" class="{name} quicklatex-auto-format" alt="{alt}" title="Rendered by QuickLaTeX.com" />'
    return (
        f'<p class="ql-center-displayed-equation" style="line-height: 41px;"><span class="ql-right-eqno"> &nbsp; </span><span class="ql-left-eqno"> &nbsp; </span>{image}</p>'
        if display
        else image
    )


def _doxygen(latex: str, display: bool) -> str:
    if display:
        return f'<p class="formulaDsp">\n<img class="formulaDsp" alt="\\[ {escape(latex)} \\]" src="form_1.png"/>\n</p>'
    return f'<img class="formulaInl" alt="$ {escape(latex)} $" src="form_0.png"/>'


def _sphinx(latex: str, display: bool) -> str:
    text = escape(latex, quote=False)
    if display:
        return f'<div class="math notranslate nohighlight" id="equation-a">\n<span class="eqno">(1)<a class="headerlink" href="#equation-a" title="Permalink to this equation">¶</a></span>\\[{text}\\]</div>'
    return f'<span class="math notranslate nohighlight">\\({text}\\)</span>'


def _sphinx_png(latex: str, display: bool) -> str:
    image = f'<img class="math" src="_images/math/0a1b.png" alt="{escape(latex)}" style="vertical-align: -4px"/>'
    return f'<div class="math">\n<p>{image}</p>\n</div>' if display else image


def _pandoc_plain(latex: str, display: bool) -> str:
    return f'<span class="math {"display" if display else "inline"}">{escape(latex, quote=False)}</span>'


def _pandoc(latex: str, display: bool) -> str:
    left, right = ("\\[", "\\]") if display else ("\\(", "\\)")
    return f'<span class="math {"display" if display else "inline"}">{left}{escape(latex, quote=False)}{right}</span>'


def _latexml(latex: str, display: bool) -> str:
    alt = f"\\displaystyle {latex}" if display else latex
    tree = mathml(latex, display, False).replace("<math ", f'<math class="ltx_Math" alttext="{escape(alt)}" ')
    if not display:
        return tree
    return (
        f'<table class="ltx_equation ltx_eqn_table"><tbody><tr class="ltx_equation ltx_eqn_row ltx_align_baseline"><td class="ltx_eqn_cell ltx_eqn_center_padleft">'
        f'</td><td class="ltx_eqn_cell ltx_align_center">{tree}</td><td class="ltx_eqn_cell ltx_eqn_eqno"><span class="ltx_tag ltx_tag_equation">(4)</span></td></tr></tbody></table>'
    )


def _nlab(latex: str, display: bool) -> str:
    tree = mathml(latex, display)
    return (
        f'<div class="maruku-equation">{tree}<span class="maruku-eq-tex"><code style="display: none">{escape(latex, quote=False)}</code></span></div>'
        if display
        else tree
    )


def _attribute(tag: str, name: str, extra: str = "") -> Write:
    def write(latex: str, display: bool) -> str:
        shown = ' data-display="true"' if display else ""
        return f'<{tag} {name}="{escape(latex)}"{shown} {extra}></{tag}>'

    return write


def _drawn_attribute(name: str) -> Write:
    def write(latex: str, display: bool) -> str:
        return (
            f'<span class="inline-math" {name}="{escape(latex)}"><span class="drawn"><i>x</i><sub>1</sub></span></span>'
        )

    return write


def _image_attribute(attributes: str) -> Write:
    def write(latex: str, display: bool) -> str:
        return f"<img {attributes.replace('TEX', escape(latex)).replace('URL', quote(quote(latex)))}>"

    return write


def _typed(left: str, right: str, shown_left: str = "", shown_right: str = "") -> Write:
    def write(latex: str, display: bool) -> str:
        ends = (shown_left or left, shown_right or right) if display else (left, right)
        return f"{ends[0]}{escape(latex, quote=False)}{ends[1]}"

    return write


def _container(latex: str, display: bool) -> str:
    mark = "$$" if display else "$"
    return f'<span class="math-container">{mark}{escape(latex, quote=False)}{mark}</span>'


def _classed(name: str, tag: str = "span") -> Write:
    def write(latex: str, display: bool) -> str:
        return f'<{tag} class="{name}">{escape(latex, quote=False)}</{tag}>'

    return write


def _brilliant(latex: str, display: bool) -> str:
    left, right = ("\\[", "\\]") if display else ("\\(", "\\)")
    return f'<span class="katex-text">{left}{escape(latex, quote=False)}{right}</span>'


def _notion(latex: str, display: bool) -> str:
    core = _katex(latex, False)
    if display:
        return f'<figure class="equation"><style>@import url("katex.css")</style><div class="equation-container">{_katex(latex, True)}</div></figure>'
    return f'<style>@import url("katex.css")</style><span data-token-index="0" contenteditable="false" class="notion-text-equation-token">{core}<span>﻿</span></span>'


def _mathjax3(latex: str, display: bool) -> str:
    shown = ' display="true"' if display else ""
    return (
        f'<mjx-container class="MathJax CtxtMenu_Attached_0" jax="CHTML"{shown} tabindex="0"><mjx-math class="MJX-TEX" aria-hidden="true"><mjx-mi class="mjx-i">'
        f'<mjx-c class="mjx-c1D465 TEX-I"></mjx-c></mjx-mi></mjx-math><mjx-assistive-mml unselectable="on" display="{"block" if display else "inline"}">{mathml(latex, display)}</mjx-assistive-mml></mjx-container>'
    )


def _mathjax4(latex: str, display: bool) -> str:
    shown = ' display="true"' if display else ""
    return f'<mjx-container class="MathJax" jax="SVG"{shown}><svg role="img"><g data-mml-node="math" data-latex="{escape(latex)}"><g data-mml-node="mi"><path d="M1"></path></g></g></svg></mjx-container>'


def _aops(latex: str, display: bool) -> str:
    alt = f"\\[{latex}\\]" if display else f"${latex}$"
    return f'<img src="//latex.artofproblemsolving.com/0/a/b.png" class="latex{"center" if display else ""}" alt="{escape(alt)}" width="10" height="8">'


def _upmath(latex: str, display: bool) -> str:
    return f'<img src="https://i.upmath.me/svg/{quote(latex)}" alt="{escape(latex)}" />'


def _vector(latex: str, display: bool) -> str:
    return f'<img class="tex" alt="{escape(latex)}" src="//upload.wikimedia.org/math/1/2.png" />'


# --- sites -----------------------------------------------------------------------------------------------------------

MATHJAX = '<script src="https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-mml-chtml.js"></script>'
DOLLARS = "<script>window.MathJax = {tex: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']]}};</script>" + MATHJAX
KATEX = '<link rel="stylesheet" href="katex.min.css"><script>renderMathInElement(document.body,{delimiters:[{left:"$$",right:"$$",display:true},{left:"$",right:"$",display:false}]});</script>'

SITES: dict[str, tuple[str, Write, str]] = {
    "mediawiki": ("wiki", _mediawiki, ""), "mediawiki-png": ("wiki", _mediawiki_png, ""), "vector": ("wiki", _vector, ""),
    "stackexchange": ("questions", _container, MATHJAX), "overflow": ("questions", _typed("$", "$", "$$", "$$"), DOLLARS),
    "wordpress": ("blog", _wordpress, ""), "quicklatex": ("blog", _quicklatex, ""), "codecogs": ("blog", _codecogs, ""),
    "codecogs-svg": ("forum", _codecogs_svg, ""), "mimetex": ("forum", _mimetex, ""), "chart": ("blog", _chart, ""),
    "upmath": ("blog", _upmath, ""), "github-render": ("docs", _github, ""), "github": ("docs", _math_renderer, ""),
    "katex": ("blog", _katex, KATEX), "katex-drawn": ("docs", _katex_error, ""), "notion": ("blog", _notion, ""),
    "mathjax2": ("blog", _mathjax2, MATHJAX), "scripts": ("blog", _mathjax2_bare, MATHJAX), "jekyll": ("blog", _jekyll, MATHJAX),
    "mathjax3": ("docs", _mathjax3, MATHJAX), "mathjax4": ("docs", _mathjax4, MATHJAX),
    "hugo": ("blog", _typed("\\(", "\\)", "\\[", "\\]"), KATEX), "hexo": ("blog", _typed("$", "$", "$$", "$$"), DOLLARS),
    "katex-dollars": ("blog", _typed("$", "$", "$$", "$$"), KATEX), "discourse": ("forum", _classed("math"), ""),
    "tex-tags": ("forum", _typed("[tex]", "[/tex]"), ""), "itex": ("forum", _typed("[itex]", "[/itex]", "[tex]", "[/tex]"), MATHJAX),
    "bbmath": ("forum", _typed("[math]", "[/math]"), ""), "latex-tags": ("forum", _typed("[latex]", "[/latex]"), ""),
    "doxygen": ("docs", _doxygen, ""), "doxygen-mathjax": ("docs", _typed("\\(", "\\)", "\\[", "\\]"), MATHJAX),
    "sphinx": ("docs", _sphinx, MATHJAX), "sphinx-png": ("docs", _sphinx_png, ""), "pandoc": ("docs", _pandoc, MATHJAX),
    "pandoc-katex": ("docs", _pandoc_plain, KATEX), "ar5iv": ("paper", _latexml, ""), "nlab": ("wiki", _nlab, ""),
    "aops": ("wiki", _aops, ""), "data-math": ("docs", _attribute("span", "data-math", 'class="math-inline"'), ""),
    "data-expr": ("docs", _attribute("span", "data-expr", 'class="tex"'), ""), "data-latex": ("blog", _drawn_attribute("data-latex"), ""),
    "zhihu": ("forum", _image_attribute('eeimg="1" src="//www.zhihu.com/equation?tex=URL" alt="TEX"'), ""),
    "ztext": ("forum", _drawn_attribute("data-tex"), ""), "csdn": ("blog", _drawn_attribute("data-formula"), ""),
    "canvas": ("docs", _image_attribute('class="equation_image" title="TEX" src="/equation_images/URL?scale=1" alt="LaTeX: TEX" data-equation-content="TEX"'), ""),
    "khan": ("docs", _brilliant, KATEX), "arithmatex": ("docs", _classed("arithmatex"), KATEX), "math-tex": ("docs", _classed("math-tex"), MATHJAX),
    "jax-tex": ("docs", _classed("mathjax", "span"), MATHJAX), "wp-katex": ("blog", _classed("wp-katex-eq"), KATEX),
}  # fmt: skip
"""Name -> (page around the text, markup of a formula, what the head holds)."""


def page(site: str, document: list[Block]) -> str:
    """A whole page of a site."""
    frame, write, head = SITES[site]
    return FRAMES[frame](body(document, write), head)
