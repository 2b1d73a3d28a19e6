"""Pinned source distributions of Python packages, fetched once and read as archives; nothing of them is built or run.

`pip download` would run a package's build program to learn its metadata, so files are found here through the Simple
Repository API (PEP 503 HTML and PEP 691 JSON) of the index that pip is configured with.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html.parser
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llemma.core.console import Console
from llemma.core.errors import DataError, MissingError
from llemma.core.files import replacing, write_bytes
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.archive import as_documents, members
from llemma.corpus.sources.files import Wanted
from llemma.corpus.sources.installed import Installed

_PIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".zip")
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_TRIES = 3
_INSTALLED = "installed:"
_OFFLINE = 'run once with network access, or read the installed package instead: kind = "installed"'


class PyPI(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text files of source distributions. Ids are `name-version/path` without the archive's top folder.

    Where the index cannot be reached, a package that is installed here in the pinned version is read as installed; that
    is said aloud.
    """

    packages: list[str]
    """Pinned packages, as `name==version`."""
    include: list[str] = []
    """Patterns of the paths that are read; all when empty."""
    exclude: list[str] = []
    """Patterns of the paths that are not read."""

    def __post_init__(self) -> None:
        loose = [package for package in self.packages if not _PIN.fullmatch(package)]
        if loose:
            raise ValueError(f"packages must be pinned as name==version, unlike {', '.join(loose)}")

    def units(self, context: Context) -> list[Unit]:
        """One unit a package; fetches what the cache does not have."""
        folder, index = context.cache / "sdists", Index()
        return [self._unit(package, folder, index, context) for package in self.packages]

    def _unit(self, package: str, folder: Path, index: Index, context: Context) -> Unit:
        try:
            return _unit(package, folder, index, context.console)
        except MissingError as error:
            try:
                (unit,) = Installed([package]).units(context)
            except MissingError:
                raise error from None
            context.console.warn(f"{package}: {error.what}; reading the installed package instead")
            return msgspec.structs.replace(unit, path=_INSTALLED + unit.path)

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted member, in the archive's own order."""
        if unit.path.startswith(_INSTALLED):
            local = msgspec.structs.replace(unit, path=unit.path.removeprefix(_INSTALLED))
            yield from Installed([], self.include, self.exclude).read(local, source)
            return
        wanted = Wanted(self.include, self.exclude)
        name, _, version = unit.name.rpartition("-")
        facts = {"package": name, "version": version}
        for member in members(Path(unit.path), lambda path: wanted(_below_top(path))):
            inner = msgspec.structs.replace(member, path=_below_top(member.path))
            yield from as_documents(inner, unit.name, source, facts)


def _below_top(path: str) -> str:
    """`sympy-1.14.0/sympy/core/add.py` is `sympy/core/add.py`."""
    top, slash, rest = path.partition("/")
    return rest if slash else top


class File(msgspec.Struct, frozen=True):
    """A file that an index offers; `sha256` is empty where it gives none."""

    name: str
    url: str
    sha256: str = ""


def _unit(package: str, folder: Path, index: Index, console: Console) -> Unit:
    name, version = _split(package)
    known = _cached(folder, name, version)
    if known is None:
        known = _fetch(index.find(name, version), folder, console)
    path, digest = known
    return Unit(f"{name}-{version}", str(path), digest[:16])


def _split(package: str) -> tuple[str, str]:
    match = _PIN.fullmatch(package)
    assert match is not None  # checked when the record was made
    return match[1], match[2]


def _cached(folder: Path, name: str, version: str) -> tuple[Path, str] | None:
    """The cached file and its SHA-256, if it is still what was fetched."""
    for mark in sorted(folder.glob("*.sha256")):
        path = mark.with_suffix("")
        if is_sdist(path.name, name, version) and path.is_file():
            digest = _sha256(path)
            if digest == mark.read_text().strip():
                return path, digest
    return None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_sdist(file: str, name: str, version: str) -> bool:
    """Whether a file name is that of the source distribution: `ruamel_yaml-0.18.tar.gz` is one of `ruamel.yaml`."""
    for ending in _ARCHIVES:
        if file.endswith(ending):
            stem, _, found = file.removesuffix(ending).rpartition("-")
            return _normal(stem) == _normal(name) and found == version
    return False


def _normal(name: str) -> str:
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _fetch(file: File, folder: Path, console: Console) -> tuple[Path, str]:
    """Download a file into the cache, whole or not at all, and check it."""
    path = folder / file.name
    digest = hashlib.sha256()
    with replacing(path) as temporary, open(temporary, "wb") as out:
        for block in _download(file, console):
            digest.update(block)
            out.write(block)
        if file.sha256 and digest.hexdigest() != file.sha256:
            raise DataError(
                f"{file.name} is not what the index says: its SHA-256 is {digest.hexdigest()}",
                where=shown(file.url),
                mend="run the command again; if it stays so, the index or a proxy changes files",
            )
    write_bytes(path.with_name(path.name + ".sha256"), digest.hexdigest().encode() + b"\n")
    return path, digest.hexdigest()


