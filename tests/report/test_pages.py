from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from lxml import html

from llemma.core.errors import MissingError, UsageError
from llemma.report import build, pages

ROOT = Path(__file__).parents[2]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_equal_runs_give_equal_bytes(run_folder: Path, report: Path, tmp_path: Path) -> None:
    again = build([run_folder], tmp_path / "again").parent
    assert digests(again) == digests(report)
    made = {"index", "samples", "training", "corpus", "dropped", "overlap"}
    assert {f"{name}.html" for name in made} | {"samples-000.js", "samples-index.js"} <= set(digests(again))


def test_pages_ask_for_nothing_outside_their_folder(report: Path) -> None:
    for page in report.glob("*.html"):
        tree = html.fromstring(page.read_bytes())
        targets = [*tree.xpath("//@src"), *tree.xpath("//@href")]
        assert targets
        for target in targets:
            assert re.fullmatch(
                r"(#[\w.-]+)|((tables/|plots/)?[a-zA-Z0-9-]+\.(html|css|js|md|tex|svg)(#[\w.=&%-]+)?)", target
            ), target
            name = target.partition("#")[0]
            assert not name or (report / name).is_file()
    for asset in (*pages.ASSETS, *pages.EXPLORER):
        text = (report / asset).read_text(encoding="utf-8")
        assert "url(" not in text and "@import" not in text
        assert set(re.findall(r"https?://[^\"' ]+", text)) <= {
            "http://www.w3.org/1998/Math/MathML",
            "http://www.w3.org/2000/svg",
        }


def test_hostile_text_stays_text(report: Path, made: ModuleType) -> None:
    for page in report.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        tree = html.fromstring(text.encode())
        assert not tree.xpath("//img | //*[@onerror] | //style | //script[not(@src)] | //*[@style]")
        assert not set(text) & set("\u2028\u2029\u202e\u202c\u200b")
    assert made.HOSTILE[0] in html.fromstring((report / "index.html").read_bytes()).text_content()
    for script in report.glob("samples-*.js"):
        assert not set(script.read_text(encoding="utf-8")) & set("<&\u2028\u2029\u202e")


def test_every_page_carries_the_policy(report: Path) -> None:
    for page in report.glob("*.html"):
        (policy,) = html.fromstring(page.read_bytes()).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_the_overview_says_what_was_run_and_found(report: Path) -> None:
    text = html.fromstring((report / "index.html").read_bytes()).text_content()
    for word in ("mini", "cpu, 2 threads", "lower is better", "gained", "Accuracy on generated-math, greedy", "14m29s"):
        assert word in text
    for word in ("4.2M parameters", "torch 2.13.0", "documents, "):
        assert word in text


def test_the_corpus_page_tells_sources_languages_drops_and_the_card(report: Path, made: ModuleType) -> None:
    tree = html.fromstring((report / "corpus.html").read_bytes())
    text = tree.text_content()
    for word in ("near-duplicate of a kept document", "no archive given", "algebraic-code", "python", made.HOSTILE[3]):
        assert word.replace("\u2028", "⟨U+2028⟩").replace("\u2029", "⟨U+2029⟩") in text
    assert len(tree.xpath("//section[@id='shapes']//figure")) == 2  # lengths, and the score that documents have
    assert "A corpus made by" in tree.get_element_by_id("card").text_content()


def test_the_training_page_tells_loss_rate_throughput_and_guard(report: Path, made: ModuleType) -> None:
    tree = html.fromstring((report / "training.html").read_bytes())
    assert len(tree.xpath("//figure//*[local-name()='svg']")) == 5
    guard = " ".join(tree.get_element_by_id("guard").text_content().split())
    assert "rollback" in guard and "left out" in guard and "places 3276 to 6553" in guard and made.HOSTILE[1] in guard


def test_the_overlap_page_tells_coverage_hits_and_accuracy(report: Path) -> None:
    text = " ".join(html.fromstring((report / "overlap.html").read_bytes()).text_content().split())
    for word in ("9 of 24 problems are shorter than 30 words", "2 / 5", "66.7 %", "+24.5", "0.041", "at equal level"):
        assert word in text


