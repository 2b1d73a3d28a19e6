"""Macro definitions as values: what `\\newcommand`, `\\def`, `\\let`, `\\NewDocumentCommand` and their kin say."""

from __future__ import annotations

import re
from typing import NamedTuple

from llemma.corpus.latex.scan import Reader

MAX_BODY = 4000
"""Characters; a longer body is a program or a page, not an abbreviation."""


class Parameter(NamedTuple):
    """How one argument is read: `kind` m (group or token), o (`[...]`, else `text`), s (a star), t (the token `text`),
    d (between `text[0]` and `text[1]`), u (up to `text`), l (the literal `text`, no argument)."""

    kind: str
    text: str = ""


class Macro(NamedTuple):
    """What a call is replaced with: `body` with `#1` to `#9`; `final` bodies are not expanded again."""

    parameters: tuple[Parameter, ...]
    body: str
    final: bool = False


class Definition(NamedTuple):
    """A definition that ends at `end`. `macro` is None when calls of `name` must stay as they are."""

    name: str
    macro: Macro | None
    end: int


NO_VALUE = "-NoValue-"
MANDATORY = Parameter("m")
_NAME = re.compile(r"\s*(?:\{\s*\\([A-Za-z@]+|[^A-Za-z@\s])\s*\}|\\([A-Za-z@]+|[^A-Za-z@\s]))")
_LET = re.compile(r"\s*\\([A-Za-z@]+|[^A-Za-z@\s\\])\s*=?\s?(\\(?:[A-Za-z@]+|[^A-Za-z@\s])|[^\s\\{}#%])")
# Bodies that program TeX instead of naming something; expanding them would give noise.
_PROGRAM = re.compile(
    r"\\(?:expandafter|csname|futurelet|if[a-z@]*|else|fi|begingroup|bgroup|global|let|[gex]?def|newcommand|catcode|@[A-Za-z@]*"
    r"|setcounter|addtocounter|stepcounter|refstepcounter|setlength|addtolength|write|read|loop|setbox|hbox\s+to|kern|the"
    r"|advance|halign|vrule|hrule|special|pdf[a-z]+|ifnextchar|number|penalty|discretionary|ooalign)(?![A-Za-z])"
)
_NOT_IF = re.compile(r"\\iff(?![A-Za-z@])")
# Structure must stay readable even where a paper restyles it.
_KEEP = re.compile(
    r"the(?:page|part|chapter|(?:sub)*section|(?:sub)?paragraph|equation|figure|table|theorem|footnote|enum[iv]+|mpfootnote)"
    r"|(?:sub)*section|chapter|part|(?:sub)?paragraph|item|caption|label|ref|eqref|cite[a-z]*|begin|end|title|author|abstract"
    r"|footnote|emph|textbf|textit|input|include|maketitle|[a-z]+name|baselinestretch|arraystretch|par|left|right|middle"
    r"|document|bibliography|bibitem|newline|normalsize|small|rm|bf|it|sf|tt|[\\{}%$&#_()\[\] ~^,;:!]"
)
_MODE = re.compile(r"\\ifmmode\s*(.{1,400}?)\\else(?![A-Za-z]).{0,420}?\\fi(?![A-Za-z])\s?", re.DOTALL)
_NOTHING = re.compile(r"\\(?:xspace|protect|relax)(?![A-Za-z])[ \t]*")
_ENVIRONMENT = re.compile(r"\s*\{([A-Za-z]+\*?)\}")
_FORMULA = re.compile(
    r"\\(begin|end)\{(?:equation|eqnarray|align|alignat|gather|multline|displaymath|math|flalign|subequations|split|aligned"
    r"|array|[pbvBV]?matrix|cases|dcases)\*?\}"
)


def definition(reader: Reader, word: str, at: int) -> Definition | None:
    """The definition whose command `word` ends at `at`, or None when it is not understood."""
    if reader.text[at : at + 1] == "*":
        at, word = at + 1, f"{word}*"
    if word == "let":
        return _let(reader, at)
    named = _NAME.match(reader.text, at)
    if named is None:
        return None
    name, at = named[1] or named[2], named.end()
    kind = KINDS[word.rstrip("*")]
    if kind == "def":
        found = _delimited(reader, at)
    elif kind == "operator":
        return _operator(reader, name, at, word)
    elif kind == "paired":
        return _paired(reader, name, at, word)
    elif kind == "document":
        found = _document(reader, at)
    else:
        found = _classic(reader, at, kind)
    return found and _with_body(reader, name, found[1], found[0])


