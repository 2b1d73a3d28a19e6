"""Goals as text that a model reads, and that names the state."""

from __future__ import annotations

from llemma.tools.coq_xml import Goal, Goals

RULE = "===="
LONGEST = 50_000
"""Characters; a state with more to show is of no use to a model."""


def show(goals: Goals) -> str:
    """All open goals, those in focus first: hypotheses a line each, a rule, the conclusion; a blank line between goals.

    Where there is more than one goal the first line counts them: `3 goals, 1 in focus, 2 shelved`.
    """
    listed = [*goals.foreground, *goals.background]
    shown = [_goal(goal) for goal in listed or goals.shelved]
    count = _count(goals)
    return "\n\n".join([f"{count}\n{shown[0]}", *shown[1:]] if count and shown else shown)


def _count(goals: Goals) -> str:
    focused, behind, shelved = len(goals.foreground), len(goals.background), len(goals.shelved)
    if focused == 1 and not behind and not shelved:
        return ""
    total = focused + behind
    parts = [f"{total} goal{'' if total == 1 else 's'}"]
    parts += [f"{focused} in focus"] if behind else []
    parts += [f"{shelved} shelved"] if shelved else []
    return ", ".join(parts)


def _goal(goal: Goal) -> str:
    return "\n".join([*goal.hypotheses, RULE, goal.conclusion])
