"""Pages made to break or to hang the extraction: nothing is raised, and time stays in proportion to the size."""

# ruff: noqa: E501

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.web import extract, looks_mathematical
from llemma.corpus.web.shelf import CLOSE, OPEN

SECONDS_A_MEGABYTE = 8.0
"""A page of this kind takes a tenth of that on an idle core; quadratic work takes minutes."""

JAX = "<script src=mathjax.js></script><p>"
N = 20_000
HOSTILE = {
    "dollars": JAX + "$" * 2_000_000,
    "spaced dollars": JAX + "$ " * N * 5,
    "entities": JAX + "&#36;a&#36; " * N,
    "openers": JAX + "\\(" * N * 5,
    "environments": JAX + "\\begin{align}x" * N,
    "braces": JAX + "$" + "{" * N * 5 + "}" * N * 5 + "$",
    "backslashes": JAX + "$" + "\\" * N * 5 + "$",
    "cut formulas": JAX + "$a<em>b</em>$ " * N,
    "one long cut formula": JAX + "$a" + "<em>b</em>" * N + "$",
    "settings": "<script>mathjax inlineMath: [" + "['$'," * N + "</script>",
    "settings of katex": "<script>katex " + "delimiters: [{left: '" * N + "</script>",
    "settings of asciimath": "<script>" + "asciimath2jax: { delimiters: [[" * N + "</script>",
    "angle brackets": "<p>" + "<" * N * 20,
    "stray tags": "<p>" + "<x " * N * 5,
    "attributes": "<div " + "a=b " * N * 5 + ">x",
    "classes": '<div class="' + "cookie-" * N * 5 + '">x</div>',
    "alt": '<img class=math alt="' + "\\a{" * N * 5 + '">',
    "images": '<img class=math alt="x">' * N,
    "image urls": '<img src="codecogs.com/gif.latex?' + "&space;" * N * 5 + '">',
    "comments": '<script type="math/tex">' + "%\n" * N * 5 + "</script>",
    "blanks": '<script type="math/tex">' + "\n " * N * 5 + "</script>",
    "mathml brackets": "<math>" + "<mo>(</mo>" * N + "</math>",
    "nested mathml brackets": "<math>" + "<mrow><mo>(</mo><mfrac>" * 2_000 + "</math>",
    "mathml tables": "<math>" + "<mo>(</mo><mtable><mtr><mtd><mi>a</mi></mtd></mtr></mtable>" * 3_000 + "</math>",
    "asciimath": "<script src=asciimathml.js></script>`" + "(" * N * 5 + "`",
    "rows": "<table>" + "<tr><td>a<td>b" * N + "</table>",
    "nested tables": "<table><tr><td>" * N,
    "items": "<ul>" + "<li>a" * N + "</ul>",
    "backticks": "<pre>" + "`" * N * 5 + "</pre>",
    "self-closed": '<?xml version="1.0"?><a ' + "b " * N * 5,
    "style": '<div style="display:' + " " * N * 5 + 'x">x</div>',
    "nested spans of math": "<span class=math>" * N,
    "spans of math": "<span class=math>$</span>" * N,
    "nested attributes": "<div data-math='x=1'>" * N,
    "furniture": "<p>" + "we use cookies " + "x" * N * 5,
    "unclosed figures": "<figure>" * 2_000 + "x",
    "null bytes": "<p>" + "\0a" * N * 5,
}  # fmt: skip


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.slow
def test_time_stays_in_proportion(html: str) -> None:
    started = time.process_time()
    extract(html)
    looks_mathematical(html.encode())
    assert time.process_time() - started < 4 + SECONDS_A_MEGABYTE * len(html) / 1e6


SHAPED = [
    "<html><head><title>t</title><script>MathJax = {tex: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']]}}</script></head>",
    '<body class="mediawiki"><div id="content" role="main"><p>Let <span class="mwe-math-element"><math alttext="x"><mi>x</mi></math>',
    '<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle x}"></span> be $a_1$ or \\(b^2\\).</p>',
    '<span class="katex"><span class="katex-mathml"><math><semantics><mi>q</mi><annotation encoding="application/x-tex">q</annotation></semantics></math></span></span>',
    '<table class="ltx_equation ltx_eqn_table"><tr><td><math alttext="a=b"></math></td><td><span class="ltx_tag_equation">(1)</span></td></tr></table>',
    "<pre><code class='language-python'>x = '$'</code></pre><ul><li>one</li><li>two $x$</li></ul><table><tr><td>1</td><td>$y$</td></tr><tr><td>2</td></tr></table>",
    '<img src="https://latex.codecogs.com/gif.latex?a&plus;b"><script type="math/tex; mode=display">% <![CDATA[\na<b %]]></script>',
    '<mjx-container display="true"><svg><g data-latex="z"></g></svg></mjx-container><div class="math"><span class="eqno">(2)</span>\\[c\\]</div></body></html>',
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A page of real shape with pieces cut out, doubled, swapped and overwritten."""
    page = "".join(draw(st.permutations(SHAPED)))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(page)))
        end = min(len(page), start + draw(st.integers(0, 60)))
        piece = draw(
            st.sampled_from(
                ["", page[start:end] * 2, "<", ">", "$", "\0", '"', "&", "]]>", OPEN, "</div>", "<p>", "\\("]
            )
        )
        page = page[:start] + piece + page[end:]
    return page


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_mutated_pages_give_clean_text(html: str) -> None:
    page = extract(html)
    assert OPEN not in page.text and CLOSE not in page.text and "\0" not in page.text
    assert page.found_math >= 0


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([None, "utf-16", "koi8-r", "nonsense", "utf-7"]))
def test_any_bytes_and_charset_give_a_page(raw: bytes, charset: str | None) -> None:
    extract(b"<p>" + raw + b"$a_1$" + raw, charset=charset)


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.sampled_from(["<mi>x</mi>", "<mo>(</mo>", "<mo>)</mo>", "<mo>→</mo>", "<mn>1</mn>", "<none/>", ""]),
                    lambda inner: st.tuples(st.sampled_from(["mrow", "mfrac", "msup", "msub", "munder", "mover", "munderover", "msubsup",
                                                             "mtable", "mtr", "mtd", "msqrt", "mroot", "mmultiscripts", "menclose",
                                                             "mlabeledtr", "mphantom", "mfenced"]), st.lists(inner, max_size=4))
                    .map(lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"), max_leaves=30))  # fmt: skip
def test_any_mathml_converts(source: str) -> None:
    extract(f"<p>Let <math>{source}</math> be.</p>")


@pytest.mark.parametrize("levels", [3_000, 300_000])
def test_what_stands_inside_and_behind_too_many_levels_is_kept(levels: int) -> None:
    page = f"<p>First $x^2$.</p>{'<div>' * levels}deep $y^2$<p>{'</div>' * levels}<p>Last $z^2$.</p>"

    assert extract(f"<html><body>{page}</body></html>").text.split() == [
        "First",
        "$x^2$.",
        "deep",
        "$y^2$",
        "Last",
        "$z^2$.",
    ]


def test_what_follows_the_end_of_the_document_is_kept() -> None:
    text = extract("<html><body><p>One $x^2$.</p></body></html><p>Two $y^2$.</p><html><body><p>Three.</p></body>").text

    assert text.split() == ["One", "$x^2$.", "Two", "$y^2$.", "Three."]
