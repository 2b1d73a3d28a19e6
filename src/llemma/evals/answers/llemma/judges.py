"""The published judges, by task."""

from __future__ import annotations

from llemma.evals.answers.equivalent import Judge
from llemma.evals.answers.llemma import ocw, strings, tex

GSM8K = Judge(
    "llemma-gsm8k", 1, find=strings.find_gsm8k, canonical=str, compare=strings.same_text, gold=strings.gold_gsm8k
)
"""GSM8K."""

CHOICE = Judge(
    "llemma-choice", 2, find=strings.find_choice, canonical=str, compare=strings.same_text, gold=strings.gold_choice
)
"""MMLU-STEM and SAT."""

MATH = Judge(
    "llemma-math", 1, find=tex.find_math, canonical=tex.normalise, compare=tex.compare_math, gold=tex.gold_math
)
"""MATH. Its comparison may raise `workers.Undecided`."""

OCW = Judge("llemma-ocw", 1, find=ocw.find_ocw, canonical=tex.normalise, compare=ocw.compare_ocw, gold=str)
"""OCWCourses. Its comparison may raise `workers.Undecided`."""
