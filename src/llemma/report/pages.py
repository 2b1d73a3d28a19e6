"""Pages from run folders: data in, templates filled, a folder that opens by double click out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llemma.core.console import count, duration
from llemma.core.errors import UsageError
from llemma.core.files import replacing, write_json
from llemma.report import bars, compare, details, explorer, plots, proofs, published, read, tables
from llemma.report.changes import PROVED, kind
from llemma.report.text import shorten, visible

ASSETS = ("style.css", "explorer.js")
MARK = "report.json"
EXAMPLES = 25  # dropped documents shown for each reason
FLIPS = 500  # flipped problems in one list

# Nothing from outside, nothing inline. The explorer may add its own chunks as scripts, by one checked name pattern.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types llemma-chunks"
)


class Mark(msgspec.Struct, frozen=True):
    """`report.json`: says that a folder is a report of ours, which may be replaced."""

    generator: str
    runs: list[str]


def build(runs: Sequence[Path], out: Path, every_published: bool = False) -> Path:
    """Write the report of `runs` into `out`; see `llemma.report.build`."""
    if not runs:
        raise UsageError("no run to report on", mend="name at least one run folder")
    found = [read.run(folder) for folder in runs]
    _check_target(out)
    names = _folders([run.name for run in found])
    with replacing(out) as folder:
        folder.mkdir()
        if len(found) == 1:
            write_run(found[0], folder, every_published=every_published)
        else:
            for run, name in zip(found, names, strict=True):
                write_run(run, folder / name, home="../index.html", every_published=every_published)
            _assets(folder)
            overview = [
                (name, run, tables.compare(run.evaluations, run.provings))
                for name, run in zip(names, found, strict=True)
            ]
            _page(folder, "runs.html", "index.html", overview=overview)
        write_json(folder / MARK, Mark("llemma", names))
    return out / "index.html"


def _check_target(out: Path) -> None:
    """A report replaces its folder as a whole, so the folder must be new, empty, or a report."""
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(
            "the folder holds files that are no report", where=str(out), mend="name a new folder with --out"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(
            "a file stands where the report should go", where=str(out), mend="name a new folder with --out"
        )


def _folders(names: Sequence[str]) -> list[str]:
    """A folder name for each run: its own name made harmless, numbered where two are alike."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "run"
        seen[plain.lower()] += 1
        number = seen[plain.lower()]
        result.append(plain if number == 1 else f"{plain}-{number}")
    return result


def build_comparison(a: Path, b: Path, out: Path) -> tuple[compare.Comparison, Path]:
    """Write the page that compares the evaluations in `a` and `b`; see `llemma.report.build_comparison`."""
    sides = [compare.evaluation(folder) for folder in (a, b)]
    found = compare.compare(*sides)
    _check_target(out)
    named = [msgspec.structs.replace(side, name=f"{mark}: {side.name}") for mark, side in zip("AB", sides, strict=True)]
    with replacing(out) as folder:
        folder.mkdir()
        _assets(folder)
        shared = {task.task for task in sides[0].facts.tasks} & {task.task for task in sides[1].facts.tasks}
        problems = explorer.write(named, folder, shared)
        title = f"{found.names[0]} and {found.names[1]}"
        context = {"run": {"name": title}, "home": "", "ledger": {}, "problems": problems, "theorems": False}
        _page(folder, "compare.html", "index.html", found=found, sections=_compared(found), **context)
        _page(folder, "samples.html", "samples.html", **context)
        write_json(folder / MARK, Mark("llemma", list(found.names)))
    return found, out / "index.html"


def _compared(found: compare.Comparison) -> list[tuple[str, list[compare.Pair], list[tuple[str, list[compare.Flip]]]]]:
    """Task by task: the pairs, and the flips by reading."""
    tasks = dict.fromkeys(pair.task for pair in found.pairs)
    return [
        (
            task,
            [pair for pair in found.pairs if pair.task == task],
            [
                (kind, flips)
                for kind in compare.KINDS
                if (flips := [flip for flip in found.flips if (flip.task, flip.kind) == (task, kind)])
            ],
        )
        for task in tasks
    ]


def write_run(run: read.Run, folder: Path, home: str = "", every_published: bool = False) -> None:
    """All pages of one run into `folder`; `home` links back to a list of runs. With `every_published`, the published
    figures stand beside any model's."""
    folder.mkdir(exist_ok=True)
    _assets(folder)
    problems = explorer.write(run.evaluations, folder) if run.evaluations else 0
    ledger = dropped(run)
    context = {"run": run, "home": home, "problems": problems, "ledger": ledger, "theorems": bool(run.provings)}
    beside = published.all_beside(run.evaluations, every_published)
    _page(folder, "index.html", "index.html", **context, beside=beside, **overview(run))
    if problems:
        _page(folder, "samples.html", "samples.html", **context)
    if ledger:
        _page(folder, "dropped.html", "dropped.html", **context)
    if run.provings:
        _proofs(run, folder, context)


