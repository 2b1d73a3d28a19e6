import pytest

from llemma.evals.benchmarks.programs import (
    answer_program,
    published_answer_program,
    published_solution_call,
    solution_call,
)

CODE = "def solution():\n    return 3"


@pytest.mark.parametrize(
    "text", [CODE, f"```python\n{CODE}\n```\nIt is 3.", f"{CODE}\n```\nIt is 3.", f"\n\n{CODE}\n\n"]
)
def test_the_value_of_solution_becomes_the_answer(text):
    names = {}
    exec(solution_call(text), names)  # our own text
    assert names["answer"] == 3


def test_the_published_call_is_the_whole_completion_and_a_print():
    assert published_solution_call(CODE) == f"{CODE}\nprint(solution())\n"


IMPORTS = "\n```\nThe imports required for this program are\n```\nfrom math import sqrt\n```\n"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (f"\nanswer = sqrt(9){IMPORTS}", "from math import sqrt\n\nanswer = sqrt(9)\n\n"),
        ("\nimport math\nanswer = math.sqrt(9)\n```\nDone.", "\nimport math\nanswer = math.sqrt(9)\n\n"),
        (f"```python\nanswer = sqrt(9){IMPORTS}", "from math import sqrt\n\nanswer = sqrt(9)\n\n"),
        ("answer = 3", "answer = 3\n"),
        (
            f"answer = 3\n```\n{IMPORTS.removeprefix(chr(10) + '```' + chr(10))}".replace("from math import sqrt", ""),
            "answer = 3\n\n",
        ),
    ],
)
def test_imports_go_before_the_program_that_ends_at_the_first_fence(text, program):
    assert answer_program(text) == program


def test_the_published_reading_wants_imports_and_the_fences():
    assert published_answer_program(f"\nanswer = sqrt(9){IMPORTS}") == "from math import sqrt\n\nanswer = sqrt(9)\n\n"
    assert published_answer_program("answer = 3\n```\n") == ""
    assert published_answer_program("answer = 3") == ""
    assert published_answer_program("") == ""


def test_an_empty_completion_holds_no_program():
    assert answer_program("\n\n").strip() == ""
