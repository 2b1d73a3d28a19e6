"""Our evaluation beside lm-evaluation-harness' `hf` model: same model, same prompts, same settings, greedy.

LLEMMA_LM_EVAL=/path/to/python python bench/parity.py [--data DIR --limit N] [--keep DIR]

`LLEMMA_LM_EVAL` is an interpreter with `lm_eval[hf,math]`; without it, this one. A tiny Llama learns by heart to answer
our own problems below, in the harness' own 8-shot and 4-shot prompts (`--prompts lm-eval`), in many shapes: with and
without a full stop, in other notations, wrong, or not at all. Both sides then ask it the problems of `gsm8k_cot` and
`minerva_math`, with the harness' stop strings and budget. What is printed: how many completions are identical, and
each problem on whose verdict the two differ, with the truth. `--data` asks the first problems of GSM8K and MATH, too;
the tiny model cannot solve them, but it has to say the same.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from llemma.backends.base import open_backend
from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.types import Completion, Verdict
from llemma.evals.config import EvalConfig
from llemma.evals.runner import COMPLETIONS, VERDICTS, evaluate
from llemma.evals.task import Task, open_task
from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens import tokenizer as tokenizers

VARIABLE = "LLEMMA_LM_EVAL"
MAX_TOKENS = 64
CONTEXT = 1024
STEPS = 400
LEARNT = 0.008  # nats a token at which training ends: every greedy choice is then the learnt one

# of the harness' tasks gsm8k_cot and minerva_math
STOPS = {"gsm8k": ("Q:", "</s>", "<|im_end|>"), "math": ("Problem:",)}
BASES = {"gsm8k": "gsm8k/gsm8k-cot.yaml", "math": "minerva_math/minerva_math_algebra.yaml"}
FILTERS = {"gsm8k": "strict-match", "math": "none"}


class Case(NamedTuple):
    """A problem, its gold answer, what the model learns to say, and whether that answers the problem."""

    problem: str
    gold: str
    said: str
    right: bool


CASES = {
    "gsm8k": (
        Case("Ida has 9 pens and buys 9 more. How many has she?", "18", "She has 9 + 9 = 18. The answer is 18.", True),
        Case("A bus seats 40. How many seat 3 buses?", "120", "That is 3 * 40 = 120. The answer is 120", True),
        Case("Jo earns 6 dollars twice. How much is it?", "12", "It is 2 * 6 = 12. The answer is $12.", True),
        Case("Ten eggs, four break. How many are whole?", "6", "There are 10 - 4 = 6. The answer is 6.0.", True),
        Case("A hall has 30 rows of 40. How many seats?", "1200", "It has 30 * 40 = 1200. The answer is 1,200.", True),
        Case("It was 2 degrees and fell by 5. What is it?", "-3", "It is 2 - 5 = -3. The answer is -3.", True),
        Case("Uma eats 3 of 8 figs. How many are left?", "5", "There are 8 - 2 = 6. The answer is 6.", False),
        Case("A rope of 21 m is cut in 3. How long is each?", "7", "Each has 21 / 3 = 7 m. The answer is 7 m.", True),
        Case("Who counts 11 sheep and 4 goats as animals?", "15", "Some say this and some say that.", False),
        Case("A box of 24 is half full. How many are in?", "12", "Half of 24 is 12. The answer is **12**.", True),
    ),
    "math": (
        Case("Compute $1-\\frac{1}{2}$.", "\\frac{1}{2}", "It is $\\frac{1}{2}$. {}$\\frac{1}{2}$. {}", True),
        Case("Compute $2+3$.", "5", "We add and get $\\boxed{5}$.", True),
        Case("Solve $x \\ge 2$ and $x < 5$.", "[2,5)", "So it is. {}$x \\in [2,5)$. {}", True),
        Case("List the roots of $x^2-3x+2$.", "1,2", "We multiply. {}$12$. {}", False),
        Case("List the roots of $x^2-7x+12$.", "3,4", "They are two. {}$4, 3$. {}", True),
        Case("Compute $\\frac{3}{4}$ of 8.", "6", "It is less. {}$5$. {}", False),
        Case("Write $0.75$ as a fraction.", "\\frac{3}{4}", "It is exact. {}$0.75$. {}", True),
        Case("Which point is it, $(1,2)$?", "(1,2)", "It is as said. {}$(1, 2)$. {}", True),
        Case("Find $x$ in $x = 7$.", "7", "We look at it and go on to look at it.", False),
        Case("Compute $10^3$.", "1000", "Three zeros. {}$1,\\!000$. {}", True),
    ),
}


def learnt(task: str, case: Case) -> str:
    """The completion that the model learns, up to the next block's beginning."""
    if task == "gsm8k":
        return f" {case.said}\n\nQ:"
    said = case.said.replace("{}", "Final Answer: The final answer is ", 1).replace(". {}", ". I hope it is correct.")
    return f" {said}\n\nProblem:"


