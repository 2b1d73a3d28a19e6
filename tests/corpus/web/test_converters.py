"""MathML and AsciiMath to LaTeX."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from llemma.corpus.web import asciimath, mathml


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("<mfrac><mn>1</mn><mi>x</mi></mfrac>", "\\frac{1}{x}"),
        ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", "{n \\atop k}"),
        ("<mo>(</mo><mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", "\\binom{n}{k}"),
        (
            "<mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable><mo>)</mo>",
            "\\begin{pmatrix} 1 & 2 \\end{pmatrix}",
        ),
        (
            "<mi>f</mi><mo>=</mo><mrow><mo>{</mo><mtable><mtr><mtd><mn>1</mn></mtd></mtr></mtable><mo></mo></mrow>",
            "f=\\begin{cases} 1 \\end{cases}",
        ),
        ("<mrow><mo>(</mo><mfrac><mi>a</mi><mi>b</mi></mfrac><mo>)</mo></mrow>", "\\left( \\frac{a}{b} \\right)"),
        ("<munder><munder><mi>a</mi><mo>⏟</mo></munder><mi>n</mi></munder>", "\\underbrace{a}_n"),
        ("<mover><mo>→</mo><mi>f</mi></mover>", "\\xrightarrow{f}"),
        ("<mover><mo>=</mo><mtext>def</mtext></mover>", "\\overset{\\text{def}}{=}"),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder><mi>x</mi>", "\\lim_{x\\to0}x"),
        ("<mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>¯</mo></mover>", "\\overline{AB}"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f'"),
        ("<menclose notation='updiagonalstrike'><mi>x</mi></menclose>", "\\cancel{x}"),
        ("<mphantom><mi>x</mi></mphantom><mi>y</mi>", "\\phantom{x}y"),
        ("<mi>a</mi><mspace width='2em'></mspace><mi>b</mi>", "a\\qquad b"),
        (
            "<mtable columnalign='right left'><mtr><mtd><mi>a</mi></mtd><mtd><mo>=</mo><mi>b</mi></mtd></mtr></mtable>",
            "\\begin{aligned} a & =b \\end{aligned}",
        ),
        ("<mtable><mlabeledtr><mtd><mtext>(3)</mtext></mtd><mtd><mi>a</mi></mtd></mlabeledtr></mtable>", "a \\tag{3}"),
        ("<msub><mrow></mrow><mn>2</mn></msub><mi>F</mi>", "{}_2F"),
        ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", "\\sqrt{a+b}"),
        ("<mroot><mi>a</mi><mn>3</mn></mroot>", "\\sqrt[3]{a}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>10</mn></msubsup>", "x_i^{10}"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>",
            "\\sum_{i=1}^ni",
        ),
        ("<mover><mi>x</mi><mo>^</mo></mover>", "\\hat{x}"),
        ("<mi>α</mi><mi>b</mi>", "\\alpha b"),
        ("<mi>sin</mi><mi>x</mi>", "\\sin x"),
        ("<mi mathvariant='double-struck'>R</mi>", "\\mathbb{R}"),
        ("<mfenced open='[' close=']'><mi>a</mi><mi>b</mi></mfenced>", "\\left[ a, b \\right]"),
        ("<mfenced open='{' close=''><mi>a</mi></mfenced>", "\\left\\{ a \\right."),
        (
            "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable>",
            "\\begin{matrix} 1 & 2 \\\\ 3 & 4 \\end{matrix}",
        ),
        ("<mi>f</mi><mo>&#x2061;</mo><mo>(</mo><mi>x</mi><mo>)</mo>", "f(x)"),
        ("<mi>x</mi><mtext> if </mtext><mi>y</mi>", "x\\text{ if }y"),
        ("<mo>{</mo><mi>a</mi><mo>}</mo>", "\\{a\\}"),
        (
            "<mmultiscripts><mi>X</mi><mi>a</mi><mi>b</mi><mprescripts></mprescripts><mi>c</mi><none></none></mmultiscripts>",
            "{}_cX_a^b",
        ),
    ],
)
def test_mathml(source: str, wanted: str) -> None:
    assert mathml.to_latex(html.fragment_fromstring(f"<math>{source}</math>")) == wanted


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x^2/y", "\\frac{x^{2}}{y}"),
        ("(a+b)/(c+d)", "\\frac{a + b}{c + d}"),
        ("sum_(i=1)^n i^3", "\\sum_{i = 1}^{n} i^{3}"),
        ("sqrt x root 3 y", "\\sqrt{x} \\sqrt[3]{y}"),
        ("[[a,b],[c,d]]", "\\begin{bmatrix} a & b \\\\ c & d \\end{bmatrix}"),
        ("x in RR", "x \\in \\mathbb{R}"),
        ('x "if" y', "x \\text{if} y"),
        ("a != b => c <= oo", "a \\neq b \\Rightarrow c \\leq \\infty"),
        ("{x | x > 0}", "\\left\\{ x | x > 0 \\right\\}"),
        ("{(x,x > 0),(0,x <= 0):}", "\\begin{cases} x & x > 0 \\\\ 0 & x \\leq 0 \\end{cases}"),
        ("color(red)(x) + ubrace(a+b)_n", "\\color{red}{x} + \\underbrace{a + b}_{n}"),
        ("hat x vec(ab)", "\\hat{x} \\vec{a b}"),
    ],
)
def test_asciimath(source: str, wanted: str) -> None:
    assert asciimath.to_latex(source) == wanted


@given(st.text(alphabet='()[]{}_^/sqrtxa,+- :|"\\frac', max_size=200))
def test_asciimath_never_raises(source: str) -> None:
    asciimath.to_latex(source)
