from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from lxml import html

from llemma.core import jsonl
from llemma.core.errors import DataError, MissingError
from llemma.core.types import Problem, Score, Verdict
from llemma.report import build_comparison, compare

TASK = "generated-math"


@pytest.fixture
def two(made: ModuleType, tmp_path: Path) -> tuple[Path, Path]:
    """Two evaluations of the same 40 problems, the second by the better model."""
    items = made.make_problems(40, random.Random(3))
    for name, skill, seed in (("one", 0.2, 1), ("two", 0.6, 2)):
        made.write_evaluation(tmp_path / name, items, skill, random.Random(seed))
        add_parts(tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def add_parts(folder: Path) -> None:
    """Scores by level, as `results.json` has them."""
    levels: dict[str, list[str]] = {}
    for problem in jsonl.read(folder / "problems.jsonl.zst", Problem):
        levels.setdefault(problem.meta["level"], []).append(problem.id)
    ends = {v.problem: v.outcome for v in jsonl.read(folder / "verdicts.jsonl.zst", Verdict)}
    parts = []
    for level, ids in sorted(levels.items()):
        outcomes = Counter(ends[f"{name}#greedy"] for name in ids)
        share = outcomes["right"] / len(ids)
        score = Score(TASK, "greedy", share, max(0.0, share - 0.1), min(1.0, share + 0.1), len(ids), dict(outcomes))
        parts.append({"by": "level", "name": level, "score": msgspec.to_builtins(score)})
    edit(folder, parts=parts)


def edit(folder: Path, **facts: Any) -> None:
    """Change our part of `results.json`; `task_*` changes how the task was asked."""
    path = folder / "results.json"
    content = json.loads(path.read_bytes())
    for key, value in facts.items():
        if key.startswith("task_"):
            content["llemma"]["tasks"][0][key.removeprefix("task_")] = value
        else:
            content["llemma"][key] = value
    path.write_text(json.dumps(content))


def rewrite(folder: Path, change: Any) -> None:
    path = folder / "problems.jsonl.zst"
    jsonl.write(path, [new for old in list(jsonl.read(path, Problem)) if (new := change(old)) is not None])


def compared(a: Path, b: Path) -> compare.Comparison:
    return compare.compare(compare.evaluation(a), compare.evaluation(b))


def test_cells_and_flips_are_those_of_the_verdicts(two: tuple[Path, Path]) -> None:
    found = compared(*two)
    rights = [
        {v.problem for v in jsonl.read(folder / "verdicts.jsonl.zst", Verdict) if v.outcome == "right"}
        for folder in two
    ]
    greedy = [{name for name in right if name.endswith("#greedy")} for right in rights]
    whole = {pair.metric: pair for pair in found.pairs if not pair.by}
    assert list(whole) == ["greedy", "maj@8", "pass@1"]
    pair = whole["greedy"]
    assert pair.only_a == len(greedy[0] - greedy[1]) and pair.only_b == len(greedy[1] - greedy[0])
    assert (pair.both, pair.n) == (len(greedy[0] & greedy[1]), 40)
    assert pair.value == pytest.approx((pair.only_b - pair.only_a) / 40)
    assert pair.low <= pair.value <= pair.high and pair.p is not None and 0 < pair.p <= 1
    assert whole["pass@1"].p is None and whole["pass@1"].both is None and whole["pass@1"].clear
    flips = {(flip.problem, flip.gained) for flip in found.flips if flip.kind == "greedy"}
    assert flips == {(name.removesuffix("#greedy"), name in greedy[1]) for name in greedy[0] ^ greedy[1]}
    assert not found.warnings


def test_parts_add_up_to_the_whole(two: tuple[Path, Path]) -> None:
    found = compared(*two)
    whole, *parts = [pair for pair in found.pairs if pair.metric == "greedy"]
    assert [(pair.by, pair.part) for pair in parts] == [("level", "1"), ("level", "2"), ("level", "3")]
    for cell in ("n", "both", "only_a", "only_b", "neither"):
        assert sum(getattr(pair, cell) for pair in parts) == getattr(whole, cell)


def test_a_model_beside_itself_has_not_changed(two: tuple[Path, Path]) -> None:
    found = compared(two[0], two[0])
    assert not found.flips and not found.warnings
    assert all(pair.value == 0 and not pair.clear for pair in found.pairs)
    assert all(pair.p in (None, 1.0) for pair in found.pairs)


def test_other_problems_are_refused(two: tuple[Path, Path]) -> None:
    rewrite(two[1], lambda problem: None if problem.id.startswith("generated/0000") else problem)
    with pytest.raises(DataError, match=r"1 only in A \(as 'generated/0000#0'\)") as caught:
        compared(*two)
    assert caught.value.exit_code == 4 and "--limit" in caught.value.mend


def test_other_gold_answers_are_refused(two: tuple[Path, Path]) -> None:
    rewrite(two[1], lambda p: msgspec.structs.replace(p, answer="-1") if p.id.endswith("0003#1") else p)
    with pytest.raises(DataError, match=r"1 gold answers are not the same: .* and '-1' for 'generated/0003#1'"):
        compared(*two)


def test_no_common_task_and_no_evaluation_are_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    edit(two[1], task_task="another")
    with pytest.raises(DataError, match="no task in common"):
        compared(*two)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="no evaluation"):
        compare.evaluation(tmp_path / "empty")


