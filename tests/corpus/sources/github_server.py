"""A GitHub on loopback: searches, commits and tarballs, with the limits and failures of the real one on demand."""

import io
import json
import tarfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit


def tarball(top, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class State:
    """`repos`: full name -> (created, stars, [(date, sha, files)]); `failures` are answered first, one a request."""

    def __init__(self, repos, page_limit=1000):
        self.repos, self.page_limit = repos, page_limit
        self.failures, self.asked, self.tokens = [], [], []

    def search(self, query):
        words = dict(part.split(":", 1) for part in query["q"][0].split())
        first, last = words["created"].split("..")
        found = [
            {"full_name": name, "stargazers_count": stars}
            for name, (created, stars, _) in self.repos.items()
            if first <= created <= last and stars >= int(words.get("stars", ">=0")[2:])
        ]
        found.sort(key=lambda item: -item["stargazers_count"])
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        shown = found[: self.page_limit][(page - 1) * size : page * size]
        return {"total_count": len(found), "incomplete_results": False, "items": shown}

    def commits(self, name, until):
        return [{"sha": sha} for date, sha, _ in reversed(self.repos[name][2]) if date < until][:1]

    def files(self, name, sha):
        return next(files for _, known, files in self.repos[name][2] if known == sha)


def handler(state):
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts, query = urlsplit(self.path).path.strip("/").split("/"), parse_qs(urlsplit(self.path).query)
            state.asked.append(self.path)
            state.tokens.append(self.headers.get("Authorization"))
            if state.failures:
                self.answer(*state.failures.pop(0))
            elif parts[0] == "search":
                self.answer(200, {}, json.dumps(state.search(query)).encode())
            elif parts[0] == "archive":
                self.answer(200, {}, tarball("top", state.files("/".join(parts[1:3]), parts[3])))
            elif "/".join(parts[1:3]) not in state.repos:
                self.answer(404, {}, b"{}")
            elif parts[3] == "commits":
                found = state.commits("/".join(parts[1:3]), query["until"][0])
                self.answer(200, {}, json.dumps(found).encode())
            else:
                port = self.server.server_port  # another host, as far as the token goes
                target = f"http://localhost:{port}/archive/{parts[1]}/{parts[2]}/{parts[4]}"
                self.answer(302, {"Location": target}, b"")

        def answer(self, status, headers, body):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = int(headers.get("Content-Length", 0)) > len(body)

        def log_message(self, *_):
            pass

    return Api


@contextmanager
def serving(state):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
