"""The sample explorer's data, cut into script files: a page opened by double click may load scripts but not `fetch`.

    samples-index.js       ids, facets and sizes of everything; read before the first paint
    samples-rows-NNN.js    a line of the list for each of 1,000 problems; read when they come into sight
    samples-texts-NNN.js   the lower-case text that is searched, of one chunk; read in the background
    samples-NNN.js         a chunk: problems and samples ready to show; read when one of them is opened

Each calls `llemma.put(kind, number, value)` of data.js.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.types import Problem
from llemma.report import read
from llemma.report.facets import LETTERS, Facet, facets
from llemma.report.overlaps import Found
from llemma.report.samples import Judged, as_text, chunk, judged
from llemma.report.text import shorten, visible

CHUNK = 512  # problems of a script file, fewer where they have many samples
CHUNK_SAMPLES = 5_000
BLOCK = 1_000  # lines of the list in a script file
SNIPPET = 160  # characters of a problem in its line
SEARCHED = 32  # samples of a problem and model that are searched: with 256 a problem more would not fit into a browser
SEPARATOR = "\x01"  # between problems; `visible` leaves none in a text


class Kept:
    """What the last build of a followed run was made of: chunks whose content is the same are not made again."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.keys: dict[int, int] = {}

    def again(self, number: int, key: int, folder: Path) -> bool:
        """Link the files of chunk `number` into `folder`, where they were made of the same `key`."""
        same = self.folder is not None and self.keys.get(number) == key
        self.keys[number] = key
        if same and self.folder is not None:
            for name in _names(number):
                shutil.copyfile(self.folder / name, folder / name)
        return same


def _names(number: int) -> tuple[str, str]:
    return f"samples-texts-{number:03d}.js", f"samples-{number:03d}.js"


class Index(msgspec.Struct, frozen=True):
    """What the page knows at once. `characters`: of all texts together; `letters`: the codes of the facets."""

    models: list[str]
    chunk: int
    block: int
    characters: int
    searched: int
    ids: list[str]
    facets: list[Facet]
    letters: str = LETTERS


def write(
    evaluations: Sequence[read.Evaluation],
    folder: Path,
    tasks: Collection[str] | None = None,
    overlap: Mapping[str, Found] | None = None,
    kept: Kept | None = None,
) -> int:
    """Write the script files into `folder`, of all tasks or of `tasks`; returns the number of problems. What `kept`
    knows is not made again."""
    models, found = [judged(evaluation) for evaluation in evaluations], overlap or {}
    problems: dict[str, Problem] = {}
    for model in models:
        problems = {**model.problems, **problems}
    ordered = [problem for problem in problems.values() if tasks is None or problem.task in tasks]
    size = chunk_size(ordered, models)
    characters = 0
    for number, start in enumerate(range(0, len(ordered), size)):
        part = ordered[start : start + size]
        text = SEPARATOR.join(searched(problem, models) for problem in part)
        characters += len(text)
        if kept is None or not kept.again(number, _key(part, models, found), folder):
            texts, shown = _names(number)
            _script(folder / texts, "texts", number, text)
            _script(folder / shown, "chunks", number, chunk(part, models, found))
    for number, start in enumerate(range(0, len(ordered), BLOCK)):
        rows = [shorten(visible(problem.text), SNIPPET) for problem in ordered[start : start + BLOCK]]
        _script(folder / f"samples-rows-{number:03d}.js", "rows", number, rows)
    index = Index(
        models=[visible(model.label) for model in models],
        chunk=size,
        block=BLOCK,
        characters=characters,
        searched=SEARCHED if any(len(group) > SEARCHED for m in models for group in m.completions.values()) else 0,
        ids=[visible(problem.id) for problem in ordered],
        facets=list(facets(ordered, models, found)),
    )
    _script(folder / "samples-index.js", "index", 0, index)
    if kept is not None:
        kept.folder = folder
    return len(ordered)


def _key(problems: Sequence[Problem], models: Sequence[Judged], overlap: Mapping[str, Found]) -> int:
    """A number that tells contents of a chunk apart, within one process."""
    made: list[object] = []
    for problem in problems:
        made += [problem.id, problem.text, problem.answer, str(problem.meta), str(overlap.get(problem.id))]
        for model in models:
            made.append(model.verdicts.get((problem.id, "vote", 0)))
            for reading in ("greedy", "maj"):
                completions = model.completions.get((problem.id, reading), ())
                made += [(one, model.verdicts.get((problem.id, reading, one.sample))) for one in completions]
    return hash(tuple(made))


def chunk_size(problems: Sequence[Problem], models: Sequence[Judged]) -> int:
    """Problems of a script file, so that none holds many more than `CHUNK_SAMPLES` samples: a power of two, so that it
    stays the same while a run goes on."""
    samples = sum(len(group) for model in models for group in model.completions.values())
    wanted = max(1, min(CHUNK, CHUNK_SAMPLES * len(problems) // max(1, samples)))
    return int(2 ** math.floor(math.log2(wanted)))


def searched(problem: Problem, models: Sequence[Judged]) -> str:
    """What a search looks through: a problem's id, text and gold answer, and the completions, in lower case."""
    return "\n".join(visible(part) for part in _parts(problem, models)).lower()


def _parts(problem: Problem, models: Sequence[Judged]) -> Iterator[str]:
    yield from (problem.id, problem.text, problem.answer, as_text(problem.meta.get("solution")))
    for model in models:
        yield from (completion.text for completion in model.completions.get((problem.id, "greedy"), []))
        yield from (completion.text for completion in model.sampled(problem.id)[:SEARCHED])


def _script(path: Path, kind: str, number: int, value: Any) -> None:
    path.write_bytes(b'llemma.put("%s",%d,%s);\n' % (kind.encode(), number, script_json(value)))


def script_json(value: Any) -> bytes:
    """JSON that is safe wherever a script stands: no tag, comment or line separator can appear in it."""
    encoded = msgspec.json.encode(value)
    for raw in ("<", ">", "&", "\u2028", "\u2029"):
        encoded = encoded.replace(raw.encode(), f"\\u{ord(raw):04x}".encode())
    return encoded
