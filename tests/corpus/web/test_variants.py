"""The markups as the generators of real sites write them: variants, wrappers, numbers, settings."""

# ruff: noqa: E501

import pytest

from llemma.corpus.web import extract

PROSE = "This paragraph holds enough plain English prose for an extractor to take it for the main content of the page."


def page(body: str, head: str = "") -> str:
    return f"<!DOCTYPE html><html><head><title>t</title>{head}</head><body><h1>T</h1><p>{PROSE}</p>{body}<p>{PROSE}</p></body></html>"


MATHJAX = "<script src='https://cdn/mathjax@3/es5/tex-mml-chtml.js'></script>"
HUB = '<script type="text/x-mathjax-config">MathJax.Hub.Config({tex2jax: {inlineMath: [["\\\\(", "\\\\)"]], ignoreClass: "nostem"}, asciimath2jax: {delimiters: [["\\\\$", "\\\\$"]], ignoreClass: "nostem"}});</script>'
AUTO = "<script>renderMathInElement(document.body, {delimiters: [{left: '$$', right: '$$', display: true}, {left: '$', right: '$', display: false}]});</script><script src=katex.js></script>"
MATHML = '<math xmlns="http://www.w3.org/1998/Math/MathML"{}><semantics><msup><mi>a</mi><mn>2</mn></msup><annotation encoding="application/x-tex">{}</annotation></semantics></math>'

