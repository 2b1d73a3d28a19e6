"""The pages in a real browser: opened from disk as a double click does, and over `llemma view`."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from llemma.report import build, build_comparisons

ROOT = Path(__file__).parents[2]
Open = Callable[..., Any]
PAGES = ("index", "samples", "training", "corpus", "overlap", "dropped")
WINDOWS = ((1400, "light"), (1400, "dark"), (360, "light"), (1920, "dark"))


def state(page: Any) -> dict[str, Any]:
    """What the explorer shows."""
    return dict(
        page.evaluate(
            """() => ({ id: document.querySelector(".permalink")?.textContent, hash: location.hash,
            count: document.getElementById("count").textContent, rows: document.querySelectorAll(".row").length,
            focus: document.activeElement.id })"""
        )
    )


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.slow
def test_every_page_fits_its_window_asks_for_nothing_outside_and_is_silent(
    width: int, scheme: str, report: Path, tmp_path: Path, visit: Open
) -> None:
    window = visit(width=width, scheme=scheme)
    for name in PAGES:
        page = window.open(report / f"{name}.html")
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert (tmp_path / f"{name}-{width}-{scheme}.png").stat().st_size > 5_000
        dark = page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])") < 128
        assert dark == (scheme == "dark")
    home = report.as_uri()
    assert window.requested and all(url.startswith((home, "about:blank")) for url in window.requested)
    assert window.complaints == []


@pytest.mark.slow
def test_the_links_lead_through_every_page(report: Path, visit: Open) -> None:
    window = visit()
    page = window.open(report / "index.html")
    for name in ("Samples", "Overlap", "Training", "Corpus", "Dropped documents", "Overview"):
        page.click(f"nav >> text={name}")
        assert page.inner_text("nav [aria-current]") == name
    page.click("text=gained")
    window.settle("document.getElementById('count')?.textContent.includes(' of ')")
    assert window.complaints == []


@pytest.mark.slow
def test_the_explorer_works_by_keyboard(report: Path, visit: Open) -> None:
    window = visit()
    page = window.open(report / "samples.html")
    assert state(page)["id"] == "generated/0000#0" and state(page)["count"] == "24 problems"
    for key, place in (("j", "generated/0001#1"), ("j", "generated/0002#0"), ("k", "generated/0001#1")):
        page.keyboard.press(key)
        window.settle(f"document.querySelector('.permalink').textContent === {place!r}")
    assert quote("generated/0001#1", safe="") in state(page)["hash"]
    page.keyboard.press("/")
    assert state(page)["focus"] == "search"
    page.keyboard.type("we add and add")
    window.settle("document.getElementById('count').textContent.includes(' of 24')")
    found = int(state(page)["count"].split()[0])
    assert 0 < found < 24  # a completion's words, not the problem's
    page.keyboard.press("Enter")
    assert state(page)["focus"] == "list" and state(page)["rows"] == found
    page.keyboard.press("End")
    page.keyboard.press("?")
    assert page.evaluate("document.getElementById('help').open")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert page.evaluate("document.getElementById('facets-box').open")
    page.click("#clear")
    assert state(page)["count"] == "24 problems"


@pytest.mark.slow
def test_words_and_phrases(report: Path, visit: Open) -> None:
    window = visit()

    def count(query: str) -> int:
        page = window.open(report / "samples.html", f"#q={quote(query)}")
        return int(state(page)["count"].split()[0])

    assert count("notebooks") == 12 == count("NOTEBOOKS pen") == count("pen notebooks")
    assert count('"pen notebooks"') == 0 < count('"notebooks for"')


@pytest.mark.slow
def test_tab_alone_reaches_all_and_shows_where_it_is(report: Path, visit: Open) -> None:
    page = visit().open(report / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return [one.tagName, one.title, style.outlineStyle, getComputedStyle(one, "::after").content]; }"""
        )
        seen.add(focused[0])
        assert focused[2] != "none"
        if focused[0] == "ABBR":  # what a pointer shows, the keyboard shows
            assert focused[1] and focused[1][:20] in focused[3]
    assert {"A", "ABBR", "SUMMARY"} <= seen


@pytest.mark.slow
def test_hostile_text_does_nothing(report: Path, made: ModuleType, visit: Open) -> None:
    window = visit()
    for number, text in enumerate(made.HOSTILE):
        name = f"generated/{number:04d}#{number % 2}"
        page = window.open(report / "samples.html", f"#p={quote(name, safe='')}")
        assert page.title().endswith("Samples · mini · llemma")
        assert page.query_selector("img, style, body script, svg, iframe, [onerror], [onfocus], [onload]") is None
        links = page.evaluate("[...document.querySelectorAll('[href], [src]')].map((one) => one.href || one.src)")
        assert not [link for link in links if link.startswith("javascript:") or "evil.example" in link]
        if number in (0, 1, 2, 8, 9):
            assert text in page.text_content(".problem") and text in page.text_content(".completion")
        if number < 6:
            assert page.query_selector(".overlap mark") is not None
    for name in PAGES:
        page = window.open(report / f"{name}.html")
        assert "broken" not in page.title() and page.evaluate("getComputedStyle(document.body).display") != "none"
    assert all(url.startswith((report.as_uri(), "about:blank")) for url in window.requested)
    assert window.complaints == []


