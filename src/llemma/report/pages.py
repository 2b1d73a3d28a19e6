"""Pages from run folders: data in, templates filled, a folder that opens by double click out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from llemma.core.errors import UsageError
from llemma.core.files import replacing, write_json
from llemma.report import (
    bars,
    corpora,
    details,
    explorer,
    journal,
    overlaps,
    paper,
    plots,
    proofs,
    published,
    read,
    tables,
)
from llemma.report import sheets as papers
from llemma.report.changes import PROVED
from llemma.report.templating import EXAMPLES, TEMPLATES, anchor, page

ASSETS = ("style.css", "copy.js", "icon.svg")
EXPLORER = ("data.js", "nodes.js", "search.js", "list.js", "sample.js", "explorer.js")
MARK = "report.json"


class Mark(msgspec.Struct, frozen=True):
    """`report.json`: says that a folder is a report of ours, which may be replaced."""

    generator: str
    runs: list[str]


def build(runs: Sequence[Path], out: Path, every_published: bool = False) -> Path:
    """Write the report of `runs` into `out`; see `llemma.report.build`."""
    if not runs:
        raise UsageError("no run to report on", mend="name at least one run folder")
    found = [read.run(folder) for folder in runs]
    check_target(out)
    names = _folders([run.name for run in found])
    with replacing(out) as folder:
        folder.mkdir()
        if len(found) == 1:
            write_run(found[0], folder, every_published=every_published)
        else:
            for run, name in zip(found, names, strict=True):
                write_run(run, folder / name, home="../index.html", every_published=every_published)
            assets(folder)
            overview = [
                (name, run, tables.compare(run.evaluations, run.provings))
                for name, run in zip(names, found, strict=True)
            ]
            page(folder, "runs.html", "index.html", overview=overview)
        write_json(folder / MARK, Mark("llemma", names))
    return out / "index.html"


def check_target(out: Path) -> None:
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


def write_run(
    run: read.Run,
    folder: Path,
    home: str = "",
    every_published: bool = False,
    kept: explorer.Kept | None = None,
) -> None:
    """All pages of one run into `folder`; `home` links back to a list of runs. With `every_published`, the published
    figures stand beside any model's. What `kept` knows from an earlier build is not made again."""
    studies = overlaps.studies(run.folder)
    problems = 0
    if run.evaluations:
        assets(folder, EXPLORER)
        problems = explorer.write(run.evaluations, folder, overlap=overlaps.by_problem(studies), kept=kept)
    assets(folder)
    beside = published.all_beside(run.evaluations, every_published)
    tabular = [*papers.of_run(run, beside), *(s for n, study in enumerate(studies) for s in papers.of_study(study, n))]
    paper.write(tabular, folder / "tables")
    curves = plots.curves(run.trainings)
    ledger = dropped(run)
    context = {"run": run, "home": home, "problems": problems, "theorems": bool(run.provings), "ledger": ledger}
    context |= {"trained": bool(curves.loss or curves.validation or run.trainings), "studies": studies}
    context |= {"running": _running(run)}
    context |= {"fed": bool(run.stats or run.stores), "sheets": paper.named(tabular)}
    page(folder, "index.html", "index.html", **context, beside=beside, **overview(run, folder))
    if problems:
        page(folder, "samples.html", "samples.html", **context)
    if context["trained"]:
        page(folder, "training.html", "training.html", **context, **training(run, curves, folder))
    if context["fed"]:
        page(folder, "corpus.html", "corpus.html", **context, **corpus(run, folder))
    if ledger:
        page(folder, "dropped.html", "dropped.html", **context)
    if studies:
        page(folder, "overlap.html", "overlap.html", **context)
    if run.provings:
        _proofs(run, folder, context)


def _running(run: read.Run) -> list[str]:
    """What there is of evaluations without scores."""
    return [
        f"evaluation of {read.label(one.name)}: {sum(1 for _ in journal.completions(one)):,} completions so far"
        for one in run.evaluations
        if not one.facts.scores
    ]


