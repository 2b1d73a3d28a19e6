"""One piece of a crawl to one document: what the workers do with a WARC record, an HTML file or a row with `html`."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from llemma.core.types import Document, Drop, Dropped
from llemma.corpus import workers
from llemma.corpus.check import open_step
from llemma.corpus.sources.http import MAX_BODY, answer
from llemma.corpus.workers import Limits, Lost, Task

Kind = Literal["record", "html", "row"]
MAX_SECONDS = 20.0
"""CPU seconds a page may take."""
MAX_MEMORY = 2048
"""MiB of memory a page may take."""


class Options(msgspec.Struct, frozen=True):
    """How pages are read. `every`: pages of any HTTP status and those without text too. `steps` follow, by name."""

    source: str
    prefilter: bool = True
    every: bool = False
    steps: list[str] = []


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A page's bytes on the way to a worker; `place` names where they lie, `cut` says that they are not all."""

    kind: Kind
    place: str
    data: bytes
    cut: bool = False
    url: str = ""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a piece: a document, or why there is none; neither where it was no page."""

    kept: Document | None = None
    dropped: Dropped | None = None


class Place(NamedTuple):
    """Where a piece lies; where it is known without a worker, why it is dropped; and the archive it is a record of."""

    name: str
    dropped: Dropped | None = None
    archive: str = ""


Flow = Iterator[tuple[Place, bytes | None]]


def wrapped(piece: Piece, archive: str = "") -> tuple[Place, bytes]:
    """A piece in the form that `extracted` takes."""
    return Place(piece.place, None, archive), msgspec.msgpack.encode(piece)


def lost(place: str, source: str, step: str, reason: str) -> tuple[Place, None]:
    """A place without a page, in the form that `extracted` takes."""
    return Place(place, Dropped(place, source, step, reason)), None


def task(options: Options) -> Task:
    """What the workers are told."""
    return Task(f"{__name__}:worker", msgspec.json.encode(options).decode())


def extracted(
    pieces: Flow, options: Options, *, limits: Limits, count: int = 0
) -> Iterator[tuple[Place, Document | Dropped]]:
    """Each place with its document, or why there is none, in order. `count` workers for these pieces alone, or, with
    0, the one that this process keeps."""
    if count:
        results = workers.run(task(options), pieces, workers=count, limits=limits)
    else:
        results = workers.shared(task(options), pieces, limits)
    for place, result in results:
        item = place.dropped if result is None else opened(result, place.name, options.source)
        if item is not None:
            yield place, item


def opened(result: bytes | Lost, place: str, source: str) -> Document | Dropped | None:
    """What a worker's answer says: an encoded `Outcome`, or the loss of the piece at `place`."""
    if isinstance(result, Lost):
        return Dropped(place, source, result.step, result.reason)
    outcome = msgspec.msgpack.decode(result, type=Outcome)
    return outcome.kept if outcome.kept is not None else outcome.dropped


def encoded(item: Document | Dropped | None) -> bytes:
    """What `opened` reads."""
    return msgspec.msgpack.encode(Outcome(item) if isinstance(item, Document) else Outcome(None, item))


def worker(data: bytes) -> Callable[[bytes], bytes]:
    """The function that a worker runs on each encoded `Piece`; it gives an encoded `Outcome`."""
    options = msgspec.json.decode(data, type=Options)
    steps = [(name, open_step(name)) for name in options.steps]
    decoder = msgspec.msgpack.Decoder(Piece)

    def work(piece: bytes) -> bytes:
        item = page(decoder.decode(piece), options)
        for name, step in steps:
            if not isinstance(item, Document):
                break
            result = step(item)
            item = Dropped(item.id, item.source, name, result.reason) if isinstance(result, Drop) else result
        return encoded(item)

    return work


def page(piece: Piece, options: Options) -> Document | Dropped | None:
    """The document of a piece, before any step."""
    return {"record": _record, "html": _file, "row": _row}[piece.kind](piece, options)


def _record(piece: Piece, options: Options) -> Document | Dropped | None:
    """A WARC record; None for those that never hold a page (requests, metadata, what the crawler says of itself)."""
    from fastwarc.warc import ArchiveIterator

    try:
        # Headers are hostile input to a library; whatever it raises concerns this record only.
        record = next(iter(ArchiveIterator(io.BytesIO(piece.data), parse_http=False)))
        headers = {name.lower(): value for name, value in record.headers}
        kind, block = headers.get("warc-type", "").lower(), record.reader.read()
    except (StopIteration, OSError, ValueError, RuntimeError) as error:
        return Dropped(piece.place, options.source, "read", f"damaged record: {type(error).__name__}")
    if kind in ("response", "resource"):
        return _captured(piece, headers, block, options)
    if kind == "conversion":
        return _converted(piece, headers, block, options)
    if kind == "revisit":
        return Dropped(piece.place, options.source, "read", "a revisit: the page is in the record it refers to")
    if kind == "continuation":
        return Dropped(piece.place, options.source, "read", "a continuation: a part of a page")
    return None