def _proofs(run: read.Run, folder: Path, context: dict[str, Any]) -> None:
    """The list of theorems, and a page with the search of each."""
    sections, number = [], 0
    for task in dict.fromkeys(proving.facts.task for proving in run.provings):
        asked = [proving for proving in run.provings if proving.facts.task == task]
        found = proofs.listed(asked, number)
        number += len(found)
        sections.append((task, asked, found))
        for theorem in found:
            rows = [(proving, row) for proving, row in zip(asked, theorem.rows, strict=True) if row is not None]
            searches = [(proving, row, *proofs.tree(proving, row)) for proving, row in rows]
            _page(folder, "proof.html", theorem.page, theorem=theorem, searches=searches, **context)
    _page(folder, "proofs.html", "proofs.html", proofs=sections, **context)


def overview(run: read.Run) -> dict[str, Any]:
    """What the overview page shows beside the run itself."""
    table = tables.compare(run.evaluations, run.provings)
    curves = plots.curves(run.trainings)
    return {
        "table": table,
        "groups": _groups(table),
        "summary": tables.summary(table),
        "loss": Markup(plots.training_loss(curves)),
        "validation": Markup(plots.validation_loss(curves)),
        "mixtures": [(training, tables.mixture(training)) for training in run.trainings],
        **_finer(run),
        "subsets": tables.subsets(run),
        "sources": tables.sources(run.stats) if run.stats else [],
        "skipped": tables.skipped(run.stats) if run.stats else [],
    }


def _finer(run: read.Run) -> dict[str, Any]:
    """Parts, curves, costs and samples of the evaluations."""
    models = [read.label(one.name) for one in run.evaluations]
    return {
        "parts": details.parts(run.evaluations),
        "curves": [(task, Markup(curves_figure(task, lines, models)), lines) for task, lines in _curves(run)],
        "costs": details.costs(run.evaluations),
        "readings": list(details.readings(run.evaluations)),
        "shown": details.samples(run.evaluations[-1]) if run.evaluations else {},
    }


def _curves(run: read.Run) -> list[tuple[str, list[details.CurveLine]]]:
    return list(details.curves(run.evaluations).items())


def curves_figure(task: str, lines: Sequence[details.CurveLine], models: Sequence[str]) -> str:
    """maj@k and pass@k over k with their intervals, as an `<svg>` element: colours tell models apart, or of one model
    the two readings."""
    bands = []
    for line in lines:
        alone = len(models) == 1
        values = [[100 * getattr(score, end) for _, score in line.points] for end in ("value", "low", "high")]
        colour = (1 if line.kind == "maj" else 3) if alone else line.model
        name = f"{line.kind}@k" if alone else f"{line.kind}, {models[line.model]}"
        curve = plots.Curve(name, [float(k) for k, _ in line.points], values[0], colour)
        bands.append(plots.Band(curve, values[1], values[2], dashed=not alone and line.kind == "pass"))
    return plots.over_samples(bands, f"{task}: share of problems solved over samples", anchor(f"curve {task}"))


def _groups(table: tables.BeforeAfter) -> list[tuple[str, list[tables.Row], bars.Scale]]:
    """Rows that share an axis: problems solved, theorems proved, and bits per byte."""
    solved = [row for row in table.rows if row.is_share and row.metric != PROVED]
    theorems = [row for row in table.rows if row.metric == PROVED]
    bits = [row for row in table.rows if not row.is_share]
    named = (("Problems solved", solved), ("Theorems proved", theorems), ("Bits per byte", bits))
    return [(name, rows, bars.scale(rows)) for name, rows in named if rows]


class Reason(msgspec.Struct, frozen=True):
    """Documents of one source dropped by one step for one reason, with the first of their ids."""

    step: str
    reason: str
    documents: int
    examples: list[str]


def dropped(run: read.Run) -> dict[str, list[Reason]]:
    """Source -> reasons, the commonest first, read from the ledger itself."""
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], list[str]] = {}
    for row in read.dropped(run):
        key = (row.source, row.step, row.reason)
        counts[key] += 1
        if counts[key] <= EXAMPLES:
            examples.setdefault(key, []).append(row.id)
    ledger: dict[str, list[Reason]] = {}
    for (source, step, reason), n in sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0])):
        ledger.setdefault(source, []).append(Reason(step, reason, n, examples[source, step, reason]))
    return ledger


def _assets(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ASSETS:
        (folder / name).write_bytes((Path(__file__).parent / "templates" / name).read_bytes())


def _page(folder: Path, template: str, name: str, **context: Any) -> None:
    text = environment().get_template(template).render(policy=POLICY, **context)
    (folder / name).write_text(text, encoding="utf-8", newline="\n")


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
        "whole": lambda n: f"{n:,}".replace(",", "\u202f"),
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
    }
    return made


def _show(value: Any) -> Any:
    return visible(value) if type(value) is str else value


def anchor(name: str) -> str:
    """A fragment that is safe in an id and in a link, different for different names."""
    return "s-" + "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)


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
