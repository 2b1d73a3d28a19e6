"""The files of a paper: which is the main one, and what `\\input` puts where."""

from __future__ import annotations

import json
import posixpath
import re
from typing import NamedTuple

from llemma.corpus.latex.conditionals import resolve_conditionals
from llemma.corpus.latex.macros import Macros, collect, expand
from llemma.corpus.latex.scan import Reader, strip_comments

MAX_DEPTH = 20
MAX_INPUTS = 20_000
"""Of one paper; further ones leave nothing."""
MAX_REPEATS = 4
"""A paper with everything put in may be so many times as long as its files together (plus 1 MB)."""
MAX_HEADS = 500
"""Independent documents of an archive that are looked at, the largest first."""
MIN_NEW = 0.5
"""Share of a further document's lines that must be new; else it is another version of the first."""
MIN_SIDE = 3000
"""Characters; a smaller independent file beside the main one is a template or a note."""
STYLES = (".sty", ".cls", ".bbl", ".bib", ".bst", ".clo", ".def", ".fd")

_WORD = r"(?:include|subfile|subfileinclude|InputIfFileExists|IfFileExists)"
_INPUT = re.compile(
    rf"\\(?P<word>input|{_WORD})\s*\{{(?P<braced>[^{{}}]{{1,200}})\}}|\\input\s+(?P<bare>(?:\\[A-Za-z]+(?=[/.]))?[\w./~-]{{1,200}})"
    r"|\\(?:sub)?(?:import|includefrom|inputfrom)\*?\s*\{(?P<folder>[^{}]{0,200})\}\s*\{(?P<inside>[^{}]{1,200})\}"
    r"|\\endinput(?![A-Za-z])[^\n]*"
)
_ONLY = re.compile(r"\\includeonly\s*\{([^{}]{0,4000})\}")
_INPUT_MACRO = re.compile(rf"\\(?:input|{_WORD}|(?:sub)?import)\*?\s*\{{[^{{}}]{{0,200}}#[1-9]")
_DOCUMENT_CLASS = re.compile(r"\\document(?:class|style)\b")
_PLAIN = re.compile(
    r"\\(?:magnification|input\s+(?:amstex|amsppt|harvmac|phyzzx|lanlmac|eplain)|bye|topmatter|beginsection)\b"
)
_SIDE_NAME = re.compile(
    r"response|reply|rebuttal|cover|template|letter[-_]?to|diff|checklist|poster|slides", re.IGNORECASE
)
_EXCLUDED = re.compile(r"\\excludecomment\{([A-Za-z]+)\}")
_AUTO_IGNORE = re.compile(r"\s*%\s*auto-ignore\b")


class Assembled(NamedTuple):
    """A document with its inputs in place, the files it is made of in reading order, and the inputs not found."""

    text: str
    used: list[str]
    missing: list[str]


def without_comments(files: dict[str, str]) -> dict[str, str]:
    """Every file without its comments and `\\iffalse` parts."""
    return {name: _without_false(strip_comments(text)) for name, text in files.items()}


def _without_false(text: str) -> str:
    return resolve_conditionals(text) if "\\iffalse" in text and "\\newif" not in text else text


def roots(files: dict[str, str], named: list[str] | None = None) -> list[str]:
    """The independent documents of an archive, in reading order; `files` maps paths to text without comments.

    `named` are those that the archive itself names. Otherwise the first is the one that reaches most text, and others
    follow in order of name when most of their lines are new, are no cover letter by name, and are no snippets: a
    supplement, or the chapters of a book without a main file.
    """
    if named:
        return named
    tex = {name: text for name, text in files.items() if not name.lower().endswith(STYLES)}
    targets = {name: _targets(name, tex) for name in tex}
    heads = sorted(_heads(tex, targets), key=lambda name: -len(tex[name]))[:MAX_HEADS]
    reach = {name: _reach(name, targets) for name in heads}
    size = {name: sum(len(tex[part]) for part in reach[name]) for name in heads}
    order = sorted(heads, key=lambda name: (bool(_SIDE_NAME.search(posixpath.basename(name))), -size[name], name))
    chosen: list[str] = []
    told: set[str] = set()
    for name in order:
        if chosen and (_SIDE_NAME.search(posixpath.basename(name)) or size[name] < MIN_SIDE):
            continue
        lines = _lines(reach[name], tex)
        if not chosen or len(lines - told) > MIN_NEW * len(lines):
            chosen.append(name)
            told |= lines
    return chosen[:1] + sorted(chosen[1:]) if len(chosen) < 3 else sorted(chosen)


