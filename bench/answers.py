"""Right and wrong verdicts on real answers, and answers per CPU-second.

python bench/answers.py ../shared/benchmarks        a folder of NAME/test.jsonl; absent ones are skipped
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from llemma.evals.answers import Judge, canonical, equivalent, judge_answer
from llemma.evals.answers.normalise import _canonical
from llemma.evals.answers.tasks import judge_of

# fmt: off
NAMES = (
    "gsm8k", "gsm_hard", "svamp", "asdiv", "aime24", "amc23", "math", "math500", "college_math", "ocw_courses",
    "mmlu_stem", "sat_math",
)
# fmt: on


def answers(path: Path) -> Iterator[str]:
    """What each row calls its answer: a final answer, a letter or a whole solution."""
    for line in path.open(encoding="utf-8"):
        row = {key.lower(): value for key, value in json.loads(line).items()}
        gold = row.get("answer", row.get("target", row.get("solution")))
        yield f"({'ABCD'[gold]})" if isinstance(row.get("choices"), list) else str(gold)


def perturbed(answer: str, chance: random.Random) -> str:
    """The answer with one of its digits changed, or its sign, or without digits a letter more."""
    digits = [match.start() for match in re.finditer(r"[0-9]", answer)]
    if not digits:
        return f"{answer} + 1"
    at = chance.choice(digits)
    return f"{answer[:at]}{(int(answer[at]) + chance.randint(1, 9)) % 10}{answer[at + 1 :]}"


def itself(golds: list[str], judge: Judge) -> str:
    """How many gold answers are right when they are given as the answer, and how fast."""
    begun = time.process_time()
    right = sum(judge_answer(judge.gold(gold), gold, judge).outcome == "right" for gold in golds)
    return f"{right}/{len(golds)} equal themselves, {len(golds) / (time.process_time() - begun):,.0f} answers/CPU-s"


def accepted(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs whose two strings differ and are taken as the same answer, to be read by a person."""
    return [pair for pair in pairs if pair[0] != pair[1] and equivalent(*pair)]


def main(folder: Path) -> None:
    """Print the table."""
    chance = random.Random(0)
    for name in NAMES:
        path, judge = folder / name / "test.jsonl", judge_of(name)
        if not path.is_file():
            print(f"{name}: skipped, no {path}")
            continue
        golds = list(answers(path))
        print(f"{name}: {itself(golds, judge)}")
        if name in ("gsm8k", "math"):
            whole = sum(judge_answer(gold, gold, judge).outcome == "right" for gold in golds)
            print(f"  whole solutions right: {whole}/{len(golds)}")
        if judge.name != "default":
            continue
        finals = [judge.gold(gold) for gold in golds]
        shuffled = finals[:]
        chance.shuffle(shuffled)
        _canonical.cache_clear()
        begun = time.process_time()
        same = accepted(list(zip(finals, shuffled, strict=True)))
        print(f"  shuffled: {len(same)} accepted, {len(finals) / (time.process_time() - begun):,.0f} pairs/CPU-s")
        bent = accepted([(gold, perturbed(gold, chance)) for gold in finals])
        print(f"  perturbed: {len(bent)} accepted")
        for a, b in [*same, *bent]:
            print(f"    {a!r} = {b!r}  [{canonical(a).form[:60]}]")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/benchmarks"))
