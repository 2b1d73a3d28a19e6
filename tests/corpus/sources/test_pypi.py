"""Source distributions are found through the index pip is configured with, fetched once, checked, and read unbuilt."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document
from llemma.corpus.source import Context
from llemma.corpus.sources import pypi
from llemma.corpus.sources.pypi import PyPI, configured, is_sdist


def sdist() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in {
            "setup.py": "raise SystemExit('built')",
            "thing/a.py": "x = 1",
            "PKG-INFO": "Name: Thing",
        }.items():
            info = tarfile.TarInfo(f"some_thing-1.0/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


class Server:
    """A package index on the loopback device; `pages` by path, `asked` the paths in order."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                owner.logins.append(self.headers["Authorization"])
                kind, data = owner.pages.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/simple"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def offer_html(self, data: bytes, sha256: str) -> None:
        page = f"""<html><a href="../../files/some_thing-1.0-py3-none-any.whl#sha256=0">wheel</a>
        <a href="../../files/some_thing-1.0.tar.gz#sha256={sha256}" data-yanked="">sdist</a></html>"""
        self.pages["/simple/some-thing/"] = ("text/html; charset=utf-8", page.encode())
        self.pages["/files/some_thing-1.0.tar.gz"] = ("application/gzip", data)

    def offer_json(self, data: bytes, sha256: str) -> None:
        file = {"filename": "some_thing-1.0.tar.gz", "url": "/files/s-1.tgz", "hashes": {"sha256": sha256}}
        page = json.dumps({"files": [file]}).encode()
        self.pages["/simple/some-thing/"] = ("application/vnd.pypi.simple.v1+json", page)
        self.pages["/files/s-1.tgz"] = ("application/gzip", data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server()
    monkeypatch.setenv("PIP_INDEX_URL", found.url)
    for key in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.setenv(key, "")
    monkeypatch.setattr(pypi.time, "sleep", lambda seconds: None)
    yield found
    found.http.shutdown()


@pytest.mark.parametrize("form", ["html", "json"])
def test_fetched_once_and_read_unbuilt(form: str, server: Server, context: Context) -> None:
    data = sdist()
    (server.offer_html if form == "html" else server.offer_json)(data, hashlib.sha256(data).hexdigest())
    source = PyPI(["Some.Thing==1.0"], include=["*.py"])
    (unit,) = source.units(context)
    items = list(source.read(unit, "s"))
    assert [item.id for item in items] == ["Some.Thing-1.0/setup.py", "Some.Thing-1.0/thing/a.py"]
    assert isinstance(items[1], Document)
    assert items[1].meta == {"package": "Some.Thing", "version": "1.0", "path": "thing/a.py", "language": "python"}
    server.http.shutdown()
    assert source.units(context) == [unit]
    assert len(server.asked) == 2


def test_a_changed_file_in_the_cache_is_fetched_again(server: Server, context: Context) -> None:
    data = sdist()
    server.offer_html(data, "")
    source = PyPI(["some-thing==1.0"])
    (unit,) = source.units(context)
    Path(unit.path).write_bytes(b"damaged")
    assert source.units(context)[0].digest == unit.digest
    assert Path(unit.path).read_bytes() == data


def test_a_wrong_sum_is_refused_and_leaves_nothing(server: Server, context: Context) -> None:
    server.offer_html(sdist(), "0" * 64)
    with pytest.raises(DataError, match="not what the index says"):
        PyPI(["some-thing==1.0"]).units(context)
    assert list((context.cache / "sdists").iterdir()) == []


def test_what_the_index_does_not_have(server: Server, context: Context) -> None:
    server.offer_html(sdist(), "")
    with pytest.raises(MissingError, match=r"no index offers some-thing==2\.0"):
        PyPI(["some-thing==2.0"]).units(context)
    with pytest.raises(MissingError, match=r"no index offers other==1\.0"):
        PyPI(["other==1.0"]).units(context)
    server.pages["/simple/some-thing/"] = ("text/html", b'<a href="some_thing-3.0-py3-none-any.whl">w</a>')
    with pytest.raises(MissingError, match="no source distribution") as caught:
        PyPI(["some-thing==3.0"]).units(context)
    assert 'kind = "installed"' in caught.value.mend


def test_without_network_the_mend_is_told(server: Server, context: Context) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(MissingError, match="cannot reach a package index") as caught:
        PyPI(["some-thing==1.0"]).units(context)
    assert 'kind = "installed"' in caught.value.mend


def test_without_network_the_installed_package_of_the_same_version_is_read(server: Server, context: Context) -> None:
    server.http.shutdown()
    server.http.server_close()
    pin = f"msgspec=={importlib.metadata.version('msgspec')}"
    source = PyPI([pin], include=["**/*.py"])
    (unit,) = source.units(context)
    texts = {document.id: document for document in source.read(unit, "s") if isinstance(document, Document)}
    assert f"{pin.replace('==', '-')}/msgspec/__init__.py" in texts
    with pytest.raises(MissingError, match="cannot reach"):
        PyPI(["msgspec==0.0.1"]).units(context)


def test_an_index_that_fails_is_not_taken_for_one_that_has_nothing(
    server: Server, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_thing-1.0-py3-none-any.whl").touch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(MissingError, match="cannot reach a package index"):
        PyPI(["some-thing==1.0"]).units(context)


def test_a_local_folder_of_links(
    server: Server, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/some_thing-1.0.tar.gz").write_bytes(sdist())
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (unit,) = PyPI(["some-thing==1.0"]).units(context)
    assert server.asked == []
    assert Path(unit.path).parent == context.cache / "sdists"


def test_names_of_source_distributions() -> None:
    assert is_sdist("ruamel_yaml-0.18.tar.gz", "ruamel.yaml", "0.18")
    assert is_sdist("Foo-Bar-1.0.zip", "foo_bar", "1.0")
    assert not is_sdist("foo_bar-1.0-py3-none-any.whl", "foo-bar", "1.0")
    assert not is_sdist("foo_bar-1.0.1.tar.gz", "foo-bar", "1.0")
    assert not is_sdist("../../foo-1.0.tar.gz", "foo", "1.0")


def test_the_environment_wins_over_the_configuration() -> None:
    config = {"index-url": ["http://a"], "extra-index-url": ["http://b", "http://c"], "find-links": ["http://l"]}
    assert configured({}, config) == (["http://l"], ["http://a", "http://b", "http://c"])
    assert configured({"PIP_INDEX_URL": "http://e", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}, config) == (
        [],
        ["http://e"],
    )
    assert configured({"PIP_NO_INDEX": "1"}, config) == (["http://l"], [])


def test_a_login_is_sent_and_never_shown(server: Server, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sdist()
    server.offer_html(data, "")
    monkeypatch.setenv("PIP_INDEX_URL", server.url.replace("://", "://me:se%40cret@"))
    PyPI(["some-thing==1.0"]).units(context)
    assert server.logins == ["Basic bWU6c2VAY3JldA=="] * 2  # me:se@cret
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(MissingError) as caught:
        PyPI(["other==1.0"]).units(context)
    assert "cret" not in str(caught.value)


def test_packages_must_be_pinned() -> None:
    with pytest.raises(msgspec.ValidationError, match="unlike sympy>=1"):
        msgspec.convert({"packages": ["mpmath==1.3.0", "sympy>=1"]}, PyPI)
