"""The XML that Coq's editor protocol speaks (xml-protocol of Coq 8.16): calls written, replies read.

A call is one element; a reply is any number of `<feedback>` elements and then one `<value>`. Texts come as `<richpp>`,
marked up; only their characters are kept.
"""

from __future__ import annotations

import re
from typing import Literal
from xml.etree import ElementTree

import msgspec

from llemma.core.errors import DataError

Kind = Literal["error", "timeout", "memory", "interrupted"]
Element = ElementTree.Element
# what an XML document may not hold, in either direction
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Failure(msgspec.Struct, frozen=True):
    """Coq said no: why, which characters of the sentence it means (-1 where it does not say), and the last good state.

    `timeout` and `memory` are limits that Coq itself noticed; `interrupted` is our own signal.
    """

    kind: Kind
    why: str
    start: int = -1
    stop: int = -1
    state: int = 0


class Goal(msgspec.Struct, frozen=True):
    """One goal: its hypotheses, a line each, and its conclusion."""

    hypotheses: tuple[str, ...]
    conclusion: str


class Goals(msgspec.Struct, frozen=True):
    """All goals of a proof: in focus, left behind a bullet or a brace (the nearest first), shelved, and given up."""

    foreground: tuple[Goal, ...]
    background: tuple[Goal, ...]
    shelved: tuple[Goal, ...]
    given_up: tuple[Goal, ...]

    @property
    def finished(self) -> bool:
        """Whether no goal is left anywhere: then, and only then, may `Qed` follow."""
        return not (self.foreground or self.background or self.shelved or self.given_up)


class Status(msgspec.Struct, frozen=True):
    """Where a session stands: the module it is in, the open proof if any, and the proofs around it."""

    path: tuple[str, ...]
    proof: str | None
    proofs: tuple[str, ...]


class Message(msgspec.Struct, frozen=True):
    """What a sentence or query printed; `level` is one of `debug info notice warning error`."""

    level: str
    text: str


def escape(text: str) -> str:
    """`text` as the content of an element; characters that no XML document may hold become U+FFFD."""
    text = _CONTROL.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def init_call() -> str:
    """Begin a session."""
    return '<call val="Init"><option val="none"/></call>'


def add_call(text: str, state: int) -> str:
    """Add the first sentence of `text` after `state`."""
    where = f'<pair><state_id val="{state}"/><bool val="false"/></pair>'
    return (
        f'<call val="Add"><pair><pair><pair><pair><string>{escape(text)}</string><int>1</int></pair>{where}</pair>'
        "<int>0</int></pair><pair><int>1</int><int>0</int></pair></pair></call>"
    )


def goal_call() -> str:
    """Run what was added; show all goals."""
    return '<call val="Goal"><unit/></call>'


def subgoals_call() -> str:
    """Run what was added; show the conclusions of goals alone (since Coq 8.16)."""
    every = '<bool val="true"/>' * 4
    return f'<call val="Subgoals"><goal_flags><string>short</string>{every}</goal_flags></call>'


def edit_call(state: int) -> str:
    """Go back to `state`."""
    return f'<call val="Edit_at"><state_id val="{state}"/></call>'


def query_call(text: str, state: int) -> str:
    """Run the command `text` at `state` for what it prints."""
    return (
        f'<call val="Query"><pair><route_id val="0"/><pair><string>{escape(text)}</string>'
        f'<state_id val="{state}"/></pair></pair></call>'
    )


def status_call() -> str:
    """Where the session stands."""
    return '<call val="Status"><bool val="false"/></call>'


def about_call() -> str:
    """Versions."""
    return '<call val="About"><unit/></call>'


class Reply(msgspec.Struct, frozen=True):
    """One answer: its value's element, and all elements that came before it."""

    value: Element
    feedback: tuple[Element, ...]

    def messages(self) -> list[Message]:
        """What was printed on the way, in order."""
        found = []
        for content in (part.find("feedback_content") for part in self.feedback):
            message = content.find("message") if content is not None and content.get("val") == "message" else None
            level = message.find("message_level") if message is not None else None
            if message is not None and level is not None:
                found.append(Message(level.get("val", ""), shown(message.find("richpp"))))
        return found

    def failure(self) -> Failure | None:
        """Why the call failed, if it did."""
        if self.value.get("val") == "good":
            return None
        why = shown(self.value.find("richpp"))
        state = self.value.find("state_id")
        start, stop = (int(self.value.get(name, "-1")) for name in ("loc_s", "loc_e"))
        return Failure(_kind(why), why, start, stop, int(state.get("val", "0")) if state is not None else 0)


def read_reply(data: bytes) -> Reply:
    """A whole reply; a `DataError` where it is not one."""
    text = _CONTROL.sub("\ufffd", data.decode("utf-8", "replace")).replace("&nbsp;", " ")
    try:
        root = ElementTree.fromstring(f"<reply>{text}</reply>")
    except ElementTree.ParseError as error:
        raise DataError(f"Coq answered what is no XML: {error}", where=text[:80]) from error
    value = root.find("value")
    if value is None:
        raise DataError("Coq answered without a value", where=text[:80])
    return Reply(value, tuple(root.findall("feedback")))


def read_state(value: Element) -> int:
    """The state of an answer to `Add` or `Init`."""
    found = next(value.iter("state_id"), None)
    if found is None:
        raise DataError("Coq named no state", where="an answer to Add or Init")
    return int(found.get("val", "0"))


def read_goals(value: Element) -> Goals | None:
    """The goals of an answer to `Goal` or `Subgoals`; None outside a proof."""
    goals = value.find("option/goals")
    if goals is None:
        return None
    foreground, background, shelved, given_up = goals.findall("list")
    return Goals(*(tuple(_goals(part)) for part in (foreground, background, shelved, given_up)))


def read_status(value: Element) -> Status:
    """The answer to `Status`."""
    status = value.find("status")
    if status is None:
        raise DataError("Coq gave no status", where="an answer to Status")
    lists = status.findall("list")
    path, proofs = (tuple(item.text or "" for item in part.findall("string")) for part in lists[:2])
    proof = status.find("option/string")
    return Status(path, None if proof is None else proof.text, proofs)


def shown(element: Element | None) -> str:
    """The characters of a marked-up text."""
    return "" if element is None else "".join(element.itertext()).strip()


def _goals(part: Element) -> list[Goal]:
    found = []
    for goal in part.iter("goal"):  # those left behind come in pairs of lists, before and after the focus
        hypotheses, conclusion = goal.find("list"), goal.find("richpp")
        lines = [] if hypotheses is None else [shown(line) for line in hypotheses]
        found.append(Goal(tuple(lines), shown(conclusion)))
    return found


def _kind(why: str) -> Kind:
    if "Timeout!" in why:
        return "timeout"
    if "Out of memory" in why:
        return "memory"
    return "interrupted" if why.startswith("User interrupt") else "error"
