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
    "[a link](javascript:document.title='broken') <a href='javascript:alert(1)' autofocus onfocus=alert(2)>x</a>",
    '" style="background:url(http://evil.example/x)" onmouseover="alert(3)" <svg onload=alert(4)>',
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
    for unit, seconds in (("corpus", 31.0), ("train-base", 402.5), ("train-math", 397.25), ("eval-base", 71.5)):
        write_json(folder / "marks" / f"{unit}.json", {"unit": unit, "digest": "d1", "seconds": seconds})
    items = make_problems(problems, rng)
    write_overlap(folder / "overlap", items)
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
    stats: dict[str, Any] = {"work": "an extra key", "subsets": {}, "sources": {}}
    for number, subset in enumerate(SUBSETS):
        sizes = {"train": 1800 >> number, "validation": 60, "test": 62}
        stats["subsets"][subset] = {s: {"docs": n, "bytes": n * 4100} for s, n in sizes.items()}
        for split, n in sizes.items():
            store = {"tokens": n * 1300, "documents": n, "text_bytes": n * 4100, "vocab_size": 4096}
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
        kept = {"docs": 1900, "bytes": 7_800_000}
        languages = {"python": {"docs": 900, "bytes": 3_000_000}, HOSTILE[3]: {"docs": 7, "bytes": 900}}
        known = {"subset": SUBSETS[subset_number], "kept": kept, "dropped": dropped, "languages": languages}
        stats["sources"][name] = known
    for name, why in (("arxiv", "no archive given; name one with --set corpus.arxiv.path=DIR"), ("rocq", HOSTILE[1])):
        stats["sources"][name] = {"subset": SUBSETS[0], "skipped": why}
    write_json(folder / "corpus" / "stats.json", stats)
    for subset in SUBSETS:
        documents = [
            {
                "text": "word " * rng.randrange(4, 900),
                "meta": {"id": f"{subset}/{i}", "quality": round(rng.random(), 3)},
            }
            for i in range(60)
        ]
        jsonl.write(folder / "corpus" / subset / "train" / "00000.jsonl.zst", documents)
    card = f"# A corpus made by llemma\n\n{HOSTILE[0]}\n"
    (folder / "corpus" / "README.md").write_text(card, encoding="utf-8")


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
                {
                    "step": step,
                    "tokens": step * size,
                    "validation": {s: loss / 1.6 + i / 8 for i, s in enumerate((*SUBSETS, "mathematics"))},
                }
            )
    rows.append({"step": 203, "event": "left out", "why": HOSTILE[1]})
    rows.append({"step": 208, "event": "rollback", "why": "loss not finite", "to": 100, "places": [3276, 6553]})
    with open(mkdir(folder) / "metrics.jsonl", "w", encoding="utf-8") as out:
        import json

        out.writelines(json.dumps(row) + "\n" for row in rows)
        out.write('{"step": 410, "tok')  # a running job's last line
    total = steps * size
    shares = [
        {
            "source": s,
            "weight": w,
            "share": w,
            "tokens": int(w * total),
            "epochs": 1.4 * w,
            "available": int(total / 1.4),
        }
        for s, w in WEIGHTS.items()
    ]
    plan = {"parameters": 4_200_000, "tokens": steps * size, "steps": steps, "flops": 4.1e13, "mixture": shares}
    write_json(folder / "plan.json", plan)
    write_json(folder / "run.json", record("train"))


def write_overlap(folder: Path, problems: list[Problem]) -> None:
    """A study as `llemma overlap --run` writes it, hostile where the corpus speaks."""
    rows = [
        {
            "document": HOSTILE[number % len(HOSTILE)],
            "item": f"{problem.id}{'' if kind == 'problem' else '#solution'}",
            "n": n,
            "ngram": "shared words",
            "shared": 33,
            "run": f"shared words {HOSTILE[number % len(HOSTILE)]}",
            "before": "before the hit",
            "after": f"after {HOSTILE[0]}",
            "item_before": "in the item",
            "item_after": "",
            "kind": kind,
            "problem": problem.id,
            "subset": SUBSETS[2],
            "gold": "stated",
            "repeated": 9,
        }
        for number, problem in enumerate(problems[:6])
        for kind, n in (("problem", 30), ("problem", 20), ("solution", 20))
    ]
    jsonl.write(folder / "math.contexts.jsonl", rows)
    side = {"low": 0.4, "high": 0.9}
    split = {"task": "generated-math", "kind": "problem", "n": 30}
    write_json(
        folder / "math.summary.json",
        {
            "search": {"lengths": [30, 20], "tokens": "whitespace", "fuzzy": 0.6},
            "documents": 5000,
            "bytes": 20_000_000,
            "pairs": len(rows),
            "coverage": [{"kind": "problem", "n": 30, "items": 24, "short": 9}],
            "unique": [
                {"kind": "problem", "n": 30, "subset": s, "items": 2, "documents": 5, "pairs": 6} for s in SUBSETS
            ],
            "fuzzy": [
                {"kind": "problem", "n": 0, "subset": s, "items": 1, "documents": 1, "pairs": 1} for s in SUBSETS
            ],
            "memory": [
                {"kind": "problem", "n": 30, "hits": 18, "stated": 18, "asked": 18, "repeats": 18, "longest": 9}
            ],
            "run": HOSTILE[0],
            "accuracy": [
                split
                | {"level": "all", "hits": side | {"right": 4, "n": 6}, "rest": side | {"right": 8, "n": 18}}
                | {"difference": 0.245, "low": -0.1, "high": 0.5, "p": 0.041}
            ],
            "adjusted": [split | {"levels": 3, "difference": 0.2, "low": -0.1, "high": 0.4, "p": 0.2}],
        },
    )


