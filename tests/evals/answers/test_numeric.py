import pytest

from llemma.core import registry
from llemma.core.types import Completion
from llemma.evals.judging import judge_completion


@pytest.mark.parametrize(
    ("said", "gold", "outcome"),
    [
        ("The answer is 7 m.", "7", "right"),
        ("The answer is 7m.", "7", "right"),
        ("The answer is 1,250 g", "1250", "right"),
        ("The answer is 12 a day.", "12", "right"),
        ("The answer is 2.5 h.", "2", "wrong"),
        ("The answer is 7x.", "7", "wrong"),
        ("The answer is 7 m + 2.", "7", "wrong"),
    ],
)
def test_a_unit_of_one_letter_is_no_variable_in_a_word_problem(said, gold, outcome):
    assert judge_completion(Completion("p", 0, said), gold, registry.find("judge", "number")).outcome == outcome
