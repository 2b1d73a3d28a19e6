"""What is a page, by its declarations and by its bytes; and in which characters it is written."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.web.decode import decode, known, wide
from llemma.corpus.web.mime import not_html

PAGE = b"<html><body><p>text</p></body></html>"
XHTML = b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'
FEED = b'<?xml version="1.0"?><!-- a feed --><rss version="2.0"><channel><title>t</title></channel></rss>'


@pytest.mark.parametrize(
    ("body", "http", "payload"),
    [
        (b"", "text/html; charset=x", ""),
        (b"", "", "application/xhtml+xml"),
        (PAGE, "", ""),
        (PAGE, "text/plain", ""),
        (PAGE, "application/octet-stream", "application/octet-stream"),
        (PAGE, "Text/HTML;charset=x", "image/png"),
        (PAGE, "text/html, text/html", ""),
        (PAGE, "html", ""),
        (XHTML, "application/xml", ""),
        (XHTML, "text/xml", "application/xml"),
        (b'<!DOCTYPE math PUBLIC "x" "y" [<!ENTITY a "b">]>\n' + XHTML[22:], "text/xml", ""),
        (b"\n\xef\xbb\xbf <!-- first\na comment --> <?php ?><!DOCTYPE HTML>", "", ""),
        (codecs.BOM_UTF16_LE + "<html><body>x".encode("utf-16-le"), "", ""),
        ("<html><body>wide".encode("utf-16-be"), "text/plain", ""),
        (b"<p>a fragment", "", ""),
        (b"some words first <b>and</b> <p>markup", "text/html", ""),
        (b"{{ template }} <html><body>", "text/html", ""),
        (b"<custom-element>by a framework</custom-element>", "text/html", ""),
    ],
)
def test_pages(body: bytes, http: str, payload: str) -> None:
    assert not_html(body, http, payload) == ""


@pytest.mark.parametrize(
    ("body", "http", "payload"),
    [
        (PAGE, "image/png", ""),
        (PAGE, "application/json", "text/html"),
        (b"%PDF-1.5 <html>", "text/html", ""),
        (b"\x89PNG\r\n", "", ""),
        (b"\xff\xd8\xff\xe0 <p>", "text/html", "text/html"),
        (b'{"html": "x"}', "text/html", ""),
        (b'[{"a": 1}]', "text/plain", ""),
        (b"{}", "", ""),
        (FEED, "text/html", ""),
        (FEED, "application/xml", ""),
        (FEED, "application/rss+xml", ""),
        (b'<feed xmlns="http://www.w3.org/2005/Atom">', "text/html", ""),
        (b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">', "text/xml", ""),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><title>x', "", ""),
        (b"plain words", "text/plain", ""),
        (b"", "", ""),
    ],
)
def test_other_things(body: bytes, http: str, payload: str) -> None:
    assert not_html(body, http, payload)


@pytest.mark.parametrize("piece", [b"<!--", b"<!-- -", b"<?", b" ", b"<!doctype x [", b"<a ", b"-->", b"\0"])
def test_hostile_beginnings_take_no_time(piece: bytes) -> None:
    begun = time.process_time()
    not_html(piece * 200_000, "text/plain")
    assert time.process_time() - begun < 0.5


META = '<meta http-equiv="Content-Type" content="text/html; charset={}">'


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "http"),
    [
        ("Привет, мир и теорема", "cp1251", "windows-1251", None),
        ("Привет, мир и теорема", "koi8-r", None, "KOI8-R"),
        ("数学定理的证明方法很重要", "gb18030", "gb2312", None),
        ("数学の定理と証明", "cp932", "shift_jis", None),
        ("数学の定理と証明", "euc_jp", None, "x-euc-jp"),
        ("수학 정리와 증명", "cp949", "euc-kr", None),
        ("naïve “quotes”", "cp1252", "iso-8859-1", None),
        ("naïve “quotes”", "utf-8", "iso-8859-1", None),
        ("naïve “quotes”", "utf-8", None, "utf-8lias"),
        ("Eğri ve yüzey", "cp1254", "iso-8859-9", None),
        ("δομή και θεώρημα", "utf-8", "utf-16", None),
        ("数学", "iso2022_jp", "iso-2022-jp", None),
    ],
)
def test_declared_character_sets(text: str, encoding: str, declared: str | None, http: str | None) -> None:
    page = (META.format(declared) if declared else "") + f"<p>{text}</p>"
    assert text in decode(page.encode(encoding), http)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_and_marked(encoding: str) -> None:
    page = "<html><p>naïve: the sum of the angles</p></html>"
    for mark in ("", "\ufeff") if encoding.endswith("e") else ("",):
        assert decode((mark + page).encode(encoding), "iso-8859-1") == page


def test_a_wrong_declaration_falls_back() -> None:
    text = "Ünïcödé " * 30
    assert text in decode((META.format("shift_jis") + text).encode("utf-8"))
    assert "теорема" in decode((META.format("utf-8") + "теорема о сумме углов треугольника " * 5).encode("cp1251"))
    cut = (META.format("utf-8") + "теорема " * 50).encode()[:-2]
    assert "теорема " * 49 in decode(cut) and decode(cut).endswith("\ufffd")


@pytest.mark.parametrize(
    "label", ["rot13", "hex", "punycode", "idna", "unicode_escape", "utf-7", "zip", "", "\0", "x" * 99]
)
def test_only_encodings_of_pages_are_used(label: str) -> None:
    assert known(label) == ""


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.one_of(st.none(), st.text(max_size=12)))
def test_no_bytes_raise(raw: bytes, charset: str | None) -> None:
    assert isinstance(decode(raw, charset), str) and isinstance(wide(raw), str)
    not_html(raw, charset or "")
