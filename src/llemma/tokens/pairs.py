"""Questions with answers, and conversations, as a token store in which only answers are learned.

A row is `{question|problem|prompt|instruction, solution|response|completion|answer|output}`, `{messages: [{role,
content}]}`, or `{conversations: [{from, value}]}`. What cannot be used is left out with a reason, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.core.files import digest
from llemma.tokens import chat
from llemma.tokens.chat import ROLES, Message, Template, Unfit
from llemma.tokens.store import Encoded, StoreInfo, write_encoded
from llemma.tokens.tokenizer import Tokenizer

QUESTIONS = ("question", "problem", "prompt", "instruction")
ANSWERS = ("solution", "response", "completion", "answer", "output")
"""The first of these that a row has: of a worked solution and a final answer, the solution."""
SPEAKERS = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
"""Other names of roles."""

TooLong = Literal["drop", "cut"]


class PairsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How conversations become tokens. `max_tokens` 0 is no limit; a longer one is left out, or loses its end."""

    template: Literal["plain", "chat"] = "plain"
    max_tokens: int = 0
    too_long: TooLong = "drop"
    validation: float = 0.0
    """Share of the conversations, by a hash of what they say, that go to the validation split."""


class PairsInfo(msgspec.Struct, frozen=True):
    """What became of the rows: stores by split, rows left out by reason, conversations that lost their end."""

    stores: dict[str, StoreInfo]
    left_out: dict[str, int]
    cut: int


def write_pairs(
    files: Sequence[Path], tokenizer: Tokenizer, to: Path, config: PairsConfig, advance: Any = lambda n: None
) -> PairsInfo:
    """Write `to/train` and, where the config asks for it, `to/validation`; raises `DataError` where nothing is left."""
    made, counts, infos = template_of(config.template, tokenizer), Counter[str](), dict[str, StoreInfo]()
    splits = ("train", "validation") if config.validation else ("train",)
    for split in splits:
        first = split == "train"  # each row is read once a split, and counted once
        wanted = _of_split(read(files, counts if first else Counter()), split, config.validation)
        rows = _encoded(wanted, made, tokenizer, config, counts, advance)
        infos[split] = write_encoded(rows, tokenizer, to / split, answers=True)
    cut = counts.pop("cut", 0)
    if not infos["train"].documents:
        raise DataError(
            f"no conversation is left: {dict(counts)}", where=", ".join(map(str, files)), mend="check the rows"
        )
    return PairsInfo(infos, dict(counts.most_common()), cut)


def template_of(name: str, tokenizer: Tokenizer) -> Template:
    """`plain`, or the `chat` template that lies beside the tokenizer."""
    if name == "chat":
        return chat.chat(tokenizer.path.parent)
    return chat.plain(tokenizer.rust.id_to_token(tokenizer.eos) or "")


def _of_split(rows: Iterable[list[Message]], split: str, share: float) -> Iterator[list[Message]]:
    for messages in rows:
        held_out = int(digest(messages), 16) / 16**16 < share
        if held_out == (split == "validation"):
            yield messages


def read(files: Sequence[Path], counts: Counter[str]) -> Iterator[list[Message]]:
    """The conversations of JSON lines; `counts` gets the reasons why rows are left out."""
    for path in files:
        for row in jsonl.read(path, dict[str, Any]):
            try:
                yield messages_of(row)
            except Unfit as error:
                counts[str(error)] += 1


def messages_of(row: dict[str, Any]) -> list[Message]:
    """The turns of a row; raises `Unfit` with a short reason."""
    if "messages" in row or "conversations" in row:
        turns = row.get("messages", row.get("conversations"))
        if not isinstance(turns, list):
            raise Unfit("messages are no list")
        found = [_message(turn) for turn in turns]
    else:
        question, answer = _first(row, QUESTIONS), _first(row, ANSWERS)
        found = [Message("user", question), Message("assistant", answer)]
        if isinstance(row.get("system"), str) and row["system"].strip():
            found = [Message("system", row["system"]), *found]
    if not any(message.role == "assistant" for message in found):
        raise Unfit("no answer")
    return found


def _first(row: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name])
    raise Unfit(f"no {names[0]}")


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise Unfit("a message is no table")
    role = str(turn.get("role", turn.get("from", "")))
    role, content = SPEAKERS.get(role, role), turn.get("content", turn.get("value"))
    if isinstance(content, list):  # parts, as multimodal chats have them
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        content = "".join(parts) if all(isinstance(part, str) for part in parts) else None  # type: ignore[arg-type]
    if role not in ROLES:
        raise Unfit(f"role '{role[:20]}'")
    if not isinstance(content, str) or not content.strip():
        raise Unfit("a message without text")
    return Message(role, content)


def _encoded(
    rows: Iterable[list[Message]],
    template: Template,
    tokenizer: Tokenizer,
    config: PairsConfig,
    counts: Counter[str],
    advance: Any,
) -> Iterator[Encoded]:
    marks = [token.content for token in tokenizer.rust.get_added_tokens_decoder().values() if token.special]
    for messages in rows:
        advance(1)
        try:
            if any(mark in message.content for message in messages for mark in marks):
                raise Unfit("a control token in the text")  # it would end a turn, or forge one
            found = encode(messages, template, tokenizer)
            if config.max_tokens and len(found.ids) > config.max_tokens:
                found = _shortened(found, config)
                counts["cut"] += 1
            yield found
        except Unfit as error:
            counts[str(error)] += 1


def _shortened(found: Encoded, config: PairsConfig) -> Encoded:
    assert found.answers is not None
    kept = found.answers[: config.max_tokens]
    if config.too_long == "drop" or not kept.any():
        raise Unfit(f"longer than {config.max_tokens:,} tokens")
    size = round(found.bytes * config.max_tokens / len(found.ids))
    return Encoded(found.ids[: config.max_tokens], size, kept)


def encode(messages: Sequence[Message], template: Template, tokenizer: Tokenizer) -> Encoded:
    """A conversation as ids that end with the end-of-text token; learned is every id that has a character of an answer.

    Raises `Unfit` where the template shows no answer.
    """
    text, spans = template.render(messages)
    if not spans:
        raise Unfit("the template shows no answer")
    encoding = tokenizer.rust.encode(text, add_special_tokens=False)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    inside = np.zeros(len(text) + 1, dtype=np.int64)
    for start, stop in spans:
        inside[start + 1 : stop + 1] = 1
    before = np.cumsum(inside)
    ids, answers = list(encoding.ids), list(before[offsets[:, 1]] > before[offsets[:, 0]])
    if template.opens:
        ids, answers = [tokenizer.bos, *ids], [False, *answers]
    if ids[-1] != tokenizer.eos:
        ids, answers = [*ids, tokenizer.eos], [*answers, answers[-1]]
    return Encoded(np.array(ids, dtype=np.int64), len(text.encode()), np.array(answers, dtype=bool))