def assets(folder: Path, names: Sequence[str] = ASSETS) -> None:
    """Copy the style sheet and scripts."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes((TEMPLATES / name).read_bytes())


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
            page(folder, "proof.html", theorem.page, theorem=theorem, searches=searches, **context)
    page(folder, "proofs.html", "proofs.html", proofs=sections, **context)


def overview(run: read.Run, folder: Path) -> dict[str, Any]:
    """What the overview page shows beside the run itself: scores, parts, curves, costs, a few samples."""
    table = tables.compare(run.evaluations, run.provings)
    models = [read.label(one.name) for one in run.evaluations]
    curves = [
        (task, _plot(folder, f"curves-{number}", curves_figure(task, lines, models)), lines)
        for number, (task, lines) in enumerate(details.curves(run.evaluations).items())
    ]
    return {
        "table": table,
        "groups": _groups(table),
        "summary": tables.summary(table),
        "parts": details.parts(run.evaluations),
        "curves": curves,
        "costs": details.costs(run.evaluations),
        "readings": list(details.readings(run.evaluations)),
        "shown": details.samples(run.evaluations[-1]) if run.evaluations else {},
        "subsets": tables.subsets(run),
    }


def training(run: read.Run, curves: plots.Curves, folder: Path) -> dict[str, Any]:
    """What the training page shows: figures by name, mixtures, and the guard's events."""
    drawings = plots.training(curves)
    return {
        "figures": {name: _plot(folder, name, drawing) for name, drawing in drawings.items()},
        "mixtures": [(training, tables.mixture(training)) for training in run.trainings],
        "events": [(training.name, row) for training in run.trainings for row in training.metrics if row.event],
    }


def corpus(run: read.Run, folder: Path) -> dict[str, Any]:
    """What the corpus page shows: sizes, languages, sources, distributions, the data card."""
    looked = corpora.looked(run)
    length = corpora.lengths(looked)
    shapes = [*([length] if length else []), *corpora.scores(looked)]
    return {
        "subsets": tables.subsets(run),
        "languages": corpora.languages(run.stats) if run.stats else [],
        "sources": tables.sources(run.stats) if run.stats else [],
        "skipped": tables.skipped(run.stats) if run.stats else [],
        "shapes": [
            (shape.name, _plot(folder, f"documents-{number}", shape_figure(shape, number)))
            for number, shape in enumerate(shapes)
        ],
        "looked": corpora.DOCUMENTS,
        "card": corpora.card(run),
    }


def _plot(folder: Path, name: str, drawing: str) -> Markup:
    """A drawing for the page, which also becomes a file of its own."""
    (folder / "plots").mkdir(exist_ok=True)
    (folder / "plots" / f"{name}.svg").write_text(plots.standalone(drawing), encoding="utf-8", newline="\n")
    return Markup(drawing)


def shape_figure(shape: corpora.Histogram, number: int) -> str:
    """A histogram as shares of each group, so that small subsets can be seen beside large ones."""
    groups = [(name, [n / (sum(counts) or 1) for n in counts]) for name, counts in shape.groups if any(counts)]
    drawn = plots.Shape(shape.edges, groups, shape.log)
    return plots.distribution(drawn, f"documents by {shape.name}, per cent of each subset", f"documents{number}")


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


def _groups(table: tables.BeforeAfter) -> list[tuple[str, str, list[tables.Row], bars.Scale]]:
    """Rows that share an axis, with the name of their sheet: problems solved, theorems proved, and bits per byte."""
    solved = [row for row in table.rows if row.is_share and row.metric != PROVED]
    theorems = [row for row in table.rows if row.metric == PROVED]
    bits = [row for row in table.rows if not row.is_share]
    named = (
        ("Problems solved", "solved", solved),
        ("Theorems proved", "proved", theorems),
        ("Bits per byte", "bits", bits),
    )
    return [(name, sheet, rows, bars.scale(rows)) for name, sheet, rows in named if rows]


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
