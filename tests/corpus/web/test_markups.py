"""Every markup of a formula, one line each: the formula must come out as LaTeX between dollars."""

# ruff: noqa: E501

import pytest

from llemma.corpus.web import extract

PROSE = "This paragraph holds enough plain English prose for an extractor to take it for the main content of the page."


def page(body: str, head: str = "") -> str:
    return (
        f"<html><head><title>t</title>{head}</head><body><h1>Title</h1><p>{PROSE}</p>{body}<p>{PROSE}</p></body></html>"
    )


MATHJAX = "<script src='mathjax.js'></script>"
CONFIG = "<script>MathJax.Hub.Config({tex2jax: {inlineMath: [['$','$'], ['@@','@@']]}})</script>"
KATEX = "<script>renderMathInElement(document.body, {delimiters: [{left: '||', right: '||', display: true}]});</script><i class=katex></i>"

CASES = [
    ("dollar", "<p>Let $x_1 < y$ be.</p>", CONFIG, "$x_1 < y$"),
    ("dollar without engine", "<p>Let $x_1^2$ be.</p>", "", "$x_1^2$"),
    ("double dollar", "<p>So $$a \\\\ b$$ holds.</p>", MATHJAX, "$$a \\\\ b$$"),
    ("parentheses", "<p>Let \\(a*b*c\\) be.</p>", "", "$a*b*c$"),
    ("brackets", "<p>So \\[x = y_1 \\* z_2\\] holds.</p>", "", "$$x = y_1 \\* z_2$$"),
    ("own delimiter", "<p>Let @@u+v@@ be.</p>", CONFIG, "$u+v$"),
    ("own katex delimiter", "<p>So ||u \\le v|| holds.</p>", KATEX, "$$u \\le v$$"),
    ("cut by em", "<p>Let $a<em>1 + b</em>2$ be.</p>", CONFIG, "$a_1 + b_2$"),
    ("cut by sub", "<p>Let \\(a<sub>1</sub>\\) be.</p>", "", "$a_{1}$"),
    ("stray bracket", "<p>For $0<k<n$ it holds.</p>", CONFIG, "$0<k<n$"),
    (
        "environment",
        "<p>\\begin{align}a &amp;= b\\\\ c &amp;= d\\end{align}</p>",
        "",
        "$$\\begin{align}a &= b\\\\ c &= d\\end{align}$$",
    ),
    ("tex tag", "<p>Let [tex]a^b[/tex] be.</p>", "", "$a^b$"),
    ("itex tag", "<p>Let [itex]a^b[/itex] be.</p>", "", "$a^b$"),
    ("math tag", "<p>Let [math]a^b[/math] be.</p>", "", "$a^b$"),
    ("latex tag", "<p>Let [latex]a^b[/latex] be.</p>", "", "$a^b$"),
    ("wordpress text", "<p>Let $latex a^b$ be.</p>", "", "$a^b$"),
    ("sphinx span", '<p>Let <span class="math notranslate">\\(\\alpha\\)</span> be.</p>', "", "$\\alpha$"),
    (
        "sphinx div",
        '<div class="math">\\[\\begin{split}a\\\\b\\end{split}\\]</div>',
        "",
        "$$\\begin{split}a\\\\b\\end{split}$$",
    ),
    ("sphinx number", '<div class="math"><span class="eqno">(1)</span>\\[a=b\\]</div>', "", "$$a=b$$"),
    ("sphinx png", '<p>Let <img class="math" src="i.png" alt="\\beta"/> be.</p>', "", "$\\beta$"),
    ("doxygen", '<p>Let <img class="formulaInl" alt="$ \\pi $" src="f.png"/> be.</p>', "", "$\\pi$"),
    (
        "doxygen display",
        '<p class="formulaDsp"><img class="formulaDsp" alt="\\[ a=b \\]" src="f.png"/></p>',
        "",
        "$$a=b$$",
    ),
    (
        "mediawiki image",
        '<p>Let <img class="mwe-math-fallback-image-inline" alt="{\\displaystyle x^{2}}"> be.</p>',
        "",
        "$x^{2}$",
    ),
    ("alttext", '<p>Let <math alttext="x^2"><mi>x</mi></math> be.</p>', "", "$x^2$"),
    (
        "annotation",
        '<p>Let <math><semantics><mi>x</mi><annotation encoding="application/x-tex">x_0</annotation></semantics></math> be.</p>',
        "",
        "$x_0$",
    ),
    (
        "katex",
        '<p>Let <span class="katex"><span class="katex-mathml"><math><semantics><mi>q</mi><annotation encoding="application/x-tex">'
        'q^2</annotation></semantics></math></span><span class="katex-html">q2</span></span> be.</p>',
        "",
        "Let $q^2$ be.",
    ),
    ("wp-katex", '<p>Let <span class="wp-katex-eq">z^2</span> be.</p>', "", "$z^2$"),
    ("script", '<p>Let <script type="math/tex">a<b</script> be.</p>', "", "$a<b$"),
    ("script display", '<p>So</p><script type="math/tex; mode=display">a=b</script>', "", "$$a=b$$"),
    ("script ascii", '<p>Let <script type="math/asciimath">x/2</script> be.</p>', "", "$\\frac{x}{2}$"),
    ("ascii backticks", "<p>Let `sqrt x` be.</p>", "<script src='ASCIIMathML.js'></script>", "$\\sqrt{x}$"),
    ("latex.php", '<p>Let <img src="/latex.php?latex=a%2Bb&amp;bg=fff"> be.</p>', "", "$a+b$"),
    (
        "codecogs",
        '<p>Let <img src="//latex.codecogs.com/gif.latex?a&amp;space;=&amp;space;%5Cpi"> be.</p>',
        "",
        "$a = \\pi$",
    ),
    ("mathtex", '<p>Let <img src="/cgi-bin/mathtex.cgi?a^2"> be.</p>', "", "$a^2$"),
    ("mimetex", '<p>Let <img src="/mimetex.cgi?a^2"> be.</p>', "", "$a^2$"),
    ("tex.cgi", '<p>Let <img src="/tex.cgi?a^2"> be.</p>', "", "$a^2$"),
    ("google chart", '<p>Let <img src="https://chart.googleapis.com/chart?cht=tx&amp;chl=a%5E2"> be.</p>', "", "$a^2$"),
    ("math-container", '<p>Let <span class="math-container">$a$</span> be.</p>', "", "$a$"),
    ("data-math", '<p>Let <span data-math="a^2">x</span> be.</p>', "", "Let $a^2$ be."),
    ("data-expr", '<p>Let <span class="tex" data-expr="a^2"></span> be.</p>', "", "$a^2$"),
    ("data-tex", '<p>Let <span data-tex="a^2"></span> be.</p>', "", "$a^2$"),
    (
        "latexml equation",
        '<table class="ltx_equation ltx_eqn_table"><tr><td><math alttext="a=b"></math></td><td>(1)</td></tr></table>',
        "",
        "$$a=b$$",
    ),
    (
        "mathjax 3 saved",
        "<p>Let <mjx-container><mjx-math></mjx-math><mjx-assistive-mml><math><msup><mi>x</mi><mn>2</mn></msup></math>"
        "</mjx-assistive-mml></mjx-container> be.</p>",
        "",
        "Let $x^2$ be.",
    ),
]


