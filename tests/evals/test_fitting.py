import dataclasses

import pytest

from llemma.core.errors import RecipeError
from llemma.evals.config import EvalConfig
from llemma.evals.fitting import check_context


def check(scripted, sums, context):
    """Words are tokens; what the backend says when the longest prompt may have `context` of them."""
    backend, said = scripted(lambda request, sample: ""), []
    backend.lengths = lambda request: (len(request.prompt.split()), context)
    check_context(backend, [sums], EvalConfig(), said.append)
    return said


def test_a_problem_that_does_not_fit_is_an_error_before_the_first_request(scripted, sums):
    with pytest.raises(RecipeError, match=r"too short for 's\d': the problem alone has 7 tokens, 6 fit"):
        check(scripted, sums, 6)


def test_worked_examples_that_do_not_fit_are_told(scripted, sums):
    [line] = check(scripted, sums, 7)
    assert line.startswith("the longest prompt of sums has ") and "7 fit" in line and "--shots" in line


def test_what_fits_and_backends_that_cannot_count_are_nothing_to_say(scripted, sums):
    assert check(scripted, sums, 1000) == []
    check_context(scripted(lambda request, sample: ""), [sums], EvalConfig(), pytest.fail)
    empty = dataclasses.replace(sums, load=list)
    backend = scripted(lambda request, sample: "")
    backend.lengths = pytest.fail
    check_context(backend, [empty], EvalConfig(), pytest.fail)
