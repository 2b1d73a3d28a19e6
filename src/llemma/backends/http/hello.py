"""Before the first request: is there a server, has it the model, and which fields does it take?

One list of models and one completion of one token are asked for. So a wrong address, key or name, and a chat model
without a place for plain text, are errors before an evaluation has begun.
"""

from __future__ import annotations

import re
from typing import Any

import httpx2
import msgspec

from llemma.backends.http.address import Address
from llemma.backends.http.client import KEYS, Client, Lost, Refused
from llemma.backends.http.wire import Dialect, question
from llemma.core.errors import LlemmaError, MissingError, RecipeError, suggest
from llemma.core.types import Request

HELLO_RETRIES = 2
EASY = Request(id="hello", prompt="1 + 1 =", stop=["\n\n"], max_tokens=1)
_CHATS = re.compile(r"chat[ _-]?(model|completion|only)|chat/completions")
_UNKNOWN = re.compile(
    r"model\b.{0,80}\b(not exist|not found|not available|unknown)|(unknown|no such) model|model_not_found"
)
_LENGTHS = ("max_model_len", "context_length", "max_context_length", "context_window")


class Known(msgspec.Struct, frozen=True):
    """What a server said about itself: the model's name there, its context in tokens where told, its dialect."""

    model: str
    context: int | None
    dialect: Dialect


async def hello(address: Address) -> Known:
    """Get to know the server; raises `MissingError` or `RecipeError` when it cannot be asked."""
    try:
        async with Client(address, retries=min(HELLO_RETRIES, address.options.retries)) as client:
            models = await _models(client)
            model = address.model or _only(address, models)
            dialect = await _dialect(client, model, models)
    except (httpx2.InvalidURL, ValueError, ImportError) as error:  # of the address, or of a proxy in the environment
        what = f"the address, or a proxy in the environment, cannot be used: {error}"
        raise RecipeError(what, where=address.base, mend="write http://host:port/v1#name") from None
    except Lost as lost:
        what = f"no answer from the server: {lost.why}"
        raise MissingError(what, where=address.base, mend="start the server, or correct the address") from None
    return Known(model, models.get(model), dialect)


async def _models(client: Client) -> dict[str, int | None]:
    """The server's models with their contexts; empty when it does not tell."""
    try:
        payload, _ = await client.ask("/models")
    except Refused as refusal:
        if refusal.status in (401, 403) or 300 <= refusal.status < 400:
            raise _explained(client.address, refusal, client.address.model, {}) from None
        return {}
    except Lost as lost:
        if lost.gone:
            raise
        return {}
    rows = payload.get("data")
    known = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {row["id"]: _context(row) for row in known if isinstance(row.get("id"), str)}


def _context(row: dict[str, Any]) -> int | None:
    lengths = [row[name] for name in _LENGTHS if type(row.get(name)) is int and row[name] > 0]
    return lengths[0] if lengths else None


def _only(address: Address, models: dict[str, int | None]) -> str:
    if len(models) == 1:
        return next(iter(models))
    listed = f"it has {_listed(models)}" if models else "it lists no models"
    raise RecipeError(
        f"which model of the server? {listed}", where=address.base, mend=f"write the name: {address.base}#name"
    )


async def _dialect(client: Client, model: str, models: dict[str, int | None]) -> Dialect:
    """Ask for one token, leaving out what the server refuses, until it answers."""
    address, dialect, first = client.address, Dialect(), None
    while True:
        body = question(model, address.options.api, dialect, EASY, 1, 0)
        try:
            await client.ask(address.path, body)
        except Refused as refusal:
            first = first or refusal
            less = dialect.after(refusal)
            if less is None:
                raise _explained(address, first, model, models) from None
            dialect = less
        else:
            return dialect


def _explained(address: Address, refusal: Refused, model: str, models: dict[str, int | None]) -> LlemmaError:
    """The error for a server that refuses to say hello."""
    said = re.sub(rf"(?<![\w/.-]){re.escape(model)}(?![\w/.-])", "", refusal.why).lower()  # "chat" may be in its name
    status = refusal.status
    chat = address.options.api == "chat"
    if status in (401, 403):
        return MissingError(refusal.why, where=address.base, mend=f"export {KEYS[0]}=... and try again")
    if chat and "chat template" in said:
        what = f"'{model}' is no chat model: {refusal.why}"
        return RecipeError(what, where=address.base, mend="leave out ?api=chat")
    if not chat and _CHATS.search(said):
        return _chat_only(address, refusal, model)
    if status in (400, 404) and model not in models and (models or _UNKNOWN.search(said)):
        known = f"it has {_listed(models)}" if models else "it lists no models"
        mend = suggest(model, models) or f"name one that the server has: {address.base}#name"
        what = f"the server has no model '{model}'; {known} ({refusal.why})"
        return RecipeError(what, where=address.base, mend=mend)
    if status in (404, 405):
        return _no_endpoint(address, refusal)
    return RecipeError(f"the server refuses a first request: {refusal.why}", where=address.base, mend="see its log")


def _chat_only(address: Address, refusal: Refused, model: str) -> LlemmaError:
    return RecipeError(
        f"'{model}' answers chats alone, and the prompts here are texts for a base model to go on with: {refusal.why}",
        where=address.base,
        mend=f"to ask with one message of the user instead, write {address.base}#{model}?api=chat",
    )


def _no_endpoint(address: Address, refusal: Refused) -> LlemmaError:
    version = "" if address.base.endswith("/v1") else f"is it {address.base}/v1 ?  "
    chat = "" if address.options.api == "chat" else "a server for chats alone is asked with #name?api=chat"
    return RecipeError(
        f"no {address.path} there: {refusal.why}",
        where=address.base,
        mend=f"{version}{chat}".strip() or "correct the address",
    )


def _listed(models: dict[str, int | None]) -> str:
    names = sorted(models)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