def test_every_table_and_figure_is_a_file_too(report: Path) -> None:
    for page in report.glob("*.html"):
        for link in html.fromstring(page.read_bytes()).xpath("//a/@href"):
            if link.startswith(("tables/", "plots/")):
                assert (report / link).is_file()
    assert {"solved.md", "solved.tex", "bits.tex", "cost.md", "overlap-0.tex"} <= {
        path.name for path in (report / "tables").iterdir()
    }
    assert {"loss.svg", "rate.svg", "curves-0.svg"} <= {path.name for path in (report / "plots").iterdir()}


def test_the_overview_tells_parts_curves_costs_and_samples(report: Path, made: ModuleType) -> None:
    tree = html.fromstring((report / "index.html").read_bytes())
    parts, drawn, cost, reading = (
        tree.get_element_by_id(name) for name in ("parts", "samples-drawn", "cost", "reading")
    )
    assert len(parts.xpath("./details")) == 2 and made.HOSTILE[0] in parts.text_content()
    assert len(drawn.xpath(".//figure//*[local-name()='svg']")) == 1
    assert [cell.text for cell in drawn.xpath(".//tbody//th")] == ["1", "2", "4", "8"]
    assert "34.6k" in cost.text_content() and "0.11, 0.52" in cost.text_content()
    assert "5 prompts of generated-math" in cost.text_content() and "lost their beginning" in cost.text_content()
    badges = [" ".join(badge.text_content().split()) for badge in reading.xpath(".//*[contains(@class, 'badge')]")]
    assert badges[:2] == ["right", "wrong"] and badges[2] in ("no answer", "cut off")
    assert not tree.xpath("//section[@id='published']")  # no model of the paper


def test_published_figures_stand_beside_the_papers_models(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder / "eval" / "math", folder)
    facts = json.loads((folder / "results.json").read_bytes())
    facts["llemma"]["tasks"][0]["task"] = "gsm8k"
    (folder / "results.json").write_text(json.dumps(facts))
    assert "Minerva" not in build([folder], tmp_path / "none").read_text()
    assert "540B" in build([folder], tmp_path / "all", every_published=True).read_text()
    facts["llemma"]["model"] = "hf:EleutherAI/llemma_7b"
    (folder / "results.json").write_text(json.dumps(facts))
    text = html.fromstring(build([folder], tmp_path / "own").read_bytes()).get_element_by_id("published").text_content()
    assert "36.4" in text and "Minerva 8B" in text and "540B" not in text
    assert "Not asked as published" in text and "24 of 1,319 problems" in text


def test_an_unfinished_run_shows_what_is_there(made: ModuleType, tmp_path: Path) -> None:
    import random

    made.write_training(tmp_path / "run" / "base", 5.0, random.Random(1))
    index = build([tmp_path / "run"], tmp_path / "out")
    text = index.read_text(encoding="utf-8")
    assert (
        "Training loss" in (index.parent / "training.html").read_text(encoding="utf-8")
        and "no model has been evaluated yet" in text
    )
    assert not (index.parent / "samples.html").exists() and "samples.html" not in text


def test_an_empty_run_gives_a_page(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert "Not everything is here" in build([tmp_path / "run"], tmp_path / "out").read_text(encoding="utf-8")


def test_several_runs_share_a_first_page(run_folder: Path, tmp_path: Path) -> None:
    index = build([run_folder, run_folder, run_folder / "eval" / "math"], tmp_path / "out")
    links = html.fromstring(index.read_bytes()).xpath("//h2/a/@href")
    assert links == ["mini/index.html", "mini-2/index.html", "math/index.html"]
    assert all((index.parent / link).is_file() for link in links)


def test_a_report_is_replaced_and_other_folders_are_left_alone(run_folder: Path, tmp_path: Path) -> None:
    build([run_folder], tmp_path / "out")
    (tmp_path / "out" / "samples-099.js").write_text("stale")
    build([run_folder], tmp_path / "out")
    assert not (tmp_path / "out" / "samples-099.js").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="no report"):
        build([run_folder], tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_missing_run_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        build([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(UsageError):
        build([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_anchors_differ_and_are_plain() -> None:
    names = ["a b", "a-b", "a-20-b", "ä", "<", "a"]
    anchors = {pages.anchor(name) for name in names}
    assert len(anchors) == len(names) and all(re.fullmatch(r"[a-z0-9-]+", anchor) for anchor in anchors)


def test_import_is_light() -> None:
    code = "import sys, llemma.report; print(sorted({'jinja2', 'matplotlib', 'numpy', 'lxml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "src", check=True)
    assert done.stdout.strip() == "[]"