KINDS = {
    **dict.fromkeys(("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newrobustcmd"), "new"),
    **dict.fromkeys(("renewrobustcmd", "providerobustcmd", "newcommandx", "renewcommandx", "providecommandx"), "new"),
    **dict.fromkeys(("def", "gdef", "edef", "xdef"), "def"),
    **dict.fromkeys(("DeclareMathOperator", "operator"), "operator"),
    **dict.fromkeys(("DeclarePairedDelimiter", "DeclarePairedDelimiterX"), "paired"),
    **dict.fromkeys(
        (
            f"{verb}{adjective}DocumentCommand"
            for verb in ("New", "Renew", "Provide", "Declare")
            for adjective in ("", "Expandable")
        ),
        "document",
    ),
    "let": "let",
}  # fmt: skip
"""What defines a macro, and how it is written."""


def usable(parameters: tuple[Parameter, ...], body: str) -> Macro | None:
    """The macro, or None when its body is no abbreviation but a program."""
    if "\\ifmmode" in body:
        body = _MODE.sub(lambda match: f"\\ensuremath{{{match[1].strip()}}}", body)
    if len(body) > MAX_BODY or _PROGRAM.search(_NOT_IF.sub("", body)):
        return None
    return Macro(parameters, _NOTHING.sub("", body))


def _with_body(reader: Reader, name: str, at: int, parameters: tuple[Parameter, ...]) -> Definition | None:
    at = reader.blanks(at)
    end = reader.group(at)
    if end is None:
        return None
    return Definition(name, usable(parameters, reader.text[at + 1 : end - 1]) if may_expand(name) else None, end)


def may_expand(name: str) -> bool:
    """Whether a definition of `name` changes the text: sections, references and their like stay as they are."""
    return not _KEEP.fullmatch(name)


def _let(reader: Reader, at: int) -> Definition | None:
    found = _LET.match(reader.text, at)
    if found is None:
        return None
    return Definition(found[1], Macro((), found[2], final=True) if may_expand(found[1]) else None, found.end())


Signature = tuple[tuple[Parameter, ...], int]


def _delimited(reader: Reader, at: int) -> Signature | None:
    """The parameter text of `\\def`: `#1#2`, or with delimiters, as in `(#1,#2)`."""
    brace = reader.text.find("{", at, at + 120)
    if brace < 0:
        return None
    pieces = re.split(r"#([1-9])", reader.text[at:brace])
    if len(pieces) == 1:
        literal = pieces[0].strip()
        return ((Parameter("l", literal),) if literal else (), brace) if "\n\n" not in pieces[0] else None
    first = (Parameter("l", pieces[0].strip()),) if pieces[0].strip() else ()
    rest = [Parameter("u", delimiter) if delimiter.strip() else MANDATORY for delimiter in pieces[2::2]]
    return (*first, *rest), brace


def _classic(reader: Reader, at: int, kind: str) -> Signature | None:
    """`[2][x]` of `\\newcommand`, `[3][1=a, 3=b]` of `\\newcommandx`."""
    parts: list[str] = []
    at = reader.blanks(at)
    while len(parts) < 2 and (end := reader.bracket(at)) is not None:
        parts.append(reader.text[at + 1 : end - 1].strip())
        at = reader.blanks(end)
    count = int(parts[0]) if parts and re.fullmatch("[1-9]", parts[0]) else 0
    parameters = [MANDATORY] * count
    if len(parts) > 1 and count:
        numbered = re.findall(r"([1-9])\s*=\s*((?:\{[^{}]*\}|[^,{}])*)", parts[1])
        for number, default in numbered or [("1", parts[1])]:
            if int(number) <= count:
                parameters[int(number) - 1] = Parameter("o", default.strip("{} ") if numbered else default)
    return tuple(parameters), at


