"""A small `reproduce` run folder as the rooms write it, with hostile text where a model or the web could put it."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

from llemma.core import jsonl
from llemma.core.files import write_json
from llemma.core.types import Completion, Dropped, Problem, RunRecord, Score, Verdict

HOSTILE = [
    "</script><img src=x onerror=\"document.title='broken'\">",
    "<script>document.title='broken'</script>",
    "{{7*7}} {% for x in y %}",
    "line\u2028separator and paragraph\u2029separator",
    "\u202egnp.exe reversed\u202c and zero\u200bwidth",
    "$\\href{javascript:alert(1)}{x}$ $\\text{</math><img src=x onerror=alert(1)>}$",
    "$" + "{" * 300 + "$ $\\frac{1}{$",
    "]]> <!-- <style>body{display:none}</style>",
]
SUBSETS = ("algebraic-code", "mathematical-text", "web-mathematics")
SHOTS = "Problem:\nWhat is $2 + 3$?\n\nSolution:\n$2 + 3 = 5$. Final Answer: The final answer is $5$.\n\n"


def write_run(folder: Path, problems: int = 24, seed: int = 1) -> Path:
    """Write a finished run with `problems` problems into `folder` and return it."""
    rng = random.Random(seed)
    write_json(folder / "run.json", record("reproduce"))
    (folder / "recipe.toml").write_text(
        'name = "mini"\nseed = 1\n\n[model]\nlayers = 4\nwidth = 256\n', encoding="utf-8"
    )
    write_corpus(folder, rng)
    for name, start in (("base", 5.2), ("math", 3.1)):
        write_training(folder / name, start, rng)
    items = make_problems(problems, rng)
    for name, skill in (("base", 0.18), ("math", 0.47)):
        write_evaluation(folder / "eval" / name, items, skill, random.Random(f"{seed}{name}"))
    return folder


def record(kind: str) -> RunRecord:
    return RunRecord(
        id="mini-7f3a",
        kind=kind,
        recipe_digest="7f3ac0ffee123456",
        inputs={"recipe": "recipes/mini.toml"},
        packages={"llemma": "0.1.0", "torch": "2.13.0", "numpy": "2.3.1"},
        device="cpu, 2 threads",
        started="2026-11-20T09:02:11+00:00",
        ended="2026-11-20T09:16:40+00:00",
        state="done",
    )


def write_corpus(folder: Path, rng: random.Random) -> None:
    sources = {"standard-library": 0, "own-papers": 1, "own-pages": 2, HOSTILE[0]: 2}
    stats: dict[str, Any] = {"subsets": {}, "sources": {}, "skipped": {}, "built": "an extra key"}
    for number, subset in enumerate(SUBSETS):
        sizes = {"train": 1800, "validation": 60, "test": 62}
        stats["subsets"][subset] = {
            s: {"documents": n >> number, "bytes": (n >> number) * 4100} for s, n in sizes.items()
        }
        for split, n in sizes.items():
            store = {
                "tokens": (n >> number) * 1300,
                "documents": n >> number,
                "vocab_size": 4096,
                "tokenizer_digest": "ab",
            }
            write_json(folder / "tokens" / subset / split / "store.json", store)
    for name, subset_number in sources.items():
        rows = [
            Dropped(f"{name}/{i:05d}" if i else HOSTILE[4], name, *rng.choice(REASONS))
            for i in range(rng.randrange(30, 300))
        ]
        jsonl.write(folder / "corpus" / "dropped" / f"source-{subset_number}-{len(name)}.jsonl.zst", rows)
        dropped: dict[str, dict[str, int]] = {}
        for (step, reason), n in Counter((row.step, row.reason) for row in rows).items():
            dropped.setdefault(step, {})[reason] = n
        read = 1900 + len(rows)
        facts = {"subset": SUBSETS[subset_number], "read": read, "kept": 1900, "bytes": 7_800_000, "dropped": dropped}
        stats["sources"][name] = facts
    stats["skipped"] = {
        "arxiv": "no archive given; download one and name it with --set corpus.arxiv.path=DIR",
        "rocq": HOSTILE[1],
    }
    write_json(folder / "corpus" / "stats.json", stats)


REASONS = [
    ("quality", "too short"),
    ("quality", "mostly numbers"),
    ("dedup", "near-duplicate of a kept document"),
    ("language", "not English"),
    ("decontaminate", "shares 30 words with a test problem"),
    ("code", HOSTILE[1]),
    ("code", "generated file"),
]


def write_training(folder: Path, start: float, rng: random.Random) -> None:
    steps, size = 400, 4096
    rows: list[dict[str, Any]] = []
    for step in range(10, steps + 1, 10):
        loss = 1.9 + (start - 1.9) * math.exp(-step / 130) + rng.gauss(0, 0.04)
        rows.append(
            {
                "step": step,
                "tokens": step * size,
                "loss": loss,
                "lr": 1e-3,
                "grad_norm": 0.9,
                "tokens_per_second": 15000.0,
            }
        )
        if step % 50 == 0:
            rows.append(
                {"step": step, "validation": {s: loss / 1.6 + i / 8 for i, s in enumerate((*SUBSETS, "mathematics"))}}
            )
    with open(mkdir(folder) / "metrics.jsonl", "w", encoding="utf-8") as out:
        import json

        out.writelines(json.dumps(row) + "\n" for row in rows)
        out.write('{"step": 410, "tok')  # a running job's last line
    shares = [
        {"source": s, "weight": w, "tokens": int(w * steps * size), "epochs": 3 * w}
        for s, w in zip(SUBSETS, W, strict=True)
    ]
    plan = {"parameters": 4_200_000, "tokens": steps * size, "steps": steps, "flops": 4.1e13, "mixture": shares}
    write_json(folder / "plan.json", plan)
    write_json(folder / "run.json", record("train"))


W = (0.5, 0.2, 0.3)


def mkdir(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_problems(count: int, rng: random.Random) -> list[Problem]:
    made = []
    for number in range(count):
        a, b, c = rng.randrange(2, 9), rng.randrange(10, 90), rng.randrange(2, 30)
        text = (
            f"Ada buys {a} notebooks for ${b} each and a pen for ${c}. How much does she pay?"
            if number % 2
            else f"If $f(x) = \\frac{{x^2 + {b}}}{{{a}}}$, what is $f({a * c})$ rounded down?"
        )
        answer = str(a * b + c if number % 2 else ((a * c) ** 2 + b) // a)
        if number < len(HOSTILE):
            text += " " + HOSTILE[number]
        meta = {
            "prompt": f"{SHOTS}Problem:\n{text}\n\nSolution:\n",
            "solution": f"We compute step by step: $${a} \\cdot {b} + {c} = {a * b + c}$$",
            "level": str(1 + number % 3),
        }
        made.append(Problem(f"generated/{number:04d}#{number % 2}", "generated-math", text, answer, meta))
    return made


def write_evaluation(folder: Path, problems: list[Problem], skill: float, rng: random.Random, votes: int = 8) -> None:
    completions, verdicts = [], []
    for number, problem in enumerate(problems):
        talent = min(0.95, max(0.02, rng.gauss(skill, 0.25)))
        for reading, samples in (("greedy", 1), ("maj", votes)):
            for sample in range(samples):
                completion, verdict = answer(problem, reading, sample, talent, rng)
                extra = f"\n{HOSTILE[number % len(HOSTILE)]}" if number < 10 else ""
                completions.append(Completion(**{**completion, "text": completion["text"] + extra}))
                verdicts.append(verdict)
    jsonl.write(folder / "problems.jsonl.zst", problems)
    jsonl.write(folder / "completions.jsonl.zst", completions)
    jsonl.write(folder / "verdicts.jsonl.zst", verdicts)
    write_json(
        folder / "results.json", {"results": {}, "llemma": {"scores": scores(verdicts, len(problems), skill, votes)}}
    )


def answer(
    problem: Problem, reading: str, sample: int, talent: float, rng: random.Random
) -> tuple[dict[str, Any], Verdict]:
    request = f"{problem.id}#{reading}"
    draw = rng.random()
    gold = problem.answer
    guess = str(int(gold) + rng.choice((-10, -1, 1, 2, 10)))
    text = (
        "First we write $x = {0}$, so that \\[ \\sqrt{{x^2}} = \\left|x\\right| = {0}. \\] "
        "Final Answer: The final answer is ${0}$."
    )
    completion = {
        "request": request,
        "sample": sample,
        "finish": "stop",
        "tokens": rng.randrange(20, 300),
        "seconds": 0.1,
    }
    if draw < talent:
        return completion | {"text": text.format(gold)}, Verdict(
            request, sample, "right", gold, gold, "equal as integers"
        )
    if draw < talent + 0.08:
        why = "no final answer sentence"
        return completion | {"text": "Let us see. " * 9}, Verdict(request, sample, "no_answer", None, gold, why)
    if draw < talent + 0.14:
        cut = completion | {"text": "We add and add and " * 12, "finish": "length"}
        return cut, Verdict(request, sample, "cut_off", None, gold, "ended at the length limit")
    return completion | {"text": text.format(guess)}, Verdict(
        request, sample, "wrong", guess, gold, f"{guess} differs from {gold}"
    )


def scores(verdicts: list[Verdict], n: int, skill: float, votes: int) -> list[Score]:
    greedy = Counter(v.outcome for v in verdicts if v.problem.endswith("#greedy"))
    share = greedy["right"] / n
    made = [Score("generated-math", "greedy", share, *wilson(share, n), n, dict(greedy))]
    voted = min(1.0, share + 0.06)
    made.append(
        Score(
            "generated-math",
            f"maj@{votes}",
            voted,
            *wilson(voted, n),
            n,
            {"right": int(voted * n), "wrong": n - int(voted * n)},
        )
    )
    for number, subset in enumerate((*SUBSETS, "mathematics")):
        bits = 2.9 - 2 * skill + (number / 8 if subset in SUBSETS else 0.11)
        made.append(Score(subset, "bits_per_byte", bits, bits - 0.03, bits + 0.03, 62))
    return made


def wilson(share: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
