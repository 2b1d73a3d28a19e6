"""The published judging of GSM8K, MMLU-STEM and SAT: a pattern, and equal strings."""

from __future__ import annotations

import re

from llemma.evals.answers.equivalent import Comparison
from llemma.evals.answers.find import Found

# Fault: of "The answer is 1,200" it reads 1, of 18.5 it reads 18 (right when the gold is 18), and of -3 and $2 nothing.
# Fault: the first statement counts, also one recited inside the reasoning.
_GSM8K = re.compile(r"The answer is ([0-9]+)")
# Fault: nothing but A-D in round brackets counts, and one character more is needed, any one; the first match again.
_CHOICE = re.compile(r"Final Answer: The final answer is (\([ABCD]\).)")
# Fault: that character is removed if it is one of these, and else belongs to the answer: of "(B), for" "(B)," is wrong.
_CLOSING = ". I hope it is correct."


def find_gsm8k(text: str) -> Found | None:
    """Digits behind the first "The answer is" that has digits behind it."""
    match = _GSM8K.search(text)
    return Found(match.group(1), "The answer is") if match else None


def find_choice(text: str) -> Found | None:
    """The letter of the first closing sentence, with its brackets."""
    match = _CHOICE.search(text)
    return Found(match.group(1).rstrip(_CLOSING), "Final Answer: The final answer is") if match else None


def gold_gsm8k(gold: str) -> str:
    """The number behind `####` (or all of a bare gold answer), without commas."""
    # Fault: nothing else is normalised, so 18.0 or a leading zero is another answer.
    return gold.rpartition("####")[2].strip().replace(",", "")


def gold_choice(gold: str) -> str:
    """The letter in brackets: `B`, `(B)` and ` (B)` give `(B)`."""
    return f"({gold.strip().strip('()')})"


def same_text(answer: str, gold: str) -> Comparison:
    """Equal strings, nothing else."""
    equal = answer == gold
    return Comparison(equal, f"{'same' if equal else 'another'} string, {answer[:60]!r} for {gold[:60]!r}")
