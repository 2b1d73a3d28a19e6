"""What a worker with sympy can be asked."""

from llemma.evals.answers.llemma.cast import equal_after_cast, same_after_cast
from llemma.evals.answers.llemma.sympy_side import equal, number, prepare, readable

ANSWERS = {
    "equal": equal,
    "readable": readable,
    "number": number,
    "equal_after_cast": equal_after_cast,
    "same_after_cast": same_after_cast,
}

__all__ = ["ANSWERS", "prepare"]
