"""What a source is: it names its units of input, then reads documents from each.

A unit (one archive, one WARC file, one package) is the grain of parallel work and of resuming. Its digest names its
content, so that a changed input is read again and an unchanged one is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from llemma.core.console import Console
from llemma.core.types import Document, Dropped


class Unit(msgspec.Struct, frozen=True):
    """One independently readable piece of a source: `name` for people, `path` for the reader, `digest` of content."""

    name: str
    path: str
    digest: str


class Context(msgspec.Struct, frozen=True):
    """What `units` may use: a cache folder that outlives the run, and a console to talk to."""

    cache: Path
    console: Console


class Source(Protocol):
    """A source plug-in: a frozen record of its options (strictly validated from the recipe) with two functions."""

    def units(self, context: Context) -> list[Unit]:
        """All units, in a fixed order; fetches into `context.cache` what must be fetched.

        Raises `MissingError` where an input, a program or the network is not there.
        """
        ...

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """The documents of one unit, in a fixed order, from `source`; a `Dropped` for what cannot be read."""
        ...
