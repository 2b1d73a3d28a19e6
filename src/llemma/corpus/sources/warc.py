"""Web archives (WARC): each HTML page becomes one document with its formulas as LaTeX."""

from __future__ import annotations

import glob
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.files import file_digest
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.records import Damage, Raw, split


class Warc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WARC files, plain or gzipped."""

    inputs: list[str]
    """Paths or globs."""
    prefilter: bool = True
    """Whether to pass over pages without a sign of mathematics before they are parsed."""
    every: bool = False
    """Whether to keep HTML pages of any HTTP status, and those without text."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a file, by name."""
        return file_units(self.inputs, "WARC file")

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The pages of one file in order; raises `DataError` for a file that is no WARC at all."""
        names: set[str] = set()
        records = 0
        for record in split(Path(unit.path)):
            records += 1
            place = f"{Path(unit.path).name}@{record.offset}"
            if isinstance(record, Damage):
                yield Dropped(place, source, "read", record.reason)
                continue
            for item in _document(record, place, source, self):
                yield _renamed(item, names, record.offset)
        if not records:
            raise DataError(
                "no WARC record in this file",
                where=unit.path,
                mend="give WARC files (.warc or .warc.gz); HTML files are read by `llemma corpus extract`",
            )


def file_units(inputs: list[str], what: str) -> list[Unit]:
    """A unit for each file that `inputs` (paths or globs) name, sorted, each once; a missing one is an error."""
    paths: dict[Path, None] = {}
    for pattern in inputs:
        found = sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
        existing = [Path(name) for name in found if Path(name).is_file()]
        if not existing:
            raise MissingError(f"no {what}: {pattern}", where="inputs", mend="check the path; globs may use * and **")
        paths.update(dict.fromkeys(existing))
    return [Unit(name=path.name, path=str(path), digest=file_digest(path)) for path in sorted(paths)]


def _renamed(item: Document | Dropped, names: set[str], offset: int) -> Document | Dropped:
    """The same page twice in one second keeps both, told apart by place."""
    if isinstance(item, Dropped):
        return item
    if item.id in names:
        item = msgspec.structs.replace(item, id=f"{item.id}#{offset}")
    names.add(item.id)
    return item


def _document(raw: Raw, place: str, source: str, options: Warc) -> Iterator[Document | Dropped]:
    """The document of one record, or why there is none; records that hold no page (requests, warcinfo) give nothing."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    kinds = WarcRecordType.response | WarcRecordType.resource
    try:
        for record in ArchiveIterator(io.BytesIO(raw.data), record_types=kinds, parse_http=True, auto_decode="all"):
            yield _page(record, bytes(record.reader.read()), place, source, options)
    except Exception as error:
        # Headers and encodings are hostile input to a library; whatever it raises concerns this record only.
        yield Dropped(place, source, "read", f"damaged record: {type(error).__name__}: {str(error)[:120]}")


def _page(record: Any, body: bytes, place: str, source: str, options: Warc) -> Document | Dropped:
    from llemma.corpus.web import extract, looks_mathematical

    url, date = record.headers.get("WARC-Target-URI", "").strip("<>"), record.headers.get("WARC-Date", "")
    status = record.http_headers.status_code if record.is_http and record.http_headers else 200
    if status is not None and not 200 <= status < 300 and not options.every:
        return Dropped(place, source, "read", f"HTTP status {status}")
    declared = (record.http_content_type or "") if record.is_http else record.headers.get("Content-Type", "")
    if not is_html(body, declared, record.headers.get("WARC-Identified-Payload-Type", "")):
        return Dropped(place, source, "read", f"not HTML: {declared or 'no content type'}")
    if options.prefilter and not looks_mathematical(body):
        return Dropped(place, source, "prefilter", "no sign of mathematics")
    page = extract(body, url, charset=record.http_charset if record.is_http else None)
    if not page.text and not options.every:
        return Dropped(place, source, "extract", "no text")
    meta = {"url": url, "title": page.title, "found_math": page.found_math, "date": date}
    return Document(_identifier(url, date, place), page.text, source, meta)


def _identifier(url: str, date: str, place: str) -> str:
    """The page's address with the second of its capture, as web archives name captures."""
    stamp = re.sub(r"\D", "", date)[:14]
    return f"{url or place}@{stamp}" if stamp else url or place


_OPENING = re.compile(rb"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]|<title>|<h1[\s>]", re.IGNORECASE)


def is_html(body: bytes, http: str = "", payload: str = "") -> bool:
    """Whether a body is HTML: by the HTTP content type, else the payload type, else its first bytes.

    Crawls of one's own seldom have the payload header, and servers call pages `text/plain` or nothing at all.
    """
    for declared in (http.lower(), payload.lower()):
        if "html" in declared:
            return True
        if declared and not declared.startswith(
            ("text/plain", "application/octet-stream", "text/xml", "application/xml")
        ):
            return False
    return bool(_OPENING.search(body[:4096]))
