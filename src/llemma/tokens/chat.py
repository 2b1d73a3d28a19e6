"""How a conversation becomes one text, and which parts of it are the model's own.

`plain` is the prompt of Minerva (arXiv 2206.14858), in which `llemma eval` asks: a model fine-tuned with it answers
zero-shot prompts. A tokenizer's own `chat_template` is a Jinja program that somebody else wrote: it runs in Jinja's
immutable sandbox, and what it can make is bounded.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from llemma.core.errors import DataError, MissingError

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

ROLES = ("system", "user", "assistant")
LONGEST = 1 << 24  # characters that a template may make of one multiplication
TURNS = 1_000_000  # of the loops over a range in one rendering


class Message(msgspec.Struct, frozen=True):
    """One turn: `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


class Unfit(Exception):
    """This conversation cannot be rendered; the reason is counted."""


Span = tuple[int, int]


@dataclass(frozen=True)
class Template:
    """A conversation in, its text and the spans of characters in it that are answers out."""

    name: str
    render: Callable[[Sequence[Message]], tuple[str, list[Span]]]
    """The text of a whole conversation and the answers in it, each with what ends it. Raises `Unfit`."""
    prompt: Callable[[Sequence[Message]], str]
    """The text after which the model's answer to the last message begins. Raises `Unfit`."""
    opens: bool
    """Whether the token that opens documents goes before the text; a chat template writes its own."""


def plain(end: str) -> Template:
    """`Problem:`, the question, `Solution:`, the answer and `end`, the text of the token that ends a document."""

    def render(messages: Sequence[Message]) -> tuple[str, list[Span]]:
        text, spans = "", []
        for message in messages:
            piece = _plain(message, end)
            if message.role == "assistant":
                spans.append((len(text), len(text) + len(piece)))
            text += piece
        return text, spans

    return Template("plain", render, lambda messages: render(messages)[0], opens=True)


def _plain(message: Message, end: str) -> str:
    if message.role == "system":
        return f"{message.content}\n\n"
    return f"Problem:\n{message.content}\n\nSolution:" if message.role == "user" else f"\n{message.content}{end}"


def chat(folder: Path) -> Template:
    """The chat template of a tokenizer's folder: `chat_template.jinja`, else the one in `tokenizer_config.json`.

    Raises `MissingError` where there is none and `DataError` for one that is no Jinja.
    """
    source, settings = _source(folder)
    return from_source(source, settings, where=str(folder))


def has_chat(folder: Path) -> bool:
    """Whether a tokenizer's folder has a chat template."""
    try:
        _source(folder)
    except MissingError:
        return False
    return True


def _source(folder: Path) -> tuple[str, dict[str, Any]]:
    path = folder / "tokenizer_config.json"
    try:
        table = msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) if path.is_file() else {}
    except msgspec.DecodeError as error:
        raise DataError(f"damaged settings: {error}", where=str(path), mend="fetch the tokenizer again") from error
    given = table.get("chat_template")
    if isinstance(given, list):  # several, by name
        named = {str(item.get("name")): item.get("template") for item in given if isinstance(item, dict)}
        given = named.get("default")
    file = folder / "chat_template.jinja"
    source = file.read_text("utf-8") if file.is_file() else given
    if not isinstance(source, str):
        raise MissingError(
            "the tokenizer has no chat template", where=str(folder), mend="use the template 'plain', or another folder"
        )
    return source, {name: _token(table.get(name)) for name in ("bos_token", "eos_token", "unk_token", "pad_token")}


def _token(value: Any) -> str:
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def from_source(source: str, settings: dict[str, Any], *, where: str = "chat_template") -> Template:
    """A template from its Jinja source; `settings` are the names that it reads beside the messages."""
    import jinja2

    mark = f"\ue000{secrets.token_hex(8)}"
    environment = _environment(mark)
    try:
        compiled = environment.from_string(source)
    except jinja2.TemplateError as error:
        raise DataError(f"not a chat template: {error}", where=where, mend="mend it, or use 'plain'") from error

    def text(messages: Sequence[Message], *, prompt: bool = False) -> str:
        environment.globals["range"] = _bounded_range()
        rows = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return compiled.render(messages=rows, add_generation_prompt=prompt, **settings)
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise Unfit(f"the template refuses it: {error}") from error

    def render(messages: Sequence[Message]) -> tuple[str, list[Span]]:
        whole = text(messages)
        return _marked(whole, mark) if mark in whole else (whole, list(_answers(text, messages, whole)))

    return Template("chat", render, lambda messages: text(messages, prompt=True).replace(mark, ""), opens=False)


def _answers(text: Callable[..., str], messages: Sequence[Message], whole: str) -> Iterator[Span]:
    """Where answers stand in a text of a template that does not mark them: between the text that asks for the answer
    and the text that ends with it.

    Some templates write a turn differently once others follow; such a turn is not learned.
    """
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        through = text(messages[: index + 1])
        asked = text(messages[:index], prompt=True)
        if not through.startswith(asked):  # the prompt has more in it than answers begin with
            before = text(messages[:index])
            at = through.find(message.content.strip(), len(before)) if through.startswith(before) else -1
            asked = through[:at] if at >= 0 else ""
        if asked and whole.startswith(through):
            yield len(asked), len(through)


def _marked(text: str, mark: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the spans between them: every second piece was inside `generation`."""
    spans, length = list[Span](), 0
    pieces = text.split(mark)
    for number, piece in enumerate(pieces):
        if number % 2:
            spans.append((length, length + len(piece)))
        length += len(piece)
    return "".join(pieces), spans


def _environment(mark: str) -> ImmutableSandboxedEnvironment:
    """Jinja as transformers sets it up for chat templates (`utils/chat_template_utils.py`), with bounds."""
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Bounded(ImmutableSandboxedEnvironment):
        """Neither long texts nor large numbers from one product or power."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            sizes = [len(side) if hasattr(side, "__len__") else abs(side) for side in (left, right)]
            if operator == "**" or sizes[0] * sizes[1] > LONGEST:
                raise ValueError(f"{operator} makes too much")
            return super().call_binop(context, operator, left, right)

    class Generation(Extension):
        """`{% generation %}` ... `{% endgeneration %}` around what the model says."""

        tags = {"generation"}

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_around"), [], [], body).set_lineno(line)

        def _around(self, caller: Callable[[], str]) -> str:
            return f"{mark}{caller()}{mark}"

    environment = Bounded(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": time.strftime}
    return environment


def _bounded_range() -> Callable[..., Iterator[int]]:
    left = TURNS

    def bounded(*arguments: int) -> Iterator[int]:
        nonlocal left
        found = range(*arguments)
        left -= len(found)
        if left < 0:
            raise ValueError("the loops of the template are too long")
        return iter(found)

    return bounded


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(reason: str) -> NoReturn:
    import jinja2

    raise jinja2.TemplateError(str(reason))
