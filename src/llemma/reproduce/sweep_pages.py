"""What a sweep shows: its plan, a table for a terminal and one in Markdown, and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llemma.core.console import count, table
from llemma.core.recipe import Recipe
from llemma.reproduce.schema import LlemmaRecipe

if TYPE_CHECKING:
    from llemma.reproduce.sweep import Outcome, Proxy


def plan(recipe: Recipe[LlemmaRecipe]) -> tuple[dict[str, object], str]:
    """What a sweep will run, as data and as text; reads the sizes of the stores alone."""
    from llemma.reproduce import costs
    from llemma.reproduce.sweep import open_space
    from llemma.train.plan import flops_per_token

    space, found = open_space(recipe)
    runs = len(space.planned()) + 2 * space.config.repeats - 1
    shape = costs.shapes_of(recipe)[space.name]
    flops = runs * space.tokens * flops_per_token(shape, space.phase.context)
    rows = []
    for index, name in enumerate(space.sources):
        bounds = f"{space.low[index]:.2f} to {space.high[index]:.2f}"
        times = f"{space.epochs(space.compare)[name]:.2f}"
        kept = f"{min(space.kept(name), found[name].info.tokens):,} of {found[name].info.tokens:,}"
        rows.append((name, f"{space.compare[index]:.3f}", bounds, kept, times))
    head = f"{runs} runs of train.{space.name}, {count(space.tokens)} tokens each: {flops:.2e} FLOPs in all"
    lines = table(("source", "compare", "weights allowed", "tokens kept", "epochs at compare"), rows)
    facts: dict[str, object] = {"runs": runs, "tokens": runs * space.tokens, "flops": flops}
    mixes = [dict(zip(space.sources, (round(float(w), 4) for w in m), strict=True)) for m in space.planned()]
    return facts | {"mixtures": mixes}, f"{head}\n\n{lines}\nnothing was run or written"


def rows(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    """The table of all runs: weights, bits per byte by validation set, the objective; the best one is last."""
    sets = list(outcome.objective) + [name for name in outcome.runs[0].losses if name not in outcome.objective]
    heads = ["run", *outcome.sources, *(f"{name} (bpb)" for name in sets), "objective"]
    runs = sorted(outcome.runs, key=lambda run: -run.objective)
    later = [*outcome.confirmed, *(run for run in outcome.compared if run not in runs)]
    return heads, [_row(run, outcome.sources, sets) for run in [*runs, *later]]


def _row(run: Proxy, sources: list[str], sets: list[str]) -> list[str]:
    cells = [f"{run.weights[name]:.3f}" for name in sources] + [f"{run.losses[name]:.4f}" for name in sets]
    return [run.name, *cells, f"{run.objective:.4f}"]


def summary(outcome: Outcome) -> str:
    """What the fit says, and whether the runs that confirm it agree."""
    fit = outcome.fit
    best = [
        f"{name} {w:.3f} ({fit.interval[name][0]:.3f} to {fit.interval[name][1]:.3f})" for name, w in fit.best.items()
    ]
    lines = [
        f"best mixture: {', '.join(best)}",
        f"fit: {', '.join(f'{name} {form}' for name, form in fit.forms.items())}; left-out error {fit.error:.4f} at a "
        f"spread of {fit.spread:.4f}, rank correlation {fit.spearman:.2f}",
        f"predicted gain over compare: {-fit.gap:.4f} bits per byte ({-fit.gap_interval[1]:.4f} to "
        f"{-fit.gap_interval[0]:.4f}); measured: {-outcome.gain:.4f}{_noise(outcome)}",
    ]
    if fit.error > fit.spread:
        lines.append("the fit explains nothing: its error is larger than the spread of the runs; more or longer runs")
    if fit.at_edge:
        lines.append(f"on the edge of what was tried or allowed: {', '.join(fit.at_edge)}")
    return "\n".join(lines)


def _noise(outcome: Outcome) -> str:
    """The gain seed by seed, where there is more than one."""
    if len(outcome.confirmed) < 2:
        return " (one seed)"
    pairs = zip(outcome.confirmed, outcome.compared, strict=True)
    return f" (by seed: {', '.join(f'{b.objective - a.objective:.4f}' for a, b in pairs)})"


def text(outcome: Outcome) -> str:
    """The table and the summary for a terminal."""
    return f"{table(*rows(outcome))}\n\n{summary(outcome)}"


def markdown(outcome: Outcome) -> str:
    """The same as a page of Markdown."""
    heads, body = rows(outcome)
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *body)]
    points = "\n".join(f"- {line}" for line in summary(outcome).splitlines())
    return f"# Mixtures\n\nEach run: {outcome.tokens:,} tokens.\n\n" + "\n".join(lines) + f"\n\n{points}\n"


def draw(outcome: Outcome, path: Path) -> None:
    """Two plots side by side: weights of the first two sources coloured by the objective, and the objective of all runs
    in order with the confirming ones."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "llemma", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        first, second = outcome.sources[:2]
        dots = left.scatter(
            [run.weights[first] for run in outcome.runs],
            [run.weights[second] for run in outcome.runs],
            c=[run.objective for run in outcome.runs],
            cmap="viridis_r",
        )
        best, other = outcome.fit.best, outcome.fit.compare
        left.plot(best[first], best[second], "r*", markersize=14, label="fitted")
        left.plot(other[first], other[second], "kx", markersize=10, label="compare")
        left.set(xlabel=f"weight of {first}", ylabel=f"weight of {second}")
        left.legend()
        figure.colorbar(dots, ax=left, label="objective, bits per byte")
        ordered = sorted(outcome.runs, key=lambda run: run.objective)
        right.plot([run.objective for run in ordered], "o", label="runs, in order")
        right.axhline(min(run.objective for run in outcome.confirmed), color="r", label="fitted, measured")
        right.axhline(outcome.compared[0].objective, color="k", linestyle=":", label="compare")
        right.set(xlabel="run", ylabel="objective, bits per byte")
        right.legend()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
