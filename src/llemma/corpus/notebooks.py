"""Jupyter notebooks as Markdown: prose as it stands, code in fences, outputs that are text below their cell.

All versions of the format are read (nbformat 2, 3 and 4, whatever fields are missing). Images, tracebacks and other
data in base64 go; a notebook that is not JSON, or not a notebook, gives a reason instead of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from llemma.core.types import Drop

MAX_OUTPUT = 20_000
"""Characters of one output that are kept: longer ones are logs and tables nobody reads."""

_FENCE = "```"
_MARKDOWN_IMAGE = re.compile(r"!\[[^\[\]\n]{0,1000}\]\((?:[^()\n]|\([^()\n]{0,1000}\)){0,2000}\)")
_DATA_IMAGE = re.compile(r"!\[[^\[\]\n]{0,1000}\]\(data:[^)\s\[]*(?:\s[^)\n]{0,500})?\)")
_HTML_IMAGE = re.compile(r"<img\b[^<>]*>", re.IGNORECASE)
_HTML_BLOCK = re.compile(r"<(video|script|iframe|style|svg|audio|object)\b[^<>]*>", re.IGNORECASE)
# Standard base64 in lines or in one run; words of a language are far shorter.
_BASE64 = re.compile(r"(?:data:[\w.+/-]{1,100};base64,)?[A-Za-z0-9+/]{200,}={0,2}")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,40}[A-Za-z]|\x1b\][^\x07\x1b\n]{0,500}\x07")
_TAG = re.compile(r"<(?:div|table|style|script|html|svg|p|span|img|iframe)\b", re.IGNORECASE)
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}\n")
_MARKS = "#" * 6
_PLAIN = ("text/plain", "text")
_LATEX = ("text/latex", "latex")
_MARKDOWN = ("text/markdown",)


def to_markdown(text: str, *, published: bool = False) -> str | Drop:
    """The Markdown of a notebook given as JSON text, or why there is none: `not a notebook`, `a damaged notebook`.

    `published` is the paper's way: a cell with an image or a traceback among its outputs loses all of them, and only
    images, videos, scripts and frames written in the text go.
    """
    try:
        notebook = msgspec.json.decode(text.lstrip("\ufeff"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Drop(f"a damaged notebook: {str(error)[:120]}")
    cells = _cells(notebook)
    if cells is None:
        return Drop("not a notebook")
    language = _language(notebook)
    parts = [part.strip("\n") for cell in cells for part in _cell(cell, language, published) if part.strip()]
    body = "\n\n".join(parts)
    body = _without_images(body) if published else _BLANKS.sub("\n\n\n", body)
    return body.strip("\n") + "\n" if body.strip() else Drop("an empty notebook")


def _cells(notebook: Any) -> list[Any] | None:
    """The cells of version 4, or those of the worksheets of versions 2 and 3."""
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        found: list[Any] = notebook["cells"]
        return found
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in lists if isinstance(cells, list) for cell in cells]


def _language(notebook: dict[str, Any]) -> str:
    """The language of the code, `python` where nothing says."""
    meta = _table(notebook.get("metadata"))
    names = (
        _table(meta.get("language_info")).get("name"),
        _table(meta.get("kernelspec")).get("language"),
        meta.get("language"),
    )
    named = next((name for name in names if isinstance(name, str) and re.fullmatch(r"[\w.+#-]{1,40}", name)), "")
    return named.lower() or "python"


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _joined(value: Any) -> str:
    """A text of the format: a string or a list of strings."""
    if isinstance(value, list):
        return "".join(item for item in value if isinstance(item, str))
    return value if isinstance(value, str) else ""


def _cell(cell: Any, language: str, published: bool) -> Iterator[str]:
    cell = _table(cell)
    kind = cell.get("cell_type")
    source = _joined(cell.get("source", cell.get("input"))).strip("\n")
    if kind == "code":
        spoken = cell.get("language")
        code = source if published else _BASE64.sub(_unless_words, source)
        yield _fenced(code, spoken.lower() if isinstance(spoken, str) and spoken.isalnum() else language)
        for output in _outputs(cell.get("outputs"), published):
            yield output if published else _cleaned(output)
    elif kind == "heading":
        level = cell.get("level")
        count = min(6, max(1, level)) if isinstance(level, int) else 1
        yield f"{_MARKS[:count]} {' '.join(source.split())}" if source.strip() else ""
    elif kind == "raw":
        yield source if not _TAG.search(source[:1000]) else ""
    else:  # markdown, html of version 2, and kinds that nobody knows
        yield source if published else _cleaned(source)


def _fenced(source: str, language: str) -> str:
    if not source.strip():
        return ""
    longest = max((len(run) for run in re.findall(r"`{3,}", source)), default=0)
    fence = "`" * max(len(_FENCE), longest + 1)
    return f"{fence}{language}\n{source}\n{fence}"


def _outputs(outputs: Any, published: bool) -> Iterator[str]:
    if not isinstance(outputs, list):
        return
    tables = [_table(output) for output in outputs]
    if published and any(_cleared(output) for output in tables):
        return
    for output in tables:
        text = _output(output, published)
        if text.strip():
            yield text


def _cleared(output: dict[str, Any]) -> bool:
    """Whether the published filter clears the cell's outputs for this one."""
    traceback = "ename" in output and "traceback" in output
    return traceback or bool(_table(output.get("data")).get("image/png")) or bool(output.get("png"))