def _download(file: File, console: Console) -> Iterator[bytes]:
    try:
        with _open(file.url) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            with console.progress(f"fetch {file.name}", size or None, unit="bytes") as bar:
                while block := answer.read(1 << 18):
                    bar.advance(len(block))
                    yield block
                if size and bar.done != size:
                    raise OSError(f"the answer ended after {bar.done:.0f} of {size} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise MissingError(f"cannot fetch {file.name}: {error}", where=shown(file.url), mend=_OFFLINE) from error


class Index:
    """The package index that pip is configured with, asked only when something must be found."""

    def __init__(self) -> None:
        self._places: tuple[list[str], list[str]] | None = None

    def find(self, name: str, version: str) -> File:
        """The source distribution of a release; raises `MissingError` when no index has it or none can be reached."""
        if self._places is None:
            self._places = configured(os.environ, _pip_config())
        links, indexes = self._places
        offered, failures = [], []
        for url in [*links, *(f"{index.rstrip('/')}/{_normal(name)}/" for index in indexes)]:
            try:
                files = _offers(url)
            except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                failures += [] if _is_absent(error) else [f"{shown(url)}: {error}"]
                continue
            for file in files:
                if is_sdist(file.name, name, version):
                    return file
            offered += [file.name for file in files]
        raise _not_found(name, version, offered, failures)


def _not_found(name: str, version: str, offered: Sequence[str], failures: Sequence[str]) -> MissingError:
    named = [file for file in offered if _normal(file).startswith(_normal(name) + "-")]
    if failures:  # the place that could not be reached may be the one that has it
        return MissingError(
            f"cannot reach a package index for {name}=={version}", where="; ".join(failures), mend=_OFFLINE
        )
    if any(f"-{version}-" in file for file in named):
        return MissingError(
            f"{name}=={version} has no source distribution",
            mend='read the installed package instead: kind = "installed"',
        )
    return MissingError(f"no index offers {name}=={version}", mend="check name and version")


def _is_absent(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) or (
        isinstance(error, urllib.error.HTTPError) and error.code in (404, 410)
    )


def configured(environment: Any, config: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """pip's places to look in, `(find-links, index URLs)`: an environment variable wins over pip's configuration."""

    def values(key: str) -> list[str]:
        named = environment.get("PIP_" + key.replace("-", "_").upper())
        return config.get(key, []) if named is None else str(named).split()

    links = [_as_url(link) for link in values("find-links")]
    if values("no-index")[:1] in (["1"], ["true"], ["True"], ["yes"], ["on"]):
        return links, []
    return links, [*(values("index-url")[:1] or _default_index()), *values("extra-index-url")]


def _as_url(place: str) -> str:
    return place if "://" in place else Path(place).expanduser().resolve().as_uri()


def _pip_config() -> dict[str, list[str]]:
    """pip's own settings by key; a section named for a command wins over `global`."""
    settings: dict[str, list[str]] = {}
    for line in sorted(_run_pip("config", "list").splitlines(), key=lambda line: not line.startswith("global.")):
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in ("global", "install", "download"):
            settings[option] = str(ast.literal_eval(value)).split()
    return settings


def _run_pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return answer.stdout if answer.returncode == 0 else ""


def _default_index() -> list[str]:
    """The index pip uses when nothing is configured, asked of pip itself."""
    command = [sys.executable, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode:
        raise MissingError(
            "no package index is known: pip is not in this environment",
            mend="set PIP_INDEX_URL, or add pip: python -m ensurepip",
        )
    return answer.stdout.split()


def _open(url: str) -> Any:
    """The answer to a request, tried again when the network hesitates."""
    for attempt in range(_TRIES):
        try:
            return urllib.request.urlopen(_request(url), timeout=30)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429
            if final or url.startswith("file:") or attempt == _TRIES - 1:
                raise
            time.sleep(2**attempt)
    raise AssertionError("unreachable")


def _request(url: str) -> urllib.request.Request:
    """The request for a URL; a name and password in it go into a header."""
    request = urllib.request.Request(shown(url), headers={"Accept": _ACCEPT, "User-Agent": "llemma"})
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    return request


def shown(url: str) -> str:
    """A URL without name and password, fit for messages."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _offers(url: str) -> list[File]:
    """The files that a page of an index, or a local folder, offers."""
    if url.startswith("file:"):
        return _local_offers(Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path)), url)
    with _open(url) as answer:
        data, kind, final = answer.read(), answer.headers.get_content_type(), answer.url
    # Links are relative to where redirects led; on the same host they need the same login.
    base = url if final == shown(url) else final
    return _json_offers(data, base) if kind.endswith("json") else _html_offers(data.decode("utf-8", "replace"), base)


def _local_offers(path: Path, url: str) -> list[File]:
    page = path / "index.html"
    if path.is_dir() and not page.exists():
        return [File(file.name, file.as_uri()) for file in sorted(path.iterdir()) if file.is_file()]
    page = page if path.is_dir() else path
    return _html_offers(page.read_text("utf-8", "replace"), url if path.is_file() else url.rstrip("/") + "/")


def _json_offers(data: bytes, base: str) -> list[File]:
    files = json.loads(data)["files"]
    return [
        File(file["filename"], urllib.parse.urljoin(base, file["url"]), file.get("hashes", {}).get("sha256", ""))
        for file in files
    ]


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def _html_offers(page: str, base: str) -> list[File]:
    links = _Links()
    links.feed(page)
    return [_link_file(urllib.parse.urljoin(base, link)) for link in links.found]


def _link_file(link: str) -> File:
    url, _, fragment = link.partition("#")
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    return File(name, url, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "")
