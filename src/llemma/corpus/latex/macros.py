"""Macros of a paper: definitions read where they stand, calls replaced with their arguments, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from llemma.corpus.latex.definitions import KINDS, MANDATORY, NO_VALUE, Macro, Parameter, definition, environment
from llemma.corpus.latex.scan import VERBATIM, Ends, Reader, glue

MAX_DEPTH = 25
"""Calls inside calls; a macro that calls itself stops here."""
MAX_GROWTH = 6
"""Expanded text may be this many times as long as the text (plus 1 MB); past that, calls stay as they are."""

BUILT_IN = {
    "texorpdfstring": Macro((MANDATORY, MANDATORY), "#1"),
    "mathchoice": Macro((MANDATORY,) * 4, "#1"),
    "IEEEPARstart": Macro((MANDATORY, MANDATORY), "#1#2"),
}
"""Commands of packages that come between a reader and the text."""

_TOKEN = re.compile(r"\\(?:([A-Za-z@]+)|.)", re.DOTALL)
_VERBATIM = re.compile(rf"\\begin\{{({VERBATIM})\}}")
_VERB = re.compile(r"\*?([^A-Za-z\s*])[^\n]{0,400}?\1")
_ENVIRONMENT = re.compile(r"\{([A-Za-z]+\*?)\}")
_PARAMETER = re.compile(r"##?([1-9])")
_BRANCH = re.compile(r"\\If(Boolean|NoValue|Value)(TF|T|F)(?=\{)")
_PREFIX = re.compile(r"\s{0,3}(?:\\(?:long|global|outer|protected)\s{0,3}){0,4}\\([gex]?def|let)(?![A-Za-z@])")
_SCRIPT = re.compile(r"[_^][ \t]*\Z")
_COMMAND = re.compile(r"\\[A-Za-z]+|.", re.DOTALL)


class Macros:
    """What is defined so far: commands by name, environments by name as (opening, closing)."""

    def __init__(self) -> None:
        self.commands: dict[str, Macro] = dict(BUILT_IN)
        self.environments: dict[str, tuple[Macro, Macro]] = {}
        self.cache: dict[str, str] = {}

    def define(self, name: str, macro: Macro | None, word: str = "") -> None:
        """Enter a definition; None takes an older one out. `\\providecommand` yields to what is there."""
        if word.startswith(("provide", "Provide")) and name in self.commands:
            return
        self.cache.clear()
        if macro is None:
            self.commands.pop(name, None)
        elif macro.final and macro.body[1:] in self.commands:
            self.commands[name] = self.commands[macro.body[1:]]
        elif macro.body != f"\\{name}":
            self.commands[name] = macro


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left


def expand(text: str, macros: Macros) -> str:
    """`text` without its definitions, which go into `macros`, and with every call replaced.

    Read in one pass, as TeX reads: a call means what was defined last before it. Verbatim parts stay.
    """
    return _Expansion(text, macros, 0, _Budget(1_000_000 + MAX_GROWTH * len(text))).run()


def collect(text: str, macros: Macros) -> None:
    """Enter the definitions of `text` (a style file) into `macros`."""
    _Expansion(text, macros, MAX_DEPTH, _Budget(-1)).run()


class _Expansion:
    """One pass over one text."""

    def __init__(self, text: str, macros: Macros, depth: int, budget: _Budget) -> None:
        self.text, self.macros, self.depth, self.budget = text, macros, depth, budget
        self.reader, self.ends = Reader(text), Ends(text)
        self.out: list[str] = []
        self.at = 0
        self.verbatim = depth == 0 and _VERBATIM.search(text) is not None

    def run(self) -> str:
        """The expanded text."""
        commands, skip = self.macros.commands, 0
        environments = self.macros.environments
        for match in _TOKEN.finditer(self.text):
            name = match[1] or match[0][1:]
            handle: Callable[[str, re.Match[str]], int]
            if name in commands:
                handle = self._call
            elif name in _DEFINE:
                handle = self._define
            elif name in ("begin", "end") and (environments or self.verbatim):
                handle = self._environment
            elif name in ("verb", "Verb", "lstinline"):
                handle = self._verb
            else:
                continue
            if match.start() >= max(self.at, skip):
                skip = handle(name, match)
        return "".join([*self.out, self.text[self.at :]]) if self.out else self.text

    def _replace(self, start: int, end: int, body: str) -> int:
        """Put `body` in the place of `text[start:end]`."""
        before = self.text[self.at : start]
        self.out += [before, glue(before or (self.out[-1] if self.out else ""), body), body]
        self.out.append(glue(body, self.text[end : end + 1]))
        self.at = end
        return end

    def _define(self, word: str, match: re.Match[str]) -> int:
        if word in ("long", "global", "outer", "protected"):
            prefixed = _PREFIX.match(self.text, match.end())
            if prefixed is None:
                return match.end()
            word, at = prefixed[1], prefixed.end()
        else:
            at = match.end()
        if word.endswith("environment"):
            return self._define_environment(match.start(), at)
        found = definition(self.reader, word, at)
        if found is None:
            return at
        self.macros.define(found.name, found.macro, word)
        return self._replace(match.start(), found.end, "")

    def _define_environment(self, start: int, at: int) -> int:
        found = environment(self.reader, at)
        if found is None:
            return at
        name, opening, closing, end = found
        if opening and closing:
            self.macros.environments[name] = opening, closing
        return self._replace(start, end, "")

    def _verb(self, name: str, match: re.Match[str]) -> int:
        found = _VERB.match(self.text, match.end())
        return found.end() if found else match.end()

    def _environment(self, name: str, match: re.Match[str]) -> int:
        """A verbatim part is passed over, an abbreviation of a formula's environment replaced."""
        verbatim = _VERBATIM.match(self.text, match.start())
        if verbatim:
            return self.ends.after(verbatim[1], verbatim.end()) or match.end()
        named = _ENVIRONMENT.match(self.text, match.end())
        pair = self.macros.environments.get(named[1]) if named else None
        if named is None or pair is None:
            return match.end()
        macro = pair[0] if name == "begin" else pair[1]
        call = arguments(self.reader, named.end(), macro.parameters)
        return self._expanded(match.start(), call, macro) if call and self.budget.left >= 0 else match.end()

    def _call(self, name: str, match: re.Match[str]) -> int:
        if self.budget.left < 0:
            return match.end()
        macro = self.macros.commands[name]
        if not macro.parameters:
            return self._plain_call(name, macro, match)
        call = arguments(self.reader, match.end(), macro.parameters)
        return self._expanded(match.start(), call, macro) if call else match.end()

    def _plain_call(self, name: str, macro: Macro, match: re.Match[str]) -> int:
        body = self.macros.cache.get(name)
        if body is None:
            body = self._deeper(macro.body, macro.final)
            self.macros.cache[name] = body
        self.budget.left -= len(body) + 1
        end = match.end()
        if self.text.startswith("{}", end) and self.text[end + 2 : end + 3] not in ("_", "^", "'"):
            end += 2
        return self._replace(match.start(), end, self._scripted(match.start(), body))

    def _scripted(self, at: int, body: str) -> str:
        """In braces where `body` is a script of several parts: `x^\\tr` means `x^{\\operatorname{tr}}`."""
        if body[:1] != "\\" or self.text[at - 1 : at] not in ("_", "^"):
            return body
        first = _COMMAND.match(body)
        return body if first is None or first.end() == len(body) else f"{{{body}}}"

    def _expanded(self, start: int, call: tuple[list[str], int], macro: Macro) -> int:
        body = substitute(macro.body, call[0])
        self.budget.left -= len(body) + 1
        return self._replace(start, call[1], self._scripted(start, self._deeper(body, macro.final)))

    def _deeper(self, body: str, final: bool) -> str:
        if final or self.depth >= MAX_DEPTH or self.budget.left < 0 or "\\" not in body:
            return body
        return _Expansion(body, self.macros, self.depth + 1, self.budget).run()