def test_unfinished_judging_is_refused(two: tuple[Path, Path]) -> None:
    path = two[1] / "verdicts.jsonl.zst"
    jsonl.write(path, list(jsonl.read(path, Verdict))[9:])
    with pytest.raises(DataError, match="not every problem"):
        compared(*two)


def test_settings_that_differ_are_named(two: tuple[Path, Path]) -> None:
    edit(two[1], task_shots=8, task_protocol="llemma", task_judge_version=3, task_temperature=0.3, task_stop=["\n\n"])
    lines = compared(*two).warnings
    assert f"{TASK}: worked examples: 4 in A, 8 in B" in lines
    assert f"{TASK}: version of the judge: 0 in A, 3 in B" in lines
    assert f"{TASK}: temperature: 0.6 in A, 0.3 in B" in lines
    assert len(lines) == 5 and any("protocol" in line for line in lines) and any(r"'\n\n'" in line for line in lines)


def test_texts_and_prompts_that_differ_are_counted(two: tuple[Path, Path]) -> None:
    rewrite(two[1], lambda p: msgspec.structs.replace(p, meta={**p.meta, "prompt": "else"}))
    assert compared(*two).warnings == [f"{TASK}: the prompts of 40 problems are not the same"]
    rewrite(two[1], lambda p: msgspec.structs.replace(p, text=p.text + " "))
    assert compared(*two).warnings == [f"{TASK}: the text of 40 problems is not the same"]


def test_of_a_run_the_last_model_is_compared(run_folder: Path) -> None:
    found = compare.evaluation(run_folder)
    assert found.name == "mini/math" and found.folder == run_folder / "eval" / "math"
    assert compare.evaluation(run_folder / "eval" / "base").name == "base"


def test_the_terminal_tells_whole_tasks_first(two: tuple[Path, Path]) -> None:
    found = compared(*two)
    shown = found.text()
    assert shown.index("pass@1") < shown.index(f"{TASK} by level") < shown.index("only B: generated/")


def test_p_values_are_short() -> None:
    assert [compare.p_value(p) for p in (None, 1.0, 0.0312, 1e-9)] == ["-", "1.000", "0.031", "< 0.001"]


def test_every_flip_is_linked_to_both_sides(two: tuple[Path, Path], tmp_path: Path) -> None:
    found, page = build_comparison(*two, tmp_path / "out")
    tree = html.fromstring(page.read_bytes())
    links = tree.xpath("//table[@class='flips']//a/@href")
    assert len(links) == len(found.flips) and all(link.startswith("samples.html#p=generated%2F") for link in links)
    assert (page.parent / "samples.html").is_file() and (page.parent / "samples-000.js").is_file()
    index = (page.parent / "samples-index.js").read_text()
    assert '"models":["A: one","B: two"]' in index
    assert not tree.xpath("//img | //*[@onerror] | //style | //script[not(@src)] | //*[@style]")


def test_the_page_says_where_like_meets_unlike(two: tuple[Path, Path], tmp_path: Path) -> None:
    edit(two[1], task_shots=8, model="<b>other</b>")
    _, page = build_comparison(*two, tmp_path / "out")
    text = html.fromstring(page.read_bytes()).text_content()
    assert "worked examples: 4 in A, 8 in B" in text and "<b>other</b>" in text


def test_the_command_compares_two_and_only_two(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    from llemma.cli.main import run

    assert run(["report", "--compare", str(two[0]), str(two[1]), "-q", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["report"] == str(two[0] / "compare-two" / "index.html") and told["comparison"]["pairs"][0]["n"] == 40
    assert run(["report", "--compare", str(two[0])]) == 2
    rewrite(two[1], lambda problem: None if problem.id.startswith("generated/0000") else problem)
    assert run(["report", "--compare", str(two[0]), str(two[1])]) == 4


def test_a_flip_opens_with_both_sides(two: tuple[Path, Path], tmp_path: Path, visit: Any) -> None:
    _, page = build_comparison(*two, tmp_path / "out")
    link = html.fromstring(page.read_bytes()).xpath("//table[@class='flips']//a/@href")[0]
    opened = visit().open(f"{page.parent.as_uri()}/{link}")
    opened.wait_for_selector(".side-of")
    seen = html.fromstring(opened.content())
    assert seen.xpath("//*[contains(@class, 'side-of')]/h3")[0].text_content() == "A: one"
    outcomes = [node.text_content() for node in seen.xpath("//*[contains(@class, 'badge')]")]
    assert sum("right" in outcome for outcome in outcomes) >= 1 and len(outcomes) >= 2
    assert seen.xpath("//a[@class='permalink']")[0].get("href") == link.removeprefix("samples.html")