class Answer(NamedTuple):
    """A completion and whether it was judged right."""

    text: str
    right: bool


def interpreter() -> str:
    """The Python that has lm_eval; raises `LookupError` with the reason where there is none."""
    python = os.environ.get(VARIABLE) or sys.executable
    script = "import lm_eval, math_verify; from lm_eval.models.huggingface import HFLM"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LookupError(f"no lm_eval[hf,math] in {python}: {done.stderr.strip().splitlines()[-1]}")
    return python


@contextlib.contextmanager
def its_texts(python: str) -> Iterator[None]:
    """Let `--prompts lm-eval` find the package of another interpreter: its files are read, none is imported."""
    script = "import lm_eval, pathlib; print(pathlib.Path(lm_eval.__file__).parents[1])"
    place = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    sys.path.append(place)
    try:
        yield
    finally:
        sys.path.remove(place)


def write_own(folder: Path) -> Path:
    """Our own problems in the layout of `--data`."""
    for task, cases in CASES.items():
        if task == "gsm8k":
            rows = [{"question": case.problem, "answer": f"#### {case.gold}"} for case in cases]
        else:
            rows = [
                {"problem": c.problem, "solution": f"$\\boxed{{{c.gold}}}$", "level": "Level 1", "type": "Algebra"}
                for c in cases
            ]
        jsonl.write(folder / task / "test.jsonl", rows)
    return folder


def write_real(data: Path, limit: int, folder: Path) -> Path:
    """The first problems of GSM8K and of MATH in the same layout."""
    for task in BASES:
        with open(data / task / "test.jsonl", encoding="utf-8") as rows:
            lines = [line for _, line in zip(range(limit), rows, strict=False)]
        (folder / task).mkdir(parents=True)
        (folder / task / "test.jsonl").write_text("".join(lines))
    return folder


def tasks(data: Path) -> list[Task]:
    """Our two tasks as the harness asks them: its worked examples, stop strings and a budget."""
    opened = [open_task(name, data=data, prompts="lm-eval") for name in BASES]
    return [dataclasses.replace(task, stop=STOPS[task.name], max_tokens=MAX_TOKENS) for task in opened]


def make(folder: Path, data: Path) -> float:
    """Train the model on our own problems and save it; the loss at the end, nats a token of the completions."""
    texts = [
        (task.prompt(problem, task.shown()), learnt(task.name, case))
        for task in tasks(data)
        for problem, case in zip(task.load(), CASES[task.name], strict=True)
    ]
    tokenizers.train_bpe([prompt + said for prompt, said in texts], 1600, folder.parent / "tokenizer")
    found = tokenizers.load(folder.parent / "tokenizer")
    config = LlamaConfig(
        vocab_size=found.vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
    )
    torch.manual_seed(0)
    model = Llama(config).init_weights(0)
    rows = [(found.encode(prompt), found.encode(said)) for prompt, said in texts]
    loss = _learn(model, rows)
    weights.save(model, folder, tokenizer=folder.parent / "tokenizer", bos=found.bos, eos=found.eos)
    return loss


