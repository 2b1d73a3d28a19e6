"""One grader in a process of its own: `python bench/grader_worker.py NAME`, rows in and verdicts out as JSON lines.

The first line out says what the start cost; a row {pred, gold, kind} gives {equal, cpu, wall}; at the end of the input
a line says what the grader's own processes cost. Graders that need an answer rather than a text share one extraction.
"""

from __future__ import annotations

import atexit
import json
import re
import resource
import sys
import time
from collections.abc import Callable

Grade = Callable[[str, str, str], bool]
"""pred, gold, kind -> whether they are the same; kind is `answer`, `completion`, `text` (both are texts) or `gsm8k`."""


def extracted(text: str, kind: str) -> str:
    """The closing sentence, else the last box, else the last formula, else everything."""
    if kind == "answer":
        return text.strip().strip("$")
    if kind == "gsm8k":
        return last_number(text)
    sentence = re.search(r"[Ff]inal [Aa]nswer: The final answer is(.*?)(?:\. I hope|\.?\s*$)", text, re.M)
    box = text.rfind("\\boxed{")
    spans = re.findall(r"\$+([^$]+)\$+", text)
    if sentence:
        return sentence[1].strip().strip("$")
    return boxed(text[box + 6 :]) if box >= 0 else spans[-1] if spans else text.strip()


def boxed(text: str) -> str:
    """The inside of the braces that `text` begins with."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return text[1:at]
    return text[1:]


def last_number(text: str) -> str:
    """A word problem's answer."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return found[-1].replace(",", "") if found else text.strip()


def ours() -> Grade:
    """The judge of the protocol `default`."""
    from llemma.evals.answers import equivalent, judge_answer
    from llemma.evals.answers.tasks import judge_of

    number = judge_of("gsm8k")

    def grade(pred: str, gold: str, kind: str) -> bool:
        if kind == "answer":
            return equivalent(pred, gold)
        return judge_answer(pred, gold, number if kind == "gsm8k" else None).outcome == "right"

    return grade


def published() -> Grade:
    """The published way of MATH, bug for bug: sympy's LaTeX parser after Minerva's normalisation."""
    from llemma.evals.answers import judge_answer
    from llemma.evals.answers.tasks import judge_of

    judge, number = judge_of("math", "llemma"), judge_of("gsm8k", "llemma")

    def grade(pred: str, gold: str, kind: str) -> bool:
        if kind == "gsm8k":
            return judge_answer(f"The answer is {extracted(pred, kind)}", gold, number).outcome == "right"
        stated = f"Final Answer: The final answer is ${extracted(pred, kind)}$. "
        return judge_answer(stated, f"$\\boxed{{{extracted(gold, kind)}}}$", judge).outcome == "right"

    return grade


def math_verify() -> Grade:
    """Math-Verify with its defaults; bare answers go between dollar signs, as its manual asks."""
    from math_verify import parse, verify

    def dressed(text: str) -> str:
        return text if re.search(r"(?<!\\)(?:\$|\\[(\[]|\\boxed)", text) else f"${text}$"

    def grade(pred: str, gold: str, kind: str) -> bool:
        gold = gold if kind in ("text", "gsm8k") else dressed(gold)
        return bool(verify(parse(gold), parse(dressed(pred) if kind == "answer" else pred)))

    return grade


def lm_eval() -> Grade:
    """lm-evaluation-harness' `exact_match` of minerva_math."""
    from lm_eval.tasks.minerva_math import utils

    def grade(pred: str, gold: str, kind: str) -> bool:
        sides = [utils.normalize_final_answer(extracted(text, kind)) for text in (pred, gold)]
        return bool(utils.is_equiv(*sides))

    return grade


def hendrycks() -> Grade:
    """String equality after the normalisation of Hendrycks et al. 2021, as lm-evaluation-harness has it."""
    from lm_eval.tasks.hendrycks_math import utils

    return lambda pred, gold, kind: bool(utils.is_equiv(extracted(pred, kind), extracted(gold, kind)))


GRADERS: dict[str, Callable[[], Grade]] = {
    "ours": ours,
    "published": published,
    "math-verify": math_verify,
    "lm-eval": lm_eval,
    "hendrycks": hendrycks,
}


def main(name: str) -> None:
    """Grade until the input ends. A grader's exception is a refusal: not the same."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a grader prints is no verdict

    def tell(**fields: object) -> None:
        print(json.dumps(fields), file=out, flush=True)

    try:
        grade = GRADERS[name]()
    except Exception as error:
        tell(missing=f"{type(error).__name__}: {error}"[:200])
        return
    tell(start=time.process_time())
    for line in sys.stdin:
        row = json.loads(line)
        begun, clock = time.process_time(), time.perf_counter()
        try:
            equal = grade(row["pred"], row["gold"], row["kind"])
        except Exception:
            equal = False
        tell(equal=equal, cpu=time.process_time() - begun, wall=time.perf_counter() - clock)
    atexit._run_exitfuncs()  # a grader's own processes have ended and been counted after this
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    tell(children=children.ru_utime + children.ru_stime)


if __name__ == "__main__":
    main(sys.argv[1])
