"""Pack the sample pages and papers: `python recipes/samples/build.py [OUT]`.

The same sources give the same content byte for byte: times are fixed and record ids are derived from addresses.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import uuid
from pathlib import Path

HERE = Path(__file__).parent
DATE = "2026-01-01T00:00:00Z"
SITE = "https://samples.example"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, SITE)
# What a page is served as; everything else is HTML in UTF-8.
SERVED = {
    "xhtml-groups": ("application/xhtml+xml", "utf-8"),
    "taylor-latin1": ("text/html; charset=iso-8859-1", "cp1252"),
    "quadrature-doxygen": ("", "utf-8"),  # no content type at all: its bytes must tell
}
# Our own crawl writes no payload type; one record in two does, as large crawls do.
WITHOUT_PAYLOAD_TYPE = frozenset({"quadrature-doxygen", "question-derangements", "xhtml-groups", "taylor-latin1"})


def record(kind: str, address: str, content_type: str, block: bytes, extra: str = "") -> bytes:
    """One WARC/1.0 record as its own gzip member."""
    identifier = uuid.uuid5(NAMESPACE, f"{kind} {address}")
    target = f"WARC-Target-URI: {address}\r\n" if kind != "warcinfo" else ""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{identifier}>\r\nWARC-Date: {DATE}\r\n"
        f"{target}{extra}"
        f"Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


def response(page: Path) -> bytes:
    """The record of one page with the HTTP headers it was served with."""
    served, charset = SERVED.get(page.stem, ("text/html; charset=utf-8", "utf-8"))
    body = page.read_text(encoding="utf-8").encode(charset)
    line = f"Content-Type: {served}\r\n" if served else ""
    http = f"HTTP/1.1 200 OK\r\n{line}Content-Length: {len(body)}\r\n\r\n".encode()
    extra = "" if page.stem in WITHOUT_PAYLOAD_TYPE else "WARC-Identified-Payload-Type: text/html\r\n"
    return record("response", f"{SITE}/{page.stem}", "application/http; msgtype=response", http + body, extra)


def warc(source: Path) -> bytes:
    """All pages of a folder as one WARC file."""
    info = record(
        "warcinfo",
        SITE,
        "application/warc-fields",
        b"software: recipes/samples/build.py\r\nformat: WARC File Format 1.0\r\n",
    )
    return info + b"".join(response(page) for page in sorted(source.glob("*.html")))


def archive(folder: Path) -> bytes:
    """A paper's folder as a tar.gz."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = file.read_bytes()
            member = tarfile.TarInfo(file.relative_to(folder).as_posix())
            member.size, member.mtime = len(data), 1767225600  # 2026-01-01
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def build(out: Path) -> None:
    """Write `web.warc.gz` and `arxiv/*.tar.gz` under `out`."""
    (out / "arxiv").mkdir(parents=True, exist_ok=True)
    (out / "web.warc.gz").write_bytes(warc(HERE / "src" / "web"))
    for folder in sorted((HERE / "src" / "arxiv").iterdir()):
        (out / "arxiv" / f"{folder.name}.tar.gz").write_bytes(archive(folder))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
