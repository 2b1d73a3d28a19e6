"""Pages and papers of every kind of input become rows; what is dropped or damaged is told with its place."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError, UsageError
from llemma.corpus.convert import Counts, dropped_path, extract_files, latex_files, steps_files
from llemma.corpus.workers import Limits

SAMPLES = Path(__file__).parents[2] / "recipes" / "samples"
MATHS = (
    "<html><title>T</title><body><p>"
    + "The sum of the angles is as follows. " * 20
    + r"\(x^2 + y^2 = z^2\)</p></body></html>"
)
NEWS = "<html><body><p>" + "The council met on Monday and spoke about roads. " * 20 + "</p></body></html>"


def extract(
    inputs: list[Path], out: Path, every: bool = False
) -> tuple[Counts, list[dict[str, Any]], list[dict[str, Any]], str]:
    stream = StringIO()
    counts = extract_files(inputs, out, every=every, console=Console(quiet=True, stream=stream))
    rows, dropped = (list(jsonl.read(path, dict[str, Any])) for path in (out, dropped_path(out)))
    assert (len(rows), len(dropped)) == (counts.kept, counts.dropped)
    return counts, rows, dropped, stream.getvalue()


@pytest.mark.parametrize(
    ("name", "other"),
    [("a.jsonl", "a.dropped.jsonl"), ("a.jsonl.zst", "a.dropped.jsonl"), ("b.c.jsonl.gz", "b.c.dropped.jsonl")],
)
def test_where_dropped_pages_go(name: str, other: str) -> None:
    assert dropped_path(Path("x") / name) == Path("x") / other


def test_rows_keep_their_id_and_url(tmp_path: Path) -> None:
    rows = [{"id": 7, "url": "http://a.example/", "html": MATHS}, {"id": "n", "url": "http://b.example/", "html": NEWS}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, kept, dropped, _ = extract([tmp_path / "in.jsonl"], tmp_path / "out.jsonl.zst")
    assert [(row["id"], row["url"], row["title"], row["found_math"]) for row in kept] == [
        ("7", "http://a.example/", "T", 1)
    ]
    assert "$x^2 + y^2 = z^2$" in kept[0]["text"] and set(kept[0]) == {"id", "url", "title", "text", "found_math"}
    assert [(row["id"], row["step"]) for row in dropped] == [("n", "prefilter")]
    _, kept, dropped, _ = extract([tmp_path / "in.jsonl"], tmp_path / "all.jsonl", every=True)
    assert [row["id"] for row in kept] == ["7", "n"] and not dropped


def test_a_damaged_row_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    good = json.dumps({"id": "g", "html": MATHS})
    data = f'{good}\n{{"id": "b", "html": "cut\n{{"id": "c"}}\n{good}\n'.encode()
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(data)[:-4])
    _, kept, dropped, said = extract([tmp_path / "in.jsonl.gz"], tmp_path / "out.jsonl", every=True)
    assert [row["id"] for row in kept] == ["g", "g"]
    assert [row["reason"].split(":")[0] for row in dropped] == ["damaged row", "a row without 'html'", "damaged stream"]
    assert "in.jsonl.gz line 2" in said and "in.jsonl.gz line 5" in said


def test_html_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "site" / "deep").mkdir(parents=True)
    (tmp_path / "site" / "deep" / "a.html").write_text(MATHS)
    (tmp_path / "site" / "notes.txt").write_text("no page")
    _, kept, _, _ = extract([tmp_path / "site"], tmp_path / "out.jsonl")
    assert [row["id"] for row in kept] == [str(tmp_path / "site" / "deep" / "a.html")]
    with pytest.raises(MissingError, match="no pages"):
        (tmp_path / "empty").mkdir()
        extract([tmp_path / "empty"], tmp_path / "out.jsonl")
    with pytest.raises(MissingError, match="no such file"):
        extract([tmp_path / "none.html"], tmp_path / "out.jsonl")
    with pytest.raises(UsageError, match="format"):
        extract([tmp_path / "site"], tmp_path / "out.csv")


@pytest.mark.slow
def test_our_own_archive_and_a_broken_one(tmp_path: Path) -> None:
    counts, rows, _, _ = extract([SAMPLES / "web.warc.gz"], tmp_path / "out.jsonl")
    everything, every, rest, _ = extract([SAMPLES / "web.warc.gz"], tmp_path / "all.jsonl", every=True)
    assert counts.kept + counts.dropped == everything.kept + everything.dropped and not rest
    assert {row["id"] for row in rows} < {row["id"] for row in every} and all(
        row["url"].startswith("http") for row in every
    )
    data = (SAMPLES / "web.warc.gz").read_bytes()
    half = len(data) // 2
    (tmp_path / "broken.warc.gz").write_bytes(data[:half] + b"\x00" * 300 + data[half + 300 :])
    _, kept, dropped, said = extract([tmp_path / "broken.warc.gz"], tmp_path / "b.jsonl", every=True)
    assert everything.kept - 3 <= len(kept) < everything.kept
    assert "broken.warc.gz@" in said and any(row["step"] == "read" for row in dropped)


def test_papers_have_a_row_each(tmp_path: Path) -> None:
    inputs = sorted((SAMPLES / "arxiv").glob("*.tar.gz"))
    (tmp_path / "bad.tar.gz").write_bytes(b"\x1f\x8b\x08 no archive")
    out = tmp_path / "papers.jsonl"
    counts = latex_files([*inputs, tmp_path / "bad.tar.gz"], out, console=Console(quiet=True, stream=StringIO()))
    rows = list(jsonl.read(out, dict[str, Any]))
    assert counts == Counts(3, 1) and [row["id"] for row in rows] == ["sample.00001", "sample.00002", "sample.00003"]
    assert all(set(row) == {"id", "text", "meta"} and "\\begin" in row["text"] for row in rows)
    assert [row["id"] for row in jsonl.read(dropped_path(out), dict[str, Any])] == ["bad"]


@pytest.mark.skipif(
    shutil.which("coqc") is None or shutil.which("bwrap") is None, reason="Rocq or bubblewrap is not installed"
)
def test_proofs_become_rows_in_the_same_order_whatever_the_workers(tmp_path: Path, console: Console) -> None:
    for number in range(4):
        text = f"Lemma a{number} : {number} = {number}. Proof. reflexivity. Qed.\nLemma b : 1 = 2. Proof. auto. Qed.\n"
        (tmp_path / f"{number}.v").write_text(text)
    outs = [tmp_path / f"out{workers}.jsonl" for workers in (1, 3)]
    for workers, out in zip((1, 3), outs, strict=True):
        counts = steps_files([tmp_path], out, "rocq", workers=workers, console=console)
        assert (counts.kept, counts.dropped) == (4, 4)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    rows = [json.loads(line) for line in outs[0].read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"{tmp_path.name}/{number}.v/a{number}" for number in range(4)]


def test_text_of_a_wet_file_stands_as_it_is(tmp_path: Path) -> None:
    text = "A title\nThe sum $x^2 + 1$ and \\(a_n\\) cost $5 and $7, that is all.\n" + "More words follow here. " * 20
    data = b""
    for number, body in enumerate([text, "nothing of the kind " * 20]):
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://a.example/{number}\r\n"
        raw = body.encode()
        data += gzip.compress(
            f"{head}Content-Type: text/plain\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw + b"\r\n\r\n"
        )
    (tmp_path / "a.wet.gz").write_bytes(data)
    _, kept, dropped, _ = extract([tmp_path / "a.wet.gz"], tmp_path / "out.jsonl")
    assert [(row["url"], row["text"], row["found_math"]) for row in kept] == [("https://a.example/0", text, 2)]
    assert [row["step"] for row in dropped] == ["prefilter"]


def test_what_files_are_is_seen_by_their_bytes(tmp_path: Path) -> None:
    row = json.dumps({"id": "r", "html": MATHS}).encode()
    for name, data in (("page", MATHS.encode()), ("rows", row), ("packed", gzip.compress(row + b"\n" + row))):
        (tmp_path / name).write_bytes(data)
    _, kept, _, _ = extract([tmp_path / "page", tmp_path / "rows"], tmp_path / "out.jsonl")
    assert [row["id"] for row in kept] == [str(tmp_path / "page"), "r"]
    _, kept, _, _ = extract([f"{tmp_path}/pag*"], tmp_path / "out.jsonl")  # type: ignore[list-item]
    assert len(kept) == 1
    (tmp_path / "no").write_bytes(b"neither of these")
    with pytest.raises(DataError, match="no WARC record"):
        extract([tmp_path / "no"], tmp_path / "out.jsonl")


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.slow
def test_standard_input(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    row = json.dumps({"id": "r", "html": MATHS}).encode() + b"\n"
    for data in (row * 3, (SAMPLES / "web.warc.gz").read_bytes(), MATHS.encode()):
        given = data if data.startswith(b"\x1f") else packed(data)
        if data == MATHS.encode() and packed is not bytes:
            continue  # one page is not worth packing
        process = subprocess.run(
            [sys.executable, "-m", "llemma", "corpus", "extract", "-", "--out", str(tmp_path / "o.jsonl"), "--json"],
            input=given, capture_output=True, check=True,
        )  # fmt: skip
        assert json.loads(process.stdout)["kept"] >= 1


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    inputs = [SAMPLES / "web.warc.gz", SAMPLES / "web.warc.gz"]
    outs = []
    for workers in (1, 2, 4):
        out = tmp_path / f"{workers}.jsonl"
        extract_files(inputs, out, every=False, console=Console(quiet=True, stream=StringIO()), workers=workers)
        outs.append((out.read_bytes(), dropped_path(out).read_bytes()))
    assert outs[0] == outs[1] == outs[2] and all(outs[0])


@pytest.mark.slow
def test_pages_that_take_too_much_cost_themselves(tmp_path: Path) -> None:
    """A page that needs several seconds, at a limit of one; deep nesting; null bytes."""
    heavy = MATHS.replace("</p>", r"<p>so \(a_{1}\) is" * 400_000)
    rows = [
        ("a", MATHS),
        ("heavy", heavy),
        ("deep", "<div>" * 200_000 + MATHS),
        ("nulls", "\0" * 999 + MATHS),
        ("b", MATHS),
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": name, "html": html}) + "\n" for name, html in rows))
    out, stream = tmp_path / "out.jsonl", StringIO()
    limits = Limits(seconds=1.0)
    counts = extract_files([tmp_path / "in.jsonl"], out, every=True, console=Console(stream=stream), limits=limits)
    assert counts == Counts(4, 1)
    assert [row["id"] for row in jsonl.read(out, dict[str, Any])] == ["a", "deep", "nulls", "b"]
    (lost,) = jsonl.read(dropped_path(out), dict[str, Any])
    assert (lost["id"], lost["step"]) == ("in.jsonl line 2", "timeout") and lost["reason"].startswith("more than")
    assert "skipped in.jsonl line 2" in stream.getvalue()


@pytest.mark.slow
def test_a_cut_page_says_so(tmp_path: Path) -> None:
    page = MATHS.replace("</p>", "words " * 4_000_000 + "</p>")
    assert len(page) > 20_000_000
    (tmp_path / "large.html").write_text(page)
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + MATHS.encode()
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/\r\nWARC-Truncated: length\r\n"
    head += b"Content-Type: application/http\r\nContent-Length: %d\r\n\r\n" % len(block)
    (tmp_path / "cut.warc").write_bytes(head + block + b"\r\n\r\n")
    _, kept, _, _ = extract([tmp_path / "large.html", tmp_path / "cut.warc"], tmp_path / "out.jsonl", every=True)
    assert [row["truncated"] for row in kept] == ["size", "length"]
