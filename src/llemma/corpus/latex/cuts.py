"""What of a paper is no text: bibliography, front matter, figures and drawings, acknowledgements, layout commands."""

from __future__ import annotations

import re

from llemma.corpus.latex.scan import Reader, glue, remove_commands, replace_environments

MIN_SHARE = 0.1
"""A bibliography that begins before this share of the text is taken out where it stands, not cut at."""
MAX_THANKS = 6000
"""Characters of acknowledgements; a longer section under that name stays."""

_BIBLIOGRAPHIES = r"thebibliography|references|REFERENCES|bibdiv|chapthebibliography"
_BIBLIOGRAPHY = re.compile(rf"\\begin\{{({_BIBLIOGRAPHIES})\}}")
_BIBLIOGRAPHY_COMMAND = re.compile(
    r"\\(?:bibliography|printbibliography|nobibliography|bibliographystyle)\*?(?![A-Za-z@])"
)
_END = re.compile(
    rf"\\bibliography\s*\{{|\\begin\{{(?:{_BIBLIOGRAPHIES})\}}|\\printbibliography(?![A-Za-z])|\\Refs(?![A-Za-z])"
    r"|\\input\s*\{?\s*[\w./-]{1,80}\.bbl|\\(?:section|chapter)\*?\s*\{\s*(?i:references|bibliography|literature)\s*\}"
    r"|\\centerline\s*\{\s*(?:\\[a-z]+\s*)*(?i:references|bibliography)\s*\}|\\beginsection\s+(?i:references)\b"
)
_STOP = re.compile(r"\\end\{document\}|\\enddocument(?![A-Za-z])|\\bye(?![A-Za-z])")
_CHAPTER = re.compile(
    r"\\(?:(chapter|part)\b(?!\*?\s*\{\s*(?i:references|bibliography))|appendix\b|begin\{appendi(?:x|ces)\})"
)


def cut(body: str) -> str:
    """`body` up to its bibliography. One that chapters of a book follow, or that stands near the start, is taken out
    where it is instead; appendices before the bibliography stay, those behind it go with it."""
    stop = _STOP.search(body)
    body = body[: stop.start()] if stop and body[: stop.start()].strip() else body
    last = _last_chapter(body)
    for end in _END.finditer(body):
        if end.start() >= max(last, MIN_SHARE * len(body)) and body[: end.start()].strip():
            body = body[: end.start()]
            break
    body = replace_environments(body, _BIBLIOGRAPHY, lambda _: "")
    return remove_commands(body, _BIBLIOGRAPHY_COMMAND)


def _last_chapter(body: str) -> int:
    """Where the last chapter before the appendix begins, or 0 in a paper without chapters."""
    last = 0
    for match in _CHAPTER.finditer(body):
        if match[1] is None and last:
            break
        last = match.start() if match[1] else last
    return last


# --- figures ---------------------------------------------------------------------------------------------------------

_FLOAT = re.compile(r"\\begin\{((?:wrap|SC|sideways|margin|floating|sub|fps|tea(?:ser))?figure\*?)\}")
_DRAWINGS = (
    r"tikzpicture|pspicture\*?|asy|asydef|picture|pgfpicture|forest|filecontents\*?|psfrags|overpic|circuitikz"
    r"|luacode\*?"
)
_DRAWING = re.compile(rf"\\begin\{{({_DRAWINGS})\}}")
_GRAPHICS = re.compile(
    rf"\\(?:includegraphics|epsf|psfig|epsfig|plotone|plottwo|xymatrix|tikz|begin\{{(?:{_DRAWINGS}|tikzcd)\}})"
)
_CONTENT = re.compile(
    r"\\\[|\$\$|\\begin\{(?:tabular|array|align|equation|gather|eqnarray|mathpar|algorithm|prooftree|verbatim|lstlisting"
    r"|enumerate|itemize|description)"
)
_CAPTION = re.compile(
    r"\\(?:(?:sub)?caption\*?|captionof\*?\s*\{\w{1,20}\}|figcaption|(sub(?:float|figure)))(?![A-Za-z@])"
)
_EMPTY = re.compile(r"\\begin\{(center|figure\*?|minipage|flushleft|flushright)\}\s*\\end\{\1\}|\\\[\s*\\\]")