def _document(reader: Reader, at: int) -> Signature | None:
    """The argument specification of `\\NewDocumentCommand`, as in `{s O{x} m}`."""
    at = reader.blanks(at)
    end = reader.group(at)
    return (
        (parameters, end)
        if end is not None and (parameters := _specified(reader.text[at + 1 : end - 1])) is not None
        else None
    )


_SPECIFIED = re.compile(
    r"\s*[+!]?(?:>\{[^{}]*\}\s*)?(?:(m)|(o)|(s)|O\s*\{((?:[^{}]|\{[^{}]*\})*)\}|t(\S)|([dr])(\S)(\S)|D(\S)(\S)\{([^{}]*)\})"
)


def _specified(text: str) -> tuple[Parameter, ...] | None:
    out: list[Parameter] = []
    text, at = text.strip(), 0
    while at < len(text) and len(out) < 9:
        found = _SPECIFIED.match(text, at)
        if found is None:
            return None
        at = found.end()
        if found[1]:
            out.append(MANDATORY)
        elif found[2] or found[4] is not None:
            out.append(Parameter("o", found[4] if found[4] is not None else NO_VALUE))
        elif found[3] or found[5]:
            out.append(Parameter("s", found[5] or "*"))
        elif found[6]:
            out.append(Parameter("d", found[7] + found[8] + NO_VALUE))
        else:
            out.append(Parameter("d", found[9] + found[10] + found[11]))
    return tuple(out)


def _operator(reader: Reader, name: str, at: int, word: str) -> Definition | None:
    found = _with_body(reader, name, at, ())
    if found is None or found.macro is None:
        return found
    star = "*" if word.endswith("*") else ""
    return found._replace(macro=found.macro._replace(body=f"\\operatorname{star}{{{found.macro.body}}}"))


def _paired(reader: Reader, name: str, at: int, word: str) -> Definition | None:
    """`\\DeclarePairedDelimiter\\abs{\\lvert}{\\rvert}`: `\\abs{x}`, `\\abs*{x}`, `\\abs[\\big]{x}`."""
    at, count, inner = reader.blanks(at), 1, "#3"
    if word.endswith("X"):
        end = reader.bracket(at)
        if end is None or not reader.text[at + 1 : end - 1].strip().isdecimal():
            return None
        count, at = min(int(reader.text[at + 1 : end - 1]), 7), end
    parts: list[str] = []
    for _ in range(3 if word.endswith("X") else 2):
        found = reader.argument(at)
        if found is None:
            return None
        parts.append(found[0])
        at = found[1]
    if len(parts) == 3:
        inner = re.sub(r"#([1-7])", lambda match: f"#{int(match[1]) + 2}", parts[2]).replace("\\delimsize", "")
    left, right = parts[:2]
    body = (
        rf"\IfBooleanTF{{#1}}{{\left{left} {inner} \right{right}}}{{\IfNoValueTF{{#2}}"
        rf"{{{left} {inner} {right}}}{{\mathopen{{#2{left}}} {inner} \mathclose{{#2{right}}}}}}}"
    )
    parameters = (Parameter("s", "*"), Parameter("o", NO_VALUE), *[MANDATORY] * count)
    return Definition(name, Macro(parameters, body), at)


def environment(reader: Reader, at: int) -> tuple[str, Macro | None, Macro | None, int] | None:
    """Name, opening, closing and end of a `\\newenvironment`. The macros are None unless the environment merely opens
    a formula: theorems and lists keep the names their author gave them."""
    if reader.text[at : at + 1] == "*":
        at += 1
    named = _ENVIRONMENT.match(reader.text, at)
    signature = _classic(reader, named.end(), "new") if named else None
    if named is None or signature is None:
        return None
    parameters, at = signature
    bodies: list[str] = []
    for _ in range(2):
        at = reader.blanks(at)
        end = reader.group(at)
        if end is None:
            return None
        bodies.append(reader.text[at + 1 : end - 1])
        at = end
    opening, closing = usable(parameters, bodies[0]), usable((), bodies[1])
    if opening is None or closing is None or not (_FORMULA.search(bodies[0]) and _FORMULA.search(bodies[1])):
        opening = closing = None
    return named[1], opening, closing, at
