"""As much of GitHub's REST API as a corpus needs: searches, commits, tarballs; its limits are waited for, not fought.

https://docs.github.com/en/rest: a search gives 1,000 results at most; `Retry-After` and `X-RateLimit-Reset` say how
long to wait after a 403 or 429. The token is taken from the environment and sent to the API's own host alone.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llemma.core.errors import LlemmaError, MissingError
from llemma.core.files import replacing

PAGE = 100
MAX_RESULTS = 1_000
"""Results that one search gives, however many there are."""
GONE = (404, 409, 410, 422, 451)
"""Answers that concern one repository: not there, empty, blocked."""

_TRIES = 6
_LONGEST = 3_900.0  # seconds: limits are counted by the hour
_SECONDARY = 60.0  # seconds to wait for a limit that says nothing, doubled each time
_TIMEOUT = 60.0
_BLOCK = 1 << 18


class GoneError(Exception):
    """The repository cannot be had; the text says why."""


def api_url() -> str:
    """`GITHUB_API_URL` (GitHub Enterprise has its own), else that of github.com."""
    return (os.environ.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


Tell = Callable[[str], None]


def ask(path: str, tell: Tell, **query: str | int) -> Any:
    """The JSON answer to a request; raises `GoneError`, or `MissingError` where the API cannot be used."""
    address = f"{api_url()}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    with _opened(address, tell) as answer:
        try:
            return json.loads(answer.read())
        except (ValueError, OSError, http.client.HTTPException) as error:
            raise _unusable(address, f"no JSON: {error}") from error


def fetch(address: str, path: Path, limit: int, tell: Tell) -> None:
    """Write what an address gives to `path`, whole or not at all; `GoneError` from `limit` bytes on."""
    for attempt in range(_TRIES):
        try:
            with replacing(path) as temporary, _opened(address, tell) as answer:
                _copy(answer, temporary, limit)
            return
        except (_CutError, http.client.HTTPException) as error:
            if attempt == _TRIES - 1:
                raise _unusable(address, str(error)) from error
            sleep(2.0**attempt)


class _CutError(Exception):
    """An answer that ended too early."""


def _copy(answer: Any, path: Path, limit: int) -> None:
    told, size = _number(answer.headers.get("Content-Length")), 0
    with open(path, "wb") as out:
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > limit:
                raise GoneError(f"a tarball of more than {limit} bytes")
            out.write(block)
    if told is not None and size < told:
        raise _CutError(f"an answer of {size} of {told:.0f} bytes")


def _opened(address: str, tell: Tell) -> Any:
    for attempt in range(_TRIES):
        try:
            return urllib.request.urlopen(_request(address), timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            wait, why = _wait(error, attempt), f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            wait, why = 2.0**attempt, str(error)
        if attempt == _TRIES - 1:
            raise _unusable(address, f"{why}, {_TRIES} times")
        if wait > 5:
            tell(f"GitHub asks to wait {wait:.0f} s ({why})")
        sleep(wait)
    raise AssertionError("unreachable")


def _request(address: str) -> urllib.request.Request:
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "llemma", "X-GitHub-Api-Version": "2022-11-28"}
    request = urllib.request.Request(address, headers=headers)
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    if token and address.startswith(f"{api_url()}/"):
        # tarballs redirect to another host, which the token does not concern
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _wait(error: urllib.error.HTTPError, attempt: int) -> float:
    """Seconds until the request may be made again; raises where that is of no use."""
    headers = error.headers
    if error.code in GONE:
        raise GoneError(f"{error.code} {error.reason}") from error
    if error.code == 401:
        raise MissingError(
            "GitHub refuses the token", where=api_url(), mend="set GITHUB_TOKEN to a valid one"
        ) from error
    if error.code >= 500:
        return float(2**attempt)
    if error.code not in (403, 429):
        raise _unusable(error.url, f"{error.code} {error.reason}") from error
    if (given := _number(headers.get("Retry-After"))) is not None:
        return min(_LONGEST, given)
    if headers.get("X-RateLimit-Remaining") == "0":
        reset = _number(headers.get("X-RateLimit-Reset")) or 0.0
        return min(_LONGEST, max(1.0, reset - time.time() + 1))
    if b"rate limit" in error.read().lower() or error.code == 429:
        return min(_LONGEST, _SECONDARY * float(2**attempt))
    raise GoneError(f"{error.code} {error.reason}") from error  # a repository that is closed to us


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None


def _unusable(address: str, why: str) -> LlemmaError:
    return MissingError(
        f"GitHub's API cannot be used: {why}",
        where=address,
        mend="run the same command again later: what was fetched is kept; GITHUB_TOKEN raises the limits",
    )