WEIGHTS = dict(zip(SUBSETS, (0.5, 0.2, 0.3), strict=True))


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
        if votes:
            verdicts.append(vote(problem, verdicts[-votes:]))
    texts = likelihoods(skill)
    jsonl.write(folder / "problems.jsonl.zst", problems)
    jsonl.write(folder / "completions.jsonl.zst", completions)
    jsonl.write(folder / "verdicts.jsonl.zst", verdicts)
    jsonl.write(folder / "likelihoods.jsonl.zst", texts)
    write_json(
        folder / "results.json", {"results": {}, "llemma": facts(folder.name, verdicts, texts, len(problems), votes)}
    )


def vote(problem: Problem, verdicts: list[Verdict]) -> Verdict:
    cast = Counter(v.answer for v in verdicts if v.answer is not None)
    if not cast:
        return Verdict(f"{problem.id}#vote", 0, "no_answer", None, problem.answer, "no sample has an answer")
    (winner, n), *_ = cast.most_common(1)
    outcome = "right" if winner == problem.answer else "wrong"
    why = f"{n} of {len(verdicts)} votes, {len(cast)} distinct answers"
    return Verdict(f"{problem.id}#vote", 0, outcome, winner, problem.answer, why)


def likelihoods(skill: float) -> list[dict[str, Any]]:
    """Sixty documents a subset, the same for every model, hard ones hard for all."""
    rng, own = random.Random("documents"), random.Random(f"noise {skill}")
    rows = []
    for number, subset in enumerate((*SUBSETS, "prose")):
        for document in range(60):
            size, hardness = rng.randrange(500, 4000), rng.gauss(0, 0.3)
            bits = 2.6 + hardness + number / 8 - (1.2 * skill if subset in SUBSETS else -0.02) + own.gauss(0, 0.1)
            rows.append(
                {"subset": subset, "document": f"d{document}", "nats": bits * size * math.log(2), "bytes": size}
            )
    return rows


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


def facts(name: str, verdicts: list[Verdict], texts: list[dict[str, Any]], n: int, votes: int) -> dict[str, Any]:
    asked = {"task": "generated-math", "shots": 4, "judge": "default", "problems": n, "asked": n, "k": votes}
    return {
        "model": f"run:runs/mini/{name}",
        "device": "cpu, 2 threads",
        "seconds": 71.5,
        "tasks": [asked | {"temperature": 0.6, "max_tokens": 256}],
        "general": ["prose"],
        "scores": scores(verdicts, texts, n, votes),
        "curves": curves(n, votes),
        "parts": parts(verdicts, n),
        "costs": [cost()],
    }


def cost() -> dict[str, Any]:
    waits = {
        "greedy": {"requests": 24, "median": 0.11, "p99": 0.52},
        "maj": {"requests": 24, "median": 0.8, "p99": 1.5},
    }
    return {
        "task": "generated-math",
        "seconds": 71.5,
        "samples": 216,
        "tokens": 34_560,
        "latencies": waits,
        "judging": 0.4,
        "cut": 5,
    }


def curves(n: int, votes: int) -> list[Score]:
    names = [(kind, k) for kind in ("maj", "pass") for k in (2, 4, 8) if (kind, k) != ("maj", votes)]
    return [
        Score("generated-math", f"{kind}@{k}", 0.1 * k, 0.1 * k - 0.05, 0.1 * k + 0.05, n)
        for kind, k in names
        if k <= votes
    ]


def parts(verdicts: list[Verdict], n: int) -> list[dict[str, Any]]:
    """Greedy scores by level, and by a subject of hostile name."""
    greedy = [verdict for verdict in verdicts if verdict.problem.endswith("#greedy")]
    groups = [("level", str(1 + level), greedy[level::3]) for level in range(3)] + [("subject", HOSTILE[0], greedy)]
    made = []
    for by, name, rows in groups:
        outcomes = Counter(verdict.outcome for verdict in rows)
        share = outcomes["right"] / max(1, len(rows))
        score = Score("generated-math", "greedy", share, *wilson(share, len(rows)), len(rows), dict(outcomes))
        made.append({"by": by, "name": name, "score": score})
    return made


def scores(verdicts: list[Verdict], texts: list[dict[str, Any]], n: int, votes: int) -> list[Score]:
    made = []
    for reading, metric in (("greedy", "greedy"), ("vote", f"maj@{votes}")):
        outcomes = Counter(v.outcome for v in verdicts if v.problem.endswith(f"#{reading}"))
        if outcomes:
            share = outcomes["right"] / n
            made.append(Score("generated-math", metric, share, *wilson(share, n), n, dict(outcomes)))
    if votes:
        samples = Counter(v.outcome for v in verdicts if v.problem.endswith("#maj"))
        share = samples["right"] / samples.total()
        made.append(Score("generated-math", "pass@1", share, share - 0.03, share + 0.03, n, dict(samples)))
    for subset in (*SUBSETS, "prose", "mathematics"):
        rows = [
            row for row in texts if row["subset"] == subset or (subset == "mathematics" and row["subset"] != "prose")
        ]
        bits = sum(row["nats"] for row in rows) / math.log(2) / sum(row["bytes"] for row in rows)
        outcomes = Counter(scored=len(rows), cut=3)
        made.append(Score(subset, "bits_per_byte", bits, bits - 0.05, bits + 0.05, len(rows), dict(outcomes)))
    return made


def wilson(share: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
