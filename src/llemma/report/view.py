"""A report over HTTP, for this machine only; of a run that is still going on, always the newest pages."""

from __future__ import annotations

import contextlib
import errno
import functools
import http.server
import re
import signal
import tempfile
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.report.follow import Follower, is_fresh
from llemma.report.pages import MARK
from llemma.report.templating import POLICY, TEMPLATES

HOST = "127.0.0.1"
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".md": "text/markdown",
    ".tex": "text/plain",
}
LIVE_POLICY = POLICY.replace("default-src 'none'; ", "default-src 'none'; connect-src 'self'; ")
_VERSION = re.compile(r"v=(\d{1,9})")


def is_report(path: Path) -> bool:
    """Whether a report lies at `path`."""
    return (path / MARK).is_file() and (path / "index.html").is_file()


def find(folder: Path, target: str) -> Path | None:
    """The file of the resolved `folder` that a request target names; None outside it or for any other kind of file."""
    try:
        name = unquote(urlsplit(target).path, errors="strict").lstrip("/") or "index.html"
        path = (folder / name).resolve()
        if path.is_dir():
            path = path / "index.html"
        inside = path.is_relative_to(folder) and path.is_file()
    except (ValueError, OSError):  # undecodable, a null byte, a name too long
        return None
    return path if inside and path.suffix in TYPES else None


class Site:
    """What is served: a report as it lies there, or the pages of a follower with the script that keeps them new."""

    def __init__(self, source: Path | Follower) -> None:
        self.follower = source if isinstance(source, Follower) else None
        self.report = source.resolve() if isinstance(source, Path) else Path()
        self.policy = LIVE_POLICY if self.follower else POLICY

    def answer(self, target: str) -> tuple[bytes, str] | None:
        """Content and kind of what a request target names; None where there is nothing."""
        if self.follower is None:
            path = find(self.report, target)
            return (path.read_bytes(), path.suffix) if path else None
        name = urlsplit(target).path
        if name == "/live.json":
            return msgspec.json.encode(self.follower.live()), ".json"
        if name == "/live.js":
            return (TEMPLATES / "live.js").read_bytes(), ".js"
        asked = _VERSION.fullmatch(urlsplit(target).query)
        version = self.follower.version
        path = find(self.follower.folder(int(asked[1]) if asked else None).resolve(), target)
        if path is None:
            return None
        content = path.read_bytes()
        return (_followed(content, version) if path.suffix == ".html" else content), path.suffix


def _followed(page: bytes, version: int) -> bytes:
    """A page with the script that asks for newer ones, and a policy that lets it ask."""
    script = f'<script src="live.js?v={version}" defer></script>\n</head>'.encode()
    page = page.replace(b"<html ", b'<html data-version="%d" ' % version, 1)
    return page.replace(_escaped(POLICY), _escaped(LIVE_POLICY), 1).replace(b"</head>", script, 1)


def _escaped(policy: str) -> bytes:
    return policy.replace("'", "&#39;").encode()  # as it stands in a page


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of one report, and nothing else."""

    server_version = "llemma"
    sys_version = ""

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        self.site = site
        super().__init__(*args, **kwargs)

    def do_HEAD(self) -> None:
        """Answer with the headers of a file."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with a file."""
        content = self._answer()
        if content is not None:
            self.wfile.write(content)

    def _answer(self) -> bytes | None:
        # Another site that resolves its name to loopback must not read a report through the user's browser.
        name = re.sub(r":\d{1,5}$", "", self.headers.get("Host", ""))
        if name not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "this report is shown on loopback only")
            return None
        try:
            found = self.site.answer(self.path)
        except OSError:  # a build that has just been put aside
            found = None
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page in this report")
            return None
        self._head(*found)
        return found[0]

    def _head(self, content: bytes, suffix: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{TYPES[suffix]}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", f"{self.site.policy}; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the address is all that the user needs."""


def server(site: Site, port: int) -> http.server.ThreadingHTTPServer:
    """A server on loopback for `site`, not yet running; port 0 takes a free one."""
    handler = functools.partial(Handler, site=site)
    try:
        made = http.server.ThreadingHTTPServer((HOST, port), handler)
    except (OSError, OverflowError) as error:
        busy = getattr(error, "errno", None) == errno.EADDRINUSE
        what = f"port {port} is in use" if busy else f"cannot listen on port {port}: {error}"
        raise LlemmaError(what, where=HOST, mend="choose another with --port, or 0 for any free one") from error
    made.daemon_threads = True
    return made


def serve(path: Path, port: int) -> None:
    """Show the report at `path`, or of the run folder `path`, on loopback until Ctrl-C.

    A run folder is followed: whenever it changes, its pages are made anew in a temporary folder, and those that are
    open show it. The report in the run folder stays as it is; while it is as new as the run, it is what is shown.
    """
    if not path.is_dir():
        raise MissingError(f"no run folder {path}", mend="check the path, or make a report with `llemma report`")
    if is_report(path):
        _serve(Site(path), port, str(path.resolve()))
        return
    with _ended_by_terminate(), tempfile.TemporaryDirectory(prefix="llemma-view-") as cache:
        own = path / "report"
        fresh = is_report(own) and is_fresh(path, own)
        follower = Follower(path.resolve(), Path(cache).resolve(), own.resolve() if fresh else None)
        thread = threading.Thread(target=follower.follow, args=(lambda note: print(note, flush=True),), daemon=True)
        thread.start()
        where = own.resolve() if fresh else f"{path.resolve()}: pages in {cache}, until this ends"
        try:
            _serve(Site(follower), port, str(where))
        finally:
            follower.stop.set()
            thread.join()


@contextlib.contextmanager
def _ended_by_terminate() -> Iterator[None]:
    """Inside the block a SIGTERM is a Ctrl-C, so that the temporary pages go; only the main thread may arrange that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(site: Site, port: int, where: str) -> None:
    with server(site, port) as running:
        try:
            print(f"{where}\n  http://{HOST}:{running.server_address[1]}/\nCtrl-C ends it.", flush=True)
            running.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print("\nended", flush=True)
