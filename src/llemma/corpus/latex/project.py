"""The files of a paper: which is the main one, and what `\\input` puts where."""

from __future__ import annotations

import posixpath
import re

from llemma.corpus.latex.scan import strip_comments

MAX_DEPTH = 20
MAX_CHARS = 60_000_000
"""Of a paper with everything put in; what would go beyond is left out."""
MIN_SIDE = 3000
"""Characters; a smaller independent file beside the main one is a template or a note."""

_INPUT = re.compile(
    r"\\(?:input|include|subfile|subfileinclude|InputIfFileExists)\s*\{([^{}]{1,200})\}|\\input\s+([\w./-]{1,200})"
    r"|\\(?:sub)?(?:import|includefrom|inputfrom)\*?\s*\{([^{}]{0,200})\}\s*\{([^{}]{1,200})\}"
)
_DOCUMENT_CLASS = re.compile(r"\\document(?:class|style)\b")
_SIDE_NAME = re.compile(
    r"response|reply|rebuttal|cover|template|letter[-_]?to|diff|checklist|poster|slides", re.IGNORECASE
)


def roots(files: dict[str, str]) -> list[str]:
    """The independent documents of an archive, in reading order; `files` maps paths to text without comments.

    The first is the one that reaches most text. Others follow in order of name when they share no file with it, are no
    cover letter by name, and are no snippets: a supplement, or the chapters of a book without a main file.
    """
    tex = {name: text for name, text in files.items() if not name.endswith((".sty", ".cls", ".bbl"))}
    heads = [name for name, text in tex.items() if "\\begin{document}" in text]
    heads = heads or [name for name, text in tex.items() if _DOCUMENT_CLASS.search(text)]
    # A head inside another head is a \\subfile; one inside a bare wrapper (one a paper size, say) is the main file.
    heads = (
        _not_included(heads, {name: tex[name] for name in heads}, tex)
        or _not_included(list(tex), tex, tex)
        or list(tex)
    )
    reach = {name: _reach(name, tex) for name in heads}
    size = {name: sum(len(tex[part]) for part in reach[name]) for name in heads}
    order = sorted(heads, key=lambda name: (bool(_SIDE_NAME.search(posixpath.basename(name))), -size[name], name))
    chosen: list[str] = []
    taken: set[str] = set()
    for name in order:
        own = {part for part in reach[name] if not _is_preamble(part, reach, heads)}
        side = chosen and (_SIDE_NAME.search(posixpath.basename(name)) or size[name] < MIN_SIDE)
        if not side and not own & taken:
            chosen.append(name)
            taken |= own
    return chosen[:1] + sorted(chosen[1:]) if len(chosen) < 3 else sorted(chosen)


def _is_preamble(part: str, reach: dict[str, set[str]], heads: list[str]) -> bool:
    """Shared by documents that are otherwise apart: only preambles and macro files are small and everywhere."""
    return part not in heads and bool(
        re.search(r"preamble|macro|header|defs?\b|commands|packages|style", part, re.IGNORECASE)
    )


def _not_included(names: list[str], includers: dict[str, str], files: dict[str, str]) -> list[str]:
    included = {target for name in includers for target in _targets(name, files)}
    return [name for name in names if name not in included]


def _targets(name: str, files: dict[str, str]) -> list[str]:
    found = (resolve(match, name, files) for match in _INPUT.finditer(files[name]))
    return [target for target in found if target is not None and target != name]


def _reach(name: str, files: dict[str, str]) -> set[str]:
    seen, waiting = {name}, [name]
    while waiting:
        for target in _targets(waiting.pop(), files):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def resolve(match: re.Match[str], current: str, files: dict[str, str]) -> str | None:
    """The file that an `\\input` in `current` names, or None. Paths never leave the archive: `files` is all there
    is."""
    wanted = match[1] or match[2] or posixpath.join(match[3] or "", match[4] or "")
    wanted = wanted.strip().strip('"')
    for folder in (posixpath.dirname(current), "", *_ancestors(current)):
        base = posixpath.normpath(posixpath.join(folder, wanted)) if wanted else ""
        for candidate in (base, f"{base}.tex", f"{base}.ltx"):
            if candidate in files:
                return candidate
    return None


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def assemble(name: str, files: dict[str, str]) -> str:
    """The text of a document with every input put in its place; cycles and missing files leave nothing."""
    return _assemble(name, files, (), [MAX_CHARS])


def _assemble(name: str, files: dict[str, str], above: tuple[str, ...], left: list[int]) -> str:
    text, out, at = files[name], [], 0
    left[0] -= len(text)
    if left[0] < 0:
        return ""
    for match in _INPUT.finditer(text):
        target = resolve(match, name, files)
        out.append(text[at : match.start()])
        at = match.end()
        if target and target not in above and target != name and len(above) < MAX_DEPTH:
            inner = _assemble(target, files, (*above, name), left)
            out.append(_inner_document(inner))
    return "".join([*out, text[at:]])


def _inner_document(text: str) -> str:
    """What a file with its own preamble (`\\subfile`) gives to the one that includes it."""
    start, end = text.find("\\begin{document}"), text.rfind("\\end{document}")
    if _DOCUMENT_CLASS.search(text) and 0 <= start < end:
        return text[start + len("\\begin{document}") : end]
    return text


def without_comments(files: dict[str, str]) -> dict[str, str]:
    """Every file without its comments."""
    return {name: strip_comments(text.replace("\r\n", "\n").replace("\r", "\n")) for name, text in files.items()}
