"""One file over HTTP, however often the connection breaks: ranges from where it broke, checked to be of one version.

Range requests as in https://www.rfc-editor.org/rfc/rfc9110#section-14; `If-Range` makes a server that has another
version by now send all of it. Amazon S3 and its mirrors answer 503 ("SlowDown") to those who ask too much.
"""

from __future__ import annotations

import email.message
import email.utils
import http.client
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.core.files import disk_error

T = TypeVar("T")

TRIES = 8
"""Requests in a row that may bring nothing before a file is given up."""
LONGEST = 600.0
"""Most seconds that a server may ask us to wait."""

_PROBE_TRIES = 4
_TIMEOUT = 60.0
_BLOCK = 1 << 18
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_BUSY = (408, 425, 429, 500, 502, 503, 504)

Tell = Callable[[str], None]
_Headers = Mapping[str, str] | email.message.Message


class Facts(msgspec.Struct, frozen=True):
    """Which version of a file this is: bytes (None where the server does not say), ETag, date of change."""

    size: int | None
    etag: str = ""
    modified: str = ""

    def validator(self) -> str:
        """What `If-Range` takes: a strong tag, else the date; empty where there is neither."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def same(self, other: Facts) -> bool:
        """Whether bytes of both may be joined."""
        return (self.size, self.etag) == (other.size, other.etag)


class _AgainError(Exception):
    """The answer was of no use; ask again. The message says why."""


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def probe(address: str) -> Facts:
    """What a server says of a file; `MissingError` where it has none or cannot be reached."""

    def ask() -> Facts:
        try:
            with _opened(address, {}, "HEAD") as answer:
                return _facts(answer.headers, answer.headers.get("Content-Length"))
        except urllib.error.HTTPError as error:
            if error.code not in (400, 403, 405, 501):
                raise
        with _opened(address, {"Range": "bytes=0-0"}) as answer:  # a server that answers no HEAD
            return _facts(answer.headers, _total(answer.headers) or answer.headers.get("Content-Length"))

    return _patiently(ask, address, lambda text: None, lambda: 0, _PROBE_TRIES)


def fetch(address: str, part: Path, known: Facts | None, noted: Callable[[Facts], None], tell: Tell) -> Facts:
    """Complete the file `part`, of which the first bytes of version `known` may be there already.

    `noted` is called with the version before its first byte is written. Raises `MissingError` where the file cannot be
    had, `LlemmaError` where the disk is full.
    """
    state = _Part(address, part, known, noted)
    return _patiently(state.attempt, address, tell, state.have, TRIES)


class _Part:
    """A file of which the beginning is here."""

    def __init__(self, address: str, path: Path, facts: Facts | None, noted: Callable[[Facts], None]) -> None:
        self.address, self.path, self.facts, self.noted = address, path, facts, noted

    def have(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def attempt(self) -> Facts:
        """One request; raises where it does not bring the rest."""
        have = self.have()
        if have and self.facts is not None and have == self.facts.size:
            return self.facts
        try:
            with _opened(self.address, self._range(have)) as answer:
                self._take(answer, have)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            if have and _total(error.headers) == str(have):  # all is here: only the last word was lost
                self.facts = msgspec.structs.replace(self.facts or Facts(None), size=have)
                return self.facts
            self._forget("the part that is here is longer than the file")
        assert self.facts is not None
        if self.facts.size is not None and self.have() != self.facts.size:
            raise _AgainError(f"{self.have():,} of {self.facts.size:,} bytes came")
        return self.facts

    def _range(self, have: int) -> dict[str, str]:
        if not have or self.facts is None:
            return {}
        validator = self.facts.validator()
        return {"Range": f"bytes={have}-", **({"If-Range": validator} if validator else {})}

    def _take(self, answer: Any, have: int) -> None:
        """Append what an answer brings, or begin anew where it is all of the file, or of another version."""
        if answer.status == 206:
            first = _RANGE.match(answer.headers.get("Content-Range", ""))
            found = _facts(answer.headers, _total(answer.headers))
            if not first or first[1] != str(have) or self.facts is None or not self.facts.same(found):
                self._forget("the server sent another part, or the file has changed")
        else:
            self.path.unlink(missing_ok=True)
            self.facts = _facts(answer.headers, answer.headers.get("Content-Length"))
            self.noted(self.facts)
        with self._writing() as out:
            while block := answer.read(_BLOCK):
                try:
                    out.write(block)
                    out.flush()
                except OSError as error:
                    raise disk_error(error, self.path) from error

    def _writing(self) -> Any:
        try:
            return open(self.path, "ab")
        except OSError as error:
            raise disk_error(error, self.path) from error

    def _forget(self, why: str) -> None:
        self.path.unlink(missing_ok=True)
        raise _AgainError(why)


def _facts(headers: _Headers, size: str | None) -> Facts:
    known = int(size) if size is not None and size.isdecimal() else None
    return Facts(known, headers.get("ETag") or "", headers.get("Last-Modified") or "")


def _total(headers: _Headers) -> str | None:
    """The size of the whole file by a `Content-Range`."""
    found = _RANGE.match(headers.get("Content-Range") or "")
    return found[3] if found and found[3] != "*" else None


def _opened(address: str, headers: dict[str, str], method: str = "GET") -> Any:
    headers = {"User-Agent": "llemma", "Accept-Encoding": "identity", **headers}
    return urllib.request.urlopen(urllib.request.Request(address, headers=headers, method=method), timeout=_TIMEOUT)


def _patiently(action: Callable[[], T], address: str, tell: Tell, progress: Callable[[], int], tries: int) -> T:
    """The result of `action`, tried again while that may help; what makes progress may break for ever."""
    failed, before = 0, progress()
    while True:
        asked: float | None = None
        try:
            return action()
        except urllib.error.HTTPError as error:
            why, asked = f"{error.code} {error.reason}", _asked(error)
            error.close()
        except (OSError, http.client.HTTPException, _AgainError) as error:
            why = str(error) or type(error).__name__
            if tries == _PROBE_TRIES and isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                raise _unreachable(address, why) from error  # nobody waits for a plan
        now = progress()
        failed = 1 if now > before else failed + 1
        before = now
        if failed >= tries:
            raise _unreachable(address, f"{why}, {failed} times")
        wait = asked if asked is not None else min(60.0, 2.0 ** (failed - 1)) * random.uniform(0.5, 1.0)
        if wait > 5:
            tell(f"waiting {wait:.0f} s for {address}: {why}")
        sleep(wait)


def _asked(error: urllib.error.HTTPError) -> float | None:
    """Seconds that the server asks us to wait; None where it does not; raises where waiting is of no use."""
    if error.code not in _BUSY:
        gone = error.code in (401, 403, 404, 410)
        mend = "check the address; the crawl's warc.paths.gz lists its files" if gone else "try it again later"
        raise MissingError(f"the server answers {error.code} {error.reason}", where=error.url, mend=mend) from error
    given = error.headers.get("Retry-After") or ""
    if given.isdecimal():
        return min(LONGEST, float(given))
    moment = email.utils.parsedate_to_datetime(given).timestamp() if _is_date(given) else None
    return None if moment is None else min(LONGEST, max(0.0, moment - time.time()))


def _is_date(text: str) -> bool:
    return email.utils.parsedate(text) is not None


def _unreachable(address: str, why: str) -> LlemmaError:
    return MissingError(
        f"cannot fetch a crawl file: {why}", where=address, mend="run the same command again: what has come is kept"
    )
