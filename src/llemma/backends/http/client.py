"""One JSON exchange with a server, repeated when that can help.

What fails in a way that may pass (no connection, time-outs, 408, 409, 425, 429, 5xx, a body that is cut or damaged) is
tried again after a pause drawn from [0, min(30 s, 0.5 s * 2^attempt)] ("full jitter", AWS Architecture Blog,
"Exponential Backoff And Jitter", 2015). A `Retry-After` (RFC 9110, 10.2.3) of one answer holds all requests back.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
import time
import zlib
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any

import httpx2

from llemma.backends.http.address import Address

MAX_BODY = 64 << 20  # bytes; 32 samples of 8,192 tokens with log-probabilities are about 20 MB
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
CONNECT_SECONDS = 10.0
LIST_SECONDS = 30.0  # for what needs no model
PATIENCE = 3.0
"""An exchange is not repeated after this many time-outs."""
GONE_AFTER = 3
"""Connections that fail in a row, while nobody else gets an answer, before a server counts as gone."""

KEYS = ("LLEMMA_API_KEY", "OPENAI_API_KEY")
_JITTER = random.Random()  # of its own: sampling elsewhere must not depend on a server's moods
_PASSING = {408, 409, 425, 429}
_NEVER = {501, 505}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


class Refused(Exception):
    """The server's answer is final: `status`, and what it said, as text (`why`) and as JSON (`payload`)."""

    def __init__(self, status: int, why: str, payload: Any = None) -> None:
        super().__init__(why)
        self.status, self.why, self.payload = status, why, payload


class Lost(Exception):
    """No useful answer, however often it was tried; `gone` when in the end nobody could even connect."""

    def __init__(self, why: str, gone: bool) -> None:
        super().__init__(why)
        self.why, self.gone = why, gone


class _Passing(Exception):
    """A failure that may pass; `after`: seconds the server asks to wait; `reached`: whether there was a connection."""

    def __init__(self, why: str, *, after: float = 0.0, reached: bool = True) -> None:
        super().__init__(why)
        self.why, self.after, self.reached = why, after, reached


