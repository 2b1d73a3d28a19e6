import json

import pytest
from msgspec import structs

from llemma.evals.config import EvalConfig
from llemma.evals.runner import RESULTS, VERDICTS, evaluate, rescore
from llemma.evals.shown import text
from llemma.evals.task import jsonl_task


def half_right(request, sample):
    """Of eight samples three are right, three wrong alike, one wrong alone, one without an answer."""
    n = int(request.id.split("#")[0][1:])
    ends = [2 * n, 99, 2 * n, 99, 98, 2 * n, 99]
    return f"The answer is {ends[sample]}." if sample < 7 else "we go on and on and on"


def test_curves_of_fewer_samples_lie_beside_the_scores(tmp_path, scripted, sums, quiet):
    results = evaluate(scripted(half_right), [sums], EvalConfig(k=8), tmp_path, console=quiet)
    curves = {score.metric: score for score in results.llemma.curves}
    assert list(curves) == ["maj@2", "maj@4", "pass@2", "pass@4", "pass@8"]
    assert curves["pass@2"].value == pytest.approx(1 - (5 * 4) / (8 * 7))
    assert curves["pass@8"].value == 1
    # of two samples the earlier one wins, and the one without an answer is the last: 7 + 5 + 2 of 28 pairs
    assert curves["maj@2"].value == pytest.approx(14 / 28)
    assert all(0 <= s.low <= s.value <= s.high <= 1 and s.n == 10 for s in curves.values())
    row = json.loads((tmp_path / RESULTS).read_text())["results"]["sums"]
    assert row["maj@2,sampled"] == curves["maj@2"].value
    assert row["pass@4,sampled"] == curves["pass@4"].value
    assert {"maj@4_stderr,sampled", "maj@8,sampled", "pass@1,sampled"} <= row.keys()
    shown = text(results).splitlines()
    (line,) = (line.split() for line in shown if line.startswith("sums maj@k"))
    assert line[2:] == ["37.5", "50.0", f"{100 * curves['maj@4'].value:.1f}", "100.0"]


def test_judging_again_gives_the_same_curves(tmp_path, scripted, sums, quiet):
    before = evaluate(scripted(half_right), [sums], EvalConfig(k=6), tmp_path, console=quiet).llemma.curves
    (tmp_path / VERDICTS).unlink()
    assert rescore(tmp_path).llemma.curves == before
    assert [score.metric for score in before] == ["maj@2", "maj@4", "pass@2", "pass@4", "pass@6"]


def test_without_samples_there_are_no_curves(tmp_path, scripted, sums, quiet):
    assert evaluate(scripted(half_right), [sums], EvalConfig(), tmp_path, console=quiet).llemma.curves == []


def test_two_samples_and_a_judge_with_its_own_vote_have_pass_alone(tmp_path, scripted, sums, quiet, monkeypatch):
    from dataclasses import replace

    from llemma.core import registry
    from llemma.evals.answers import DEFAULT, Judgement

    two = evaluate(scripted(half_right), [sums], EvalConfig(k=2), tmp_path / "two", console=quiet).llemma.curves
    assert [(score.metric, score.value) for score in two] == [("pass@2", 1.0)]
    last = replace(DEFAULT, name="last", vote=lambda texts, gold: Judgement("right", texts[-1], "the last one"))
    monkeypatch.setitem(registry._TABLES["judge"], "last", last)
    evaluate(scripted(half_right), [sums], EvalConfig(k=4), tmp_path / "four", console=quiet)
    assert [score.metric for score in rescore(tmp_path / "four", judge="last").llemma.curves] == ["pass@2", "pass@4"]


def subjects(tmp_path):
    """Six problems of two subjects, every second of level 2."""
    rows = [
        {"id": f"s{n}", "problem": f"What is {n} + {n}?", "answer": 2 * n, "subject": "ab"[n > 3], "level": 1 + n % 2}
        for n in range(6)
    ]
    path = tmp_path / "parts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return jsonl_task(path)


def test_parts_and_costs_are_told_and_made_again(tmp_path, scripted, quiet):
    task = subjects(tmp_path)
    made = evaluate(scripted(half_right), [task], EvalConfig(k=4), tmp_path / "out", console=quiet).llemma
    greedy = {(p.by, p.name): p.score.n for p in made.parts if p.score.metric == "greedy"}
    assert greedy == {("subject", "a"): 4, ("subject", "b"): 2, ("level", "1"): 3, ("level", "2"): 3}
    assert {p.score.metric for p in made.parts} == {"greedy", "maj@4", "pass@1"}
    (cost,) = made.costs
    assert (cost.task, cost.samples, cost.tokens > 0) == ("parts", 30, True)
    again = rescore(tmp_path / "out")
    assert again.llemma.parts == made.parts
    assert structs.replace(again.llemma.costs[0], judging=0.0) == structs.replace(cost, judging=0.0)
    shown = text(again)
    assert "parts by subject" in shown and "parts by level" in shown and "judging" in shown
    assert shown.index("parts by subject") > shown.index("pass@1")  # the whole comes first


def test_results_of_earlier_versions_are_judged_again(tmp_path, scripted, sums, quiet):
    evaluate(scripted(half_right), [sums], EvalConfig(), tmp_path, console=quiet)
    old = json.loads((tmp_path / RESULTS).read_text())
    del old["llemma"]["parts"], old["llemma"]["costs"]
    (tmp_path / RESULTS).write_text(json.dumps(old))
    (cost,) = rescore(tmp_path).llemma.costs
    assert (cost.samples, cost.seconds) == (10, 0.0)
