"""`llemma corpus train-score`: labelled pages in files to a mathematics score in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from llemma.core import jsonl
from llemma.core.console import Console, table
from llemma.core.errors import DataError, MissingError
from llemma.corpus.web.quality.score import save
from llemma.corpus.web.quality.training import Example, Quality, example, train

LABELS = {"math": True, "other": False, "1": True, "0": False, "true": True, "false": False}


class Labelled(msgspec.Struct, frozen=True):
    """A row: `text`, or `html` that is extracted first. Rows of one `group` are never split between parts."""

    label: str | int | bool
    text: str = ""
    html: str = ""
    group: str = ""


def train_score_files(
    inputs: Sequence[Path], out: Path, *, held_out: float, seed: int, trained_on: str, console: Console
) -> Quality:
    """Train a score on the rows of `inputs`, write it to `out`, and return how it does on the part held out.

    `trained_on` is what data cards say of it; the names of the files when empty. Raises `DataError` for a row without
    text or label, and where there is too little of a label.
    """
    with console.progress("read", unit="rows") as bar:
        examples = list(bar.counted(_examples(inputs, held_out, seed)))
    console.say(f"train on {len(examples):,} rows")
    about = {"trained_on": trained_on or ", ".join(path.name for path in inputs), "seed": str(seed)}
    trained = train(examples, seed=seed, about=about)
    save(trained.model, out)
    return trained.held_out


def _examples(inputs: Sequence[Path], held_out: float, seed: int) -> Iterator[Example]:
    for path in inputs:
        if not path.is_file():
            raise MissingError(f"no such file: {path}", mend="give JSONL rows {text, label}")
        for number, row in enumerate(_rows(path), start=1):
            place = f"{path.name} line {number}"
            yield example(_text(row, place), _label(row, place), row.group, held_out=held_out, seed=seed)


def _rows(path: Path) -> Iterator[Labelled]:
    decoder = msgspec.json.Decoder(Labelled)
    try:
        with jsonl.open_lines(path) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError as error:
                    mend = 'rows are {"text": ..., "label": "math" or "other"}'
                    raise DataError(f"damaged row: {error}", where=f"{path} line {number}", mend=mend) from error
    except jsonl.damage() as error:
        raise DataError(f"damaged stream: {error}", where=str(path), mend="make the file again") from error


def _text(row: Labelled, place: str) -> str:
    if row.html and not row.text:
        from llemma.corpus.web import extract

        return extract(row.html).text
    if not row.text:
        raise DataError("a row without 'text' or 'html'", where=place, mend="remove the row")
    return row.text


def _label(row: Labelled, place: str) -> bool:
    label = LABELS.get(str(row.label).lower())
    if label is None:
        raise DataError(f"unknown label {row.label!r}", where=place, mend="write math or other, or 1 or 0")
    return label


def quality_text(found: Quality) -> str:
    """The held-out figures and the threshold table."""
    columns = ("threshold", "precision", "recall", "F1", "kept")
    rows = [
        (f"{row.threshold:g}", *(f"{value:.1%}" for value in (row.precision, row.recall, row.f1, row.kept)))
        for row in found.thresholds
    ]
    head = (
        f"held out: {found.rows:,} rows, {found.mathematical:,} of them math; at 0.5 precision {found.precision:.1%}, "
        f"recall {found.recall:.1%}, F1 {found.f1:.1%}; AUC {found.auc:.4f}"
    )
    return f"{head}\n{table(columns, rows)}"
