"""Archives give their text and nothing else: no paths outside, no links, no bombs; what is damaged is said."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from llemma.core.errors import DataError, MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context
from llemma.corpus.sources import archive
from llemma.corpus.sources.archive import Archive

FILES = {f"top/f{number:02d}.txt": f"text {number} " * 400 for number in range(20)}


def make_tar(path: Path, mode: str = "w:gz", files: dict[str, str] = FILES) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            add(tar, name, text.encode())
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    tar.addfile(info, io.BytesIO(data))


def make_zip(path: Path, files: dict[str, str] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in files.items():
            out.writestr(name, text)
    return path


def read(path: Path, context: Context, **options: list[str]) -> list[Document | Dropped]:
    source = Archive([str(path)], **options)
    return [item for unit in source.units(context) for item in source.read(unit, "s")]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip"])
def test_every_kind_of_archive(name: str, tmp_path: Path, context: Context) -> None:
    path = tmp_path / name
    make_zip(path) if name.endswith("zip") else make_tar(path, "w:" + name.rpartition(".")[2].replace("tar", ""))
    items = read(path, context)
    assert {item.id: item.text for item in items if isinstance(item, Document)} == {
        f"{name}/{key}": text for key, text in FILES.items()
    }
    assert [item.id for item in read(path, context, include=["*.txt"], exclude=["top/f0*"])] == [
        f"{name}/top/f{number}.txt" for number in range(10, 20)
    ]


def test_only_regular_files_inside_are_read(tmp_path: Path, context: Context) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "../evil.txt", b"x")
        add(tar, "/etc/evil.txt", b"x")
        add(tar, "link", kind=tarfile.SYMTYPE, link="/etc/passwd")
        add(tar, "hard", kind=tarfile.LNKTYPE, link="../good.txt")
        add(tar, "pipe", kind=tarfile.FIFOTYPE)
        add(tar, "./good.txt", b"good")
    *faults, good = read(path, context)
    assert all(isinstance(item, Dropped) and item.step == "read" for item in faults)
    assert len(faults) == 5
    assert isinstance(good, Document) and (good.id, good.text) == ("a.tar/good.txt", "good")
    assert sorted(tmp_path.iterdir()) == [path]


def test_zip_links_and_paths(tmp_path: Path, context: Context) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
        out.writestr("../evil.txt", "x")
        out.writestr("good.txt", "good")
    assert [type(item) for item in read(path, context)] == [Dropped, Dropped, Document]


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 600]) + data[middle + 600 :]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("damage", [truncated, flipped])
def test_a_damaged_archive_gives_what_stands_before_and_says_so(
    name: str, damage: Callable[[bytes], bytes], tmp_path: Path, context: Context
) -> None:
    rng = random.Random(0)  # text that does not compress away, so that the damage lies in the middle
    files = {f"f{number:02d}.txt": "".join(rng.choices("0123456789abcdef", k=3000)) for number in range(40)}
    path = make_tar(tmp_path / name, "w:" + name.rpartition(".")[2].replace("tar", ""), files)
    path.write_bytes(damage(path.read_bytes()))
    items = read(path, context)
    whole = [item for item in items if isinstance(item, Document) and files.get(item.meta["path"]) == item.text]
    if name in ("a.tar", "a.tar.gz"):  # the others pack this little into one block, lost as a whole
        assert len(whole) >= 5
    faults = [item for item in items if isinstance(item, Dropped)]
    assert faults and faults[-1].step == "read"
    if damage is truncated or name != "a.tar":  # a plain tar has no checksum for content, only for headers
        assert faults[-1].id == name and faults[-1].reason.startswith("damaged archive: ")


def test_a_damaged_header_in_a_plain_tar_is_not_taken_for_the_end(tmp_path: Path, context: Context) -> None:
    path = make_tar(tmp_path / "a.tar", "w:", {f"{number}.txt": "x" * 100 for number in range(10)})
    data = bytearray(path.read_bytes())
    data[5 * 1024 + 10] ^= 0xFF
    path.write_bytes(data)
    items = read(path, context)
    assert [type(item) for item in items] == [Document] * 5 + [Dropped]
    assert items[-1].id == "a.tar"


def test_a_damaged_zip_member_is_left_out_alone(tmp_path: Path, context: Context) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name in ("a.txt", "b.txt", "c.txt"):
            out.writestr(name, name * 50)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"b.txt" * 50, b"b.txt" * 49 + b"?????"))
    assert [(type(item), item.id) for item in read(path, context)] == [
        (Document, "a.zip/a.txt"),
        (Dropped, "a.zip/b.txt"),
        (Document, "a.zip/c.txt"),
    ]


@pytest.mark.parametrize("name", ["bomb.tar.gz", "bomb.zip"])
def test_a_bomb_is_stopped(name: str, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FREE_BYTES", 100_000)
    files = {"small.txt": "fine", **{f"{number}.txt": "0" * 500_000 for number in range(20)}}
    path = tmp_path / name
    make_zip(path, files) if name.endswith("zip") else make_tar(path, "w:gz", files)
    items = read(path, context)
    assert isinstance(items[0], Document)
    assert isinstance(items[-1], Dropped) and items[-1].reason.startswith("unpacks to too much: ")
    assert sum(len(item.text) for item in items if isinstance(item, Document)) < 10_000_000


def test_a_huge_member_is_not_read(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILE", 1_000)
    path = make_tar(tmp_path / "a.tar.gz", files={"big.txt": "x" * 2_000, "small.txt": "x" * 500})
    assert [type(item) for item in read(path, context)] == [Dropped, Document]


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08broken", b"PK\x03\x04"])
def test_the_mere_beginning_of_an_archive_is_a_damaged_one(data: bytes, tmp_path: Path, context: Context) -> None:
    (tmp_path / "a.tar.gz").write_bytes(data)
    (item,) = read(tmp_path / "a.tar.gz", context)
    assert isinstance(item, Dropped) and item.reason.startswith("damaged archive: ")


@pytest.mark.parametrize(
    "data", [b"", b"just text, no archive at all\n" * 100, gzip.compress(b"one gzipped text", mtime=0)]
)
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path, context: Context) -> None:
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises(DataError, match=r"not an archive: a\.tar\.gz"):
        read(tmp_path / "a.tar.gz", context)


def test_a_missing_archive_is_named(tmp_path: Path, context: Context) -> None:
    with pytest.raises(MissingError, match=r"b\.zip"):
        read(tmp_path / "b.zip", context)


def pax(path: Path, size: int, kind: bytes) -> Path:
    """A tar that begins with a header that says it goes on for `size` bytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    with gzip.open(path, "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(200):
            out.write(b"0" * 1_000_000)
    return path


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.slow
def test_a_name_of_a_gigabyte_is_not_read(kind: bytes, tmp_path: Path, context: Context) -> None:
    path = make_tar(tmp_path / "good.tar", "w:", {"a.txt": "a"})
    bomb = pax(tmp_path / "bomb.tar.gz", 1 << 30, kind)
    head = path.read_bytes()[:1024]
    bomb.write_bytes(gzip.compress(head) + bomb.read_bytes())
    tracemalloc.start()
    first, last = read(bomb, context)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert isinstance(first, Document) and isinstance(last, Dropped) and last.reason.startswith("damaged archive: ")


def test_a_size_that_leads_backwards_ends_the_archive(tmp_path: Path, context: Context) -> None:
    data = bytearray(make_tar(tmp_path / "a.tar", "w:", {"a.txt": "a", "b.txt": "b"}).read_bytes())
    data[1024 + 124 : 1024 + 136] = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
    data[1024 + 148 : 1024 + 156] = b" " * 8
    data[1024 + 148 : 1024 + 156] = b"%06o\0 " % sum(data[1024:1536])
    (tmp_path / "a.tar").write_bytes(data)
    first, last = read(tmp_path / "a.tar", context)
    assert isinstance(first, Document) and isinstance(last, Dropped) and last.reason.startswith("damaged archive: ")


@pytest.mark.parametrize("name", ["many.tar.gz", "many.zip"])
def test_too_many_files_are_not_read(
    name: str, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    files = {f"{number}.txt": "" for number in range(150)}
    make_zip(tmp_path / name, files) if name.endswith("zip") else make_tar(tmp_path / name, "w:gz", files)
    items = read(tmp_path / name, context)
    assert len(items) == 101
    assert isinstance(items[-1], Dropped) and items[-1].reason.startswith("unpacks to too much: more than 100 members")


def test_a_zip_with_a_list_too_long_is_not_opened(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{number}.txt": "" for number in range(1_000)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # opening it would read the whole list
    (item,) = read(path, context)
    assert isinstance(item, Dropped) and item.reason.startswith("unpacks to too much: more than 100 members")
