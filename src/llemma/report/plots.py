"""Curves as SVG that belongs to the page: no fonts, no style attributes, colours of light and dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from lxml import etree

from llemma.core.console import count
from llemma.report import read
from llemma.report.text import shorten, visible

WIDTH, HEIGHT = 5.6, 3.4  # inches at 100 dots: as wide as half a page
POINTS = 300  # of one curve; more cannot be seen
SERIES = 8  # colours in the style sheet

# matplotlib draws with these stand-ins; the page's own colours take their place.
_INK, _MUTED, _RULE = "#000001", "#000002", "#000003"
_SERIES = [f"#0001{number:02x}" for number in range(SERIES)]
_COLOURS = {_INK: "currentColor", _MUTED: "var(--muted)", _RULE: "var(--rule)"}
_COLOURS |= {colour: f"var(--s{number})" for number, colour in enumerate(_SERIES)}
_NAMES = """
    fill fill-opacity stroke stroke-width stroke-opacity stroke-dasharray stroke-dashoffset stroke-linecap
    stroke-linejoin stroke-miterlimit opacity text-anchor
"""
_KEPT = frozenset(_NAMES.split())
_SIZE = re.compile(r"([\d.]+)px")
_SVG = "{http://www.w3.org/2000/svg}"


class Curve(msgspec.Struct, frozen=True):
    """A line: `x` in tokens, `y` in what the figure shows, `colour` the place in the style sheet's series."""

    name: str
    x: list[float]
    y: list[float]
    colour: int = 0


class Curves(msgspec.Struct, frozen=True):
    """All training runs on one axis of tokens. `joints` are (tokens at which a run ends, name of the run), `events`
    where the guard stepped in."""

    loss: list[Curve]
    validation: list[Curve]
    joints: list[tuple[float, str]]
    rate: list[Curve] = []
    speed: list[Curve] = []
    norm: list[Curve] = []
    events: list[float] = []


_COLUMNS = ("loss", "lr", "tokens_per_second", "grad_norm")


def curves(trainings: Sequence[read.Training]) -> Curves:
    """Put the runs one after the other: continued pretraining starts where the base model's tokens end."""
    lines: dict[str, list[Curve]] = {column: [] for column in _COLUMNS}
    subsets: dict[str, list[tuple[float, float]]] = {}
    joints: list[tuple[float, str]] = []
    events: list[float] = []
    start = 0.0
    for number, training in enumerate(trainings):
        name, placed = read.label(training.name), list(_placed(training, start))
        for column in _COLUMNS:
            points = [(x, y) for x, row in placed if (y := getattr(row, column)) is not None and math.isfinite(y)]
            if points:
                lines[column].append(_thin(Curve(name, [x for x, _ in points], [y for _, y in points], number)))
        for x, row in placed:
            events += [x] * bool(row.event)
            for subset, value in (row.validation or {}).items():
                if value is not None and math.isfinite(value):
                    subsets.setdefault(subset, []).append((x, value))
        start = placed[-1][0] if placed else start
        joints.append((start, name))
    loss, rate, speed, norm = (lines[column] for column in _COLUMNS)
    return Curves(loss, _validation(subsets), joints, rate, speed, norm, events)


def _validation(subsets: dict[str, list[tuple[float, float]]]) -> list[Curve]:
    order = sorted(subsets, key=lambda name: (name == "mathematics", name))
    return [
        Curve(name, [x for x, _ in subsets[name]], [y for _, y in subsets[name]], i % SERIES)
        for i, name in enumerate(order)
    ]


def _placed(training: read.Training, start: float) -> Iterator[tuple[float, read.Metric]]:
    """The rows of one run, each with its place in tokens since the first run began.

    A validation row or an event has no token count of its own: it gets the one of its step, or of the last before it.
    """
    here = start
    for row in sorted(training.metrics, key=lambda row: (row.step, row.validation is not None)):
        here = start + row.tokens if row.tokens is not None else here
        yield here, row


