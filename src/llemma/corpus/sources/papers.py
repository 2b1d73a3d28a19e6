"""Papers made by workers: archives and LaTeX are hostile input, and one that hangs costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import msgspec

from llemma.core.types import Document, Dropped
from llemma.corpus import workers
from llemma.corpus.source import Unit
from llemma.corpus.sources.arxiv import Arxiv, Packed
from llemma.corpus.sources.pages import encoded, opened
from llemma.corpus.workers import Limits, Task

LIMITS = Limits(seconds=60.0, memory_mb=4096)
"""What a paper may take: the largest that is read has 120 MiB of LaTeX."""


def made(
    options: Arxiv, units: Sequence[Unit], source: str, *, limits: Limits = LIMITS, count: int = 0
) -> Generator[Document | Dropped, None, None]:
    """The document of each paper, or why there is none, in order. `count` workers for these papers alone, or, with 0,
    the one that this process keeps."""
    task = Task(f"{__name__}:worker", msgspec.json.encode((options, source)).decode())
    pieces = ((packed.name, msgspec.msgpack.encode(packed)) for unit in units for packed in options.pieces(unit))
    run = workers.run(task, pieces, workers=count, limits=limits) if count else workers.shared(task, pieces, limits)
    for name, result in run:
        if result is not None and (item := opened(result, name, source)) is not None:
            yield item


def worker(data: bytes) -> Callable[[bytes], bytes]:
    """The function that a worker runs on each encoded paper."""
    options, source = msgspec.json.decode(data, type=tuple[Arxiv, str])

    def work(packed: bytes) -> bytes:
        return encoded(options.one(msgspec.msgpack.decode(packed, type=Packed), source))

    return work
