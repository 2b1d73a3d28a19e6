import json

import pytest

from llemma.evals.config import EvalConfig
from llemma.evals.results import text
from llemma.evals.runner import RESULTS, VERDICTS, evaluate, rescore


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
    assert "maj@4" in text(results)


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
