"""Notebooks of every version of the format become Markdown; what is no text in them goes."""

from __future__ import annotations

import base64
import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.types import Drop
from llemma.corpus.notebooks import MAX_OUTPUT, to_markdown

PNG = base64.b64encode(random.Random(0).randbytes(3_000)).decode()


def markdown(*cells: Any, published: bool = False, **facts: Any) -> str:
    text = to_markdown(json.dumps({"cells": cells, "nbformat": 4, **facts}), published=published)
    assert isinstance(text, str)
    return text


def code(source: Any, *outputs: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "execution_count": 1, "metadata": {}}


def prose(source: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source}


STREAM = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
IMAGE = {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": ["<Figure size 4x4 with 1 Axes>"]}}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": ["\x1b[0;31mValueError\x1b[0m: x"]}
RESULT = {"output_type": "execute_result", "data": {"text/plain": ["array([1, 2])"]}}
TABLE = {"output_type": "execute_result", "data": {"text/html": "<table></table>", "text/plain": "   a\n0  1"}}


def test_version_4() -> None:
    text = markdown(prose(["# Title\n", "Let $x$ be real."]), code(["import sympy\n", "x"], STREAM, RESULT))
    assert (
        text
        == "# Title\nLet $x$ be real.\n\n```python\nimport sympy\nx\n```\n\n    one\n    two\n\n    array([1, 2])\n"
    )


def test_versions_2_and_3() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Orbits"]},
        {"cell_type": "markdown", "source": "All of them."},
        {
            "cell_type": "code",
            "language": "julia",
            "input": ["f(x) = x\n", "f(1)"],
            "outputs": [
                {"output_type": "pyout", "text": ["1"], "prompt_number": 1},
                {"output_type": "display_data", "png": PNG},
                {"output_type": "pyerr", "ename": "E", "evalue": "e", "traceback": ["t"]},
                {"output_type": "stream", "stream": "stdout", "text": "hello"},
            ],
        },
    ]
    for version in (2, 3):
        text = to_markdown(json.dumps({"nbformat": version, "worksheets": [{"cells": cells}]}))
        assert text == "## Orbits\n\nAll of them.\n\n```julia\nf(x) = x\nf(1)\n```\n\n    1\n\n    hello\n"


def test_images_tracebacks_and_base64_go_and_the_other_outputs_stay() -> None:
    text = markdown(
        prose(f"See ![a plot](data:image/png;base64,{PNG}) and ![b](fig(1).png) and <img src='c.png'>here."),
        prose("<script>track('<b>')</script>A<video controls>no</video><svg><path d='M 0'/></svg>."),
        code("plot(x)", STREAM, IMAGE, ERROR, RESULT),
        code(f"data = '{PNG}'"),
    )
    assert text == (
        "See  and  and here.\n\nA.\n\n```python\nplot(x)\n```\n\n    one\n    two\n\n    array([1, 2])\n\n"
        "```python\ndata = ''\n```\n"
    )


def test_published_clears_all_outputs_beside_an_image_or_a_traceback() -> None:
    for bad in (IMAGE, ERROR):
        assert "one" not in markdown(code("f()", STREAM, bad), published=True)
        assert "one" in markdown(code("f()", STREAM, bad))
    assert "<table>" in markdown(code("d", TABLE), published=True)
    assert markdown(code("d", TABLE)) == "```python\nd\n```\n\n       a\n    0  1\n"


def test_latex_is_taken_before_plain_text() -> None:
    output = {"output_type": "execute_result", "data": {"text/latex": "$\\frac{1}{2}$", "text/plain": "1/2"}}
    assert markdown(code("x", output)) == "```python\nx\n```\n\n$\\frac{1}{2}$\n"


def test_long_numbers_are_no_base64_and_long_outputs_are_cut_at_a_line() -> None:
    number = str(7**500)
    assert number in markdown(code("7**500", {"output_type": "stream", "name": "stdout", "text": number}))
    text = markdown(code("f()", {"output_type": "stream", "name": "stdout", "text": "line of words\n" * 9_000}))
    assert len(text) < 2 * MAX_OUTPUT and text.endswith("line of words\n")