def _captured(piece: Piece, headers: dict[str, str], block: bytes, options: Options) -> Document | Dropped:
    from llemma.corpus.web.mime import not_html

    declared = headers.get("content-type", "")
    # A resource is the body itself; a response has an HTTP head, whether its record says so or not.
    told = answer(block) if "http" in declared or block.startswith(b"HTTP/") else None
    body = told.body if told else block[:MAX_BODY]
    if told and told.status is not None and not 200 <= told.status < 300 and not options.every:
        return Dropped(piece.place, options.source, "read", f"HTTP status {told.status}")
    http = told.headers.get("content-type", "") if told else declared
    if why := not_html(body, http, headers.get("warc-identified-payload-type", "")):
        return Dropped(piece.place, options.source, "read", f"not HTML: {why}")
    meta = _meta(headers)
    if cut := _cut(headers, piece.cut or len(body) >= MAX_BODY, bool(told and told.cut)):
        meta["truncated"] = cut
    identifier = _identifier(meta["url"], meta["date"], piece.place)
    return _html(identifier, piece.place, body, told.charset if told else None, meta, options)


def _meta(headers: dict[str, str]) -> dict[str, Any]:
    return {"url": headers.get("warc-target-uri", "").strip("<> "), "date": headers.get("warc-date", "")}


def _cut(headers: dict[str, str], by_us: bool, by_answer: bool) -> str:
    """Why a page is not whole: the crawler's own word, `size` where it is larger than we read, `broken`."""
    return headers.get("warc-truncated", "") or ("size" if by_us else "broken" if by_answer else "")


def _identifier(url: str, date: str, place: str) -> str:
    """The page's address with the second of its capture, as web archives name captures."""
    stamp = re.sub(r"\D", "", date)[:14]
    return f"{url or place}@{stamp}" if stamp else url or place


def _converted(piece: Piece, headers: dict[str, str], block: bytes, options: Options) -> Document | Dropped:
    """Text that a crawler made of a page (WET): as it stands, with the formulas counted that survived in it."""
    from llemma.corpus.web.decode import decode, printable
    from llemma.corpus.web.prefilter import looks_mathematical

    declared = headers.get("content-type", "text/plain")
    if not declared.lower().startswith("text/plain"):
        return Dropped(piece.place, options.source, "read", f"not plain text: {declared}")
    if options.prefilter and not looks_mathematical(block):
        return Dropped(piece.place, options.source, "prefilter", "no sign of mathematics")
    text = printable(decode(block[:MAX_BODY])).strip("\r\n")
    meta = {**_meta(headers), "title": "", "found_math": delimited(text)}
    if cut := _cut(headers, piece.cut or len(block) > MAX_BODY, False):
        meta["truncated"] = cut
    return Document(_identifier(meta["url"], meta["date"], piece.place), text, options.source, meta)


_DELIMITED = re.compile(
    r"(?<!\\)\$\$(?=[^$\s])[^$]{1,2000}\$\$|(?<![\\$\w])\$(?=[^$\s\d]|\d[^$\n]{0,100}[\\^_=])[^$\n]{0,400}?(?<=[^\s\\])\$(?![\d$])"
    r"|\\\((?=\S)[^\n]{1,400}?\\\)|\\\[.{1,2000}?\\\]|\\begin\{(equation|align|gather|eqnarray|multline)\*?\}",
    re.DOTALL,
)


def delimited(text: str) -> int:
    """How many formulas a plain text holds between delimiters of LaTeX."""
    return sum(1 for _ in _DELIMITED.finditer(text))


def _file(piece: Piece, options: Options) -> Document | Dropped:
    from llemma.corpus.web.mime import not_html

    if why := not_html(piece.data, "text/html"):
        return Dropped(piece.place, options.source, "read", f"not HTML: {why}")
    meta: dict[str, Any] = {"url": piece.url, **({"truncated": "size"} if piece.cut else {})}
    return _html(piece.place, piece.place, piece.data, None, meta, options)


def _row(piece: Piece, options: Options) -> Document | Dropped:
    """A row `{html, id?, url?}`."""
    try:
        row = msgspec.json.decode(piece.data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Dropped(piece.place, options.source, "read", f"damaged row: {error}")
    if not isinstance(row.get("html"), str):
        return Dropped(str(row.get("id", piece.place)), options.source, "read", "a row without 'html'")
    url = row["url"] if isinstance(row.get("url"), str) else ""
    raw = row["html"].encode("utf-8", "replace")
    meta: dict[str, Any] = {"url": url, **({"truncated": "size"} if len(raw) > MAX_BODY else {})}
    identifier = str(row.get("id", url or piece.place))
    return _html(identifier, identifier, raw[:MAX_BODY], "utf-8", meta, options, row["html"][:MAX_BODY])


def _html(
    identifier: str,
    place: str,
    body: bytes,
    charset: str | None,
    meta: dict[str, Any],
    options: Options,
    text: str | None = None,
) -> Document | Dropped:
    from llemma.corpus.web import extract, looks_mathematical
    from llemma.corpus.web.decode import decode, wide

    if text is None and wide(body):
        text = decode(body)  # no pattern of bytes finds anything in UTF-16
        body = text.encode("utf-8", "replace")
    if options.prefilter and not looks_mathematical(body):
        return Dropped(place, options.source, "prefilter", "no sign of mathematics")
    found = extract(body if text is None else text, meta["url"] or None, charset=charset)
    if not found.text and not options.every:
        return Dropped(place, options.source, "extract", "no text")
    meta = {**meta, "title": found.title, "found_math": found.found_math}
    return Document(identifier, found.text, options.source, meta)
