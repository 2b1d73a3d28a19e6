"""Worked examples out of lm_eval: a package that looks like it, and the real one where it is installed."""

import importlib.util
import sys

import pytest

from llemma.core.errors import DataError, MissingError, UsageError
from llemma.core.types import Problem
from llemma.evals.benchmarks import harness
from llemma.evals.task import open_task

YAML = """
task: gsm8k_cot
process_docs: !function utils.process_docs
fewshot_config:
  samples:
  - question: Is 2 and 2
      four?
    target: It is 2 + 2 = 4. The answer is 4.
"""
PYTHON = r"""
raise SystemExit("this file must never be run")

def list_fewshot_samples() -> list[dict]:
    return [
        {"problem": "Find $x$.", "solution": "So $x=\\boxed{3}$.\nFinal Answer: The final answer is $3$."},
    ]
"""


@pytest.fixture
def lm_eval(tmp_path, monkeypatch):
    """An installed package `lm_eval` 9.8.7 with the two files that are read, which must not be imported."""
    files = {
        "lm_eval/__init__.py": "raise SystemExit('never imported')",
        "lm_eval/tasks/gsm8k/gsm8k-cot.yaml": YAML,
        "lm_eval/tasks/minerva_math/utils.py": PYTHON,
        "lm_eval-9.8.7.dist-info/METADATA": "Metadata-Version: 2.1\nName: lm_eval\nVersion: 9.8.7\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "lm_eval" / "tasks"


def prompt(task):
    return task.prompt(Problem("p", task.name, "How?", ""), task.shown())


def test_the_examples_are_read_and_nothing_is_run(lm_eval):
    task = open_task("gsm8k", prompts="lm-eval")
    assert prompt(task) == "Q: Is 2 and 2 four?\nA: It is 2 + 2 = 4. The answer is 4.\n\nQ: How?\nA:"
    assert (task.prompts, task.shots, task.examples[0].answer) == ("lm-eval 9.8.7", 1, "4")
    task = open_task("math", prompts="lm_eval")
    solution = "So $x=\\boxed{3}$.\nFinal Answer: The final answer is $3$."
    assert prompt(task) == f"Problem:\nFind $x$.\n\nSolution: {solution}\n\nProblem:\nHow?\n\nSolution:"
    assert task.examples[0].answer == "$3$"
    assert "lm_eval" not in sys.modules


def test_another_layout_of_the_package_is_said(lm_eval):
    (lm_eval / "gsm8k" / "gsm8k-cot.yaml").write_text("fewshot_config: {}")
    with pytest.raises(DataError, match="keeps its examples in another way"):
        harness.gsm8k()
    (lm_eval / "gsm8k" / "gsm8k-cot.yaml").write_text("a: [")
    with pytest.raises(DataError, match="keeps its examples in another way"):
        harness.gsm8k()
    (lm_eval / "minerva_math" / "utils.py").write_text("def list_fewshot_samples():\n    return load('x')")
    with pytest.raises(DataError, match="keeps its examples in another way"):
        harness.minerva()
    (lm_eval / "minerva_math" / "utils.py").unlink()
    with pytest.raises(DataError, match="keeps its examples in another way"):
        harness.minerva()


def test_tasks_without_canonical_examples_are_refused(lm_eval):
    with pytest.raises(UsageError, match="no worked examples for the task 'sat_math'") as error:
        open_task("sat_math", prompts="lm-eval")
    assert "gsm8k" in error.value.mend


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="lm_eval is not installed") as error:
        open_task("gsm8k", prompts="lm-eval")
    assert error.value.mend == "pip install lm_eval"


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
def test_the_installed_package_gives_its_published_examples():
    # sizes of the prompts of the published evaluation, which has the same examples
    task = open_task("gsm8k", prompts="lm-eval")
    assert len(task.examples) == 8 and all(example.answer.isdigit() for example in task.examples)
    assert len(open_task("math", prompts="lm-eval").examples) == 4
