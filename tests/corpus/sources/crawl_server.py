"""A server of crawl files on loopback: ranges, tags, and every way in which a download fails, on demand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class State:
    """`files`: path -> bytes. `plan` holds what happens to the next GETs of files, one word each:

    a number of bytes after which the connection breaks, `503` or `503:SECONDS`, `ignore` (no ranges this once),
    `changed` (the file gets another byte and tag first), or `ok`.
    """

    def __init__(self, files: dict[str, bytes], *, tags: bool = True, head: bool = True) -> None:
        self.files, self.tags, self.head = files, tags, head
        self.plan: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.sent = 0


def _handler(state: State) -> type[BaseHTTPRequestHandler]:
    class Files(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.respond(body=False)

        def do_GET(self) -> None:
            self.respond(body=True)

        def respond(self, *, body: bool) -> None:
            path, asked = self.path.lstrip("/"), self.headers.get("Range", "")
            state.asked.append((self.command, path, asked))
            if path not in state.files or (not body and not state.head):
                self.simple(404 if path not in state.files else 405)
                return
            order = state.plan.pop(0) if body and state.plan else "ok"
            if order.startswith("503"):
                self.simple(503, {"Retry-After": order[4:]} if order[3:] else {})
                return
            if order == "changed":
                state.files[path] += b"!"
            data = state.files[path]
            tag = f'"{hashlib.md5(data).hexdigest()}"' if state.tags else ""
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            condition = self.headers.get("If-Range")
            first = int(found[1]) if found and order != "ignore" and condition in (None, tag) else None
            if first is not None and first >= len(data):
                self.simple(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            part = data[first or 0 :] if not (found and found[2]) else data[first or 0 : int(found[2]) + 1]
            self.send_response(200 if first is None else 206)
            self.send_header("Content-Length", str(len(part)))
            if first is not None:
                self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            if body:
                self.give(part, order)

        def give(self, part: bytes, order: str) -> None:
            if order.isdecimal():
                part = part[: int(order)]
                self.close_connection = True
            self.wfile.write(part)
            state.sent += len(part)

        def simple(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Files


@contextmanager
def serving(state: State) -> Iterator[str]:
    """The server's address while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
