"""Papers as authors write them: definitions of every kind, main files, encodings, cuts, and the published rules."""

# ruff: noqa: E501

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.latex import Paper, paper


def made(files: dict[str, str | bytes], rules: str = "default") -> Paper:
    return paper({name: text.encode() if isinstance(text, str) else text for name, text in files.items()}, rules)


def text_of(body: str, preamble: str = "") -> str:
    return made({"a.tex": rf"\documentclass{{article}}{preamble}\begin{{document}}{body}\end{{document}}"}).text


@pytest.mark.parametrize(
    ("preamble", "body", "wanted"),
    [
        (r"\def\be{\begin{equation}}\def\ee{\end{equation}}", r"\be x \ee y", r"\begin{equation} x \end{equation} y"),
        (r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}", r"\abs{x} \abs*{y}", r"\lvert x \rvert \left\lvert y \right\rvert"),
        (r"\NewDocumentCommand{\f}{s m o}{\IfBooleanTF{#1}{S}{P}:#2:\IfNoValueTF{#3}{-}{#3}}", r"\f*{a}[b] \f{c}", "S:a:b P:c:-"),
        (r"\NewDocumentCommand\pd{O{} m}{\partial^{#1}#2}", r"\pd[2]{f} \pd{f}", r"\partial^{2}f \partial^{}f"),
        (r"\def\pair(#1,#2){\langle #1,#2\rangle}\def\norm|#1|{\lVert #1\rVert}", r"\pair(a,b) \norm|x|", r"\langle a,b\rangle \lVert x\rVert"),
        (r"\newcommandx{\f}[3][1=a, 3=b]{(#1;#2;#3)}", r"\f{x}[q] \f[p]{x}", "(a;x;q) (p;x;b)"),
        (r"\newcommand{\R}{\ensuremath{\mathbb{R}}\xspace}", r"Let \R, $x\in\R^\R$", r"Let $\mathbb{R}$, $x\in\mathbb{R}^{\mathbb{R}}$"),
        (r"\newcommand{\a}{\ifmmode\alpha\else$\alpha$\fi}", r"\a and $\a$", r"$\alpha$ and $\alpha$"),
        (r"\newenvironment{eqs}{\begin{align*}}{\end{align*}}", r"\begin{eqs}a\end{eqs}", r"\begin{align*}a\end{align*}"),
        (r"\let\oldphi\phi\renewcommand{\phi}{\varphi}", r"$\oldphi \phi$", r"$\phi \varphi$"),
        (r"\DeclareMathOperator{\tr}{tr}", r"$x^\tr$", r"$x^{\operatorname{tr}}$"),
        (r"\long\def\f#1{<#1>}\global\let\b=\beta", r"\f a \b", r"<a> \beta"),
        (r"\def\<{\langle}\def\>{\rangle}", r"\<x\>", r"\langle x\rangle"),
        (r"\newcommand{\eg}{e.g.}\def\G{\Gamma}", r"\eg{} this $\G{}_1$", r"e.g. this $\Gamma{}_1$"),
        (r"\newif\ifdraft\newcommand{\n}[1]{\ifdraft no\else #1\fi}", r"\n{yes} \iffalse a \ifx b\fi c\fi$x \iff y$", r"yes $x \iff y$"),
        ("", "\\alpha%c\nbeta \\url{a%b} 5\\% % gone\nnext", r"\alpha beta \url{a%b} 5\% next"),
        ("", r"\noindent{\bf Kept.} a\index{x}{\bf b} $\alpha\hspace{1em}x$", r"{\bf Kept.} a{\bf b} $\alpha x$"),
        ("", r"A\section{Acknowledgements} Thanks.\appendix P \bibliography{x} After", r"A\appendix P"),
        ("", r"\begin{figure}\includegraphics{a}\subfloat[s]{x}\caption[l]{C {d}}\end{figure}", "\\caption{s}\n\\caption{C {d}}"),
        ("", r"\begin{figure}$$x$$\caption{C}\end{figure}", r"\begin{figure}$$x$$\caption{C}\end{figure}"),
    ],
)  # fmt: skip
def test_default_rules(preamble: str, body: str, wanted: str) -> None:
    assert text_of(body, preamble) == wanted


def test_old_dialects() -> None:
    plain = r"\magnification=1200 \def\R{{\bf R}}Let $x\in\R$. \vskip 1cm Text. \centerline{\bf References} \item{1} no \bye"
    assert made({"a.tex": plain}).text == r"Let $x\in{\bf R}$.  Text."
    old = r"\documentstyle[12pt]{article}\title{T}\author{A}\begin{document}\maketitle Body\end{document}"
    assert made({"a.tex": old}).text == "\\title{T}\n\n Body"
    ams = r"\input amstex\documentstyle{amsppt}\topmatter\title T\endtitle\author Me\endauthor\endtopmatter\document Body\Refs no\endRefs\enddocument"
    assert made({"a.tex": ams}).text == r"\title T\endtitle Body"


def test_inputs_of_every_kind() -> None:
    main = (
        r"\documentclass{a}\newcommand{\d}{s}\newcommand{\chap}[1]{\input{s/#1}}\includeonly{i}\begin{document}"
        r"\input{\d/x} \chap{y} \import{s/}{z} \input w \include{i}\include{j}\InputIfFileExists{no}{yes}{else}\end{document}"
    )
    files = {
        "m.tex": main,
        "s/x.tex": "X",
        "s/y.tex": "Y",
        "s/z.tex": "Z",
        "w.tex": "W\\endinput no",
        "i.tex": "I",
        "j.tex": "J",
    }
    found = made(files)
    assert found.text == "X Y Z W Ielse" and found.used == ("m.tex", "s/x.tex", "s/y.tex", "s/z.tex", "w.tex", "i.tex")