@pytest.mark.parametrize(("body", "head", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_markup_becomes_latex(body: str, head: str, wanted: str) -> None:
    result = extract(page(body, head))
    assert wanted in result.text
    assert result.found_math == 1
    assert result.text.count(PROSE) == 2


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 today.",
        "From $5 to $10 a day.",
        "Set $HOME and $PATH first.",
        "US$ and A$ fell.",
        "Pay $1,200 or $1,500 now.",
    ],
)
@pytest.mark.parametrize("head", ["", MATHJAX, CONFIG])
def test_lone_dollars_are_escaped(text: str, head: str) -> None:
    result = extract(page(f"<p>{text}</p>", head))
    assert result.found_math == 0
    assert text.replace("$", "\\$") in result.text


def test_escaped_dollar_stays_single() -> None:
    assert "costs \\$3 net" in extract(page("<p>It costs \\$3 net.</p>", CONFIG)).text


def test_rendered_twin_is_not_repeated() -> None:
    body = '<p>Let <span class="MathJax_Preview">v</span><span class="MathJax">w</span><script type="math/tex">x</script> be.</p>'
    assert "Let $x$ be." in extract(page(body)).text


def test_formula_in_a_table_is_counted_and_kept() -> None:
    body = "<table><tr><th>a</th><th>b</th></tr><tr><td>\\(x|y\\)</td><td>2</td></tr></table>"
    result = extract(page(body))
    assert "| $x\\vert y$ | 2 |" in result.text
    assert result.found_math == 1


def test_dollars_in_code_are_no_formulas() -> None:
    result = extract(page("<p>Set <code>$HOME</code> and <code>$PATH</code>.</p><pre>echo $HOME $PATH</pre>", CONFIG))
    assert "`\\$HOME` and `\\$PATH`" in result.text and "\necho $HOME $PATH\n" in result.text
    assert result.found_math == 0
