"""Addresses of crawl files: `s3://` becomes `https://`, and a list of paths becomes the addresses it stands for.

Common Crawl lists the files of a crawl by their keys in its bucket (`crawl-data/CC-MAIN-2023-14/warc.paths.gz`). Its
bucket is public at https://data.commoncrawl.org/ without an account (https://commoncrawl.org/get-started).
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from urllib.parse import quote, urlsplit

from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError
from llemma.corpus.sources import remote

COMMON_CRAWL = "https://data.commoncrawl.org"
MAX_LIST = 64 << 20
"""Unpacked bytes of a list: a crawl of 90,000 files has 13 MB."""

_LISTS = (".paths", ".paths.gz")


def is_remote(name: str) -> bool:
    """Whether this is an address rather than a path."""
    return name.startswith(("http://", "https://", "s3://"))


def is_list(name: str) -> bool:
    """Whether this names a list of files: `warc.paths.gz`, `wet.paths`."""
    return name.endswith(_LISTS)


def web_address(url: str) -> str:
    """Where an address is fetched. `s3://` goes to the endpoint of `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` (bucket
    in the path), else Common Crawl's bucket to its public address and others to Amazon's; always anonymous."""
    if not url.startswith("s3://"):
        return url
    bucket, _, key = url.removeprefix("s3://").partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}/{quote(key)}"
    return f"{COMMON_CRAWL if bucket == 'commoncrawl' else f'https://{bucket}.s3.amazonaws.com'}/{quote(key)}"


def listed(name: str, files: int, console: Console) -> list[str]:
    """The addresses that an input stands for: itself, or the first `files` (0: all) lines of a list, here or remote."""
    if not is_list(name):
        return [name]
    with remote.local(name, console=console) as path:
        lines = [line.strip() for line in _text(path).splitlines()]
    found = [_absolute(line, name) for line in lines if line and not line.startswith("#")]
    return found[:files] if files else found


def _text(path: Path) -> str:
    if not path.is_file():
        raise MissingError(f"no such file: {path}", mend="check the path")
    try:
        with gzip.open(path) if path.name.endswith(".gz") else open(path, "rb") as handle:
            return handle.read(MAX_LIST).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(
            f"no list of paths: {error}", where=str(path), mend="give a file such as warc.paths.gz"
        ) from error


def _absolute(line: str, name: str) -> str:
    """A line of the list `name`: an address, or a key below the place where the list's own path has the same first
    folder (`crawl-data/`), else at the root of its host or bucket."""
    if is_remote(line):
        return line
    if "://" in line:
        raise DataError(f"'{line}' is no address of a crawl file", where=name, mend="https:// and s3:// can be read")
    if not is_remote(name):
        return f"s3://commoncrawl/{line.lstrip('/')}"
    parts = urlsplit(name)
    before = parts.path.split(f"/{line.partition('/')[0]}/")[0] if f"/{line.partition('/')[0]}/" in parts.path else ""
    return f"{parts.scheme}://{parts.netloc}{before}/{line.lstrip('/')}"