def _thin(curve: Curve) -> Curve:
    """At most `POINTS` points, each the mean of its neighbours."""
    size = -(-len(curve.x) // POINTS) or 1
    parts = range(0, len(curve.x), size)
    means = [[sum(values[i : i + size]) / len(values[i : i + size]) for i in parts] for values in (curve.x, curve.y)]
    return Curve(curve.name, means[0], means[1], curve.colour)


def training(data: Curves) -> dict[str, str]:
    """Name -> `<svg>` element of what a training run shows over tokens; without those that have nothing to draw."""
    found = {
        "loss": _figure(data.loss, data, "loss", "Training loss in nats per token over tokens trained"),
        "validation": _figure(data.validation, data, "bits", "Bits per byte by source over tokens trained", marks=True),
        "rate": _figure(data.rate, data, "rate", "Learning rate over tokens trained"),
        "speed": _figure(data.speed, data, "speed", "Tokens per second over tokens trained"),
        "norm": _figure(data.norm, data, "norm", "Gradient norm over tokens trained"),
    }
    return {name: drawing for name, drawing in found.items() if drawing}


def _figure(lines: Sequence[Curve], data: Curves, salt: str, title: str, marks: bool = False) -> str:
    if not lines:
        return ""

    def draw(axes: Any) -> None:
        from matplotlib.ticker import FuncFormatter

        for line in lines:
            alone = marks or len(line.x) == 1
            axes.plot(line.x, line.y, color=_SERIES[line.colour % SERIES], lw=1.4, marker="o" if alone else "", ms=3)
        _dress(axes, data.joints)
        if data.events:
            tops = [0.985] * len(data.events)
            axes.plot(data.events, tops, "v", color=_SERIES[2], ms=5, transform=axes.get_xaxis_transform())
        if max(max(line.y) for line in lines) >= 1000:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: count(y)))
        if max(max(line.y) for line in lines) < 0.01:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.3g}"))
        if marks:
            _name_ends(axes, lines)

    return _draw(draw, salt, title, 0.70 if marks else 0.90)


class Shape(msgspec.Struct, frozen=True):
    """A distribution: shares of all between neighbouring `edges`, one line a group."""

    edges: list[float]
    groups: list[tuple[str, list[float]]]
    log: bool = False


def distribution(shape: Shape, title: str, salt: str) -> str:
    """Outlines of the groups' distributions over one axis, as an `<svg>` element; a group's own whole is 1."""

    def draw(axes: Any) -> None:
        from matplotlib.lines import Line2D

        edges = [math.log10(edge) for edge in shape.edges] if shape.log else shape.edges
        handles = []
        for number, (name, shares) in enumerate(shape.groups):
            colour = _SERIES[number % SERIES]
            axes.stairs([100 * share for share in shares], edges, color=colour, lw=1.4)
            handles.append(Line2D([], [], color=colour, lw=1.4, label=_label(name)))
        left, right = edges[0], edges[-1]
        _dress(axes, [])
        axes.set_xlim(left, right if right > left else left + 1)
        axes.set_ylim(bottom=0)
        if shape.log:
            powers = range(math.ceil(left), math.floor(right) + 1)
            axes.set_xticks(list(powers), [count(10**power) for power in powers])
        legend = axes.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        for text in legend.get_texts():
            text.set_color(_MUTED)
            text.set_parse_math(False)

    return _draw(draw, salt, title, 0.66)