def floats(body: str) -> str:
    """Figures to their captions, drawings out. A figure of formulas or of a table, without any picture, stays."""
    body = replace_environments(body, _FLOAT, _figure)
    body = replace_environments(body, _DRAWING, lambda _: "")
    return _EMPTY.sub("", _EMPTY.sub("", body))


def _figure(figure: str) -> str:
    if _CONTENT.search(figure) and not _GRAPHICS.search(figure):
        return figure
    return "\n".join(f"\\caption{{{text}}}" for text in captions(figure) if text.strip())


def captions(figure: str) -> list[str]:
    """The captions of a figure and of its parts, in order."""
    out, reader, done = [], Reader(figure), 0
    for match in _CAPTION.finditer(figure):
        if match.start() < done:
            continue
        at = reader.blanks(match.end())
        short = reader.bracket(at)
        start = reader.blanks(short) if short is not None else at
        if match[1]:
            out.append(figure[at + 1 : short - 1] if short is not None else "")
        elif (end := reader.group(start)) is not None:
            out.append(figure[start + 1 : end - 1])
            done = end
    return out


# --- front matter, acknowledgements, layout ---------------------------------------------------------------------------

_FRONT = re.compile(
    r"\\(?:author|address|email|thanks|affiliation|altaffiliation|affil|institute|institution|date|authorrunning|titlerunning"
    r"|orcid|curraddr|inst|urladdr|altaffilmark|altaffiltext|correspondingauthor|cortext|corref|fnref|fntext|ead|homepage|authornote"
    r"|collaboration|noaffiliation|preprint|pacs|subjclass|dedicatory|received|revised|accepted|published|copyrightyear|journalname"
    r"|icmlauthor|icmlaffiliation|icmlcorrespondingauthor|shorttitle|shortauthors|runningtitle|runningauthor)\*?(?![A-Za-z@])"
)
_LAYOUT = re.compile(
    r"\\(?:vspace|hspace|pagebreak|bibliographystyle|pagestyle|thispagestyle|pagenumbering|setcounter|addtocounter|setlength"
    r"|addtolength|includegraphics|addcontentsline|markboth|markright|index|nocite|usepackage|graphicspath|hypersetup|newtheorem"
    r"|theoremstyle|newcounter|numberwithin|epsfig|epsfbox|psfig|newlength|enlargethispage|includeonly|allowdisplaybreaks"
    r"|maketitle|newgeometry|geometry)\*?(?![A-Za-z@])"
)
_GROUPS = {
    "setcounter": 2, "addtocounter": 2, "setlength": 2, "addtolength": 2, "addcontentsline": 3, "markboth": 2,
    "newtheorem": 2, "icmlauthor": 2, "icmlaffiliation": 2, "icmlcorrespondingauthor": 2, "altaffiltext": 2,
    "noaffiliation": 0, "maketitle": 0, "allowdisplaybreaks": 0, "pagebreak": 0, "altaffilmark": 1,
}  # fmt: skip
"""How many arguments in braces a command has, where that is not one."""
_BARE_LAYOUT = re.compile(
    r"\\(?:tableofcontents|listoffigures|listoftables|newpage|clearpage|cleardoublepage|noindent|frontmatter|mainmatter|backmatter"
    r"|printindex|phantomsection|medskip|bigskip|smallskip|nopagenumbers|vfill|hfill|null|makeatletter|makeatother|flushbottom"
    r"|raggedbottom|onecolumn|sloppy|topmatter|endtopmatter|document|linenumbers|doublespacing|singlespacing|balance|looseness"
    r"|nolinenumbers|makeindex|twocolumn(?!\s*\[)|centering)(?![A-Za-z@])[ \t]*"
)
_SIZES = re.compile(
    r"\\(?:[vh]skip|kern|parindent|parskip|[hv]size|[hv]offset|baselineskip|baselinestretch|topmargin|(?:odd|even)sidemargin|epsf[xy]size"
    r"|text(?:width|height)|magnification|topskip|leftskip|rightskip|tolerance|hbadness|vbadness|pageno|abovedisplayskip"
    r"|belowdisplayskip)\s{0,3}=?\s{0,3}(?:-?[\d.]+\s?(?:true\s?)?(?:pt|cm|mm|in|em|ex|pc|sp|bp|mu)?(?![a-z])|\\magstep\s?\w+)"
    r"(?:\s?(?:plus|minus)\s?-?[\d.]+\s?(?:pt|cm|mm|in|em|ex|fil+)){0,2}"
)
_OLD_FRONT = re.compile(r"\\(author|affil|address|curraddr|email|thanks|date|subjclass)(?![A-Za-z@])(?!\s?[\[{])")
_THANKS = re.compile(
    r"\\(?:(?:sub)*section|chapter)\*?\s?\{\s?(?:\\[a-z]+\s)?(?i:acknowledge?ments?)\b[^{}\n]{0,40}\}"
    r"|\\(?i:acknowledge?ments?)(?![A-Za-z@])|\\ack(?![A-Za-z@])"
)
_THANKS_ENVIRONMENT = re.compile(r"\\begin\{((?i:acknowledge?ments?|acks?))\}")
_AFTER_THANKS = re.compile(
    r"\\(?:(?:sub)*section|chapter|part|appendix|appendices|begin\{(?!itemize|quote|center)|bibliography|end\{document\}|newpage)(?![A-Za-z@])|\\begin\{"
)
_BLANK_ENDS = re.compile(r"(?<![ \t])[ \t]+\n")
_BLANK_LINES = re.compile(r"\n{3,}")


