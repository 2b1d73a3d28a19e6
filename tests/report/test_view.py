from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError, MissingError
from llemma.report import view

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny report with a secret beside it and links that lead outside."""
    report = tmp_path / "run" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("front page")
    (report / "report.json").write_text("{}")
    (report / "notes.txt").write_text("of another kind")
    (tmp_path / "run" / "secret.html").write_text("secret")
    (report / "link.html").symlink_to(tmp_path / "run" / "secret.html")
    (report / "sub").mkdir()
    return report


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    with view.server(view.Site(folder), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, target: str, method: str = "GET", host: str = "localhost") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode("utf-8")
    connection.close()
    return answer.status, body


def test_the_report_is_served(port: int) -> None:
    assert ask(port, "/") == (200, "front page")
    assert ask(port, "/index.html?x=1", host=f"127.0.0.1:{port}") == (200, "front page")
    assert ask(port, "/", method="HEAD") == (200, "")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "//../secret.html",
        "/link.html",
        "/notes.txt",
        "/sub/",
        "/%00",
        "/%ff",
        "/" + "a" * 5000,
        "/C:/x.html",
        "http://[/",
        "/nothing.html",
    ],
)
def test_nothing_else_is(port: int, target: str) -> None:
    status, body = ask(port, target)
    assert status == 404 and "secret" not in body


def test_other_hosts_and_methods_are_refused(port: int) -> None:
    assert ask(port, "/", host="evil.example")[0] == 403
    assert ask(port, "/", host="localhost.evil.example:80")[0] == 403
    assert ask(port, "/", method="POST")[0] == 501


def test_a_busy_port_says_so(port: int, folder: Path) -> None:
    with pytest.raises(LlemmaError, match="in use") as caught:
        view.server(view.Site(folder), port)
    assert "--port" in caught.value.mend
    with pytest.raises(LlemmaError):
        view.server(view.Site(folder), 99999)


def test_what_is_no_run_and_no_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no report and no run"):
        view.serve(tmp_path, 0)
    with pytest.raises(MissingError, match="no run folder"):
        view.serve(tmp_path / "nowhere", 0)


def test_answers_carry_the_policy(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    headers = connection.getresponse().headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "connect-src" not in headers["Content-Security-Policy"]  # nothing to ask for in a report that stays
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    connection.close()


def test_ctrl_c_ends_it_cleanly(folder: Path) -> None:
    code = f"from pathlib import Path; from llemma.report.view import serve; serve(Path({str(folder)!r}), 0)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT / "src", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)][1].strip().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and errors == ""
