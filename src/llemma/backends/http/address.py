"""The model as the user writes it: `http://host:port/v1#name?option=value&...`.

What stands before `#` is the server's: its address, and a query that is sent along with every request. What stands
behind it is ours: the model's name and the options of `Options`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from llemma.core.errors import RecipeError, suggest

Api = Literal["completions", "chat"]
PATHS: dict[Api, str] = {"completions": "/completions", "chat": "/chat/completions"}
_Positive = Annotated[int, msgspec.Meta(ge=1)]
_SECRET = re.compile(r"key|token|secret|passw|sig(nature)?$", re.IGNORECASE)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to ask a server; none of this changes what is asked, except `api`."""

    api: Api = "completions"
    """`completions` sends the prompt as it is; `chat` sends it as one message of the user."""

    concurrency: _Positive = 16
    """HTTP requests in flight."""

    samples: _Positive = 32
    """Samples of a prompt asked in one HTTP request: the candidates of one expansion of a proof search, and a request
    that has to be repeated costs no more than these."""

    timeout: Annotated[float, msgspec.Meta(gt=0)] = 600.0
    """Seconds for one HTTP exchange, from the connection to the last byte."""

    retries: Annotated[int, msgspec.Meta(ge=0)] = 6
    """How often an exchange that failed is repeated."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is (`base`, without a slash at its end, and `query`), and which model: "" is its only one."""

    base: str
    query: str
    model: str
    options: Options

    @property
    def path(self) -> str:
        """The endpoint that answers requests, relative to `base`."""
        return PATHS[self.options.api]

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, where no proxy has anything to do."""
        host = (urlsplit(self.base).hostname or "").removesuffix(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def parse(url: str) -> Address:
    """Take `url` apart; what cannot be meant is a `RecipeError`."""
    where = f"model '{_hidden(url)}'"
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is noticed here only
    except ValueError as error:
        raise RecipeError(f"not an address: {error}", where=where, mend="write http://host:port/v1#name") from None
    _check(parts, where)
    model, _, given = parts.fragment.partition("?")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Address(base=base, query=parts.query, model=model, options=_options(given, where))


def _check(parts: SplitResult, where: str) -> None:
    if not parts.hostname:
        raise RecipeError("no server in the address", where=where, mend="write http://host:port/v1#name")
    query = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if "@" in parts.netloc or any(_SECRET.search(name) for name in query):
        raise RecipeError(
            "a secret in the address would be written into the results",
            where=where,
            mend="put the server's key into the environment variable LLEMMA_API_KEY",
        )
    if parts.path.rstrip("/").endswith("/completions"):
        raise RecipeError("the address names an endpoint", where=where, mend="end it before /chat/completions")
    ours = [name for name in query if name in Options.__struct_fields__]
    if ours:
        raise RecipeError(f"'{ours[0]}' stands before the '#'", where=where, mend=f"write #name?{parts.query}")


def _options(given: str, where: str) -> Options:
    pairs = parse_qsl(given, keep_blank_values=True)
    try:
        return msgspec.convert(dict(pairs), Options, strict=False)
    except msgspec.ValidationError as error:
        known = Options.__struct_fields__
        unknown = next((name for name, _ in pairs if name not in known), "")
        hint = (suggest(unknown, known) if unknown else "") or f"the options are {', '.join(known)}"
        raise RecipeError(f"an option of the server: {error}", where=where, mend=hint) from None


def _hidden(url: str) -> str:
    """`url` without a password, for messages."""
    return re.sub(r"//[^/@#]*@", "//...@", url)
