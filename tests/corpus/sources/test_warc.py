"""WARC files: whole, damaged, truncated, mistyped."""

# ruff: noqa: E501

import gzip
import time
import zlib
from pathlib import Path

import pytest

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Unit
from llemma.corpus.sources.warc import Warc

ROOT = Path(__file__).parents[3]
REAL = ROOT / "../shared/raw/web/pages.warc.gz"
PAGE = "<html><body><p>Page {0} is about the number \\(x_{{{0}}}\\), with a sentence that is long enough to be kept.</p></body></html>"


def record(
    number: int, body: bytes | None = None, http: str = "Content-Type: text/html\r\n", extra: str = "", url: str = ""
) -> bytes:
    body = PAGE.format(number).encode() if body is None else body
    block = f"HTTP/1.1 200 OK\r\n{http}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{number:032d}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: {url or f'https://a.example/{number}'}\r\n{extra}Content-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def read(path: Path) -> list[Document | Dropped]:
    return list(Warc(inputs=[str(path)]).read(Unit("w", str(path), ""), "web"))


def urls(items: list[Document | Dropped]) -> list[int]:
    return [int(item.meta["url"].rsplit("/", 1)[1]) for item in items if isinstance(item, Document)]


def members(count: int) -> list[bytes]:
    return [gzip.compress(record(number), mtime=0) for number in range(count)]