def _learn(model: Llama, rows: list[tuple[list[int], list[int]]]) -> float:
    """Fit the completions of `rows` (prompt ids, completion ids); the last loss."""
    width = max(len(prompt) + len(said) for prompt, said in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    targets = torch.full((len(rows), width), -100)
    for at, (prompt, said) in enumerate(rows):
        ids[at, : len(prompt) + len(said)] = torch.tensor(prompt + said)
        targets[at, len(prompt) - 1 : len(prompt) + len(said) - 1] = torch.tensor(said)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    value = float("inf")
    for step in range(STEPS):
        loss = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value = float(loss.detach())
        if step % 25 == 0:
            print(f"  step {step}: loss {value:.4f}", file=sys.stderr, flush=True)
        if value < LEARNT:
            break
    return value


def ours(scheme: str, model: Path, data: Path, out: Path) -> dict[str, list[Answer]]:
    """What `llemma eval` makes of the problems in `data`, by task in their order."""
    backend = open_backend(f"{scheme}:{model}" + ("?dtype=float32&device_map=cpu" if scheme == "hf" else ""))
    evaluate(backend, tasks(data), EvalConfig(), out, console=Console(quiet=True))
    verdicts = {verdict.problem: verdict for verdict in jsonl.read(out / VERDICTS, Verdict)}
    found: dict[str, list[Answer]] = {}
    for completion in jsonl.read(out / COMPLETIONS, Completion):
        right = verdicts[completion.request].outcome == "right"
        found.setdefault(completion.request.partition("/")[0], []).append(Answer(completion.text, right))
    return found


def theirs(python: str, model: Path, data: Path, scratch: Path) -> dict[str, list[Answer]]:
    """What `lm_eval --model hf` makes of the same problems."""
    scratch.mkdir()
    script = "import lm_eval, pathlib; print(pathlib.Path(lm_eval.__file__).parent / 'tasks')"
    package = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    for task, base in BASES.items():
        settings = {
            "include": f"{package}/{base}",
            "task": f"parity_{task}",
            "tag": None,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": str((data / task / "test.jsonl").resolve())}},
            "training_split": None,
            "fewshot_split": None,
            "test_split": "test",
        }
        (scratch / f"{task}.yaml").write_text(json.dumps(settings))  # JSON is YAML
    names = ",".join(f"parity_{task}" for task in BASES)
    command = [python, "-m", "lm_eval", "run", "--model", "hf", "--tasks", names, "--include_path", str(scratch)]
    command += ["--model_args", f"pretrained={model},dtype=float32", "--device", "cpu", "--batch_size", "4"]
    command += ["--gen_kwargs", f"max_gen_toks={MAX_TOKENS}", "--log_samples", "--output_path", str(scratch / "out")]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(scratch / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **offline})
    if done.returncode:
        raise RuntimeError(f"lm_eval failed: {done.stderr[-2000:]}")
    return {task: _logged(scratch / "out", task) for task in BASES}


def _logged(out: Path, task: str) -> list[Answer]:
    [path] = out.rglob(f"samples_parity_{task}_*.jsonl")
    rows = [row for row in jsonl.read(path, dict) if row["filter"] == FILTERS[task]]
    rows.sort(key=lambda row: int(row["doc_id"]))
    return [Answer(row["resps"][0][0], bool(row["exact_match"])) for row in rows]


class Difference(NamedTuple):
    """A problem on which the two verdicts differ; `truth` is None where nobody has said it."""

    task: str
    number: int
    said: str
    ours: bool
    theirs: bool
    truth: bool | None


class Found(NamedTuple):
    """Of one comparison: completions, how many are identical, and the differences in verdicts."""

    asked: int
    identical: int
    ended: int
    """Completions that ended before the budget of both sides, at a stop string or the end of the text."""
    differences: list[Difference]


def compare(mine: dict[str, list[Answer]], other: dict[str, list[Answer]], own: bool) -> Found:
    """Both sides problem by problem; `own`: the problems are `CASES`, whose truth is known."""
    pairs = [
        (task, number, a, b)
        for task in BASES
        for number, (a, b) in enumerate(zip(mine[task], other[task], strict=True))
    ]
    differences = [
        Difference(task, number, a.text, a.right, b.right, CASES[task][number].right if own else None)
        for task, number, a, b in pairs
        if a.right != b.right
    ]
    said = sum(learnt(t, CASES[t][n]).rpartition("\n\n")[0] in a.text for t, n, a, _ in pairs) if own else 0
    return Found(len(pairs), sum(a.text == b.text for _, _, a, b in pairs), said, differences)


def run(scratch: Path, python: str, schemes: tuple[str, ...], data: Path | None, limit: int) -> dict[str, Found]:
    """All comparisons: `hf: own`, `run: own`, `hf: real` …"""
    found = {}
    with its_texts(python):
        own = write_own(scratch / "own")
        loss = make(scratch / "model", own)
        print(f"model learnt by heart to {loss:.4f} nats a token", flush=True)
        sets = {"own": own} | ({"real": write_real(data, limit, scratch / "real")} if data else {})
        for name, folder in sets.items():
            other = theirs(python, scratch / "model", folder, scratch / f"lm_eval-{name}")
            for scheme in schemes:
                mine = ours(scheme, scratch / "model", folder, scratch / f"{scheme}-{name}")
                found[f"{scheme}: {name}"] = compare(mine, other, own=name == "own")
    return found


def main() -> None:
    """Print one line a comparison and one a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with gsm8k/test.jsonl and math/test.jsonl")
    parser.add_argument("--limit", type=int, default=8, help="real problems a task")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        scratch = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, found in run(scratch, interpreter(), ("hf", "run"), options.data, options.limit).items():
            print(f"{name:10s} {found.identical} of {found.asked} completions identical", end="; ")
            print(f"{len(found.differences)} verdicts differ")
            for each in found.differences:
                truth = {True: "right", False: "wrong", None: "unknown"}[each.truth]
                sides = "ours right" if each.ours else "lm_eval right"
                print(f"  {each.task}/{each.number}: {sides}, truth {truth}: {each.said.strip()[:90]!r}")


if __name__ == "__main__":
    main()
