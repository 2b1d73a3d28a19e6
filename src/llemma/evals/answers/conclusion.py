"""What a sentence says is the answer: `the volume is 120`, `Therefore, there are 12 such sequences`.

Only a sentence that concludes is read: it states a value behind its verb or colon, or opens with "therefore" and the
like and holds a single value. A text that breaks off in the middle of its reasoning has no answer.
"""

from __future__ import annotations

import re
from collections import deque

_MAX_SENTENCE, _MAX_VALUE, _MAX_PARAGRAPH = 600, 120, 20_000
_NUMBER = r"[+-]?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?"
_FORMULA = re.compile(r"\$\$[^$]{1,300}\$\$|\$(?:[^$\\]|\\.){1,300}\$|\\\([^$]{1,300}?\\\)|\\\[[^$]{1,300}?\\\]")
_PLAIN_NUMBER = re.compile(rf"(?<![\w.,^_/\\{{])(?:[$€£] ?)?{_NUMBER}(?: ?\\?%| ?[€°])?(?![\w^/{{])")
_CONCLUDES = re.compile(
    r"(?:therefore|thus|hence|so|finally|in conclusion|in total|we (?:find|get|have|obtain|conclude|see))\b",
    re.IGNORECASE,
)
_VERB = re.compile(r"(?:\b(?:is|are|was|were|be|becomes?|equals?)|(?<=[a-z])'s|:|=)(?= |\$|\n)")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")
_CLOSING = re.compile(
    r"\s{0,9}(?:<\|[^|>]{0,40}\|>\S{0,20}|</?s>|I hope (?:it|this|my solution) is correct\.?)\s{0,9}$"
)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_JOINING = re.compile(r"\b(?:and|or)\b")
_BLANK = "\x00"


def said(statement: str) -> str:
    """What a statement behind "Final Answer:" gives: the value behind its verb, its only value, or all of it."""
    words = len(_words(statement))
    if len(statement) > _MAX_SENTENCE or words <= 1:
        return statement
    return _behind_verb(statement, words=2) or (_only_value(statement) if words > 3 else None) or statement


def single(sentence: str) -> str | None:
    """What a sentence with one value says it is (`The current is 2 amps.`); None with several values or no verb."""
    if len(sentence) > _MAX_SENTENCE or len(_words(sentence)) <= 1 or _only_value(sentence) is None:
        return None
    return _behind_verb(sentence.strip(), words=2)


def labelled(text: str) -> bool:
    """Whether a short text is words before a formula (`Answer: $9$`), of which the formula is the answer."""
    formula = _FORMULA.search(text)
    return formula is not None and bool(_WORD.search(_JOINING.sub(" ", text[: formula.start()])))


def concluded(text: str) -> str | None:
    """The value that the last sentence of `text` concludes, or None."""
    text = text.rstrip().rpartition("\n\n")[2][-_MAX_PARAGRAPH:]
    for _ in range(3):
        text = _CLOSING.sub("", text)
    sentence = _last_sentence(text)
    if not sentence:
        return None
    found = _behind_verb(sentence, words=1)
    if found and re.search(r"[0-9$\\]", found):
        return found
    if _CONCLUDES.match(sentence):
        return _only_value(sentence)
    formulas = list(_FORMULA.finditer(sentence))
    # `Answer $9$`
    return formulas[0].group() if len(formulas) == 1 and _ends_with_few_words(sentence, formulas[0]) else None


def _ends_with_few_words(sentence: str, formula: re.Match[str]) -> bool:
    return not sentence[formula.end() :].strip(" .") and len(_words(sentence)) <= 2


def _last_sentence(text: str) -> str:
    masked = _FORMULA.sub(_masked, text.strip())
    begin = 0
    for end in _SENTENCE_END.finditer(masked.rstrip(".!? \n")):
        begin = end.end()
    paragraph = masked.rfind("\n\n", begin)
    return text.strip()[max(begin, paragraph) :].strip().rstrip(".!")


def _masked(formula: re.Match[str]) -> str:
    """Blanks for a formula; one that ends in a full stop ends its sentence."""
    end = formula.group().rstrip("$)] ")[-1:]
    return _BLANK * (len(formula.group()) - 1) + ("." if end == "." else _BLANK)


def _words(text: str) -> list[str]:
    return _WORD.findall(_FORMULA.sub(" ", text))


def _behind_verb(sentence: str, *, words: int) -> str | None:
    """What stands behind the last verb or colon outside of formulas, when it is short: at most `words` words."""
    masked = _FORMULA.sub(_masked, sentence)
    verbs = deque(_VERB.finditer(masked), maxlen=1)
    if not verbs:
        return None
    value = sentence[verbs[0].end() :].strip().rstrip(".")
    if not value or len(value) > max(_MAX_VALUE, *(len(found) for found in [*_FORMULA.findall(value), ""])) + 20:
        return None
    return value if len(_words(value)) <= words and (words > 1 or _has_value(value)) else None


def _has_value(text: str) -> bool:
    return bool(_FORMULA.search(text) or re.search(r"[0-9]", text))


def _only_value(sentence: str) -> str | None:
    """The one formula of a sentence that has no number outside, or its one number, when it has no formula."""
    formulas = _FORMULA.findall(sentence)
    numbers = _PLAIN_NUMBER.findall(_FORMULA.sub(" ", sentence))
    found = formulas + numbers
    return str(found[0]).strip() if len(found) == 1 else None
