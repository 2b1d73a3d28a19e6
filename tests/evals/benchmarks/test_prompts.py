"""Our own worked examples: right, in the published form, and none of the problems that are asked."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llemma.backends.base import cut
from llemma.core.types import Completion, Problem
from llemma.evals.answers import equivalent, judge_completion
from llemma.evals.answers.tasks import judge_of
from llemma.evals.benchmarks import TABLE
from llemma.evals.benchmarks.rows import CHOICE_LINE
from llemma.evals.task import open_task

SHARED = Path(__file__).parents[4] / "shared" / "benchmarks"
PROGRAMS = [name for name, benchmark in TABLE.items() if benchmark.form.programs]
THOUGHTS = [name for name in TABLE if name not in PROGRAMS]
PUBLISHED = ["gsm8k", "math", "math500", "ocw_courses", "mmlu_stem", "sat_math"]


def completions(name):
    """Each example as a model would give it: its solution behind the prompt's gap, up to the stop string."""
    task, gap = open_task(name), TABLE[name].form.layout.gap
    for example in task.shown():
        text, stopped = cut(gap + example.solution, task.stop)
        assert stopped or name in ("gsm8k_python", *THOUGHTS)
        yield task, example, Completion("r", 0, text)


@pytest.mark.parametrize(("name", "protocol"), [(n, "default") for n in THOUGHTS] + [(n, "llemma") for n in PUBLISHED])
def test_both_protocols_find_and_accept_the_answer_of_every_example(name, protocol):
    judge = judge_of(name, protocol)
    for _, example, completion in completions(name):
        judgement = judge_completion(completion, example.answer, judge)
        assert judgement.outcome == "right", (example, judgement)


RUN = """
import json, sys
from sympy import latex
for program in json.load(sys.stdin):
    names = {}
    exec(program, names)
    if "answer" in names:
        print(latex(names["answer"]))
"""


@pytest.mark.parametrize("protocol", ["default", "llemma"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_of_the_examples_gives_its_answer(name, protocol):
    find = TABLE[name].form.programs[protocol]
    asked = [(example.answer, find(completion.text)) for _, example, completion in completions(name)]
    programs = json.dumps([program for _, program in asked])
    done = subprocess.run([sys.executable, "-c", RUN], input=programs, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    for (answer, program), value in zip(asked, done.stdout.splitlines(), strict=True):
        assert equivalent(value, answer), (program, value)


@pytest.mark.parametrize(
    ("name", "shots", "published"),
    [
        ("gsm8k", 8, 2142),
        ("math", 4, 1792),
        ("ocw_courses", 4, 1969),
        ("sat_math", 4, 2212),
        ("mmlu_stem", 4, 2212),
        ("gsm8k_python", 8, 4106),
        ("math_python", 5, 2829),
    ],
)
def test_prompts_have_the_published_number_of_examples_and_about_the_published_length(name, shots, published):
    task = open_task(name)
    assert len(task.shown()) == shots
    prompt = task.prompt(Problem("p", name, "", ""), task.shown())
    assert 0.75 * published < len(prompt) < 1.35 * published


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [
        ("gsm8k", "Q: The village", ". The answer is 30.\n\nQ: How?\nA:"),
        ("math", "Problem:\nFind all", "I hope it is correct.\n\nProblem:\nHow?\n\nSolution:"),
        ("ocw_courses", "Problem:\nA block", "I hope it is correct.\n\nProblem:\nHow?\nSolution:"),
        ("mmlu_stem", "Problem:\nA line", "I hope it is correct.\n\nProblem:\nHow?\nSolution:"),
        ("gsm8k_python", "Q: The village", "return result\n\n\n\n\nQ: How?\n\n# solution in Python:"),
        ("math_python", "Problem:\nFind the positive", "in the variable answer.\n```"),
    ],
)
def test_prompts_have_the_published_shapes(name, begins, ends):
    task = open_task(name)
    prompt = task.prompt(Problem("p", name, "How?", ""), task.shown())
    assert prompt.startswith(begins) and prompt.endswith(ends)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("gsm8k", r"The answer is [0-9]+\."),
        ("math", r"\nFinal Answer: The final answer is \$.*\$\. I hope it is correct\."),
        ("ocw_courses", r"\nFinal answer: The final answer is \$.*\$\. I hope it is correct\."),
        ("mmlu_stem", r"\nFinal Answer: The final answer is \([A-D]\)\. I hope it is correct\."),
        ("gsm8k_python", r"\n    return result"),
        ("math_python", r"\nI hope my solution is correct\."),
    ],
)
def test_solutions_end_as_the_published_extraction_wants(name, form):
    assert all(re.search(form + r"\Z", example.solution) for example in open_task(name).shown())


def test_the_published_settings_are_the_tasks_own():
    sampled = {name: tuple(open_task(name).sampling) for name in TABLE}
    assert sampled["math"] == (256, 0.6, 0.95)
    assert sampled["gsm8k"] == sampled["ocw_courses"] == (100, 0.6, 0.95)
    assert sampled["sat_math"] == sampled["mmlu_stem"] == (16, 0.3, 0.95)
    assert sampled["math_python"] == (16, 0.6, 0.95)
    assert sampled["gsm8k_python"][0] == 1
    assert {open_task(name).max_tokens for name in TABLE} == {1024}
    stops = {name: open_task(name).stop for name in TABLE}
    assert (stops["gsm8k"], stops["gsm8k_python"]) == (("\n\n",), ("Q:",))
    assert stops["math"] == stops["ocw_courses"] == stops["sat_math"] == ("I hope it is correct.",)
    assert stops["math_python"] == ("I hope my solution is correct.",)


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def grams(text, n):
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real benchmarks are not on this machine (../shared/benchmarks)")
def test_no_example_occurs_in_a_benchmark():
    shown = {e.problem.replace(CHOICE_LINE, "") for name in TABLE for e in open_task(name).shown()}
    ours = {gram for problem in shown for gram in grams(problem, 13)}
    short = {" ".join(words(problem)) for problem in shown if len(words(problem)) < 13}
    assert len(ours) > 300 and short
    fields = ("body", "Body", "question", "Question", "problem", "input")
    for path in sorted(SHARED.glob("*/*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            text = " ".join(row[field] for field in fields if isinstance(row.get(field), str))
            assert not ours & grams(text, 13), (path, text)
            joined = " ".join(words(text))
            assert not any(problem in joined for problem in short), (path, text)
