"""Every error a user can meet says what happened, where, and how to mend it.

    LlemmaError            1   something failed
    ├── UsageError         2   the command line is off
    ├── MissingError       3   a file, package, program, GPU or prover is not there
    ├── RecipeError        4   the recipe is refused
    ├── DataError          4   an input is damaged or not what it claims to be
    ├── BusyError          1   another process works in the same folder
    ├── ItemsError         5   finished, but too many items ended in error
    └── Interrupted      130   stopped by the user; the same command resumes

The number is the exit code of the command.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LlemmaError(Exception):
    """A failure with its place and its mend; shown without a traceback."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        if self.where:
            lines.append(f" where: {self.where}")
        if self.mend:
            lines.append(f"  mend: {self.mend}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions travel between worker processes; keyword arguments need help.
        return _rebuild, (type(self), self.what, self.where, self.mend)


def _rebuild(kind: type[LlemmaError], what: str, where: str, mend: str) -> LlemmaError:
    return kind(what, where=where, mend=mend)


class UsageError(LlemmaError):
    """The command line is off."""

    exit_code = 2


class MissingError(LlemmaError):
    """Something this work needs is not on this machine."""

    exit_code = 3


class RecipeError(LlemmaError):
    """The recipe is refused."""

    exit_code = 4


class DataError(LlemmaError):
    """An input is damaged or not what it claims to be."""

    exit_code = 4


class BusyError(LlemmaError):
    """Another process works in the same folder."""

    exit_code = 1


class ItemsError(LlemmaError):
    """The work is finished, but more items than allowed ended in error."""

    exit_code = 5


class Interrupted(LlemmaError):
    """Stopped by the user between two units; the same command resumes."""

    exit_code = 130


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the closest of `known`, or an empty string."""
    by_folded = {name.lower().replace("_", "-"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), by_folded, n=1, cutoff=0.6)
    return f"did you mean '{by_folded[close[0]]}'?" if close else ""
