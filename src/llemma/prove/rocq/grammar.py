"""What a model may write inside a Rocq proof: one sentence that is a tactic, a bullet or a brace.

Everything that is not plainly such a sentence is refused before Rocq sees it. Why this suffices:

- Comments are taken out and strings refused, so that a full stop before blank ends a sentence and nothing else does;
  our reading of where a sentence ends and Rocq's are then the same, and no second sentence can hide in the first.
- Every command of Rocq begins with a capital letter or `#[`, but for `infoH`, which is refused (`Print Grammar vernac`
  lists them). A sentence that begins with a small letter, a bracket or a goal selector can only be a tactic, and
  tactics cannot run commands.
- Tactics that leave goals unproved (`admit`, `give_up`, `shelve`), that put off the kernel's check (`*_no_check`), that
  trust a compiler (`native_compute`), that add constants of their own (`abstract`) or that start other processes
  (`par:`, `psatz`) are refused wherever their names stand. The kernel checks again what `_no_check` skips, so those
  would not make a false theorem true; but a search would take the state they leave for a proof.

Names of axioms need no list here: the check prints what a theorem rests on.
"""

from __future__ import annotations

import re
import unicodedata

from llemma.prove.prover import Refused
from llemma.tools.coq_text import sentences, uncommented

LONGEST = 4096
"""Characters a sentence may have."""
LONGEST_PROOF = 100_000
"""Characters a whole proof may have."""

_UNPROVED = "it leaves goals unproved"
_UNCHECKED = "it puts off the kernel's check"
_CONSTANTS = "it adds constants of its own"
_OTHER = "it speaks another language"
_OUTSIDE = "it acts on the prover itself"
_FORBIDDEN = {
    "admit": _UNPROVED,
    "give_up": _UNPROVED,
    "shelve": _UNPROVED,
    "shelve_unifiable": _UNPROVED,
    "sorry": _UNPROVED,
    "proof_admitted": _UNPROVED,
    "abstract": _CONSTANTS,
    "transparent_abstract": _CONSTANTS,
    "native_compute": "it trusts a compiler",
    "ltac2": _OTHER,
    "ltac1": _OTHER,
    "ltac1val": _OTHER,
    "elpi": _OTHER,
    "optimize_heap": _OUTSIDE,
    "infoH": "it is a command",
    "psatz": _OUTSIDE,  # starts another program
}
_PROFILE = re.compile(r"\b(?:start|stop|reset|show)\s+(?:ltac|profile)\b")
_NAME = re.compile(r"[^\W\d][\w']*")
_SELECTOR = re.compile(r"(?:all|!|\[\s*[^\W\d][\w']*\s*\]|\d+(?:\s*-\s*\d+)?(?:\s*,\s*\d+(?:\s*-\s*\d+)?)*)\s*:\s*")
_CONTROL = re.compile(r"(?:Time|Timeout\s+[0-9]+)\s+")
_BULLET = re.compile(r"-+|\++|\*+|\}|(?:(?:\d+|\[\s*[^\W\d][\w']*\s*\])\s*:\s*)?\{")
_BLANK = re.compile(r"[ \t\r\n]+")


def read_tactic(text: str) -> str | Refused:
    """The one sentence that `text` is, without comments and limits of its own, each run of blank one blank, with its
    full stop. Everything else is refused."""
    read = _cleaned(text, LONGEST)
    if isinstance(read, Refused):
        return read
    pieces = [piece for piece in sentences(read) if piece.text]
    if not pieces:
        return _forbidden("no tactic")
    if len(pieces) > 1:
        return _forbidden("several sentences; write one")
    return _sentence(pieces[0].text)


def read_proof(text: str) -> list[str] | Refused:
    """The sentences of a whole proof (between `Proof.` and `Qed.`), each as `read_tactic` has it. The first that is not
    allowed refuses the proof."""
    read = _cleaned(text, LONGEST_PROOF)
    if isinstance(read, Refused):
        return read
    kept = []
    for piece in sentences(read):
        sentence = _sentence(piece.text) if piece.text else None
        if isinstance(sentence, Refused):
            return sentence
        kept += [] if sentence is None else [sentence]
    return kept or _forbidden("no tactic")


def _cleaned(text: str, longest: int) -> str | Refused:
    """The text with no comment and no odd character, or why it is refused."""
    if len(text) > longest:
        return _forbidden(f"more than {longest} characters")
    # Rocq takes some other blanks for blanks; none of them is needed
    odd = next((char for char in text if unicodedata.category(char)[0] in "CZ" and char not in " \t\r\n"), None)
    if odd is not None:
        return _forbidden(f"a character U+{ord(odd):04X}")
    read = uncommented(text)
    if read is None:
        return _forbidden("a comment or a string without an end")
    if '"' in read:
        return _forbidden("a string")
    return read.strip()


def _sentence(text: str) -> str | Refused:
    """One sentence of cleaned text in normal form."""
    text = _BLANK.sub(" ", text).strip()
    while control := _CONTROL.match(text):
        text = text[control.end() :]
    if _BULLET.fullmatch(text):
        return text
    if not text.endswith("."):
        text = f"{text}."
    pieces = [piece for piece in sentences(text) if piece.text]
    if len(pieces) != 1 or not pieces[0].complete:
        return _forbidden("no one sentence")
    if len(text) > LONGEST:
        return _forbidden(f"a sentence of more than {LONGEST} characters")
    refused = _first(text) or _anywhere(text)
    return refused or text


def _first(text: str) -> Refused | None:
    """Whether the sentence begins as only a tactic does."""
    selector = _SELECTOR.match(text)
    rest = text[selector.end() :] if selector else text
    while rest.startswith(("(", "[>", "[ >")):
        rest = rest[1:].lstrip("> ")
    name = _NAME.match(rest)
    if name is None:
        return _forbidden(f"a tactic cannot begin with '{rest[:1]}'")
    if name.group() == "par" and rest[name.end() :].lstrip().startswith(":"):
        return _forbidden(f"'par:': {_OUTSIDE}")  # starts other processes
    if not name.group()[0].islower() and not name.group().startswith("_"):
        return _forbidden(f"'{name.group()}' is no tactic")
    return None


def _anywhere(text: str) -> Refused | None:
    """Whether the sentence names anything that is not allowed in any place."""
    for name in _NAME.findall(text):
        why = _UNCHECKED if name.endswith("_no_check") else _FORBIDDEN.get(name)
        if why:
            return _forbidden(f"'{name}': {why}")
    if _PROFILE.search(text):
        return _forbidden(f"profiling: {_OUTSIDE}")
    if "{{" in text:
        return _forbidden(f"'{{{{': {_OTHER}")
    return None


def _forbidden(why: str) -> Refused:
    return Refused("forbidden", why)