def _output(output: dict[str, Any], published: bool) -> str:
    kind = output.get("output_type")
    if kind in ("pyerr", "error") or "traceback" in output:
        return ""
    if kind == "stream" or "name" in output:
        return _indented(_shortened(_joined(output.get("text"))))
    return _data(_table(output.get("data")) or output, published)


def _data(data: dict[str, Any], published: bool) -> str:
    """What an output shows, in the form that says most: LaTeX, Markdown, plain text."""
    latex, markdown, plain = (_first(data, keys) for keys in (_LATEX, _MARKDOWN, _PLAIN))
    if latex.strip():
        return _shortened(latex).strip()
    if published and (html := _first(data, ("text/html", "html"))).strip():
        return html  # nbconvert writes tables as HTML
    if markdown.strip():
        return _shortened(markdown).strip()
    # an image's own words are only the name of its object
    return "" if re.fullmatch(r"\s*<[^<>\n]{0,300}>\s*", plain) else _indented(_shortened(plain))


def _first(data: dict[str, Any], keys: Iterable[str]) -> str:
    return next((text for key in keys if (text := _joined(data.get(key))).strip()), "")


def _shortened(text: str) -> str:
    if len(text) <= MAX_OUTPUT:
        return text
    return text[: text.rfind("\n", 0, MAX_OUTPUT) + 1 or MAX_OUTPUT]


def _indented(text: str) -> str:
    """A block of plain output; what moved the terminal's cursor is played back as far as lines go."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in _ESCAPE.sub("", text).split("\n")]
    return "\n".join(f"    {line}" if line else "" for line in lines).strip("\n")


def _cleaned(text: str) -> str:
    """Prose without images, embedded pages and base64."""
    return _BASE64.sub(_unless_words, _without_images(text))


def _unless_words(found: re.Match[str]) -> str:
    """Nothing for base64; a long number or a sequence of one case stays."""
    run = found[0]
    return "" if any(map(str.islower, run)) and any(map(str.isupper, run)) else run


def _without_images(text: str) -> str:
    return _without_blocks(_HTML_IMAGE.sub("", _MARKDOWN_IMAGE.sub("", _DATA_IMAGE.sub("", text))))


def _without_blocks(text: str) -> str:
    """The text without videos, scripts, frames and drawings written as HTML; what never closes stays."""
    pieces, position = [], 0
    lower = text.lower()
    closed: dict[str, bool] = {}
    for found in _HTML_BLOCK.finditer(text):
        name = found[1].lower()
        if found.start() < position or closed.get(name) is False:
            continue
        end = lower.find(f"</{name}", found.end())
        closed[name] = end >= 0
        if end >= 0:
            close = text.find(">", end)
            pieces.append(text[position : found.start()])
            position = close + 1 if close >= 0 else len(text)
    return "".join([*pieces, text[position:]])
