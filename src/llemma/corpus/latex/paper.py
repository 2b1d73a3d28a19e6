"""A paper as text: from its title to its bibliography, macros expanded, floats reduced to captions.

Differs on purpose from the RedPajama rules that Llemma used: files come in the order of their `\\input`, title,
abstract
and papers without sections are kept, macros with arguments are expanded, other encodings than UTF-8 are read.
Appendices before the bibliography stay, those behind it go with it.
"""

from __future__ import annotations

import re

from llemma.corpus.latex import macros, project
from llemma.corpus.latex.scan import group, remove_commands, replace_environments

_END = re.compile(
    r"\\bibliography\s*\{|\\begin\{(?:thebibliography|references|REFERENCES|bibdiv)\}|\\printbibliography(?![A-Za-z])|\\end\{document\}"
)
_BIBLIOGRAPHY = re.compile(r"\\begin\{(thebibliography|references|REFERENCES|bibdiv)\}")
_BIBLIOGRAPHY_COMMAND = "bibliography|printbibliography"
_FLOAT = re.compile(r"\\begin\{((?:wrap|SC|sub)?figure\*?)\}")
_DRAWING = re.compile(r"\\begin\{(tikzpicture|pspicture\*?|asy|asydef|picture|filecontents\*?)\}")
_CAPTION = re.compile(r"\\caption\*?(?:\[[^\[\]]*\])?(?=\s*\{)")
_FRONT = (
    "author|address|email|thanks|affiliation|affil|institute|date|authorrunning|titlerunning|orcid|curraddr|inst"
    "|urladdr"
)
_LAYOUT = (
    "maketitle|tableofcontents|listoffigures|listoftables|newpage|clearpage|cleardoublepage|pagebreak|vspace|hspace|vskip|noindent"
    "|bibliographystyle|pagestyle|thispagestyle|pagenumbering|setcounter|addtocounter|setlength|addtolength|includegraphics"
    "|addcontentsline|markboth|markright|index|nocite|usepackage|allowdisplaybreaks|graphicspath|hypersetup|newtheorem|theoremstyle"
    "|frontmatter|mainmatter|backmatter|printindex|phantomsection|medskip|bigskip|smallskip|newenvironment|renewenvironment"
)
_TITLE = re.compile(r"\\title(?:\[[^\[\]]*\])?(?=\s*\{)")
_ABSTRACT = re.compile(r"\\begin\{abstract\}")
_BLANKS = re.compile(r"[ \t]+$", re.MULTILINE)
_LINES = re.compile(r"\n{3,}")
MIN_SHARE = 0.3
"""A bibliography that begins before this share of the text (of a book's first chapter, say) is taken out, not cut
at."""


def paper(files: dict[str, str]) -> str:
    """The text of an archive. `files` maps paths inside it to decoded text; empty when there is no LaTeX in it."""
    bare = project.without_comments(files)
    styles = "\n".join(text for name, text in bare.items() if name.endswith((".sty", ".cls")))
    names = project.roots(bare)
    return "\n\n".join(part for name in names if (part := clean(project.assemble(name, bare), styles)))


def clean(source: str, styles: str = "") -> str:
    """The readable part of one document without comments; macros of `styles` (local packages) are known too."""
    _, known = macros.collect(styles) if styles else ("", {})
    source, own = macros.collect(source)
    preamble, body = _parts(source)
    body = remove_commands(_floats(_cut(body)), f"{_FRONT}|{_LAYOUT}")
    text = macros.expand(_heading(preamble, body) + body, known | own)
    return _LINES.sub("\n\n", _BLANKS.sub("", text)).strip()


def _parts(source: str) -> tuple[str, str]:
    """Preamble and body. Without `\\begin{document}` (a chapter, old TeX) all is body."""
    start = source.find("\\begin{document}")
    if start < 0:
        return "", source
    return source[:start], source[start + len("\\begin{document}") :]


def _heading(preamble: str, body: str) -> str:
    """Title and abstract that stand in the preamble."""
    out, match = "", _TITLE.search(preamble)
    if match and not _TITLE.search(body):
        start = preamble.index("{", match.end())
        end = group(preamble, start)
        if end is not None:
            title = remove_commands(preamble[start + 1 : end - 1], "thanks|footnote")
            out = f"\\title{{{title.strip()}}}\n\n"
    abstract = _ABSTRACT.search(preamble)
    end = preamble.find("\\end{abstract}", abstract.end()) if abstract else -1
    return out + (f"{preamble[abstract.start() : end]}\\end{{abstract}}\n\n" if abstract and end > 0 else "")


def _cut(body: str) -> str:
    end = _END.search(body, int(len(body) * MIN_SHARE))
    if end and not body[: end.start()].strip():
        end = None
    body = replace_environments(body[: end.start()] if end else body, _BIBLIOGRAPHY, lambda _: "")
    return remove_commands(body, _BIBLIOGRAPHY_COMMAND)


def _floats(body: str) -> str:
    """Figures to their captions, drawings out."""
    return replace_environments(replace_environments(body, _FLOAT, _captions), _DRAWING, lambda _: "")


def _captions(figure: str) -> str:
    out = []
    for match in _CAPTION.finditer(figure):
        start = figure.index("{", match.end())
        end = group(figure, start)
        if end is not None:
            out.append(f"\\caption{{{figure[start + 1 : end - 1]}}}")
    return "\n".join(out)
