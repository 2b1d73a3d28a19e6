"""A server on the loopback address that answers as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from llemma.backends.base import open_backend
from llemma.backends.http import Http, client


class Reply(NamedTuple):
    """An answer; `body` is sent as JSON unless it is bytes; `promised`: a Content-Length that is not kept."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = {}
    promised: int | None = None
    seconds: float = 0.0


def completion(*texts: str, **fields: Any) -> dict[str, Any]:
    """A payload with these choices; `fields` go into each of them."""
    rows = [{"index": i, "text": text, "finish_reason": "stop", **fields} for i, text in enumerate(texts)]
    return {"object": "text_completion", "choices": rows}


def numbered(body: dict[str, Any]) -> Reply:
    """A well-behaved server: as many choices as were asked, each with the prompt and its number."""
    return Reply(completion(*(f"{body['prompt']} {i}" for i in range(body.get("n", 1)))))


class Server:
    """`answer` gets the body of each request after the first (the hello); `asked` and `seen` keep what came."""

    reply = Reply
    completion = staticmethod(completion)
    numbered = staticmethod(numbered)

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Reply] = numbered
        self.hello: Callable[[dict[str, Any]], Reply] | None = numbered
        self.models: Reply = Reply({"data": [{"id": "m"}]})
        self.asked: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.flying = self.most = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one packet

            def do_GET(self) -> None:
                outer.seen.append(("GET", self.path, dict(self.headers)))
                outer.send(self, outer.models)

            def do_POST(self) -> None:
                outer.seen.append(("POST", self.path, dict(self.headers)))
                outer.post(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that leave early are wanted
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def post(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if self.hello is not None:
            answer, self.hello = self.hello, None
            return self.send(handler, answer({"prompt": "", **body}))
        with self.lock:
            self.asked.append(body)
            self.flying += 1
            self.most = max(self.most, self.flying)
        try:
            self.send(handler, self.answer(body))
        finally:
            with self.lock:
                self.flying -= 1

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(reply.seconds)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        try:
            handler.send_response(reply.status)
            handler.send_header("Content-Length", str(len(body) if reply.promised is None else reply.promised))
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            return
        if reply.promised is not None:
            handler.close_connection = True

    def open(self, options: str = "", model: str = "") -> Http:
        backend = open_backend(f"{self.url}#{model}?{options}")
        assert isinstance(backend, Http)
        return backend

    def script(self, *replies: Reply) -> None:
        """These answers one after the other, then those of a good server."""
        left = list(replies)
        self.answer = lambda body: left.pop(0) if left else numbered(body)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.005)
    for name in ("LLEMMA_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