def matter(body: str) -> str:
    """`body` without authors and their addresses, acknowledgements, and commands that only lay out the page."""
    if "\\topmatter" in body:
        body = _old_front(body)
    body = replace_environments(body, _THANKS_ENVIRONMENT, lambda _: "")
    body = remove_commands(remove_commands(_thanks(body), _FRONT, _GROUPS), _LAYOUT, _GROUPS)
    return _SIZES.sub("", _BARE_LAYOUT.sub(_nothing, body))


def _nothing(match: re.Match[str]) -> str:
    """What a command without arguments leaves: a blank where the one before it would run into the next word."""
    before, after = (
        match.string[max(0, match.start() - 40) : match.start()],
        match.string[match.end() : match.end() + 1],
    )
    return glue(before, after) or (" " if before[-1:].isalpha() and after.isalpha() else "")


def _old_front(body: str) -> str:
    """AMS-TeX writes `\\author ... \\endauthor`."""
    out, at = [], 0
    for match in _OLD_FRONT.finditer(body, 0, body.find("\\endtopmatter") + 1 or len(body)):
        close = f"\\end{match[1]}"
        end = body.find(close, match.end(), match.end() + 3000) if match.start() >= at else -1
        if end >= 0:
            out.append(body[at : match.start()])
            at = end + len(close)
    return "".join([*out, body[at:]])


def _thanks(body: str) -> str:
    out, at, reader = [], 0, Reader(body)
    for match in _THANKS.finditer(body):
        if match.start() < at:
            continue
        end = reader.group(reader.blanks(match.end())) if match[0][-1] != "}" else None
        if end is None:
            after = _AFTER_THANKS.search(body, match.end(), match.end() + MAX_THANKS)
            whole = len(body) if len(body) - match.end() < MAX_THANKS else None
            end = after.start() if after else whole
        if end is not None:
            out.append(body[at : match.start()])
            at = end
    return "".join([*out, body[at:]])


def tidy(text: str) -> str:
    """`text` without blanks at the ends of lines, and with one empty line at most between two others."""
    return _BLANK_LINES.sub("\n\n", _BLANK_ENDS.sub("\n", text)).strip()
