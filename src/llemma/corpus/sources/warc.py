"""Web archives (WARC, WET): each HTML page becomes one document with its formulas as LaTeX.

Inputs may lie on this machine or behind `https://` and `s3://` addresses; those are fetched when they are read.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.naming import file_digests
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources import addresses, pages, remote
from llemma.corpus.sources.pages import Piece, Place
from llemma.corpus.sources.records import Damage, split
from llemma.corpus.workers import Limits


class Warc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WARC and WET files, plain or compressed with gzip or zstd, here or remote."""

    inputs: list[str]
    """Paths, globs, `https://` or `s3://` addresses of files, or of lists of them (`warc.paths.gz`)."""
    prefilter: bool = True
    """Whether to pass over pages without a sign of mathematics before they are parsed."""
    every: bool = False
    """Whether to keep HTML pages of any HTTP status, and those without text."""
    files: int = 0
    """Of each list, the first so many files; 0 for all."""
    keep: bool = False
    """Whether fetched files stay in the cache once they are read."""
    seconds: float = pages.MAX_SECONDS
    """CPU seconds a page may take; one that needs more is dropped."""
    memory_mb: int = pages.MAX_MEMORY
    """MiB of memory a page may take."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a file, by name; of a remote file only its size and tag are asked for."""
        here = [name for name in self.inputs if not addresses.is_remote(name) and not addresses.is_list(name)]
        there = [name for name in self.inputs if name not in here]
        urls = [url for name in there for url in addresses.listed(name, self.files, context.console)]
        return file_units(here, "WARC file") + remote.units(urls)

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The pages of one file in order; raises `DataError` for a file that is no WARC at all."""
        options = pages.Options(source, self.prefilter, self.every)
        limits = Limits(self.seconds, self.memory_mb)
        with remote.local(unit.path, keep=self.keep, unit=unit.digest) as path:
            found = pages.extracted(records(path, Path(unit.path).name, source), options, limits=limits)
            yield from renamed(found)


# Two of three records of a crawl are what was asked and what the crawler thought; no worker need see them.
_NO_PAGE = re.compile(rb"^warc-type:[ \t]*(?:request|metadata|warcinfo)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD = 2048


def records(path: Path, name: str, source: str) -> pages.Flow:
    """The records of a file as pieces; raises `DataError` where there is none."""
    number = 0
    for number, record in enumerate(split(path), 1):  # noqa: B007
        place = f"{name}@{record.offset}" + (f"+{record.inner}" if record.inner else "")
        if isinstance(record, Damage):
            yield pages.lost(place, source, "read", record.reason)
        elif not _NO_PAGE.search(record.data[:_HEAD].partition(b"\r\n\r\n")[0]):
            yield pages.wrapped(Piece("record", place, record.data, record.cut), archive=str(path))
    if not number:
        raise DataError(
            "no WARC record in this file",
            where=str(path),
            mend="give WARC files (.warc, .warc.gz, .warc.zst); HTML files are read by `llemma corpus extract`",
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
    digests = file_digests(sorted(paths))
    return [Unit(path.name, str(path), name) for path, name in zip(sorted(paths), digests, strict=True)]


def renamed(items: Iterator[tuple[Place, Document | Dropped]]) -> Generator[Document | Dropped, None, None]:
    """The items alone. The same page twice in one second of one archive keeps both, told apart by place."""
    names, archive = set[str](), ""
    for place, item in items:
        if place.archive != archive:
            names.clear()
            archive = place.archive
        if isinstance(item, Document) and place.archive:
            if item.id in names:
                item = msgspec.structs.replace(item, id=f"{item.id}#{place.name.rpartition('@')[2]}")
            names.add(item.id)
        yield item
