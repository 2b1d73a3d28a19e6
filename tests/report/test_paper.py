from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llemma.report import cells, paper
from llemma.report.paper import Sheet


def test_a_sheet_in_markdown_and_latex() -> None:
    sheet = Sheet(
        "x", "Scores & <b>more</b>", ["task", "A, %"], [["word_problems", "82.5 (78.1 to 86.0)"], ["$x|y$", "−"]]
    )
    assert sheet.markdown.splitlines() == [
        r"**Scores &amp; \<b\>more\</b\>**",
        "",
        "| task | A, % |",
        "| --- | ---: |",
        r"| word\_problems | 82.5 (78.1 to 86.0) |",
        r"| $x\|y$ | − |",
    ]
    assert r"word\_problems & 82.5 (78.1 to 86.0) \\" in sheet.latex and r"\$x\textbar{}y\$ & $-$ \\" in sheet.latex
    assert r"\begin{tabular}{lr}" in sheet.latex and r"\caption{Scores \& \textless{}b\textgreater{}more" in sheet.latex


@given(st.text(max_size=60))
def test_no_text_leaves_its_cell(text: str) -> None:
    latex = paper.latex_text(text)
    assert not set("\n\r\t\x00\u202e") & set(latex)
    # nothing but the escapes themselves has a meaning: without them no special character is left
    for made in sorted(paper._LATEX.values(), key=len, reverse=True):
        latex = latex.replace(made, "")
    assert not set("\\{}$&#%_^~") & set(latex)
    markdown = paper.markdown_text(text)
    assert "\n" not in markdown and "<script" not in markdown.replace("\\<script", "")
    assert all(before == "\\" for before, bar in zip(" " + markdown, markdown, strict=False) if bar in "|<")


def test_blocks_between_fences_are_cells() -> None:
    text = "We compute $x$:\n```python\nprint('$1$')\n```\n```output\n$1$\n```\nSo the answer is $1$.\n```py\nopen"
    found = cells.cells(text)
    assert [piece[0] for piece in found if isinstance(piece, list) and isinstance(piece[0], str)] == [
        "code",
        "output",
        "code",
    ]
    assert ["code", "print('$1$')"] in found
    assert ["output", "$1$"] in found and ["code", "open"] in found
    assert sum(isinstance(piece, list) and isinstance(piece[0], int) for piece in found) == 2


def test_many_fences_take_no_time() -> None:
    assert len(cells.cells("```python\n" * 50_000)) <= 2 * cells.MAX_CELLS + 1
