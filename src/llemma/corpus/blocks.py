"""Our blocks of a datatrove pipeline: read a unit, apply the steps, stage what comes out.

A task is a unit. What travels between the blocks is `Document | Dropped`, so that the ledger is complete.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from llemma.core.errors import MissingError
from llemma.core.files import digest, file_digest
from llemma.core.registry import find, load_plugin
from llemma.core.types import Document, Drop, Dropped, Problem
from llemma.corpus import staging
from llemma.corpus.check import open_source, open_steps
from llemma.corpus.config import SourceConfig
from llemma.corpus.copies import METHODS
from llemma.corpus.decontaminate import Protected
from llemma.corpus.dedup import MINHASH
from llemma.corpus.languages.chunks import RULES
from llemma.corpus.source import Unit
from llemma.corpus.staging import tokenizer_file
from llemma.corpus.words import word_hashes

WORK_VERSION = 5
"""Raise it whenever sources, steps or staging give another result for the same input."""

# datatrove writes its log to standard error as well, where our progress stands, and tells nothing that ours does not.
logger.disable("datatrove")

Flow = Iterator[Document | Dropped]


class Work(msgspec.Struct, frozen=True):
    """A unit and what is done with it; `digest` names the work, and a unit staged under this name is done."""

    source: str
    config: SourceConfig
    unit: Unit
    limit: int | None
    digest: str


class Signed(msgspec.Struct, frozen=True):
    """How a corpus signs its documents: for near-duplicates by which method, and what counts tokens if anything."""

    method: str = MINHASH.name
    tokenizer: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Names the method and the tokenizer's content."""
        return self.method, file_digest(tokenizer_file(self.tokenizer)) if self.tokenizer else ""


UNTOLD = Signed()
"""MinHash, and no tokenizer."""


def work_of(
    source: str,
    config: SourceConfig,
    unit: Unit,
    limit: int | None,
    protection: str,
    rules: Sequence[str] = (),
    signed: tuple[str, str] = (MINHASH.name, ""),
) -> Work:
    """The work on a unit; `protection` is the digest of the problems it must not contain, `rules` those of
    `plugin_rules`, `signed` the key of `Signed`."""
    # The subset, splits and optionality do not change what is staged, nor does the place where the unit lies.
    plain = msgspec.structs.replace(config, subset="", validation=None, test=None, optional=False)
    content = (unit.name, unit.digest)
    name = digest(WORK_VERSION, source, plain, content, limit, protection, rules, signed)
    return Work(source, config, unit, limit, name)


def plugin_files() -> list[Path]:
    """The recipe's plug-in files that are loaded in this process."""
    loaded = [module for name, module in sys.modules.items() if name.startswith("llemma_plugin_")]
    return sorted(Path(module.__file__) for module in loaded if module.__file__)


def plugin_rules(config: SourceConfig) -> list[str]:
    """What names the recipe's plug-ins and the files of its steps (models, lists) as far as they decide what this
    source gives: nothing where it uses none.

    A plug-in decides by what it registers. Where it cannot be told which file an object comes from (a partial, say),
    all of them count.
    """
    steps = open_steps(config)
    files = [_step_file(path, name) for name, step in steps for path in getattr(step, "files", list)()]
    loaded = plugin_files()
    if not loaded:
        return files
    makers = [type(step) if isinstance(step, msgspec.Struct) else step for _, step in steps]
    return [part for what in (find("source", config.kind), *makers) for part in _origin(what, loaded)] + files


def _step_file(path: Path, step: str) -> str:
    if not path.is_file():
        raise MissingError(f"no file {path}", where=f"step {step}", mend="check the path in the recipe's step_options")
    return file_digest(path)


def _origin(what: Any, loaded: list[Path]) -> list[str]:
    module, name = getattr(what, "__module__", None), getattr(what, "__qualname__", None)
    files = [path for path in loaded if module == f"llemma_plugin_{path.stem}"]
    if not files and name is not None and getattr(sys.modules.get(str(module)), name, None) is what:
        return [f"{module}:{name}"]  # the very object that its module has under its name: no plug-in made it
    return [file_digest(path) for path in files or loaded]