class Client:
    """A server of which at most `concurrency` things are asked at a time; used as an async context manager."""

    def __init__(self, address: Address, retries: int | None = None) -> None:
        options = address.options
        self.address, self.timeout = address, options.timeout
        self.retries = options.retries if retries is None else retries
        self.key = api_key(address)
        self.slots = asyncio.Semaphore(options.concurrency)
        self.answers, self.quiet_until = 0, 0.0
        self.http = httpx2.AsyncClient(
            headers={
                "User-Agent": "llemma",
                "Accept-Encoding": "gzip",
                **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
            },
            params=httpx2.QueryParams(address.query),
            timeout=httpx2.Timeout(None, connect=min(CONNECT_SECONDS, options.timeout)),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=options.concurrency),
            follow_redirects=False,  # a key, and problems not yet published, go where the user said and nowhere else
            trust_env=not address.loopback,
        )

    async def __aenter__(self) -> Client:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.__aexit__(kind, error, trace)

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[dict[str, Any], float]:
        """The server's JSON object for `body` (POST; without one, GET), and the seconds of the exchange.

        Raises `Refused` or `Lost`.
        """
        clock = asyncio.get_running_loop().time
        deadline, answers, unreached = math.inf, self.answers, 0
        for attempt in range(self.retries + 1):
            try:
                return await self._turn(path, body)
            except _Passing as failure:
                # counted from here: the time before the first exchange was spent in the queue
                deadline = min(deadline, clock() + (PATIENCE - 1) * self.timeout)
                quiet = not failure.reached and self.answers == answers
                unreached, answers = (unreached + 1 if quiet else 0), self.answers
                pause = failure.after + _JITTER.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 16)))
                if attempt == self.retries or clock() + pause > deadline:
                    wait = f"; it asks to wait {failure.after:.0f} s" if failure.after else ""
                    tries = f" (tried {attempt + 1} times)" if attempt else ""
                    raise Lost(failure.why + wait + tries, unreached >= min(GONE_AFTER, self.retries + 1)) from None
                if failure.after:
                    self.quiet_until = max(self.quiet_until, clock() + failure.after)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _turn(self, path: str, body: dict[str, Any] | None) -> tuple[dict[str, Any], float]:
        """One exchange when a slot is free and the server has not asked for quiet."""
        clock = asyncio.get_running_loop().time
        async with self.slots:
            while (wait := self.quiet_until - clock()) > 0:
                await asyncio.sleep(wait)
            began, limit = clock(), min(self.timeout, LIST_SECONDS if body is None else math.inf)
            try:
                async with asyncio.timeout(limit):
                    status, headers, raw = await self._exchange(path, body)
            except TimeoutError:
                raise _Passing(f"no whole answer within {limit:g} s") from None
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
                raise _Passing(
                    f"no connection: {self._clean(str(error) or type(error).__name__)}", reached=False
                ) from None
            except (httpx2.HTTPError, OSError) as error:
                said = self._clean(str(error))
                raise _Passing(f"the exchange broke off: {said or type(error).__name__}") from None
        self.answers += 1
        return self._read(status, headers, raw), clock() - began

    async def _exchange(self, path: str, body: dict[str, Any] | None) -> tuple[int, httpx2.Headers, bytes]:
        # ASCII with escapes: a prompt with half a surrogate pair is a prompt, too
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        method, url = "GET" if body is None else "POST", self.address.base + path
        async with self.http.stream(method, url, content=content, headers=kind) as response:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BODY:
                    raise _too_large(response.status_code)
            return response.status_code, response.headers, bytes(raw)

    def _read(self, status: int, headers: httpx2.Headers, raw: bytes) -> dict[str, Any]:
        """The object in an answer, or what is wrong with the answer."""
        raw = _unpacked(status, headers.get("Content-Encoding", ""), raw)
        payload = _decoded(raw)
        said = self._clean(_message(payload) or raw[:4096].decode("utf-8", "replace"))
        why = f"the server says {status}: {said}" if said else f"the server says {status}"
        if status in _PASSING or (status >= 500 and status not in _NEVER):
            raise _Passing(why, after=_seconds(headers.get("Retry-After", "")))
        if status in (401, 403):
            raise Refused(status, f"{why} ({self._key_hint()})", payload)
        if 300 <= status < 400:
            to = self._clean(headers.get("Location", "elsewhere"))
            raise Refused(status, f"the server sends to {to} ({status}); give that address if you trust it")
        if not 200 <= status < 300:
            raise Refused(status, why, payload)
        if not isinstance(payload, dict):
            raise _Passing(f"the server's answer is not a JSON object: {said or 'it is empty'}")
        if payload.get("error"):  # some proxies call every answer a success
            raise Refused(status, f"the server says: {said}", payload)
        return payload

    def _key_hint(self) -> str:
        if not self.key:
            return f"no key was sent; put it into the environment variable {KEYS[0]}"
        return f"the key comes from the environment variable {_key_name(self.address)}"

    def _clean(self, text: str) -> str:
        """The first 300 characters on one line, without the key, which some servers repeat."""
        text = text[:4096]
        if self.key:
            text = text.replace(self.key, "...")
        return _CONTROLS.sub(" ", " ".join(text.split()))[:300].strip()


def api_key(address: Address) -> str:
    """The key for this server, from the environment; "" without one.

    It lives no longer than a client, and is written nowhere. `OPENAI_API_KEY` goes to servers on this machine and over
    https alone: it was put there for another server, and over http anyone on the way could read it.
    """
    key = os.environ.get(_key_name(address), "").strip()
    return key if key.isascii() and key.isprintable() else ""


def _key_name(address: Address) -> str:
    safe = address.loopback or address.base.startswith("https:")
    return KEYS[1] if safe and not os.environ.get(KEYS[0]) and os.environ.get(KEYS[1]) else KEYS[0]


def _too_large(status: int) -> Refused:
    return Refused(status, f"the answer is larger than {MAX_BODY >> 20} MiB")


def _unpacked(status: int, encoding: str, raw: bytes) -> bytes:
    """The body without its compression. Only gzip was offered; it is undone here, so that a small bomb stays small."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip"):
        raise _Passing(f"the answer is encoded as {encoding[:30]!r}")
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = stream.decompress(raw, MAX_BODY + 1)
    except zlib.error as error:
        raise _Passing(f"the answer's compression is damaged: {error}") from None
    if len(body) > MAX_BODY:
        raise _too_large(status)
    if not stream.eof:
        raise _Passing("the answer breaks off")
    return body


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)  # not msgspec: servers in Python write NaN
    except (ValueError, RecursionError):
        return None


def _message(payload: Any) -> str:
    """What a server says in its error: `{"error": {"message"}}`, `{"error"}`, `{"message"}` or `{"detail"}`."""
    for _ in range(3):
        if not isinstance(payload, dict):
            break
        payload = next((payload[key] for key in ("error", "message", "detail", "msg") if payload.get(key)), "")
    return payload if isinstance(payload, str) else json.dumps(payload) if payload else ""


def _seconds(after: str) -> float:
    """`Retry-After` in seconds: a number, or a date (RFC 9110); 0 for neither."""
    try:
        return max(0.0, float(after)) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", after.strip()) else _until(after)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _until(date: str) -> float:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
