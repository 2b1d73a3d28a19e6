"""Addresses are taken apart, and what would be a mistake is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llemma.backends.base import open_backend
from llemma.backends.http.address import parse
from llemma.core.errors import RecipeError


def test_before_the_mark_is_the_servers_and_behind_it_ours() -> None:
    address = parse("https://host.test/v1/?api-version=3#org/model?api=chat&concurrency=4&timeout=1.5")
    assert (address.base, address.query) == ("https://host.test/v1", "api-version=3")
    assert (address.model, address.path) == ("org/model", "/chat/completions")
    assert (address.options.concurrency, address.options.timeout) == (4, 1.5)


def test_a_name_is_optional() -> None:
    assert parse("http://h:1/v1").model == "" == parse("http://h:1/v1#?api=chat").model
    assert parse("http://h:1/v1#a").path == "/completions"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http:", "no server"),
        ("http:///v1", "no server"),
        ("http://h:x/v1", "not an address"),
        ("http://[::1/v1", "not an address"),
        ("http://me:pass@h/v1", "a secret"),
        ("http://h/v1?api-key=1", "a secret"),
        ("http://h/v1/chat/completions", "names an endpoint"),
        ("http://h/v1?api=chat#m", "before the '#'"),
        ("http://h/v1#m?api=talk", "an option"),
        ("http://h/v1#m?concurrency=0", "an option"),
        ("http://h/v1#m?timeout=soon", "an option"),
        ("http://h/v1#m?concurency=3", "an option"),
    ],
)
def test_mistakes_are_refused_before_anything_is_asked(url: str, what: str) -> None:
    with pytest.raises(RecipeError, match=what) as error:
        open_backend(url)
    assert error.value.mend
    assert "pass@" not in str(error.value)


def test_an_option_is_suggested() -> None:
    with pytest.raises(RecipeError) as error:
        parse("http://h/v1#m?concurency=3")
    assert "did you mean 'concurrency'?" in error.value.mend


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost", "localhost."])
def test_hosts_of_this_machine(host: str) -> None:
    assert parse(f"http://{host}:8000/v1").loopback


@pytest.mark.parametrize("host", ["h.test", "10.0.0.1", "localhost.test", "1.127.0.1"])
def test_hosts_elsewhere(host: str) -> None:
    assert not parse(f"http://{host}/v1").loopback


def test_the_http_client_is_not_loaded_before_a_server_is_asked() -> None:
    program = "import llemma.cli, llemma.backends.base, sys; assert 'httpx2' not in sys.modules"
    source = str(Path(__file__).parents[3] / "src")
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": source}, check=True)
