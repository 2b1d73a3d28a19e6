"""The paper's own judging, as its published code behaves, so that numbers can be set beside the paper's.

Azerbayev et al. 2023; wellecks/lm-evaluation-harness at bec2172. The faults are reproduced on purpose and named where
they are. For judging that is right, take the default protocol.
"""

from __future__ import annotations

import re

from llemma.evals.answers.equivalent import Comparison, Judge
from llemma.evals.answers.find import Found

# Fault: of "The answer is 1,200" it reads 1, of 18.5 it reads 18 (right when the gold is 18), and of -3 and $2 nothing.
# Fault: the first statement counts, also one recited inside the reasoning.
_GSM8K = re.compile(r"The answer is ([0-9]+)")
# Fault: the full stop is required and nothing but A-D in round brackets counts; the first match again.
_CHOICE = re.compile(r"Final Answer: The final answer is (\([A-D]\))\.")


def find_gsm8k(text: str) -> Found | None:
    """Digits behind the first "The answer is" that has digits behind it."""
    return _first(_GSM8K, text)


def find_choice(text: str) -> Found | None:
    """The letter of the first closing sentence, with its brackets."""
    return _first(_CHOICE, text)


def _first(pattern: re.Pattern[str], text: str) -> Found | None:
    match = pattern.search(text)
    return Found(match.group(1), pattern.pattern.partition(" (")[0]) if match else None


def gold_gsm8k(gold: str) -> str:
    """The number behind `####` (or all of a bare gold answer), without commas."""
    # Fault: nothing else is normalised, so 18.0 or a leading zero is another answer.
    return gold.rpartition("####")[2].strip().replace(",", "")


def same_text(answer: str, gold: str) -> Comparison:
    """Equal strings, nothing else."""
    equal = answer == gold
    return Comparison(equal, f"{'same' if equal else 'another'} string, {answer[:60]!r} for {gold[:60]!r}")


def _as_it_is(answer: str) -> str:
    return answer


def _gold_choice(gold: str) -> str:
    letter = gold.strip().strip("()")
    return f"({letter})"


GSM8K = Judge("llemma-gsm8k", 1, find=find_gsm8k, canonical=_as_it_is, compare=same_text, gold=gold_gsm8k)
"""The published judge of GSM8K."""

CHOICE = Judge("llemma-choice", 1, find=find_choice, canonical=_as_it_is, compare=same_text, gold=_gold_choice)
"""The published judge of MMLU-STEM and SAT."""