def _draw(draw: Callable[[Any], None], salt: str, title: str, width: float) -> str:
    """The `<svg>` element of what `draw` puts on axes that take the share `width` of the figure; `salt` names its parts
    and must differ between the figures of a page."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own settings must not change the page
        matplotlib.rcParams.update(
            {"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 8.5, "text.parse_math": False}
        )
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=100)
        draw(figure.add_axes((0.1, 0.12, width - 0.025, 0.78)))
        buffer = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call,unused-ignore]
    return page_svg(buffer.getvalue(), title, salt)


class Band(msgspec.Struct, frozen=True):
    """A curve over k with its 95 % intervals: `y`, `low` and `high` in per cent."""

    line: Curve
    low: list[float]
    high: list[float]
    dashed: bool = False


def over_samples(bands: Sequence[Band], title: str, salt: str) -> str:
    """Curves over the number of samples k on a logarithmic axis, as an `<svg>` element."""
    ks = sorted({k for band in bands for k in band.line.x})

    def draw(axes: Any) -> None:
        lines = [msgspec.structs.replace(band.line, x=[math.log2(k) for k in band.line.x]) for band in bands]
        for band, line in zip(bands, lines, strict=True):
            colour = _SERIES[line.colour % SERIES]
            axes.fill_between(line.x, band.low, band.high, color=colour, alpha=0.16, lw=0)
            axes.plot(line.x, line.y, color=colour, lw=1.4, marker="o", ms=3, ls="--" if band.dashed else "-")
        _dress(axes, [])
        axes.set_xticks([math.log2(k) for k in ks], [f"{k:g}" for k in ks])
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]), top=min(100.0, axes.get_ylim()[1]))
        _name_ends(axes, lines)

    return _draw(draw, salt, title, 0.70)


def _dress(axes: Any, joints: Sequence[tuple[float, str]]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.patch.set_visible(False)
    axes.figure.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_MUTED)
    axes.grid(axis="y", color=_RULE, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, length=0, pad=4)
    axes.tick_params(axis="x", length=3)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlim(left=0)
    _name_runs(axes, joints)


def _name_runs(axes: Any, joints: Sequence[tuple[float, str]]) -> None:
    """The runs' names above their stretch of the axis, a dashed line where one ends and the next begins."""
    start = 0.0
    for number, (end, name) in enumerate(joints):
        if end <= start:
            continue
        if number:
            axes.axvline(start, color=_MUTED, lw=0.8, ls=(0, (3, 3)))
        place = (start + end) / 2
        axes.text(
            place, 1.03, _label(name), transform=axes.get_xaxis_transform(), ha="center", color=_MUTED, parse_math=False
        )
        start = end


def _name_ends(axes: Any, lines: Sequence[Curve]) -> None:
    """Each curve's name at its right end, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.062
    ends = sorted((line.y[-1], number) for number, line in enumerate(lines))
    places = [y for y, _ in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    over = max(0.0, places[-1] - high)
    right = axes.get_xlim()[1]
    for place, (_, number) in zip(places, ends, strict=True):
        line = lines[number]
        colour = _SERIES[line.colour % SERIES]
        axes.text(
            right * 1.015, place - over, _label(line.name), color=colour, va="center", clip_on=False, parse_math=False
        )


def _label(name: str) -> str:
    return shorten(visible(name), 22)


def page_svg(drawing: bytes, title: str, prefix: str) -> str:
    """A matplotlib drawing as an inline element: style attributes become plain ones, as a strict page needs."""
    root = etree.fromstring(drawing, etree.XMLParser(resolve_entities=False, no_network=True))
    etree.strip_elements(root, f"{_SVG}metadata", f"{_SVG}style", with_tail=False)
    etree.strip_tags(root, etree.Comment)
    for element in root.iter():
        _plain(element, prefix)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", title)
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, encoding="unicode", with_tail=False))


def _plain(element: Any, prefix: str) -> None:
    for part in element.attrib.pop("style", "").split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name in ("font", "font-size"):
            size = _SIZE.search(value)
            element.set("font-size", size.group(1) if size else "11")
        elif name in _KEPT:
            element.set(name, _COLOURS.get(value, value))
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif value.startswith(("#", "url(#")):
            element.set(name, _COLOURS.get(value) or value.replace("#", f"#{prefix}-", 1))


# The colours of the style sheet in the light, for a drawing that stands alone.
_ALONE = {
    "currentColor": "#22201c",
    "var(--muted)": "#6d685f",
    "var(--rule)": "#e3dfd5",
    **dict(
        zip(
            (f"var(--s{number})" for number in range(SERIES)),
            ("#756d5f", "#1d5b8f", "#a83a2e", "#25683f", "#7a5aa6", "#8f6410", "#17807e", "#a3486f"),
            strict=True,
        )
    ),
}


def standalone(drawing: str) -> str:
    """An `<svg>` element of a page as a file of its own, with its colours and a size in millimetres."""
    root = etree.fromstring(drawing.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _ALONE.get(value, value))
    root.set("font-family", "sans-serif")
    root.set("width", f"{25.4 * WIDTH:.1f}mm")
    root.set("height", f"{25.4 * HEIGHT:.1f}mm")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + str(etree.tostring(root, encoding="unicode")) + "\n"
