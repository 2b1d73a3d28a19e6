import pytest

from llemma.core.types import Problem, Verdict
from llemma.evals.answers import DEFAULT
from llemma.evals.tally import UNKNOWN, Tally


def tally(problems):
    """Greedy right on even problems; of two samples one is right."""
    made = Tally(DEFAULT)
    for n, problem in enumerate(problems):
        made.add(problem, Verdict(f"{problem}#greedy", 0, "right" if n % 2 == 0 else "cut_off", "1", "1", ""), "greedy")
    for problem in problems:
        for sample in range(2):
            outcome = ("right", "wrong")[sample]
            made.add(problem, Verdict(f"{problem}#maj", sample, outcome, str(1 + sample), "1", ""), "maj")
        made.add(problem, Verdict(f"{problem}#vote", 0, "right", "1", "1", ""), "vote")
    return made


def problem(name, **meta):
    return Problem(name, "t", "?", "1", meta)


def test_parts_add_up_to_the_whole_and_their_weighted_mean_is_the_total():
    facts = [("a", 2), ("b", 10), ("a", 1), ("a", 10), ("b", 2)]
    problems = {f"p{n}": problem(f"p{n}", subject=s, level=level) for n, (s, level) in enumerate(facts)}
    counted = tally(problems)
    (whole, voted, one) = counted.scores("t", 2, 0)
    assert (whole.value, whole.n, whole.outcomes) == (3 / 5, 5, {"right": 3, "cut_off": 2})
    assert (voted.metric, voted.value, one.metric, one.value) == ("maj@2", 1.0, "pass@1", 0.5)
    parts = list(counted.parts(problems))
    assert [(by, name) for by, name, _ in parts] == [
        ("subject", "a"), ("subject", "b"), ("level", "1"), ("level", "2"), ("level", "10"),
    ]  # fmt: skip
    for by in ("subject", "level"):
        scores = [counted.scores("t", 2, 0, members) for fact, _, members in parts if fact == by]
        assert sum(s[0].n for s in scores) == 5
        assert sum(s[0].value * s[0].n for s in scores) / 5 == pytest.approx(whole.value)
        assert sum(s[2].outcomes.get("wrong", 0) for s in scores) == one.outcomes["wrong"]


def test_problems_without_a_fact_stand_in_a_part_of_their_own():
    problems = {"p0": problem("p0", subject="a"), "p1": problem("p1")}
    assert list(tally(problems).parts(problems)) == [("subject", "a", ["p0"]), ("subject", UNKNOWN, ["p1"])]


def test_a_fact_of_every_single_problem_makes_no_parts():
    problems = {f"p{n}": problem(f"p{n}", subject=f"s{n}") for n in range(100)}
    assert list(tally(problems).parts(problems)) == []
    assert list(tally(["p0"]).parts({"p0": problem("p0")})) == []
