"""`llemma solve`: one dialogue on the terminal."""

import json

import pytest

from llemma.core.errors import MissingError
from llemma.evals.dialogue import prompt
from llemma.tools import Sandbox, SandboxConfig


@pytest.fixture(scope="module", autouse=True)
def sandbox():
    try:
        Sandbox(SandboxConfig(workers=1)).open().close()
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def recorded(tmp_path):
    """A recording of a model that computes, reads, and answers."""
    asked = prompt("What is 6 times 7?")
    first = "I compute.\n```python\nprint(6 * 7)\n```\n"
    rows = [
        {"prompt": asked, "text": first},
        {"prompt": f"{asked}{first}```output\n42\n```\n", "text": "The answer is 42."},
    ]
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_dialogue_is_shown(start, recorded):
    process = start("solve", "-m", f"replay:{recorded}", "What is 6 times 7?")
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    shown = said.split("\n\n")
    assert shown == [
        "I compute.",
        "```python\nprint(6 * 7)\n```",
        "```output\n42\n```",
        "The answer is 42.",
        "answer: 42\n",
    ]


def test_as_json(start, recorded):
    process = start("solve", "-m", f"replay:{recorded}", "What is 6 times 7?", "--json")
    found = json.loads(process.communicate(timeout=60)[0])
    assert (found["answer"], found["ending"], len(found["turns"])) == ("42", "answered", 1)


def test_a_backend_that_fails_ends_the_dialogue(start, recorded):
    process = start("solve", "-m", f"replay:{recorded}", "What is 1 + 1?")
    assert "no answer (error)" in process.communicate(timeout=60)[0]
    assert process.returncode == 1
