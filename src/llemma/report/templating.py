"""The templates, and how values are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llemma.core.console import count, duration
from llemma.report import bars, compare, glossary, overlaps, proofs, published, read, sheets, tables
from llemma.report.changes import kind
from llemma.report.overlaps import words
from llemma.report.text import shorten, visible

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLES = 25  # dropped documents shown for each reason
FLIPS = 500  # flipped problems in one list

# Nothing from outside, nothing inline. The explorer may add its own chunks as scripts, by one checked name pattern.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types llemma-chunks"
)


def page(folder: Path, template: str, name: str, **context: Any) -> None:
    """Fill `template` and write it as the page `name` of `folder`."""
    (folder / name).write_bytes(environment().get_template(template).render(policy=POLICY, **context).encode())


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, with every value escaped whatever the file is called, and hidden characters made visible."""
    made = Environment(
        loader=PackageLoader("llemma.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "size": byte_size,
        "whole": whole,
        "plain": lambda n: str(n),
        "groupby_key": by_key,
        "short": count,
        "duration": duration,
        "percent": lambda share: f"{100 * share:.1f} %",
        "anchor": anchor,
        "word": lambda outcome: outcome.replace("_", " "),
        "signed": tables.signed,
        "span": tables.span,
        "number": tables.number,
        "value": lambda score: tables.number(score.value, score.metric != "bits_per_byte"),
        "interval": interval,
        "tally": tables.tally,
        "when": when,
        "p_value": compare.p_value,
        "kind": kind,
        "short_text": lambda text: shorten(visible(text), 60),
        "model_label": read.label,
        "permalink": permalink,
        "words": words,
        "known": glossary.known,
        "points": lambda value: tables.signed(value, True),
        "cell": sheets.cell,
    }
    made.globals |= {
        "bars": bars.bars,
        "strip": bars.strip,
        "lasted": lasted,
        "WIDTH": bars.WIDTH,
        "EXAMPLES": EXAMPLES,
        "MEANING": proofs.MEANING,
        "PUBLISHED": published.SOURCE,
        "FLIPS": FLIPS,
        "term": glossary.term,
        "looked_for": sheets.looked_for,
    }
    return made


def _show(value: Any) -> Any:
    return visible(value) if type(value) is str else value


def anchor(name: str) -> str:
    """A fragment that is safe in an id and in a link, different for different names."""
    return "s-" + "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)


def whole(n: int) -> Markup:
    """A whole number in groups of three that are set apart for the eye alone: copied, it is the plain number."""
    groups = f"{n:,}".split(",")
    return Markup(groups[0]) + Markup("").join(Markup('<span class="g">{}</span>').format(part) for part in groups[1:])


def by_key(rows: Sequence[overlaps.Unique]) -> list[tuple[tuple[str, overlaps.Length], list[overlaps.Unique]]]:
    """Rows of a table of overlaps by what was looked for, a cell a subset."""
    subsets = dict.fromkeys(row.subset for row in rows)
    cells = {(row.kind, row.n, row.subset): row for row in rows}
    return [
        ((kind, n), [cells.get((kind, n, subset), overlaps.Unique(kind, n, subset)) for subset in subsets])
        for kind, n in dict.fromkeys((row.kind, row.n) for row in rows)
    ]


def permalink(problem: str) -> str:
    """The address of a problem in the explorer, as the page itself writes it."""
    return f"samples.html#p={quote(visible(problem), safe='')}"


def byte_size(n: float) -> str:
    """`950 B`, `12.3 kB`, `4.1 MB`: powers of ten."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n:.0f} B"


def interval(score: Any) -> str:
    """`12.1 to 18.9`, in the unit of the score's value; one item tells no spread."""
    if score.n < 2 and score.low == score.high:
        return "no interval"
    if score.metric == "bits_per_byte":
        return f"{score.low:.3f} to {score.high:.3f}"
    return f"{100 * score.low:.1f} to {100 * score.high:.1f}"


def when(stamp: str) -> str:
    """`2026-11-20 10:19` of an ISO time stamp."""
    return stamp[:16].replace("T", " ")


def lasted(record: Any) -> str:
    """How long a run took, or an empty string where it cannot be told."""
    from datetime import datetime

    try:
        seconds = (datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.started)).total_seconds()
    except (TypeError, ValueError):
        return ""
    return duration(seconds) if seconds >= 0 else ""
