"""Answers as archives hold them: every coding, every lie about it, headers of all ages."""

from __future__ import annotations

import gzip
import zlib

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.sources import http
from llemma.corpus.sources.http import answer

BODY = b"<html><body>" + b"The angle sum is constant. " * 200 + b"</body></html>"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def chunked(data: bytes, step: int = 700, mark: bytes = b"") -> bytes:
    parts = [
        b"%x%s\r\n%s\r\n" % (len(data[at : at + step]), mark, data[at : at + step]) for at in range(0, len(data), step)
    ]
    return b"".join(parts) + b"0\r\n\r\n"


def block(headers: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode("latin-1") + body


CODED = {
    "gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress, "identity": bytes, "unheard-of": bytes,
}  # fmt: skip


@pytest.mark.parametrize("coding", CODED)
def test_bodies_are_unpacked(coding: str) -> None:
    found = answer(block(f"Content-Type: text/html\r\nContent-Encoding: {coding}", CODED[coding](BODY)))
    assert (found.status, found.body, found.cut) == (200, BODY, False)
    packed = chunked(CODED[coding](BODY), mark=b" ;x=y")
    assert answer(block(f"content-encoding:{coding}\r\nTRANSFER-ENCODING: Chunked", packed)).body == BODY


def test_lies_about_the_body_are_passed_over() -> None:
    for coding in CODED:
        assert answer(block(f"Content-Encoding: {coding}", BODY)).body == BODY, coding
    assert answer(block("Transfer-Encoding: chunked", BODY)).body == BODY
    assert answer(block("Content-Encoding: deflate", raw_deflate(BODY))).body == BODY
    assert answer(block("Content-Encoding: gzip", gzip.compress(gzip.compress(BODY)))).body == BODY
    assert answer(block("Content-Type: text/html", gzip.compress(BODY))).body == BODY
    assert answer(block("Content-Type: application/gzip", gzip.compress(BODY))).body != BODY
    assert answer(block("Content-Encoding: gzip, br", brotli.compress(gzip.compress(BODY)))).body == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_what_breaks_off_is_kept_and_marked(coding: str) -> None:
    data = bytes(range(256)) * 400 + BODY
    packed = CODED[coding](data)
    found = answer(block(f"Content-Encoding: {coding}", packed[: len(packed) - 30]))
    assert found.cut and (data.startswith(found.body) or coding == "br")
    found = answer(block("Transfer-Encoding: chunked", chunked(BODY)[:2000]))
    assert found.cut and BODY.startswith(found.body) and len(found.body) > 1900


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.slow
def test_a_bomb_is_cut(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1 << 20)
    found = answer(block(f"Content-Encoding: {coding}", CODED[coding](bytes(1 << 26))))
    assert len(found.body) == 1 << 20 and found.cut


@pytest.mark.parametrize(
    ("head", "status", "kind"),
    [
        (b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n", 200, "text/html"),
        (b"HTTP/2 404\r\nContent-Type: a/b\r\n\r\n", 404, "a/b"),
        (b"ICY 200 OK\r\nContent-Type: a/b\r\n\r\n", 200, "a/b"),
        (b"Content-Type: text/html\r\n\r\n", None, "text/html"),
        (b"HTTP/1.0 200\r\n\r\n", 200, None),
        (b"HTTP/1.1 200 OK\r\nCONTENT-TYPE:text/html;\r\n charset=koi8-r\r\nX\xff: y\r\nContent-Type: b/c\r\n\r\n", 200,
         "text/html; charset=koi8-r"),
        (b"", None, None),
    ],
)  # fmt: skip
def test_heads_of_all_ages(head: bytes, status: int | None, kind: str | None) -> None:
    found = answer(head + BODY)
    assert (found.status, found.headers.get("content-type"), found.body) == (status, kind, BODY)
    assert found.charset == ("koi8-r" if kind and "koi8" in kind else None)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["gzip", "br", "deflate", "zstd", "chunked"]), st.integers(0, 400))
def test_nothing_raises(noise: bytes, coding: str, at: int) -> None:
    name = "Transfer-Encoding" if coding == "chunked" else "Content-Encoding"
    packed = chunked(BODY) if coding == "chunked" else CODED[coding](BODY)
    answer(block(f"{name}: {coding}", packed[:at] + noise + packed[at:]))
    answer(noise)
    answer(b"HTTP/1.1 " + noise)