@pytest.mark.parametrize(
    "readme",
    [
        ("00README.XXX", "b.tex toplevelfile"),
        ("00README.json", '{"sources":[{"filename":"b.tex","usage":"toplevel"}]}'),
    ],
)
def test_the_archive_names_its_main_file(readme: tuple[str, str]) -> None:
    head = r"\documentclass{a}\begin{document}"
    assert made({readme[0]: readme[1], "a.tex": head + "long " * 2000, "b.tex": head + "b"}).text == "b"


def test_withdrawn_and_empty_papers_say_so() -> None:
    assert made({"a.tex": "%auto-ignore\nThis paper has been withdrawn."}).reason == "withdrawn"
    assert made({"a.tex": "% nothing\n"}).reason == "its LaTeX files are empty"


@pytest.mark.parametrize(
    ("encoding", "preamble"),
    [
        ("latin-1", ""),
        ("mac-roman", ""),
        ("mac-roman", r"\usepackage[applemac]{inputenc}"),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-8-sig", ""),
    ],
)
def test_encodings(encoding: str, preamble: str) -> None:
    text = "Poincaré, théorème, naïve"
    assert made({"a.tex": rf"{preamble}\begin{{document}}{text}\end{{document}}".encode(encoding)}).text == text


PUBLISHED = "\\documentclass{a}\\title{T}\n\\newcommand{\\R}{\\mathbb{R}}\n\\newcommand{\\F}[1]{F}\n\\begin{document}"


def test_published_rules_fault_for_fault() -> None:
    text = made({"a.tex": PUBLISHED + "\\section{S} ok%c\n\\R x \\R\\R y \\F{q}\n% c\n\\appendix Z"}, "llemma").text
    assert text == "\\section{S} o\n\\mathbb{R} x \\mathbb{R}\\R y \\F{q}\n"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.tex": "\\section{x}", "b.tex": b"\xe9"}, "not UTF-8: b.tex"), ({"a.tex": "letter"}, "no section"), ({"a.ltx": "\\section{x}"}, "no LaTeX"),
        ({"a.tex": "\\newcommand{\\e}{é}\n\\section{x}"}, "beyond ASCII"), ({"a.tex": "\\subparagraph{x} \\paragraph{y}"}, "no section"),
    ],
)  # fmt: skip
def test_what_the_published_rules_lose(files: dict[str, str | bytes], reason: str) -> None:
    assert reason in made(files, "llemma").reason


D = "\\begin{document}"
HOSTILE = {
    "definitions that never close": "\\newcommand{\\a}{" * 12_000, "a line of blanks": D + "x" + " " * 300_000 + "%", "long": "\\long" * 40_000,
    "braces": "{" * 100_000 + "}" * 100_000, "calls in calls": "\\def\\f#1{#1#1}" + D + "\\f{" * 50_000 + "x" + "}" * 50_000,
    "true": "\\iftrue" * 20_000 + "\\fi " * 20_000, "verb": "".join("\\verb" + chr(0x4E00 + i % 20_000) for i in range(30_000)),
    "ensuremath": D + "\\ensuremath{" * 20_000, "captions": D + "\\begin{figure}" + "\\caption{" * 20_000 + "\\end{figure}", "brackets": D + "\\title[{]" * 20_000,
    "inputs": D + "\\input{a}" * 20_000, "files that exist": D + "\\IfFileExists{a.tex}{" * 10_000 + "}{}" * 10_000, "nulls": D + "x\0" * 100_000,
    "questions": "\\NewDocumentCommand\\a{s m}{\\IfBooleanTF{#1}{#2}{#2}}" + D + "\\a{" * 40_000, "sections": D + "\\section[" * 20_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("rules", ["default", "llemma"])
def test_hostile_text_takes_bounded_time(name: str, rules: str) -> None:
    started = time.process_time()
    made({"a.tex": HOSTILE[name]}, rules)
    assert time.process_time() - started < 5


PIECES = st.sampled_from(
    ["\\newcommand", "\\def", "\\a", "\\b", "{", "}", "[", "]", "#1", "(", ",", "%", "\n", "$", "$$", "\\ensuremath{", "\\iffalse", "\\ifa", "\\newif", "\\fi", "\\else",
     "\\NewDocumentCommand", "{s O{x} m}", "\\IfBooleanTF", "\\DeclarePairedDelimiter", "\\newenvironment", "\\begin{equation}", "\\end{equation}", "\\let", "\\long",
     "\\input", "\\import", "\\IfFileExists", "\\begin{document}", "\\section{", "\\chapter", "\\appendix", "\\begin{thebibliography}", "\\caption", "\\begin{figure}",
     "\\end{figure}", "\\acknowledgments", "\\verb|", "\\topmatter", "\\author", "\\", "\0", "é", " ", "a", "\\vskip", "1cm", "\\excludecomment{a}", "%auto-ignore"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from(["default", "llemma"]))
def test_any_source_gives_text_or_a_reason(source: str, rules: str) -> None:
    found = made({"a.tex": source, "b.tex": "\\a " + source, "c.sty": source, "00README": source}, rules)
    assert found.text or found.reason
    assert "\0" not in found.text or rules == "llemma"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_text_or_a_reason(data: bytes) -> None:
    found = paper({"a.tex": data})
    assert found.text or found.reason