def test_a_run_of_hostile_name(run_folder: Path, tmp_path: Path, visit: Open) -> None:
    named = tmp_path / "<img src=x onerror=alert(1)>\u202e"
    named.symlink_to(run_folder / "eval")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "eval").symlink_to(run_folder / "eval")
    index = build([tmp_path / "run", named / "math"], tmp_path / "out")
    window = visit()
    page = window.open(index)
    assert page.query_selector("img") is None and window.complaints == []


def test_a_script_that_came_into_a_page_is_stopped_by_the_policy(report: Path, tmp_path: Path, visit: Open) -> None:
    """The second line of defence: even if escaping failed, neither scripts nor requests get through."""
    page = (report / "dropped.html").read_text(encoding="utf-8")
    evil = (
        "<script>document.title='broken'</script><img src='http://evil.example/x' onerror=\"document.title='broken'\">"
    )
    (tmp_path / "page.html").write_text(page.replace("</body>", f"{evil}</body>"), encoding="utf-8")
    window = visit()
    opened = window.open(tmp_path / "page.html")
    assert "broken" not in opened.title()
    assert any("Content Security Policy" in line for line in window.complaints)


def test_formulas_are_mathml_and_code_is_in_cells(report: Path, visit: Open) -> None:
    page = visit().open(report / "samples.html")
    assert page.query_selector("mfrac") is not None and page.query_selector("msqrt") is not None


def test_links_lead_to_a_problem_a_filter_and_a_clear_message(report: Path, visit: Open) -> None:
    window = visit()
    page = window.open(report / "samples.html", "#flip=gained&overlap-problem=no hit")
    assert re.fullmatch(r"\d+ of 24 problems", state(page)["count"]) and page.inner_text("#active") == "(2)"
    page.reload()
    window.settle("document.getElementById('active').textContent === '(2)'")
    page = window.open(report / "samples.html", "#p=nowhere")
    assert "No problem of this report is called" in page.inner_text("#detail")


def test_tables_can_be_copied(report: Path, visit: Open) -> None:
    page = visit().open(report / "index.html")
    page.click(".export summary")
    page.click(".export .copy >> nth=1")
    assert r"\begin{tabular}" in page.evaluate("getSelection().toString()")


def test_three_runs_side_by_side(made: ModuleType, tmp_path: Path, visit: Open) -> None:
    import random

    items = made.make_problems(20, random.Random(3))
    for name, skill in (("one", 0.2), ("two", 0.6), ("three", 0.8)):
        made.write_evaluation(tmp_path / name, items, skill, random.Random(name))
        results = json.loads((tmp_path / name / "results.json").read_bytes())
        results["llemma"]["parts"] = []  # of subjects that the problems do not have
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    found, index = build_comparisons([tmp_path / name for name in ("one", "two", "three")], tmp_path / "out")
    assert [one.names for one in found] == [("one", "two"), ("one", "three")]
    window = visit()
    page = window.open(index)
    assert page.inner_text("h1") == "A, B and C, problem by problem" and page.locator("#all tbody tr").count() == 3
    page.click("section:has-text('A and C') >> text=In the explorer >> nth=0")
    window.settle("document.getElementById('active')?.textContent === '(1)'")
    assert page.locator(".row .mark").count() % 3 == 0 and window.complaints == []


@pytest.mark.slow
def test_a_hundred_thousand_samples_stay_quick(tmp_path: Path, visit: Open) -> None:
    spec = importlib.util.spec_from_file_location("bench_report", ROOT / "bench" / "report.py")
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    index = build([bench.write_run(tmp_path / "run", 100_000)], tmp_path / "out")
    window = visit()
    page = window.page
    page.goto((index.parent / "samples.html").as_uri(), wait_until="commit")
    page.wait_for_selector(".row .snippet")
    painted = max(page.evaluate(bench.PAINTED))
    window.settle("llemma.search.complete()", 60)
    assert state(page)["count"] == "100000 problems" and state(page)["rows"] < 60

    def fastest(words: str) -> float:  # of three: the machine does other things too
        page.evaluate(f"history.replaceState(null, '', '#q=' + encodeURIComponent({words!r}))")
        return float(min(page.evaluate(bench.SEARCH, words) for _ in range(3)))

    times = {words: fastest(words) for words in (f'"{bench.RARE}"', bench.COMMON, "quaternion answer", "nowhere")}
    assert painted < 1000 and max(times.values()) < 300, (painted, times)
    fastest(f'"{bench.RARE}"')
    assert state(page)["count"] == "100 of 100000 problems"
    window.settle("[...document.querySelectorAll('.row .snippet')].every((one) => one.textContent.includes(' '))")
    for key in itertools.repeat("j", 5):
        page.keyboard.press(key)
    window.settle("document.querySelector('.permalink')?.textContent.endsWith('007')")
    assert window.complaints == []