CASES = [
    ("wikipedia 2025", '<p>Let <span class="mwe-math-element mwe-math-element-inline"><span class="mwe-math-mathml-inline mwe-math-mathml-a11y" style="display: none;">'
     + MATHML.format(' alttext="{\\displaystyle a^{2}}"', "{\\displaystyle a^{2}}") + '</span><img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/0" class="mwe-math-fallback-image-inline mw-invert skin-invert" aria-hidden="true" alt="{\\displaystyle a^{2}}"></span> be.</p>', "", "Let $a^{2}$ be."),
    ("wikipedia block", '<p>So</p><div class="mwe-math-element mwe-math-element-block"><div class="mwe-math-mathml-display mwe-math-mathml-a11y" style="display: none;">'
     + MATHML.format(' display="block"', "{\\displaystyle a=b}") + '</div><img class="mwe-math-fallback-image-display" alt="{\\displaystyle a=b}"></div>', "", "$$a=b$$"),
    ("wikipedia png", '<p>Let <img class="tex" alt="\\scriptstyle \\alpha" src="//upload.wikimedia.org/math/a/b.png"> be.</p>', "", "$\\scriptstyle \\alpha$"),
    ("katex with numbers", '<p>So</p><span class="katex-display fleqn"><span class="katex"><span class="katex-mathml">' + MATHML.format("", "a=b \\tag{3}") + '</span><span class="katex-html" aria-hidden="true">a=b(3)</span></span></span>', "", "$$a=b \\tag{3}$$"),
    ("katex error", '<p>Let <span class="katex-error" title="ParseError" style="color:#cc0000">\\foo^2</span> be.</p>', "", "$\\foo^2$"),
    ("mathjax 2 chtml with assistive", '<p>Let <span class="MathJax_Preview">a</span><span class="mjx-chtml MathJax_CHTML" tabindex="0" data-mathml="&lt;math&gt;&lt;/math&gt;"><span class="mjx-math">a</span><span class="MJX_Assistive_MathML" role="presentation"><math><mi>a</mi></math></span></span><script type="math/tex" id="MathJax-Element-1">a_1</script> be.</p>', MATHJAX, "Let $a_1$ be."),
    ("mathjax 2 without script", '<p>Let <span class="MathJax" data-mathml="&lt;math&gt;&lt;msup&gt;&lt;mi&gt;a&lt;/mi&gt;&lt;mn&gt;2&lt;/mn&gt;&lt;/msup&gt;&lt;/math&gt;"><nobr>a2</nobr></span> be.</p>', MATHJAX, "Let $a^2$ be."),
    ("mathjax 3 display", '<p>So</p><mjx-container class="MathJax" jax="SVG" display="true"><svg><g data-mml-node="math"><path d="M0"/></g></svg><mjx-assistive-mml display="block"><math display="block"><mi>a</mi><mo>=</mo><mi>b</mi></math></mjx-assistive-mml></mjx-container>', MATHJAX, "$$a=b$$"),
    ("mathjax 4", '<p>Let <mjx-container class="MathJax" jax="SVG"><svg><g data-mml-node="math" data-latex="a^2"><g data-mml-node="mi" data-latex="a"><path d="M0"></path></g></g></svg></mjx-container> be.</p>', MATHJAX, "Let $a^2$ be."),
    ("script twice in arithmatex", '<p>Let <span class="arithmatex"><span class="MathJax_Preview">a^2</span><script type="math/tex">a^2</script></span> be.</p>', MATHJAX, "Let $a^2$ be."),
    ("jekyll cdata", '<p>Let <script type="math/tex">% <![CDATA[\na < b %]]></script> be.</p>', MATHJAX, "$a < b$"),
    ("stack exchange rendered", '<p>Let <span class="math-container" id="1"><span class="MathJax_Preview"></span><span class="MathJax">x</span><script type="math/tex">x^2</script></span> be.</p>', MATHJAX, "Let $x^2$ be."),
    ("wordpress.com", '<p>Let <img src="https://s0.wp.com/latex.php?latex=%7Ba%2Bb+%5Cle+c%7D&#038;bg=ffffff&#038;fg=000&#038;s=0&#038;c=20201002" alt="{a+b \\le c}" class="latex" /> be.</p>', "", "${a+b \\le c}$"),
    ("l.wordpress.com", '<p>Let <img src="http://l.wordpress.com/latex.php?latex=%5Cdisplaystyle+a%5E2&amp;bg=T&amp;fg=0&amp;s=0" alt="" /> be.</p>', "", "$a^2$"),
    ("codecogs with colours", '<p>Let <img src="http://latex.codecogs.com/png.latex?\\dpi{120}&space;\\bg_white&space;\\large&space;a&plus;b" /> be.</p>', "", "$a+b$"),
    ("codecogs svg.image", '<p>Let <img src="https://latex.codecogs.com/svg.image?\\inline&space;x_{1}" /> be.</p>', "", "$x_{1}$"),
    ("pandoc webtex", '<p>Let <img style="vertical-align:middle" src="https://latex.codecogs.com/png.latex?%5Ctextstyle%20f%280%29%3D1" alt="f(0)=1" class="math inline" /> be.</p>', "", "$f(0)=1$"),
    ("upmath with slash", '<p>Let <img src="https://i.upmath.me/svg/P_K/Q" alt="P_K/Q"> be.</p>', "", "$P_K/Q$"),
    ("github render", '<p>Let <img src="https://render.githubusercontent.com/render/math?math=e%5E%7Bi%20%5Cpi%7D%20%3D%20-1&amp;mode=inline"> be.</p>', "", "$e^{i \\pi} = -1$"),
    ("github renderer", '<p>Let <math-renderer class="js-inline-math" style="display: inline-block" data-run-id="1">$M[G]$</math-renderer> be.</p>', "", "$M[G]$"),
    ("github display", '<p>So</p><math-renderer class="js-display-math" style="display: block">$$a=b$$</math-renderer>', "", "$$a=b$$"),
    ("gitlab", '<p>So</p><pre class="code math js-render-math" data-math-style="display"><code>a=b</code></pre>', "", "$$a=b$$"),
    ("gitea", '<p>Let <code class="language-math is-loading">a^2</code> be.</p>', "", "$a^2$"),
    ("quicklatex", '<p>Let <img src="/ql-cache/quicklatex.com-d9_l3.svg" class="ql-img-inline-formula " alt="&#92;&#79;&#109;&#101;&#103;&#97;" title="Rendered by QuickLaTeX.com"/> be.</p>', "", "$\\Omega$"),
    ("zhihu image", '<p>Let <img src="https://www.zhihu.com/equation?tex=a%5E2" alt="a^2" eeimg="1"> be.</p>', "", "$a^2$"),
    ("zhihu span", '<p>Let <span class="ztext-math" data-eeimg="1" data-tex="a^2"><span></span><span><span class="MathJax_Preview"></span><span class="MathJax_SVG"><svg></svg></span><script type="math/tex">a^2</script></span></span> be.</p>', "", "Let $a^2$ be."),
    ("canvas", '<p>Let <img class="equation_image" title="x^2" src="/equation_images/x%255E2?scale=1" alt="LaTeX: x^2" data-equation-content="x^2" data-ignore-a11y-check=""> be.</p>', "", "$x^2$"),
    ("moodle image", '<p>Let <img class="texrender" title="x^2" alt="x^2" src="https://m/filter/tex/pix.php/1.gif"> be.</p>', "", "$x^2$"),
    ("moodle span", '<p>Let <span class="filter_mathjaxloader_equation"><span class="nolink">\\( x^2 \\)</span></span> be.</p>', MATHJAX, "$x^2$"),
    ("latex2html", '<p>Let <img width="40" height="20" align="MIDDLE" border="0" src="img3.png" alt="$ \\displaystyle x^2$"> be.</p>', "", "$x^2$"),
    ("alt with commands", '<p>Let <img src="eq1.gif" alt="\\frac{a}{b}"> be.</p>', "", "$\\frac{a}{b}$"),
    ("aops", '<p>So</p><p><img src="//latex.artofproblemsolving.com/0.png" class="latexcenter" alt="\\[a=b\\]"></p>', "", "$$a=b$$"),
    ("doxygen mathjax", '<p>Let \\(a^2\\) be.</p>', MATHJAX, "$a^2$"),
    ("sphinx number", '<div class="math notranslate nohighlight" id="equation-e"><span class="eqno">(1.2)<a class="headerlink" href="#equation-e">¶</a></span>\\[\\begin{split}a\\\\b\\end{split}\\]</div>', MATHJAX, "$$\\begin{split}a\\\\b\\end{split}$$ (1.2)\n"),
    ("latexml number", '<table class="ltx_equation ltx_eqn_table"><tbody><tr class="ltx_equation ltx_eqn_row"><td class="ltx_eqn_cell"></td><td><math class="ltx_Math" alttext="a=b" display="block"><mi>a</mi></math></td><td class="ltx_eqn_cell ltx_eqn_eqno"><span class="ltx_tag ltx_tag_equation ltx_align_right">(4)</span></td></tr></tbody></table>', "", "$$a=b$$ (4)\n"),
    ("latexml align", '<table class="ltx_equationgroup ltx_eqn_align ltx_eqn_table"><tbody><tr class="ltx_equation ltx_eqn_row"><td><math alttext="\\displaystyle a"></math></td><td><math alttext="\\displaystyle=b"></math></td></tr></tbody><tbody><tr class="ltx_eqn_row"><td><math alttext="\\displaystyle c"></math></td><td><math alttext="\\displaystyle=d"></math></td></tr></tbody></table>', "", "$$\\begin{aligned}\na & =b \\\\\nc & =d\n\\end{aligned}$$"),
    ("nlab", '<div class="maruku-equation">' + MATHML.format(' display="block"', "a=b") + '<span class="maruku-eq-tex"><code style="display: none">a=b</code></span></div>', "", "$$a=b$$"),
    ("asciidoctor ascii", "<p>Let \\$sqrt(4) = 2\\$ be.</p>", HUB, "$\\sqrt{4} = 2$"),
    ("asciidoctor tex", "<p>Let \\(a^2\\) be.</p>", HUB, "$a^2$"),
    ("katex auto render", "<p>Let $M[G]$ be.</p>", AUTO, "$M[G]$"),
    ("letter without engine settings", "<p>Let $n$ be.</p>", MATHJAX, "$n$"),
    ("cut by line break", "<p>So \\[a = b \\\\<br> c = d\\] holds.</p>", MATHJAX, "$$a = b \\\\\nc = d$$"),
    ("cut by wbr and link", "<p>Let $a_1 +<wbr> b<a href='#'>_2</a>$ be.</p>", AUTO, "$a_1 + b_2$"),
    ("cut by sup", "<p>Let $x<sup>2</sup>$ be.</p>", AUTO, "$x^{2}$"),
    ("environment over blocks", "<div>\\begin{align}<br>a &amp;= b \\\\<br>c &amp;= d<br>\\end{align}</div>", MATHJAX, "$$\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}$$"),
    ("ref and tag", "<p>So \\begin{equation}\\label{e} a=b \\tag{2}\\end{equation} holds.</p>", MATHJAX, "$$\\begin{equation}\\label{e} a=b \\tag{2}\\end{equation}$$"),
    ("pandoc drawn by katex", '<p>Let <span class="math inline"><span class="katex"><span class="katex-mathml">' + MATHML.format("", "a^2") + '</span><span class="katex-html">a_2</span></span></span> be.</p>', "", "Let $a^2$ be."),
    ("sphinx drawn by mathjax", '<div class="math"><mjx-container class="MathJax" display="true"><mjx-math></mjx-math><mjx-assistive-mml>' + MATHML.format("", "a=b") + '</mjx-assistive-mml></mjx-container></div>', MATHJAX, "$$a=b$$"),
    ("distill", "<p>Let <d-math>a^2</d-math> be.</p>", "", "$a^2$"),
    ("distill block", "<p>So</p><d-math block>a=b</d-math>", "", "$$a=b$$"),
    ("quill", '<p>Let <span class="ql-formula" data-value="a^2"><span contenteditable="false">x</span></span> be.</p>', "", "Let $a^2$ be."),
    ("data-math flag", '<p>Let <span class="eq" data-math>a^2</span> be.</p>', "", "$a^2$"),
    ("data-expr digit", '<p>Let <span class="tex" data-expr="1"></span> be.</p>', "", "$1$"),
    ("wiris", '<p>Let <img class="Wirisformula" alt="x squared" data-mathml="«math»«msup»«mi»x«/mi»«mn»2«/mn»«/msup»«/math»"> be.</p>', "", "$x^2$"),
    ("jupyter latex output", '<div class="jp-RenderedLatex jp-OutputArea-output" data-mime-type="text/latex">$\\displaystyle x^{2}$</div>', AUTO, "$\\displaystyle x^{2}$"),
    ("trailing backslash", "<p>So $$a\\\\$$ holds.</p>", AUTO, "$$a\\\\ $$"),
    ("prefixed mathml", '<p>Let <m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:msup><m:mi>x</m:mi><m:mn>2</m:mn></m:msup></m:math> be.</p>', "", "$x^2$"),
    ("upper-case tags", "<p>Let [TEX]a^2[/TEX] be.</p>", "", "$a^2$"),
    ("physics forums display", "<p>So</p>[tex]a = b[/tex]", MATHJAX, "a = b"),
    ("tex2jax settings of version 2", "<p>Let @a^2@ be.</p>", "<script>MathJax.Hub.Config({tex2jax: {inlineMath: [['@','@'], ['\\\\(','\\\\)']], processEscapes: true}})</script>", "$a^2$"),
    ("mathjax 3 plus settings", "<p>Let $a$ be.</p>", "<script>MathJax = {tex: {inlineMath: {'[+]': [['$', '$']]}}}</script>", "$a$"),
    ("escaped brackets of an entity", "<p>Let &#92;(a^2&#92;) be.</p>", MATHJAX, "$a^2$"),
    ("dollar entities", "<p>Let &#36;a^2&#36; be.</p>", AUTO, "$a^2$"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "head", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_variant_becomes_latex(body: str, head: str, wanted: str) -> None:
    result = extract(page(body, head))
    assert wanted in result.text
    assert result.found_math == 1
    assert result.text.count(PROSE) == 2


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("<p>It costs $5 and <em>more</em> than $7 in $US.</p>", AUTO),
        ("<p>Run <b>echo $HOME</b> or ${PATH} and $1 then $2.</p>", MATHJAX),
        ("<div class='tex2jax_ignore'><p>From $a to $b in the shell.</p></div>", AUTO),
        ("<p>They raised $20m to $30m, or $1.5 billion of $2 billion.</p>", AUTO),
        ("<p>Tickets: $10-$15 (adults), $5 (children).</p>", AUTO),
        ("<p><img alt='C:\\Users\\name' src='a.png'> <img alt='A photo of the park' src='b.png'></p>", MATHJAX),
    ],
)
def test_no_formula(body: str, head: str) -> None:
    assert extract(page(body, head)).found_math == 0
