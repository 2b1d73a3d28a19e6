"""LaTeX papers: comments, macros, inputs, cuts."""

# ruff: noqa: E501

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.latex import clean
from llemma.corpus.latex import paper as convert
from llemma.corpus.latex.conditionals import resolve_conditionals
from llemma.corpus.latex.macros import Macros, expand
from llemma.corpus.latex.scan import strip_comments


def paper(files: dict[str, str]) -> str:
    return convert({name: text.encode() for name, text in files.items()}).text


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("ok%c\nnext", "oknext"), ("a \\% b % c\nd", "a \\% b d"), ("% whole line\nx", "x"), ("a%\n\nb", "a\n\nb"), ("a\\\\% c\nb", "a\\\\b"),
        ("a%\n% c\n\nb", "a\n\nb"), ("\\verb|a % b| c % d", "\\verb|a % b| c "), ("\\begin{verbatim}\n% x\n\\end{verbatim}", "\\begin{verbatim}\n% x\n\\end{verbatim}"),
        ("a\\begin{comment}x\\end{comment}b", "ab"), ("a\\iffalse x \\ifx y \\fi z\\fi b", "a b"), ("a % unended", "a "),
    ],
)  # fmt: skip
def test_comments(source: str, wanted: str) -> None:
    assert resolve_conditionals(strip_comments(source)) == wanted


@pytest.mark.parametrize(
    ("definitions", "call", "wanted"),
    [
        (r"\newcommand{\R}{\mathbb{R}}", r"\R^n", r"\mathbb{R}^n"),
        (r"\newcommand\R{\mathbb{R}}", r"\Re \R", r"\Re \mathbb{R}"),
        (r"\newcommand{\F}[1]{\mathbb{F}_{#1}}", r"\F{q} \F 2", r"\mathbb{F}_{q} \mathbb{F}_{2}"),
        (r"\newcommand{\s}[2][n]{#2_{#1}}", r"\s{x} \s[k]{y}", r"x_{n} y_{k}"),
        (r"\renewcommand{\phi}{\varphi}", r"\phi", r"\varphi"),
        (r"\def\a{\alpha}", r"\a x", r"\alpha x"),
        (r"\def\p#1#2{(#1,#2)}", r"\p{a}{b}", r"(a,b)"),
        (r"\DeclareMathOperator{\tr}{tr}", r"\tr A", r"\operatorname{tr} A"),
        (r"\DeclareMathOperator*{\am}{arg\,min}", r"\am_x", r"\operatorname*{arg\,min}_x"),
        (r"\let\eps\varepsilon", r"\eps>0", r"\varepsilon>0"),
        (r"\newcommand{\b}{\beta}\newcommand{\c}[1]{\b#1}", r"\c x", r"\beta x"),
        (r"\newcommand{\name}{na\"ive é}", r"\name", r"na\"ive é"),
        (r"\newcommand{\be}{\begin{equation}}", r"\be x", r"\begin{equation} x"),
        (r"\newcommand{\R}{\mathbb{R}}", r"\verb|\R| \Rx", r"\verb|\R| \Rx"),
        (r"\newcommand{\odd}[1]{\ifx#1x y\fi}", r"\odd{x}", r"\odd{x}"),
    ],
)
def test_macros(definitions: str, call: str, wanted: str) -> None:
    assert expand(definitions + call, Macros()) == wanted


def _tenfold(number: int) -> str:
    """A macro that calls the next one ten times: a thousand million million lines if nobody stops it."""
    name, following = chr(97 + number), "\\" + chr(98 + number)
    return f"\\def\\{name}{{{following * 10}}}"


@pytest.mark.parametrize(
    "source",
    [r"\def\a{\a\a}\a", r"\def\a{\b\b}\def\b{\a\a}\a", "".join(_tenfold(n) for n in range(20)) + r"\a"],
)
def test_runaway_macros_are_bounded(source: str) -> None:
    started = time.process_time()
    assert len(clean(source)) < 20_000_000
    assert time.process_time() - started < 10


def test_inputs_follow_their_order_and_missing_ones_leave_nothing() -> None:
    files = {
        "ms.tex": "\\documentclass{a}\\begin{document}1 \\input{b} 3 \\include{sub/c} 5 \\input{gone} \\subfile{d}\\end{document}",
        "b.tex": "2", "sub/c.tex": "4 \\input{e}", "sub/e.tex": "4e", "d.tex": "\\documentclass[ms]{subfiles}\\begin{document}6\\end{document}",
    }  # fmt: skip
    assert paper(files).split() == ["1", "2", "3", "4", "4e", "5", "6"]


def test_cycles_end() -> None:
    assert paper(
        {"a.tex": "\\begin{document}x \\input{b}\\end{document}", "b.tex": "y \\input{a} \\input{b}"}
    ).split() == ["x", "y"]


def test_wrappers_for_paper_sizes_give_one_copy() -> None:
    main = "\\documentclass{book}\\begin{document}" + "word " * 2000 + "\\end{document}"
    text = paper({"main.tex": main, "a4.tex": "\\def\\x{1}\\input{main}", "letter.tex": "\\def\\x{2}\\input{main}"})
    assert text.count("word") == 2000


def test_title_abstract_and_text_stay_while_preamble_and_bibliography_go() -> None:
    text = clean(
        "\\documentclass{a}\\usepackage{x}\\title{On \\emph{T}\\thanks{no}}\\author{A}\\begin{document}\\maketitle\\begin{abstract}Ab.\\end{abstract}"
        + "Body without any section. " * 5
        + "\\begin{figure}\\includegraphics{f}\\caption{Cap {x}.}\\end{figure}\\begin{thebibliography}{9}\\bibitem{a} B.\\end{thebibliography}\\appendix After.\\end{document}"
    )
    assert (
        text.startswith("\\title{On \\emph{T}}")
        and "Ab." in text
        and "Body without" in text
        and "\\caption{Cap {x}.}" in text
    )
    for gone in ("usepackage", "author", "thanks", "includegraphics", "bibitem", "After", "maketitle"):
        assert gone not in text


def test_appendix_before_the_bibliography_stays() -> None:
    assert "Proof in the appendix" in clean(
        "\\begin{document}Text. \\appendix Proof in the appendix. \\bibliography{r}\\end{document}"
    )


PIECES = st.sampled_from(
    ["\\newcommand", "\\def", "\\a", "\\b", "{", "}", "[", "]", "#1", "[1]", "%", "\n", "\\input{a}", "\\begin{document}", "\\end{document}",
     "\\begin{verbatim}", "\\verb|", "\\iffalse", "\\fi", "\\let", "x", " ", "\\", "\\title{", "\\bibliography{", "\\begin{figure}", "\\caption"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_source_gives_text(source: str) -> None:
    assert isinstance(paper({"a.tex": source, "b.tex": source}), str)


@pytest.mark.parametrize(
    "source",
    [
        "{" * 100_000,
        "\\iffalse" * 10_000,
        "%" * 100_000,
        "\\title" * 20_000,
        "\\newcommand{\\a}" * 20_000,
        "\\begin{figure}" * 10_000,
    ],
)
def test_hostile_sources_take_bounded_time(source: str) -> None:
    started = time.process_time()
    clean(strip_comments(source))
    assert time.process_time() - started < 10