def _lines(names: set[str], files: dict[str, str]) -> set[str]:
    """The longer lines of a document's text, by which two versions of one paper are told from two papers."""
    bodies = (text[text.find("\\begin{document}") + 1 :] for text in (files[name] for name in names))
    return {line for body in bodies for line in body.split("\n") if len(line) > 25}


def _heads(tex: dict[str, str], targets: dict[str, list[str]]) -> list[str]:
    """Files that no other document puts in. A head inside another head is a `\\subfile`; one inside a bare wrapper (one
    a paper size, say) is the main file."""
    heads = [name for name, text in tex.items() if "\\begin{document}" in text]
    heads = heads or [name for name, text in tex.items() if _DOCUMENT_CLASS.search(text)]
    heads = heads or [name for name, text in tex.items() if _PLAIN.search(text)]
    return _not_included(heads, heads, targets) or _not_included(list(tex), list(tex), targets) or list(tex)


def toplevel(files: dict[str, str]) -> list[str]:
    """The main files that a `00README` of arXiv names: lines `main.tex toplevelfile`, or JSON with its `sources`."""
    out: list[str] = []
    for name, text in files.items():
        if not posixpath.basename(name).lower().startswith("00readme"):
            continue
        out += (
            _json_toplevel(text)
            if text.lstrip().startswith("{")
            else re.findall(r"^\s*(\S+)\s+toplevelfile\b", text, re.MULTILINE)
        )
        out += re.findall(r"filename:\s*[\"']?([^\s\"']+)[\"']?\s*\n\s*usage:\s*[\"']?toplevel\b", text)
    return [name for name in dict.fromkeys(out) if name in files]


def _json_toplevel(text: str) -> list[str]:
    try:
        entries = json.loads(text).get("sources", [])
        return [
            entry["filename"]
            for entry in entries
            if entry.get("usage") == "toplevel" and isinstance(entry["filename"], str)
        ]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return []


def ignored(text: str) -> bool:
    """Whether arXiv is told to pass over this file (its first line says `%auto-ignore`)."""
    return _AUTO_IGNORE.match(text) is not None


def _is_preamble(part: str) -> bool:
    """Shared by documents that are otherwise apart: only preambles and macro files are small and everywhere."""
    return bool(re.search(r"preamble|macro|header|defs?\b|commands|packages|style", part, re.IGNORECASE))


def _not_included(names: list[str], includers: list[str], targets: dict[str, list[str]]) -> list[str]:
    included = {target for name in includers for target in targets[name]}
    return [name for name in names if name not in included]


def _targets(name: str, files: dict[str, str]) -> list[str]:
    found = [resolve(wanted(match), name, files) for match in _INPUT.finditer(files[name])]
    return list(dict.fromkeys(target for target in found if target is not None and target != name))


def _reach(name: str, targets: dict[str, list[str]]) -> set[str]:
    seen, waiting = {name}, [name]
    while waiting:
        for target in targets[waiting.pop()]:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def wanted(match: re.Match[str]) -> str:
    """The path that an `\\input` asks for; "" for `\\endinput`."""
    path = match["braced"] or match["bare"] or posixpath.join(match["folder"] or "", match["inside"] or "")
    return path.strip().strip('"').strip()


def resolve(path: str, current: str, files: dict[str, str]) -> str | None:
    """The file that `path` in `current` names, or None. Paths never leave the archive: `files` is all there is."""
    for folder in (posixpath.dirname(current), "", *_ancestors(current)) if path else ():
        base = posixpath.normpath(posixpath.join(folder, path))
        for candidate in (base, f"{base}.tex", f"{base}.ltx", f"{base}.TEX"):
            if candidate in files:
                return candidate
    return None


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def assemble(name: str, files: dict[str, str]) -> Assembled:
    """A document with every input put in its place; cycles and missing files leave nothing."""
    made = _Assembly(name, files)
    text = resolve_conditionals(made.text(name, (), all_of=True))
    for environment in list(dict.fromkeys(_EXCLUDED.findall(text)))[:20]:
        text = re.sub(rf"\\begin\{{{environment}\}}.*?(?:\\end\{{{environment}\}}|\Z)", "", text, flags=re.DOTALL)
    return Assembled(text, list(dict.fromkeys(made.used)), list(dict.fromkeys(made.missing)))


