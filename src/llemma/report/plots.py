"""Curves as SVG that belongs to the page: no fonts, no style attributes, colours of light and dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from lxml import etree

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
    """All training runs on one axis of tokens. `joints` are (tokens at which a run ends, name of the run)."""

    loss: list[Curve]
    validation: list[Curve]
    joints: list[tuple[float, str]]


def curves(trainings: Sequence[read.Training]) -> Curves:
    """Put the runs one after the other: continued pretraining starts where the base model's tokens end."""
    loss: list[Curve] = []
    subsets: dict[str, list[tuple[float, float]]] = {}
    joints: list[tuple[float, str]] = []
    start = 0.0
    for number, training in enumerate(trainings):
        points, checks, end = _positions(training, start)
        loss.append(_thin(Curve(read.label(training.name), [x for x, _ in points], [y for _, y in points], number)))
        for subset, x, y in checks:
            subsets.setdefault(subset, []).append((x, y))
        start = end
        joints.append((end, read.label(training.name)))
    order = sorted(subsets, key=lambda name: (name == "mathematics", name))
    validation = [
        Curve(name, [x for x, _ in subsets[name]], [y for _, y in subsets[name]], i % SERIES)
        for i, name in enumerate(order)
    ]
    return Curves([curve for curve in loss if curve.x], validation, joints)


def _positions(
    training: read.Training, start: float
) -> tuple[list[tuple[float, float]], list[tuple[str, float, float]], float]:
    """Loss points, validation points and the end of one run, in tokens since the first run began.

    A validation row has no token count of its own: it gets the one of its step, or of the last step before it.
    """
    points, checks, here = [], [], start
    for row in sorted(training.metrics, key=lambda row: (row.step, row.validation is not None)):
        here = start + row.tokens if row.tokens is not None else here
        if row.loss is not None and math.isfinite(row.loss):
            points.append((here, row.loss))
        checks += [(name, here, y) for name, y in (row.validation or {}).items() if y is not None and math.isfinite(y)]
    return points, checks, here


def _thin(curve: Curve) -> Curve:
    """At most `POINTS` points, each the mean of its neighbours."""
    size = -(-len(curve.x) // POINTS) or 1
    parts = range(0, len(curve.x), size)
    means = [[sum(values[i : i + size]) / len(values[i : i + size]) for i in parts] for values in (curve.x, curve.y)]
    return Curve(curve.name, means[0], means[1], curve.colour)


def training_loss(data: Curves) -> str:
    """The training loss in nats a token, as an `<svg>` element; empty where there is nothing to draw."""
    return _figure(data.loss, data.joints, "loss", "Training loss in nats per token over tokens trained")


def validation_loss(data: Curves) -> str:
    """Validation bits per byte by subset, as an `<svg>` element; empty where there is nothing to draw."""
    return _figure(
        data.validation, data.joints, "bits", "Validation bits per byte by subset over tokens trained", marks=True
    )


def _figure(
    lines: Sequence[Curve], joints: Sequence[tuple[float, str]], salt: str, title: str, marks: bool = False
) -> str:
    if not lines:
        return ""

    def draw(axes: Any) -> None:
        for line in lines:
            axes.plot(line.x, line.y, color=_SERIES[line.colour % SERIES], lw=1.4, marker="o" if marks else "", ms=3)
        _dress(axes, joints)
        if marks:
            _name_ends(axes, lines)

    return _draw(draw, salt, title, 0.70 if marks else 0.90)


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
        draw(figure.add_axes((0.075, 0.12, width, 0.78)))
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
