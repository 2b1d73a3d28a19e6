"""A Hugging Face Hub on loopback: as much of it as `huggingface_hub` asks for data sets."""

import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

MAIN, PARQUET = "a" * 40, "b" * 40
"""Commits of the branches main and refs/convert/parquet."""


def handler(repos, asked):
    """`repos`: repository -> commit -> file -> bytes; `asked` notes method and path of every request."""

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def answer(self, body):
            path = unquote(self.path.partition("?")[0])
            asked.append(f"{self.command} {path}")
            status, headers, content = self.listing(path) if path.startswith("/api/") else self.file(path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def listing(self, path):
            repo, _, branch = path.removeprefix("/api/datasets/").partition("/revision/")
            commit = PARQUET if branch == "refs/convert/parquet" else MAIN
            files = repos.get(repo, {}).get(commit)
            if files is None:
                return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
            siblings = [{"rfilename": name} for name in files]
            info = {"id": repo, "sha": commit, "siblings": siblings, "tags": [], "private": False, "downloads": 0}
            return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()

        def file(self, path):
            repo, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
            commit, _, name = rest.partition("/")
            content = repos.get(repo, {}).get(commit, {}).get(name)
            if content is None:
                return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
            return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content

        def log_message(self, *_):
            pass

    return Hub


@contextmanager
def serving(repos):
    """Gives the endpoint, and the list of what was asked of it."""
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(repos, asked))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
