"""Servers that fail, stall, truncate and lie: each request ends in samples or in errors with a reason."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llemma.backends.base import open_backend
from llemma.backends.http import client as client_module
from llemma.backends.http.client import _seconds
from llemma.core.errors import LlemmaError, MissingError, RecipeError
from llemma.core.types import Completion, Request
from llemma.evals import journal as journal_module
from llemma.evals.journal import Journal


def only(backend: Any, **request: Any) -> Completion:
    [samples] = backend.complete([Request(**{"id": "a", "prompt": "p", "temperature": 0.5, **request})])
    assert len(samples) == 1
    return samples[0]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(server: Any, status: int) -> None:
    backend = server.open()
    server.script(*[server.reply({"error": "busy"}, status)] * 3)
    assert only(backend).text == "p 0"
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [400, 404, 405, 418, 422, 501])
def test_what_will_not_pass_is_not(server: Any, status: int) -> None:
    backend = server.open()
    server.script(server.reply({"error": {"message": "no\nway" + "!" * 400}}, status))
    sample = only(backend)
    assert (sample.finish, sample.text, len(server.asked)) == ("error", "", 1)
    assert sample.error.startswith(f"the server says {status}: no way!!!") and len(sample.error) < 330


def test_a_storm_without_end_is_an_error_after_the_last_attempt(server: Any) -> None:
    backend = server.open("retries=3")
    server.answer = lambda _: server.reply(b"<html><h1>Bad gateway</h1></html>", 502)
    assert only(backend).error == "the server says 502: <html><h1>Bad gateway</h1></html> (tried 4 times)"
    assert len(server.asked) == 4


def test_a_stall_ends_at_the_time_out(server: Any) -> None:
    backend = server.open("timeout=0.2&retries=1")
    server.answer = lambda _: server.reply(b"{}", seconds=9.0)
    began = time.monotonic()
    assert only(backend).error == "no whole answer within 0.2 s (tried 2 times)"
    assert time.monotonic() - began < 5


def test_a_drip_is_a_stall(server: Any) -> None:
    def drip(handler: Any, _: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)

    backend = server.open("timeout=0.2&retries=0")
    server.send = drip
    began = time.monotonic()
    assert only(backend).error == "no whole answer within 0.2 s"
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_time_in_the_queue_is_not_time_of_the_exchange(server: Any) -> None:
    def slow(body: dict[str, Any]) -> Any:
        return server.numbered(body)._replace(seconds=0.1)

    backend, server.answer = server.open("concurrency=1&timeout=1&retries=0"), slow
    given = [samples[0].finish for samples in backend.complete([Request(str(i), "p") for i in range(13)])]
    assert given == ["stop"] * 13


@pytest.mark.parametrize("after", ["1", "1.0", "date"])
@pytest.mark.slow
def test_a_server_that_asks_for_quiet_gets_it_from_all(server: Any, after: str) -> None:
    backend = server.open()
    date = formatdate(time.time() + 2, usegmt=True) if after == "date" else after
    server.script(server.reply({"error": "slow down"}, 429, {"Retry-After": date}))
    began = time.monotonic()
    assert only(backend).text == "p 0"
    assert 0.9 < time.monotonic() - began < 9


def test_a_wait_longer_than_our_patience_is_an_error_at_once(server: Any) -> None:
    backend = server.open("concurrency=1")
    server.script(server.reply({"error": "come back tomorrow"}, 429, {"Retry-After": "86400"}))
    began = time.monotonic()
    ends = [samples[0].error for samples in backend.complete([Request(str(i), "p") for i in range(3)])]
    assert sorted(ends) == ["", "", "the server says 429: come back tomorrow; it asks to wait 86400 s"]
    assert time.monotonic() - began < 9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("3", 3),
        (" 4 ", 4),
        ("-1", 0),
        ("nan", 0),
        ("soon", 0),
        ("9" * 99, 0),
        ("1e9", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015", 0),
    ],
)
def test_terms_of_waiting(header: str, seconds: float) -> None:
    assert _seconds(header) == seconds


def truncated(body: bytes) -> dict[str, Any]:
    return {"body": body, "promised": len(body) + 100}


@pytest.mark.parametrize(
    "reply",
    [
        {"body": b'{"choices": [{"text": "x'},
        truncated(b'{"choices": [{"text": "x"'),
        {"body": b""},
        {"body": b"<!doctype html><title>Welcome</title>"},
        {"body": b"[1]"},
        {"body": b"[" * 100_000},
        {"body": b"\xff\xfe\x00"},
        {"body": b"{}", "headers": {"Content-Encoding": "gzip"}},
        {"body": gzip.compress(b'{"choices": [{"text": "x"}]}')[:20], "headers": {"Content-Encoding": "gzip"}},
        {"body": b'{"choices": [{"text": "x"}]}', "headers": {"Content-Encoding": "br"}},
    ],
    ids=["cut", "closed", "empty", "page", "list", "deep", "binary", "no gzip", "half gzip", "brotli"],
)
def test_damaged_answers_are_asked_again_and_then_errors(server: Any, reply: dict[str, Any]) -> None:
    backend = server.open("retries=2")
    server.script(server.reply(**reply), server.reply(**reply))
    assert only(backend).text == "p 0"
    server.answer = lambda _: server.reply(**reply)
    sample = only(backend)
    assert sample.finish == "error" and "(tried 3 times)" in sample.error


def test_compressed_answers_are_read(server: Any) -> None:
    backend = server.open()
    body = gzip.compress(b'{"choices": [{"text": "x", "finish_reason": "stop"}]}')
    server.script(server.reply(body, headers={"Content-Encoding": "gzip"}))
    assert only(backend).text == "x"


@pytest.mark.parametrize("packed", [False, True])
def test_a_huge_body_is_not_read_to_its_end(server: Any, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_BODY", 1 << 20)
    backend, body = server.open(), b" " * (8 << 20)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    server.answer = lambda _: server.reply(gzip.compress(body) if packed else body, headers=headers)
    assert only(backend).error == "the answer is larger than 1 MiB"
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nothing_is_sent_where_the_server_sends_us(server: Any, status: int) -> None:
    backend = server.open()
    server.answer = lambda _: server.reply(b"", status, {"Location": "http://127.0.0.1:9/elsewhere"})
    assert "sends to http://127.0.0.1:9/elsewhere" in only(backend).error
    server.models, server.hello = server.reply(b"", status, {"Location": "/x"}), None
    with pytest.raises(RecipeError, match="sends to /x"):
        server.open()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": None},
        {"choices": {}},
        {"choices": []},
        {"choices": [1, None]},
        {"choices": [{"index": 0}]},
        {"choices": [{"text": ["x"], "index": "0"}]},
        {"choices": [{"text": 1, "logprobs": 3}], "usage": []},
    ],
)
def test_answers_that_lack_what_they_must_have(server: Any, payload: dict[str, Any]) -> None:
    backend = server.open()
    server.answer = lambda _: server.reply(payload)
    sample = only(backend)
    assert sample.finish == "error" and ("0 of 1 samples" in sample.error or "without text" in sample.error)


def test_an_error_that_calls_itself_a_success(server: Any) -> None:
    backend = server.open()
    server.script(server.reply({"error": {"message": "out of memory"}, "choices": []}))
    assert only(backend).error == "the server says: out of memory"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "content"]), inner, max_size=2),
    max_leaves=5,
)
FIELDS = ["index", "text", "message", "finish_reason", "logprobs"]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, max_size=3), JSON, st.integers(1, 3))
@pytest.mark.slow
def test_whatever_the_json_is_every_sample_is_answered(server: Any, choices: Any, usage: Any, n: int) -> None:
    if server.hello is not None:
        server.backend = server.open()
    server.answer = lambda _: server.reply({"choices": choices, "usage": usage})
    [samples] = server.backend.complete([Request("a", "p", n=n, temperature=1.0)])
    assert [s.sample for s in samples] == list(range(n))
    assert all(isinstance(s.text, str) and bool(s.error) == (s.finish == "error") for s in samples)


def test_one_bad_request_does_not_touch_the_others(server: Any) -> None:
    backend = server.open()
    server.answer = lambda body: server.reply(b"", 400) if body["prompt"] == "3" else server.numbered(body)
    given = {s[0].request: s[0].finish for s in backend.complete([Request(str(i), str(i)) for i in range(6)])}
    assert given == {str(i): "error" if i == 3 else "stop" for i in range(6)}


def test_nobody_there(server: Any) -> None:
    server.close()
    with pytest.raises(MissingError, match="no answer from the server: no connection"):
        server.open()


def test_a_server_that_is_gone_for_good_ends_the_evaluation(server: Any) -> None:
    def answer(body: dict[str, Any]) -> Any:
        if len(server.asked) == 3:
            server.http.socket.close()
            return server.numbered(body)._replace(headers={"Connection": "close"})
        return server.numbered(body)

    backend, server.answer = server.open("concurrency=1"), answer
    answers, given = backend.complete([Request(str(i), "p") for i in range(9)]), []
    with pytest.raises(LlemmaError, match=r"the server is gone: no connection.*3 requests were answered") as error:
        given.extend(answers)
    assert len(given) == 3 and error.value.exit_code == 1
    assert "the same command keeps what was answered" in error.value.mend


def test_a_server_that_never_answers_any_more_ends_the_evaluation_too(server: Any) -> None:
    backend = server.open("retries=0&concurrency=1")
    server.script(*[server.reply(b"", 500)] * 31)
    requests = [Request(str(i), "p") for i in range(40)]
    assert [s.finish for [s] in backend.complete(requests)].count("error") == 31  # the next one had an answer
    server.answer = lambda _: server.reply(b"", 500)
    given = []
    with pytest.raises(LlemmaError, match=r"[34]\d requests in a row without an answer, the last: the server says 500"):
        given.extend(backend.complete(requests))
    assert 31 <= len(given) < 40


def test_many_bad_requests_are_no_dead_server(server: Any) -> None:
    backend = server.open("retries=0&concurrency=3")
    server.answer = lambda body: server.reply(b"", 500) if body["prompt"] == "bad" else server.numbered(body)
    given = list(backend.complete([Request(str(i), "bad") for i in range(80)]))
    assert [s.error for [s] in given] == ["the server says 500"] * 80
    assert len(server.asked) == 80 + 2


@pytest.mark.slow
def test_an_evaluation_goes_on_where_the_server_left_it(server: Any, tmp_path: Path) -> None:
    backend, journal = server.open("retries=0&concurrency=1"), Journal(tmp_path)
    batch = [Request(str(i), f"p{i}") for i in range(50)]
    server.answer = lambda body: server.numbered(body) if len(server.asked) <= 10 else server.reply(b"", 503)
    with pytest.raises(LlemmaError, match="10 requests were answered before"):
        journal_module.complete(backend, batch, journal, lambda _: None)
    server.answer, asked = server.numbered, len(server.asked)
    part = journal_module.complete(server.open(model="m"), batch, journal, lambda _: None)
    assert [c.text for c in part.records] == [f"p{i} 0" for i in range(50)]
    assert len(server.asked) == asked + 40 + 1  # and the hello of the second process


def test_leaving_early_ends_what_is_in_flight(server: Any) -> None:
    release = threading.Event()

    def answer(body: dict[str, Any]) -> Any:
        if body["prompt"] != "0":
            release.wait(10)
        return server.numbered(body)

    backend, server.answer = server.open(), answer
    answers = backend.complete([Request(str(i), str(i)) for i in range(4)])
    next(answers)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 5
    assert not [thread for thread in threading.enumerate() if thread.name == "llemma-http"]
    release.set()


@pytest.mark.slow
def test_ctrl_c_ends_at_once(server: Any) -> None:
    server.answer = lambda body: server.numbered(body)._replace(seconds=8.0)
    program = (
        "from llemma.backends.base import open_backend\nfrom llemma.core.types import Request\nimport sys\n"
        "backend = open_backend(sys.argv[1])\nprint('open', flush=True)\n"
        "list(backend.complete([Request(str(i), 'p') for i in range(40)]))"
    )
    source = str(Path(__file__).parents[3] / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", program, f"{server.url}#m"],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    while server.flying < 16:
        time.sleep(0.01)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert errors.strip().endswith("KeyboardInterrupt") and process.returncode != 0


def test_no_proxy_for_this_machine(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    assert only(server.open()).text == "p 0"


def test_a_proxy_for_others(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    backend = open_backend("http://far.test/v1#m")
    assert only(backend).text == "p 0"
    assert server.seen[-1][:2] == ("POST", "http://far.test/v1/completions")
    monkeypatch.setenv("http_proxy", "nonsense://x")
    with pytest.raises(RecipeError, match="a proxy in the environment"):
        open_backend("http://far.test/v1#m")
