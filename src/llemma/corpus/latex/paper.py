"""A paper as text: from its title to its bibliography, macros expanded, figures reduced to captions.

Differs on purpose from the RedPajama rules that Llemma used (`published`): files come in the order of their `\\input`,
title, abstract and papers without sections are kept, macros with arguments are expanded, other encodings than UTF-8
are read. docs/papers.md has both sets of rules side by side.
"""

from __future__ import annotations

import posixpath
import re

import msgspec

from llemma.corpus.latex import cuts, encodings, macros, modes, project, published
from llemma.corpus.latex.scan import Reader, remove_commands

RULES = ("default", "llemma")
"""Ours, and RedPajama v1 as Llemma used it."""


class Paper(msgspec.Struct, frozen=True):
    """What became of an archive: its `text`, or "" and the `reason`. `main` are the documents it is made of, `used`
    their files in reading order; `warnings` tell what could not be followed."""

    text: str
    main: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""


def paper(files: dict[str, bytes], rules: str = "default") -> Paper:
    """The text of an archive by one of `RULES`. `files` maps paths inside it to bytes, in the archive's order."""
    return _published(files) if rules == "llemma" else _default(files)


def _published(files: dict[str, bytes]) -> Paper:
    used = tuple(name for name in files if name.endswith(".tex"))
    try:
        return Paper(published.text_of(files), used=used)
    except published.LostError as error:
        return Paper("", used=used, reason=f"lost by the published rules: {error}")


def _default(files: dict[str, bytes]) -> Paper:
    fallback = next(
        (name for data in files.values() if b"\\document" in data and (name := encodings.declared(data))), None
    )
    texts = {name: text for name, data in files.items() if (text := encodings.decode(data, fallback))}
    named = project.toplevel(texts)
    texts = {name: text for name, text in texts.items() if not _readme(name)}
    if all(project.ignored(text) for text in texts.values()):
        return Paper("", reason=_ignored_reason(texts))
    bare = project.without_comments({name: text for name, text in texts.items() if not project.ignored(text)})
    styles = "\n".join(text for name, text in bare.items() if own_style(name))
    documents = [(name, project.assemble(name, bare)) for name in project.roots(bare, named)]
    text = "\n\n".join(part for _, document in documents if (part := clean(document.text, styles)))
    missing = list(dict.fromkeys(path for _, document in documents for path in document.missing))
    return Paper(
        text,
        tuple(name for name, _ in documents),
        tuple(dict.fromkeys(path for _, document in documents for path in document.used)),
        tuple(f"no file for \\input {path[:80]}" for path in missing[:20]),
        "" if text else _empty_reason(bare),
    )


def _readme(name: str) -> bool:
    return posixpath.basename(name).lower().startswith("00readme")


def _ignored_reason(texts: dict[str, str]) -> str:
    return "withdrawn" if any("withdraw" in text.lower() for text in texts.values()) else "no LaTeX file in it"


def _empty_reason(bare: dict[str, str]) -> str:
    return "no text in its LaTeX files" if any(text.strip() for text in bare.values()) else "its LaTeX files are empty"


_STANDARD = re.compile(
    r"(?:ams|revtex|aip|aps|natbib|hyperref|graphic|epsf|psfig|xy|tikz|pgf|algorithm|listings|caption|subfig|cite|fancy|geometry|color"
    r"|neurips|nips|icml|iclr|acl|emnlp|naacl|eacl|cvpr|iccv|eccv|aaai|ijcai|jmlr|colm|IEEE|elsart|svjour|llncs|aastex|mn2e|jhep|JHEP|iop"
    r"|lineno|enumitem|pst|multirow|booktabs|times|latexsym|a4|bbm|mathtools|breqn|cleveref|url|wrapfig|diagrams|slashed|prettyref)"
)


def own_style(name: str) -> bool:
    """Whether a file is a style of the paper's own, whose macros are the author's: classes and copies of well-known
    packages program the page, and expanding what they define would give noise."""
    base = posixpath.basename(name)
    return base.lower().endswith(".sty") and not _STANDARD.match(base)


def clean(source: str, styles: str = "") -> str:
    """The readable part of one document without comments; macros of `styles` (local packages) are known too."""
    known = macros.Macros()
    if styles:
        macros.collect(styles, known)
    preamble, body = _parts(source)
    preamble = macros.expand(preamble, known)
    body = macros.expand(cuts.cut(body), known)
    body = modes.settle(_heading(preamble, body) + cuts.cut(body))
    return cuts.tidy(cuts.matter(cuts.floats(body)))


_BEGIN = re.compile(r"\\begin\s*\{document\}")
_TOP = re.compile(r"\\topmatter(?![A-Za-z])|\\document(?![A-Za-z])")


def _parts(source: str) -> tuple[str, str]:
    """Preamble and body. Without `\\begin{document}` (a chapter, plain TeX) all is body, but for what stands before
    AMS-TeX's `\\topmatter`."""
    start = _BEGIN.search(source)
    if start:
        return source[: start.start()], source[start.end() :]
    top = _TOP.search(source)
    return (source[: top.start()], source[top.start() :]) if top else ("", source)


_TITLE = re.compile(r"\\(?:icml|ijcai|aaai)?[Tt]itle(?![A-Za-z@])")
_ABSTRACT = re.compile(r"\\begin\{abstract\}|\\abstract(?=\s*\{)")
_NOTES = re.compile(r"\\(?:thanks|footnote|tnoteref|titlenote)(?![A-Za-z@])")


def _heading(preamble: str, body: str) -> str:
    """Title and abstract that stand in the preamble."""
    out, reader = "", Reader(preamble)
    title = _TITLE.search(preamble)
    if title and not _TITLE.search(body):
        found = reader.argument(reader.bracket(reader.blanks(title.end())) or title.end())
        out = f"\\title{{{remove_commands(found[0], _NOTES).strip()}}}\n\n" if found else ""
    abstract = _ABSTRACT.search(preamble)
    if abstract is None:
        return out
    if abstract[0] == "\\abstract":
        found = reader.argument(abstract.end())
        return out + (f"\\begin{{abstract}}\n{found[0].strip()}\n\\end{{abstract}}\n\n" if found else "")
    end = preamble.find("\\end{abstract}", abstract.end())
    return out + (f"{preamble[abstract.start() : end]}\\end{{abstract}}\n\n" if end > 0 else "")
