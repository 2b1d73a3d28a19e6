r"""Tables for a paper: Markdown and LaTeX (booktabs) of plain cells, every character of a name escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from llemma.report.text import visible

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "\u00a0": "~",
    "\u202f": r"\,",
}


class Sheet(msgspec.Struct, frozen=True):
    """A table of text: `name` is its file's, the first `left` columns are words, the others numbers."""

    name: str
    title: str
    heads: list[str]
    rows: list[list[str]]
    left: int = 1

    @property
    def markdown(self) -> str:
        """A pipe table below its title."""
        rule = ["---"] * self.left + ["---:"] * (len(self.heads) - self.left)
        lines = [self.heads, *self.rows]
        head, *body = ("| " + " | ".join(map(markdown_text, line)) + " |" for line in lines)
        return "\n".join([f"**{markdown_text(self.title)}**", "", head, "| " + " | ".join(rule) + " |", *body]) + "\n"

    @property
    def latex(self) -> str:
        r"""A `table` with `booktabs` rules; needs `\usepackage{booktabs}`."""
        columns = "l" * self.left + "r" * (len(self.heads) - self.left)
        head, *body = (" & ".join(map(latex_text, line)) + r" \\" for line in [self.heads, *self.rows])
        return "\n".join(
            [
                "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}",
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{latex_text(self.title)}}}",
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


def _line(text: str) -> str:
    return " ".join(visible(text).split(" ")).replace("\n", " ").replace("\r", " ").replace("\t", " ")


def markdown_text(text: str) -> str:
    """`text` on one line, so that Markdown shows it as it stands."""
    return _MARKDOWN.sub(r"\\\1", _line(text)).replace("&", "&amp;")


def latex_text(text: str) -> str:
    """`text` on one line, so that LaTeX sets it as it stands."""
    return "".join(_LATEX.get(character, character) for character in _line(text))


def write(sheets: Iterable[Sheet], folder: Path) -> None:
    """`<name>.md` and `<name>.tex` of each into `folder`."""
    for sheet in sheets:
        folder.mkdir(exist_ok=True)
        (folder / f"{sheet.name}.md").write_text(sheet.markdown, encoding="utf-8", newline="\n")
        (folder / f"{sheet.name}.tex").write_text(sheet.latex, encoding="utf-8", newline="\n")


def named(sheets: Sequence[Sheet]) -> dict[str, Sheet]:
    """Sheets by their names."""
    return {sheet.name: sheet for sheet in sheets}
