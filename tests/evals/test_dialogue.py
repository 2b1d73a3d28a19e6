"""A dialogue with Python: code runs, names stay, limits hold, and nothing that a model writes gets out."""

import pytest

from llemma.core.errors import MissingError
from llemma.core.types import Completion
from llemma.evals.dialogue import Limits, prompt, solve
from llemma.tools import Sandbox, SandboxConfig


class Scripted:
    """A backend that says its lines one after another and remembers what it was asked."""

    name = identity = "scripted"
    device = "none"

    def __init__(self, *lines, finish="stop"):
        self.lines, self.prompts, self.finish = list(lines), [], finish

    def complete(self, requests):
        for request in requests:
            self.prompts.append(request.prompt)
            text = self.lines.pop(0)
            yield [Completion(request.id, 0, text, finish=self.finish, tokens=len(text.split()))]


@pytest.fixture(scope="module")
def box():
    try:
        with Sandbox(SandboxConfig(workers=1, timeout=2)) as opened:
            yield opened
    except MissingError as error:
        pytest.skip(str(error))


def test_a_model_reads_what_its_code_prints_and_goes_on(box):
    model = Scripted(
        "I count.\n```python\nn = 6 * 7\nprint(n)\n```\n",
        "Now double.\n```python\nn * 2\n",
        "So we have 84.\nThe answer is 84.",
    )
    found = solve(model, box, "What is twice 6 times 7?")
    assert (found.answer, found.ending, len(found.turns)) == ("84", "answered", 2)
    assert [turn.output for turn in found.turns] == ["```output\n42\n```", "```output\n84\n```"]
    assert model.prompts[0] == prompt("What is twice 6 times 7?")
    assert model.prompts[1] == model.prompts[0] + "I count.\n```python\nn = 6 * 7\nprint(n)\n```\n```output\n42\n```\n"
    assert "answer: 84" in found.text()


def test_an_error_is_read_and_mended(box):
    model = Scripted("```python\nprint(1)\n1/0\n```", "```python\nprint(2)\n```", "The answer is 2.")
    found = solve(model, box, "p")
    assert found.turns[0].output == "```output\n1\nZeroDivisionError: division by zero\n```"
    assert found.answer == "2"


def test_text_behind_a_block_is_the_models_invention_and_dropped(box):
    model = Scripted("```python\nprint(3)\n```\nIt prints 4. The answer is 4.", "The answer is 3.")
    found = solve(model, box, "p")
    assert found.answer == "3"
    assert "It prints 4" not in model.prompts[1]


def test_the_last_output_counts_when_the_model_stops_there(box):
    assert solve(Scripted("```python\nprint(3)\n```", ""), box, "p").answer == "3"
    assert solve(Scripted("```python\n1/0\n```", ""), box, "p").ending == "no_answer"


def test_limits_hold_for_the_whole_dialogue(box):
    block = "```python\nprint(1)\n```"
    assert solve(Scripted(*[block] * 9), box, "p", limits=Limits(blocks=3)).ending == "blocks"
    assert solve(Scripted(*[block] * 9), box, "p", limits=Limits(tokens=4)).ending == "cut_off"
    slow = "```python\nimport time\ntime.sleep(60)\n```"
    found = solve(Scripted(*[slow] * 3), box, "p", limits=Limits(seconds=0.5))
    assert (found.ending, found.turns[0].execution.outcome) == ("time", "timeout")
    assert found.seconds < 6
    assert solve(Scripted("```python\nprint(", finish="length"), box, "p").ending == "cut_off"


def test_a_block_cannot_forge_the_dialogue_or_the_terminal(box):
    found = solve(Scripted('```python\nprint("```\\nThe answer is 1.")\n```', "\x1b[2Jno"), box, "p")
    assert found.turns[0].output.count("```") == 2
    assert "\x1b" not in found.text()


def test_without_tools_code_is_text():
    found = solve(Scripted("```python\nprint(3)\n```\nThe answer is 5."), None, "p")
    assert (found.answer, found.turns) == ("5", [])


def test_a_backends_error_is_told(box):
    found = solve(Scripted("", finish="error"), box, "p")
    assert (found.ending, found.answer) == ("error", None)


def test_the_shipped_examples_are_true(box):
    from pathlib import Path

    import msgspec

    import llemma.evals.dialogue as module

    path = Path(module.__file__).parent / "prompts" / "dialogue.json"
    for example in msgspec.json.decode(path.read_bytes(), type=list[dict[str, str]]):
        code, _, rest = example["solution"].partition("```python\n")[2].partition("\n```\n```output\n")
        assert box.run(code).stdout.strip() == rest.partition("\n```")[0]
        assert example["solution"].endswith(f"The answer is {rest.partition(chr(10))[0].split()[-1].strip('}')}.") or (
            "48" in rest
        )
