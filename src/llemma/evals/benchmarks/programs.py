"""The Python program in a completion, for the tasks that are answered by one. Pure text in, text out; nothing is run.

The protocol `llemma` takes what the published code takes. The protocol `default` also reads a program that stands in a
code fence, as chat models write it, and leaves away what follows the fence.
"""

from __future__ import annotations

from llemma.evals.programs import FENCE, unfenced

_IMPORTS = "The imports required for this program are"


def solution_call(text: str) -> str:
    """GSM8K+Python: the completion, and the value of its `solution()` in `answer`."""
    return f"{unfenced(text)}\n\nanswer = solution()\n"


def published_solution_call(text: str) -> str:
    """GSM8K+Python as published: the whole completion, and a line that prints `solution()`."""
    return f"{text}\nprint(solution())\n"


def answer_program(text: str) -> str:
    """MATH+Python: the imports given behind the program, then the program, which sets `answer`.

    The prompt has opened the fence of the program, so it ends at the first fence; where a completion opens one of its
    own, at the second. Without imports the program stands alone.
    """
    return "\n".join(part for part in (_header(text) or "", unfenced(text)) if part.strip()) + "\n"


def published_answer_program(text: str) -> str:
    """MATH+Python as published: imports and program; where one of them is missing there is no program."""
    body, fence, _ = text.partition("```")
    header = _header(text)
    return f"{header}\n{body}\n" if fence and header is not None else ""


def _header(text: str) -> str | None:
    """The fenced block behind the sentence that announces the imports, or None."""
    _, _, after = text.partition(_IMPORTS)
    opening = FENCE.search(after)
    closing = FENCE.search(after, opening.end()) if opening else None
    return after[opening.end() : closing.start()].strip() if opening and closing else None
