from __future__ import annotations

import math
import re
from pathlib import Path

from lxml import etree

from llemma.report import plots, read
from llemma.report.read import Metric, Training


def training(name: str, size: int, **more: float) -> Training:
    rows = [Metric(step=i, tokens=i * 100, loss=4 / i) for i in range(1, size + 1)]
    return Training(name, None, None, [*rows, Metric(step=size, validation={"web": 1.5, "<b>$x$": 1.2, **more})])


def test_continued_training_starts_where_the_base_ends() -> None:
    data = plots.curves([training("base", 50), training("math", 20)])
    assert data.loss[0].x[-1] == 5000 and data.loss[1].x[0] == 5100
    assert data.joints == [(5000, "Base"), (7000, "Continued")]
    assert [curve.x for curve in data.validation] == [[5000, 7000]] * 2


def test_the_total_comes_last_and_losses_that_are_no_numbers_are_left_out() -> None:
    run = training("base", 3, mathematics=1.0)
    run.metrics.append(Metric(step=9, tokens=900, loss=math.nan, validation={"web": None}))
    data = plots.curves([run])
    assert data.validation[-1].name == "mathematics"
    assert all(math.isfinite(y) for curve in [*data.loss, *data.validation] for y in curve.y)


def test_long_curves_are_thinned_to_means() -> None:
    (curve,) = plots.curves([training("base", 5000)]).loss
    assert len(curve.x) <= plots.POINTS
    assert max(curve.y) < 4  # the first point is a mean of neighbours


def test_drawings_are_plain_svg_in_the_pages_colours(run_folder: Path) -> None:
    data = plots.curves([*read.run(run_folder).trainings, training("<i>", 5)])
    drawings = plots.training(data)
    assert set(drawings) == {"loss", "validation", "rate", "speed", "norm"}
    for drawing in drawings.values():
        root = etree.fromstring(drawing)
        tags = {etree.QName(element).localname for element in root.iter(etree.Element)}
        assert tags <= {"svg", "g", "defs", "path", "use", "text", "clipPath", "rect"}
        assert ("style=" not in drawing and "currentColor" in drawing) or "var(--muted)" in drawing
        assert not re.search(r"#0[0-9a-f]{5}\b", drawing)  # no stand-in colour is left
        assert root.get("role") == "img" and root.get("width") is None
    assert plots.training(data) == drawings
    assert "$x$" in drawings["validation"]  # names are never read as formulas


def test_the_guards_events_are_marked_on_every_curve() -> None:
    run = training("base", 40)
    quiet = plots.training(plots.curves([run]))["loss"]
    run.metrics.append(Metric(step=20, event="rollback", why="loss not finite", to=10, places=[3, 9]))
    data = plots.curves([run])
    assert data.events == [2000] and plots.training(data)["loss"] != quiet


def test_a_drawing_alone_needs_no_style_sheet(run_folder: Path) -> None:
    drawing = plots.standalone(plots.training(plots.curves(read.run(run_folder).trainings))["loss"])
    root = etree.fromstring(drawing.encode())
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("width") == "142.2mm"
    assert "var(" not in drawing and "currentColor" not in drawing and "#1d5b8f" in drawing


def test_nothing_to_draw() -> None:
    assert plots.training(plots.curves([])) == {}
    assert plots.training(plots.curves([Training("base", None, None, [])])) == {}
