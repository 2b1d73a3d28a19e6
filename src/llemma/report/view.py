"""A report over HTTP, for this machine only."""

from __future__ import annotations

import errno
import functools
import http.server
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from llemma.core.errors import LlemmaError, MissingError

HOST = "127.0.0.1"
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


def report_folder(path: Path) -> Path:
    """The report at `path`, or in the run folder `path`; MissingError if there is none."""
    for folder in (path, path / "report"):
        if (folder / "report.json").is_file() and (folder / "index.html").is_file():
            return folder.resolve()
    raise MissingError(f"no report in {path}", mend=f"make one with `llemma report {path}`")


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


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of one report, and nothing else."""

    server_version = "llemma"
    sys_version = ""

    def __init__(self, *args: Any, folder: Path, **kwargs: Any) -> None:
        self.folder = folder
        super().__init__(*args, **kwargs)

    def do_HEAD(self) -> None:
        """Answer with the headers of a file."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with a file."""
        path = self._answer()
        if path is not None:
            with open(path, "rb") as file:
                while block := file.read(1 << 16):
                    self.wfile.write(block)

    def _answer(self) -> Path | None:
        # Another site that resolves its name to loopback must not read a report through the user's browser.
        name = re.sub(r":\d{1,5}$", "", self.headers.get("Host", ""))
        path = find(self.folder, self.path)
        if name not in LOCAL_NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "this report is shown on loopback only")
        elif path is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page in this report")
        else:
            self._head(path)
            return path
        return None

    def _head(self, path: Path) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{TYPES[path.suffix]}; charset=utf-8")
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the address is all that the user needs."""


def server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server on loopback for the report `folder`, not yet running; port 0 takes a free one."""
    handler = functools.partial(Handler, folder=folder.resolve())
    try:
        made = http.server.ThreadingHTTPServer((HOST, port), handler)
    except (OSError, OverflowError) as error:
        busy = getattr(error, "errno", None) == errno.EADDRINUSE
        what = f"port {port} is in use" if busy else f"cannot listen on port {port}: {error}"
        raise LlemmaError(what, where=HOST, mend="choose another with --port, or 0 for any free one") from error
    made.daemon_threads = True
    return made


def serve(path: Path, port: int) -> None:
    """Show the report at `path` (a report, or a run that holds one) on loopback until Ctrl-C."""
    folder = report_folder(path)
    with server(folder, port) as running:
        try:
            print(f"{folder}\n  http://{HOST}:{running.server_address[1]}/\nCtrl-C ends it.", flush=True)
            running.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print("\nended", flush=True)