class _Assembly:
    """One document as it grows."""

    def __init__(self, main: str, files: dict[str, str]) -> None:
        self.files, self.used, self.missing = files, list[str](), list[str]()
        self.left = 1_000_000 + MAX_REPEATS * sum(map(len, files.values()))
        self.inputs = MAX_INPUTS
        only = _ONLY.search(files[main])
        self.only = {part.strip() for part in only[1].split(",")} if only else None
        self.macros = self._macros(main)

    def _macros(self, main: str) -> Macros | None:
        """The macros that file names are made with, where any are."""
        texts = [self.files[main], *(text for name, text in self.files.items() if _is_preamble(name))]
        if not any(_INPUT_MACRO.search(text) or re.search(r"\\input\s*\{[^{}]*\\[A-Za-z]", text) for text in texts):
            return None
        macros = Macros()
        for text in texts:
            collect(text, macros)
        return macros

    def text(self, name: str, above: tuple[str, ...], *, all_of: bool = False) -> str:
        """The text of a file with its inputs; without its own preamble unless `all_of`."""
        text = self.files[name]
        self.left -= len(text)
        if self.left < 0:
            return ""
        self.used.append(name)
        if self.macros is not None:
            text = _wrappers_expanded(text, self.macros)
        text = self._put_in(text, name, above)
        return text if all_of else _inner_document(text)

    def _put_in(self, text: str, name: str, above: tuple[str, ...]) -> str:
        out: list[str] = []
        at, reader = 0, Reader(text)
        for match in _INPUT.finditer(text):
            if match.start() < at:
                continue
            if match[0].startswith("\\endinput"):
                return "".join([*out, text[at : match.start()]])
            path = wanted(match)
            if path.endswith(".bbl") or "#" in path:
                continue
            out.append(text[at : match.start()])
            found, at = self._one(match, path, name, above)
            if match["word"] in ("InputIfFileExists", "IfFileExists"):
                branch, at = _branch(reader, at, found is not None)
                branch = self._put_in(branch, name, (*above, "")) if len(above) < MAX_DEPTH else ""
                found = (found or "") * (match["word"] == "InputIfFileExists") + branch
            out.append(found or "")
        return "".join([*out, text[at:]])

    def _one(self, match: re.Match[str], path: str, name: str, above: tuple[str, ...]) -> tuple[str | None, int]:
        if "\\" in path and self.macros is not None:
            path = expand(path, self.macros).replace("{}", "").strip()
        target = resolve(path.replace("\\relax", ""), name, self.files)
        if match["word"] == "IfFileExists":
            return ("" if target else None), match.end()
        if match["word"] == "include" and self.only is not None and path.removesuffix(".tex") not in self.only:
            return "", match.end()
        if target is None:
            self.missing.append(path)
            return None, match.end()
        self.inputs -= 1
        if target in above or target == name or len(above) >= MAX_DEPTH or self.inputs < 0:
            return "", match.end()
        return self.text(target, (*above, name)), match.end()


def _branch(reader: Reader, at: int, there: bool) -> tuple[str, int]:
    """The branch of `\\IfFileExists{...}{then}{else}` that is taken, and where both end."""
    parts: list[str] = []
    for _ in range(2):
        start = reader.blanks(at)
        end = reader.group(start)
        if end is None:
            break
        parts.append(reader.text[start + 1 : end - 1])
        at = end
    return (parts[0] if there else parts[1]) if len(parts) == 2 else "", at


def _wrappers_expanded(text: str, macros: Macros) -> str:
    """`text` with the calls expanded of those macros that put files in."""
    wrappers = Macros()
    wrappers.commands = {name: macro for name, macro in macros.commands.items() if _INPUT_MACRO.search(macro.body)}
    pattern = re.compile(rf"\\(?:{'|'.join(map(re.escape, wrappers.commands))})(?![A-Za-z@])")
    if not wrappers.commands or not pattern.search(text):
        return text
    start = text.find("\\begin{document}") + 1  # what defines them stays in the preamble
    return text[:start] + expand(text[start:], wrappers)


def _inner_document(text: str) -> str:
    """What a file with its own preamble (`\\subfile`) gives to the one that includes it."""
    start, end = text.find("\\begin{document}"), text.rfind("\\end{document}")
    if _DOCUMENT_CLASS.search(text) and 0 <= start < end:
        return text[start + len("\\begin{document}") : end]
    return text