def cut(parts: list[bytes]) -> bytes:
    parts[3] = parts[3][: len(parts[3]) // 2]
    return b"".join(parts)


def corrupt(parts: list[bytes]) -> bytes:
    middle = len(parts[3]) // 2
    parts[3] = parts[3][:middle] + b"\xff\xfe\xfd\xfc" * 4 + parts[3][middle + 16 :]
    return b"".join(parts)


def wrong_checksum(parts: list[bytes]) -> bytes:
    parts[3] = parts[3][:-8] + b"\0\0\0\0" + parts[3][-4:]
    return b"".join(parts)


def garbage_between(parts: list[bytes]) -> bytes:
    parts[3] = b"\x1f\x8b\x08garbage" * 50
    return b"".join(parts)


def lost_magic(parts: list[bytes]) -> bytes:
    parts[3] = b"\0\0" + parts[3][2:]
    return b"".join(parts)


@pytest.mark.parametrize("damage", [cut, corrupt, wrong_checksum, garbage_between, lost_magic])
def test_one_damaged_member_costs_one_record(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "w.warc.gz"
    path.write_bytes(damage(members(8)))
    items = read(path)
    assert urls(items) == [0, 1, 2, 4, 5, 6, 7]
    offset = sum(map(len, members(3)))
    assert [item.id for item in items if isinstance(item, Dropped)] == [f"w.warc.gz@{offset}"]


def test_first_member_damaged(tmp_path: Path) -> None:
    path = tmp_path / "w.warc.gz"
    parts = members(4)
    path.write_bytes(parts[0][: len(parts[0]) // 2] + b"".join(parts[1:]))
    assert urls(read(path)) == [1, 2, 3]


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_truncated_end_is_reported(tmp_path: Path, keep: float) -> None:
    parts = members(3)
    path = tmp_path / "w.warc.gz"
    path.write_bytes(b"".join(parts[:2]) + parts[2][: int(len(parts[2]) * keep)])
    items = read(path)
    assert urls(items) == [0, 1] and isinstance(items[-1], Dropped) and items[-1].step == "read"


def test_uncompressed_and_single_member_files(tmp_path: Path) -> None:
    plain = b"".join(record(number) for number in range(5))
    for name, data in (("a.warc", plain), ("b.warc.gz", gzip.compress(plain))):
        (tmp_path / name).write_bytes(data)
        assert urls(read(tmp_path / name)) == [0, 1, 2, 3, 4]


def test_single_member_file_cut_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    packed = gzip.compress(
        b"".join(
            record(number, PAGE.format(number).encode() + bytes(str(zlib.crc32(b"%d" % number)), "ascii") * 50)
            for number in range(40)
        )
    )
    path = tmp_path / "w.warc.gz"
    path.write_bytes(packed[: len(packed) // 2])
    items = read(path)
    found = urls(items)
    assert found == list(range(len(found))) and len(found) > 5
    assert isinstance(items[-1], Dropped)


def test_wrong_length_in_a_plain_file(tmp_path: Path) -> None:
    parts = [record(number) for number in range(4)]
    parts[1] = parts[1].replace(b"Content-Length: ", b"Content-Length: 9")
    path = tmp_path / "w.warc"
    path.write_bytes(b"".join(parts))
    items = read(path)
    assert urls(items) == [0, 2, 3] and sum(isinstance(item, Dropped) for item in items) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all", gzip.compress(b"hello", mtime=0), b"\x1f\x8b\x08\0broken", bytes(range(256)) * 40],
    ids=["empty", "words", "gzip", "broken", "bytes"],
)
def test_a_file_that_is_no_warc_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.warc.gz"
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(path) in error.value.where and error.value.mend


def test_missing_input() -> None:
    with pytest.raises(MissingError):
        Warc(inputs=["/nowhere/*.warc.gz"]).units(None)  # type: ignore[arg-type]


def test_headers_encodings_and_kinds(tmp_path: Path) -> None:
    html = PAGE.format(1).encode()
    parts = [
        record(0, http=""),
        record(1, http="Content-Type: text/plain\r\n", extra="WARC-Identified-Payload-Type: text/html\r\n"),
        record(2, http="Content-Type: application/xhtml+xml\r\n"),
        record(3, gzip.compress(html), http="Content-Type: text/html\r\nContent-Encoding: gzip\r\n"),
        record(
            4,
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(html), html),
            http="Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n",
        ),
        record(5, b"\x89PNG", http="Content-Type: image/png\r\n"),
        record(
            6,
            "<p>Naïve \\(x\\) and a sentence of some length.</p>".encode("cp1252"),
            http="Content-Type: text/html; charset=latin1\r\n",
        ),
        record(7, b"<p>just news</p>"),
    ]
    path = tmp_path / "w.warc"
    path.write_bytes(b"".join(parts))
    items = read(path)
    assert urls(items) == [0, 1, 2, 3, 4, 6]
    assert "Naïve" in next(
        item.text for item in items if isinstance(item, Document) and item.meta["url"].endswith("/6")
    )
    assert [item.step for item in items if isinstance(item, Dropped)] == ["read", "prefilter"]


def of_kind(kind: str, block: bytes, content: str, extra: str = "") -> bytes:
    head = (
        f"WARC/1.1\r\nwarc-type: {kind}\r\nWARC-Target-URI: <https://a.example/7>\r\n{extra}Content-Type: {content}\r\n"
    )
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(block) + block + b"\r\n\r\n"


def test_records_of_every_kind(tmp_path: Path) -> None:
    page = PAGE.format(1).encode()
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    parts = [
        of_kind("warcinfo", b"software: x", "application/warc-fields"),
        of_kind("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"),
        of_kind("metadata", b"<html>$x^2$", "text/html"),
        of_kind("resource", page, "text/html; charset=utf-8"),
        of_kind("response", http + page, "application/octet-stream"),
        of_kind("revisit", http, "application/http; msgtype=response"),
        of_kind("continuation", page, "text/html", "WARC-Segment-Number: 2\r\n"),
        of_kind("response", page, ""),
        of_kind("response", http + b'{"formula": "$x^2$"}', "application/http"),
        of_kind("response", http + page.decode().encode("utf-16"), "application/http"),
        of_kind("response", b"HTTP/1.1 404 Not Found\r\n\r\n" + page, "application/http"),
        of_kind("response", http + page, "application/http", "WARC-Truncated: time\r\n"),
    ]
    path = tmp_path / "w.warc"
    path.write_bytes(b"".join(parts))
    items = read(path)
    assert urls(items) == [7] * 5 and len({item.id for item in items}) == len(items)
    assert all("$x_{{1}}$" in item.text or "$x_{1}$" in item.text for item in items if isinstance(item, Document))
    reasons = [item.reason for item in items if isinstance(item, Dropped)]
    assert [reason.split(":")[0] for reason in reasons] == [
        "a revisit",
        "a continuation",
        "not HTML",
        "HTTP status 404",
    ]
    assert [item.meta.get("truncated") for item in items if isinstance(item, Document)] == [None] * 4 + ["time"]


def test_ids_are_unique_and_stable(tmp_path: Path) -> None:
    path = tmp_path / "w.warc"
    path.write_bytes(b"".join(record(number, url="https://a.example/same/1") for number in range(3)))
    first, second = read(path), read(path)
    ids = [item.id for item in first]
    assert len(set(ids)) == 3 and ids == [item.id for item in second]
    assert ids[0] == "https://a.example/same/1@20260101000000"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason="the real crawl is not on this machine")
def test_real_crawl() -> None:
    started = time.process_time()
    items = read(REAL)
    seconds = time.process_time() - started
    documents = [item for item in items if isinstance(item, Document)]
    assert len(items) == 269
    assert {item.step for item in items if isinstance(item, Dropped)} <= {"prefilter"}
    assert len({item.id for item in documents}) == len(documents)
    courses = [item for item in documents if "chrispiech" in item.id or "lilianweng" in item.id]
    assert sum(item.meta["found_math"] > 0 for item in courses) > 0.85 * len(courses)
    assert sum(item.meta["found_math"] for item in documents) > 11_000
    assert len(items) / seconds > 20, "far below the 90 pages a CPU-second that were measured on an idle machine"
