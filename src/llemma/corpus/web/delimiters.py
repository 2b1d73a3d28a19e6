"""Formulas typed into text: `$..$`, `\\(..\\)`, `[tex]..[/tex]`, environments.

A formula may be cut by inline tags (Markdown turns `a_1 b_2` into `a<em>1 b</em>2`), so text is scanned a block at
a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from llemma.corpus.web import asciimath
from llemma.corpus.web.plausible import CHECKS, certain
from llemma.corpus.web.settings import ALWAYS, Pair
from llemma.corpus.web.shelf import Shelf

MAX_FORMULA = 8000
"""Characters; a delimiter whose partner is further away is text."""

_ENVIRONMENT = (
    r"\\begin\{(equation|align|gather|multline|eqnarray|displaymath|math|flalign|alignat|subequations|array|d?cases|split"
    r"|aligned(?:at)?|gathered|[pbvVB]?matrix|smallmatrix|CD)(\*?)\}"
)

# --- one block of text -----------------------------------------------------------------------------------------------

_INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "br",
        "cite",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "nobr",
        "q",
        "s",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_SKIP = frozenset(["pre", "code", "textarea", "script", "style", "samp", "kbd", "noscript"])
_GLUE = {"em": ("_", "_"), "i": ("_", "_"), "sub": ("_{", "}"), "sup": ("^{", "}"), "br": ("\n", "")}
_MARKS = ("$", "\\(", "\\[", "\\begin{", "tex]", "TEX]", "math]")


class Run(NamedTuple):
    """A stretch of text: where it hangs (`text` or `tail` of `node`), or, with no node, what a tag means in a
    formula."""

    node: Any
    tail: bool
    text: str


def shelve(tree: Any, shelf: Shelf, pairs: list[Pair], source: str) -> None:
    """Replace every typed formula in the tree by its token and escape the dollars that are left. `source` is the
    page's HTML."""
    opener, process = _opener(pairs), _process_classes(source)
    for block in _blocks(tree, pairs, source):
        if process and _is_ignored(block, process):
            used, first = [_NEVER], _opener([_NEVER])
        else:
            used, first = pairs, opener
        for runs in _runs(block):
            _scan_runs(runs, shelf, used, first)


_NEVER = Pair("$", "$", False, "never")
_IGNORE = frozenset(["tex2jax_ignore", "mathjax_ignore"])
_PROCESS = re.compile(r"process(?:Html)?Class['\"]?\s*:\s*['\"]([^'\"\n]{1,200})")


def _process_classes(source: str) -> frozenset[str]:
    """The classes that switch MathJax on again inside an ignored element; none where a page ignores no element."""
    if not any(name in source for name in _IGNORE):
        return frozenset()
    named = [name for words in _PROCESS.findall(source) for name in re.split(r"[|\s]+", words)]
    return frozenset(["tex2jax_process", "mathjax_process", *named])


def _is_ignored(node: Any, process: frozenset[str]) -> bool:
    while node is not None:
        names = set((node.get("class") or "").split())
        if names & process:
            return False
        if names & _IGNORE:
            return True
        node = node.getparent()
    return False


def _blocks(tree: Any, pairs: list[Pair], source: str) -> list[Any]:
    """The block elements that hold text with a delimiter, each once, in document order."""
    marks = {*_MARKS, *(pair.left for pair in pairs if pair not in ALWAYS)}
    entities = "&#" in source or "&d" in source or "&b" in source  # a mark may be written as an entity
    wanted = re.compile("|".join(re.escape(mark) for mark in sorted(marks) if entities or mark in source) or "(?!)")
    found: dict[Any, None] = {}
    holds = wanted.search
    for owner in tree.iter():
        text, tail = owner.text, owner.tail
        if text and holds(text):
            found[_block(owner)] = None
        if tail and holds(tail) and owner.getparent() is not None:
            found[_block(owner.getparent())] = None
    return [node for node in found if node.tag not in _SKIP]


def _block(node: Any) -> Any:
    """The element whose inline content `node` belongs to."""
    while node.tag in _INLINE and node.getparent() is not None:
        node = node.getparent()
    return node


def _runs(block: Any) -> Iterator[list[Run]]:
    """The stretches of inline text directly inside a block, cut at the blocks it holds."""
    runs: list[Run] = [Run(block, False, block.text or "")]
    stack = [(block, iter(block))]
    while stack:
        node, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            if node is not block:
                runs.append(Run(None, False, _GLUE.get(node.tag, ("", ""))[1]))
                runs.append(Run(node, True, node.tail or ""))
        elif child.tag in _INLINE and child.tag not in _SKIP:
            runs.append(Run(None, False, _GLUE.get(child.tag, ("", ""))[0]))
            runs.append(Run(child, False, child.text or ""))
            stack.append((child, iter(child)))
        elif isinstance(child.tag, str):
            yield runs
            runs = [Run(child, True, child.tail or "")]
        else:
            runs.append(Run(child, True, child.tail or ""))
    yield runs


def _scan_runs(runs: list[Run], shelf: Shelf, pairs: list[Pair], opener: re.Pattern[str]) -> None:
    joined = "".join(run.text for run in runs if run.node is not None)
    if not opener.search(joined):
        return
    edits = list(_edits(joined, pairs, opener))
    if edits:
        _apply(runs, edits, shelf)


class Edit(NamedTuple):
    """Replace `start:end` of the joined text: a formula (`inner` = start and end of its content), or a run of
    dollars to escape."""

    start: int
    end: int
    inner: tuple[int, int]
    pair: Pair | None