def test_terminal_codes_and_progress_bars_are_played() -> None:
    output = {"output_type": "stream", "name": "stderr", "text": "\r 10%\r 90%\r100%\n\x1b[1mbold\x1b[0m\n"}
    assert markdown(code("f()", output)).endswith("    100%\n    bold\n")


def test_a_cell_with_fences_gets_a_longer_one() -> None:
    assert markdown(code('s = """```"""')) == '````python\ns = """```"""\n````\n'


@pytest.mark.parametrize(
    ("facts", "language"),
    [
        ({"metadata": {"language_info": {"name": "R"}}}, "r"),
        ({"metadata": {"kernelspec": {"language": "julia"}}}, "julia"),
        ({"metadata": {"language_info": {"name": "x\n```\nbad"}}}, "python"),
        ({"metadata": None}, "python"),
    ],
)
def test_the_language_of_code(facts: dict[str, Any], language: str) -> None:
    assert markdown(code("x"), **facts) == f"```{language}\nx\n```\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a damaged notebook"),
        ('{"cells": [', "a damaged notebook"),
        ('{"cells": [{"cell_type": "code", "source": "\ud800"}]}', "a damaged notebook"),
        ("[" * 100_000, "a damaged notebook"),
        ("[]", "not a notebook"),
        ('"x"', "not a notebook"),
        ('{"cells": {}}', "not a notebook"),
        ('{"worksheets": 4}', "not a notebook"),
        ('{"cells": []}', "an empty notebook"),
        ('{"cells": [null, 3, {"source": 4}, {"cell_type": "code", "source": ["\\n", 5]}]}', "an empty notebook"),
    ],
)
def test_what_cannot_be_read_has_a_reason(text: str, reason: str) -> None:
    found = to_markdown(text)
    assert isinstance(found, Drop) and found.reason.partition(": ")[0] == reason


values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
keys = st.sampled_from(
    ["cell_type", "source", "input", "outputs", "level", "language", "data", "text", "name", "output_type", "png"]
)
kinds = st.sampled_from(["code", "markdown", "heading", "raw", "html", "stream", "error"])
cells = st.dictionaries(keys, st.one_of(values, kinds, st.lists(st.dictionaries(keys, values))), max_size=5)


@given(st.one_of(values, st.fixed_dictionaries({"cells": st.lists(cells, max_size=3), "metadata": values})))
@pytest.mark.slow
def test_any_json_ends_as_a_text_or_a_reason(notebook: Any) -> None:
    for published in (False, True):
        found = to_markdown(json.dumps(notebook), published=published)
        assert isinstance(found, Drop) or found.strip()


PIECES = ["![](data:", "![a](", "![", "<img ", "<video>", "<script", "A" * 199 + " ", "\n ", "`", "\x1b[", "x\r"]


@pytest.mark.parametrize("piece", PIECES)
def test_no_notebook_takes_long(piece: str) -> None:
    text = "x" + piece * (500_000 // len(piece))
    start = time.process_time()
    markdown(prose(text), code(text, {"output_type": "stream", "name": "stdout", "text": text}))
    assert time.process_time() - start < 2


OLD_OUTPUTS = [
    {"output_type": "pyout", "prompt_number": 1, "latex": "$x$", "text": "x", "png": PNG},
    {"output_type": "display_data", "jpeg": PNG, "text": "<matplotlib.figure.Figure at 0x1>"},
    {"output_type": "display_data", "svg": "<svg><path/></svg>"},
    {"output_type": "display_data", "html": [f"<img src='data:image/png;base64,{PNG}'/>"], "text": ["<core.Image>"]},
    {"output_type": "pyerr", "ename": "NameError", "evalue": "y", "traceback": ["\x1b[31mNameError"]},
    {"output_type": "stream", "stream": "stderr", "text": ["a warning\n"]},
]


@pytest.mark.parametrize("version", [2, 3])
def test_every_kind_of_old_output(version: int) -> None:
    cell = {"cell_type": "code", "input": "x", "language": "python", "outputs": OLD_OUTPUTS, "collapsed": False}
    notebook = json.dumps({"nbformat": version, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]})
    assert to_markdown(notebook) == "```python\nx\n```\n\n$x$\n\n    a warning\n"
    assert to_markdown(notebook, published=True) == "```python\nx\n```\n"