_DEFINE = {
    *KINDS, "long", "global", "outer", "protected", "newenvironment", "renewenvironment", "provideenvironment",
} - {"operator"}  # fmt: skip


def arguments(reader: Reader, at: int, parameters: tuple[Parameter, ...]) -> tuple[list[str], int] | None:
    """The arguments of a call behind its name, and where they end; None when they are not there."""
    values: list[str] = []
    for kind, text in parameters:
        if kind == "m":
            found = reader.argument(at)
        elif kind == "l":
            start = reader.blanks(at)
            if not reader.text.startswith(text, start):
                return None
            at = start + len(text)
            continue
        else:
            found = _READ[kind](reader, at, text)
        if found is None:
            return None
        values.append(found[0])
        at = found[1]
    return values, at


def _optional(reader: Reader, at: int, default: str) -> tuple[str, int] | None:
    start = reader.blanks(at)
    end = reader.bracket(start)
    return (reader.text[start + 1 : end - 1], end) if end is not None else (default, at)


def _star(reader: Reader, at: int, token: str) -> tuple[str, int] | None:
    there = reader.text.startswith(token, at)
    return ("\\BooleanTrue", at + len(token)) if there else ("\\BooleanFalse", at)


def _between(reader: Reader, at: int, marks: str) -> tuple[str, int] | None:
    """An argument between two characters; the rest of `marks` is the default."""
    start = reader.blanks(at)
    end = reader.text.find(marks[1], start, start + 400) if reader.text.startswith(marks[0], start) else -1
    return (reader.text[start + 1 : end], end + 1) if end > 0 else (marks[2:], at)