def _opener(pairs: list[Pair]) -> re.Pattern[str]:
    words = "|".join(re.escape(pair.left) for pair in pairs)
    return re.compile(rf"(?P<environment>{_ENVIRONMENT})|(?P<left>{words})|(?P<escaped>\\\$)")


def _edits(text: str, pairs: list[Pair], opener: re.Pattern[str]) -> Iterator[Edit]:
    by_left = {pair.left: pair for pair in pairs}
    missing: dict[str, int] = {}
    at = 0
    while match := opener.search(text, at):
        start = match.start()
        edit = None
        if match["left"] in ("$", "$$") and text.startswith("$$$", start):
            edit = None  # a rule drawn with dollars
        elif match["environment"]:
            name = match["environment"][7:-1]
            edit = _closed(text, start, match.end(), f"\\end{{{name}}}", Pair("", "", True), missing, whole=True)
        elif match["left"]:
            pair = by_left[match["left"]]
            edit = _closed(text, start, match.end(), pair.right, pair, missing)
        if edit is None and (match["escaped"] or match["left"] in ("$", "$$", "$latex ")):
            at = start + (2 if match["escaped"] else _DOLLARS.match(text, start).end() - start)  # type: ignore[union-attr]
            if not match["escaped"]:
                yield Edit(start, at, (start, at), None)
        elif edit is None:
            at = match.end()
        else:
            yield edit
            at = edit.end


def _closed(
    text: str, start: int, begin: int, right: str, pair: Pair, missing: dict[str, int], whole: bool = False
) -> Edit | None:
    """The formula opened at `start`, or None when it is not closed or its content is no formula."""
    if missing.get(right, len(text) + 1) <= begin:
        return None
    end = _find_close(text, right, begin, missing)
    if end < 0:
        missing[right] = begin
        return None
    content = text[begin:end]
    if (
        end - begin > MAX_FORMULA
        or not content.strip()
        or not CHECKS.get(pair.kind, certain)(content, text[end + 1 : end + 2])
    ):
        return None
    stop = end + len(right)
    return Edit(start, stop, (start, stop) if whole else (begin, end), pair)


def _find_close(text: str, right: str, at: int, missing: dict[str, int]) -> int:
    """The next `right`; for dollars one that is neither escaped nor inside braces (`\\text{if $x$}`).

    Where braces do not match, the nearest dollar closes, there and in the rest of the block: looking ahead anew from
    every dollar would take quadratic time.
    """
    if right not in ("$", "$$") or "{" in missing:
        return text.find(right, at)
    depth, size = 0, len(right)
    for match in _DOLLAR_STOPS.finditer(text, at, at + MAX_FORMULA):
        mark = match[0]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth = max(0, depth - 1)
        elif mark[0] == "$" and depth == 0 and len(mark) >= size:
            return match.start()
    if depth:
        missing["{"] = at
    return text.find(right, at, at + MAX_FORMULA)


_DOLLARS = re.compile(r"\$+")
_DOLLAR_STOPS = re.compile(r"\\.|[{}]|\$\$|\$", re.DOTALL)

# --- putting it back -------------------------------------------------------------------------------------------------


def _apply(runs: list[Run], edits: list[Edit], shelf: Shelf) -> None:
    """Rewrite the runs: each edit's text goes, its token lands in the run where it begins."""
    starts, at = [], 0
    for run in runs:
        starts.append(at)
        at += len(run.text) if run.node is not None else 0
    texts = [_Pieces(run.text) for run in runs]
    for edit in edits:
        token = _token(runs, starts, edit, shelf)
        for index in _touched(runs, starts, edit.start, edit.end):
            texts[index].cut(edit.start - starts[index], edit.end - starts[index], token)
            token = ""
    for run, pieces in zip(runs, texts, strict=True):
        if run.node is not None and pieces.changed:
            setattr(run.node, "tail" if run.tail else "text", pieces.text())


def _touched(runs: list[Run], starts: list[int], start: int, end: int) -> Iterator[int]:
    for index in range(max(0, _last_at_or_before(starts, start) - 1), len(runs)):
        if starts[index] >= end:
            return
        if runs[index].node is not None and starts[index] + len(runs[index].text) > start:
            yield index


def _last_at_or_before(starts: list[int], position: int) -> int:
    from bisect import bisect_left

    return max(0, bisect_left(starts, position + 1) - 1) if starts else 0


def _token(runs: list[Run], starts: list[int], edit: Edit, shelf: Shelf) -> str:
    if edit.pair is None:
        return "\\$" * (edit.end - edit.start)
    content = _content(runs, starts, *edit.inner)
    if edit.pair.kind == "ascii":
        content = asciimath.to_latex(content)
    return shelf.formula(content, edit.pair.display)


def _content(runs: list[Run], starts: list[int], start: int, end: int) -> str:
    """The formula's text, with what the tags inside it stood for (`<sub>` a subscript, Markdown's `<em>`
    underscores)."""
    out = []
    for index in range(max(0, _last_at_or_before(starts, start) - 1), len(runs)):
        run, at = runs[index], starts[index]
        if at > end or (at == end and run.node is not None):
            break
        if run.node is None:
            out.append(run.text if start < at <= end else "")
        else:
            out.append(run.text[max(0, start - at) : max(0, end - at)])
    return "".join(out)


class _Pieces:
    """A text under edits that come in order."""

    def __init__(self, text: str) -> None:
        self.source, self.at, self.out, self.changed = text, 0, [""], False

    def cut(self, start: int, end: int, token: str) -> None:
        self.out += [self.source[self.at : max(start, 0)], token]
        self.at, self.changed = min(end, len(self.source)), True

    def text(self) -> str:
        return "".join(self.out) + self.source[self.at :]