class Read(PipelineStep):  # type: ignore[misc]
    """Documents of unit number `rank`."""

    type, name = "Reader", "units"

    def __init__(self, works: list[Work], plugins: list[Path]) -> None:
        super().__init__()
        self.works, self.plugins = works, plugins

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Flow:
        """The documents, those outside of the source's sample dropped."""
        load_plugins(self.plugins)
        work = self.works[rank]
        source = open_source(work.config, f"corpus.sources.{work.source}")
        for item in source.read(work.unit, work.source):
            sampled = isinstance(item, Dropped) or work.config.keep == 1 or _lot(item.id) < work.config.keep
            yield item if sampled else Dropped(item.id, item.source, "sample", "not in the sample")


def load_plugins(plugins: list[Path]) -> None:
    """Run those plug-in files that this process has not run: a worker starts without them."""
    for path in plugins:
        if f"llemma_plugin_{path.stem}" not in sys.modules:
            load_plugin(path)


def _lot(id: str) -> float:
    """A number in [0, 1) that depends on the id alone, and not as the split does."""
    return (
        int.from_bytes(
            hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=7, person=b"sample").digest(), "big"
        )
        / 2**56
    )


class Steps(PipelineStep):  # type: ignore[misc]
    """The steps of the unit's source, in order."""

    type, name = "Filter", "steps"

    def __init__(self, works: list[Work], plugins: list[Path]) -> None:
        super().__init__()
        self.works, self.plugins = works, plugins

    def run(self, data: Flow, rank: int = 0, world_size: int = 1) -> Flow:
        """Documents as the steps leave them, or what they drop with the step's name and reason."""
        load_plugins(self.plugins)
        steps = open_steps(self.works[rank].config)
        for item in data:
            yield item if isinstance(item, Dropped) else _stepped(item, steps)


def _stepped(document: Document, steps: Iterable[tuple[str, Any]]) -> Document | Dropped:
    for name, step in steps:
        result = step(document)
        if isinstance(result, Drop):
            return Dropped(document.id, document.source, name, result.reason)
        document = result
    return document


class Stage(PipelineStep):  # type: ignore[misc]
    """Drop contaminated documents, sign the others, and write the unit's folder."""

    type, name = "Writer", "staging"

    def __init__(self, works: list[Work], folder: Path, problems: bytes, ngram: int, signed: Signed = UNTOLD) -> None:
        super().__init__()
        self.works, self.folder, self.problems, self.ngram, self.signed = works, folder, problems, ngram, signed

    def run(self, data: Flow, rank: int = 0, world_size: int = 1) -> Flow:
        """Nothing goes further than here."""
        work = self.works[rank]
        protected = _protected(self.problems, self.ngram)
        with staging.writing(self.folder / work.digest, work.source, self._signing(work.config)) as unit:
            for item in data:
                if isinstance(item, Dropped):
                    unit.drop(item)
                    continue
                words = item.text.split()
                hashes = word_hashes(words)
                if reason := protected.reason(words, hashes):
                    unit.drop(Dropped(item.id, item.source, "decontaminate", reason))
                else:
                    unit.add(item, hashes)
                if work.limit is not None and unit.documents >= work.limit:
                    break
        yield from ()

    def _signing(self, config: SourceConfig) -> staging.Signing:
        tokens = staging.token_counter(self.signed.tokenizer) if self.signed.tokenizer else None
        rule = RULES.get(config.chunk_dedup or "none")
        return staging.Signing(METHODS[self.signed.method], rule, tokens, config.splits == "published")


@lru_cache(maxsize=2)
def _protected(problems: bytes, ngram: int) -> Protected:
    return Protected(msgspec.json.decode(problems, type=list[Problem]), ngram)