def _up_to(reader: Reader, at: int, delimiter: str) -> tuple[str, int] | None:
    end = reader.text.find(delimiter, at, at + 1000)
    return (reader.text[at:end], end + len(delimiter)) if end >= 0 else None


_READ = {"o": _optional, "s": _star, "d": _between, "u": _up_to}


def substitute(body: str, values: list[str]) -> str:
    """`body` with its parameters replaced and xparse's questions about them answered."""
    if not values:
        return body
    if "\\If" in body:
        body = _answered(body, values)

    def value(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        text = values[index] if index < len(values) else ""
        return glue(body[max(0, match.start() - 40) : match.start()], text) + text

    return _PARAMETER.sub(value, body)


def _answered(body: str, values: list[str]) -> str:
    """`\\IfBooleanTF{#1}{..}{..}` and its kin, each replaced with the branch that `values` choose."""
    at = 0
    for _ in range(50):
        match = _BRANCH.search(body, at)
        if match is None:
            break
        reader = Reader(body)
        parts = list(_following(reader, match.end(), 1 + len(match[2])))
        if len(parts) <= len(match[2]):
            break
        wanted = "T" if _truth(match[1], parts[0][0], values) else "F"
        chosen = parts[1 + match[2].index(wanted)][0] if wanted in match[2] else ""
        body = body[: match.start()] + chosen + body[parts[-1][1] :]
        at = match.start()
    return body


def _following(reader: Reader, at: int, count: int) -> Iterator[tuple[str, int]]:
    for _ in range(count):
        found = reader.argument(at)
        if found is None:
            return
        yield found
        at = found[1]


def _truth(kind: str, asked: str, values: list[str]) -> bool:
    number = re.fullmatch(r"\s*#([1-9])\s*", asked)
    value = values[int(number[1]) - 1] if number and int(number[1]) <= len(values) else asked
    if kind == "Boolean":
        return value == "\\BooleanTrue"
    return (value == NO_VALUE) == (kind == "NoValue")
