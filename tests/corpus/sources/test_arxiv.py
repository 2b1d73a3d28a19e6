"""Paper archives: every packing, and hostile ones."""

# ruff: noqa: E501

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.latex import archive as archives
from llemma.corpus.sources.arxiv import Arxiv

ROOT = Path(__file__).parents[3]
REAL = ROOT / "../shared/raw/arxiv"
MAIN = b"\\documentclass{article}\\title{T}\\begin{document}Hello \\input{part} end.\\end{document}"
FILES = {"main.tex": MAIN, "part.tex": b"from the part"}


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(path: Path) -> Document | Dropped:
    source = Arxiv(inputs=[str(path)])
    (unit,) = source.units(None)  # type: ignore[arg-type]
    (item,) = [source.one(packed, "arxiv") for packed in source.pieces(unit)]
    return item


def dropped(path: Path) -> str:
    item = read(path)
    assert isinstance(item, Dropped), item
    return item.reason


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.tar.gz", tar(FILES)), ("p.tgz", tar(FILES)), ("p.tar", tar(FILES, "w")), ("p.zip", zipped(FILES)),
        ("p.gz", tar(FILES)), ("p.gz", gzip.compress(MAIN.replace(b"\\input{part}", b"from the part"))),
    ],
    ids=range(6),
)  # fmt: skip
def test_packings(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    item = read(tmp_path / name)
    assert isinstance(item, Document)
    assert item.id == "p" and item.text == "\\title{T}\n\nHello from the part end."


def test_folder_is_one_paper_and_folder_of_archives_is_many(tmp_path: Path) -> None:
    paper = tmp_path / "one"
    paper.mkdir()
    for name, data in FILES.items():
        (paper / name).write_bytes(data)
    (tmp_path / "two.tar.gz").write_bytes(tar(FILES))
    assert [unit.name for unit in Arxiv(inputs=[str(tmp_path)]).units(None)] == ["one", "two"]  # type: ignore[arg-type]
    item = read(paper)
    assert isinstance(item, Document) and "from the part" in item.text


def test_same_name_in_two_folders_stays_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.tar.gz").write_bytes(tar(FILES))
    names = [unit.name for unit in Arxiv(inputs=[str(tmp_path / "*" / "*.gz")]).units(None)]  # type: ignore[arg-type]
    assert len(set(names)) == 2


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.95])
def test_of_a_broken_archive_the_intact_files_are_read(tmp_path: Path, keep: float, pack) -> None:  # type: ignore[no-untyped-def]
    noise = random.Random(0).randbytes(40_000).hex().encode()
    data = pack(FILES | {"noise.tex": noise})
    path = tmp_path / ("p.zip" if pack is zipped else "p.tar.gz")
    path.write_bytes(data[: int(len(data) * keep)])
    if pack is zipped:  # a zip's list of files stands at its end
        assert "damaged" in dropped(path)
        return
    item = read(path)
    assert isinstance(item, Document) and item.text == "\\title{T}\n\nHello from the part end."
    assert "damaged" in item.meta["warnings"][0]


def test_a_broken_beginning_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "p.tar.gz").write_bytes(tar({"main.tex": MAIN * 1000}, "w:gz")[:60])
    assert "damaged" in dropped(tmp_path / "p.tar.gz")


def test_a_damaged_header_costs_its_file_alone(tmp_path: Path) -> None:
    data = bytearray(
        tar({"a.tex": MAIN.replace(b"\\input{part}", b"one"), "b.sty": b"x" * 600, "part.tex": b"from the part"}, "w")
    )
    where = data.index(b"b.sty")
    data[where : where + 5] = b"\x00\xff\x00\xff\x00"
    (tmp_path / "p.tar").write_bytes(data)
    item = read(tmp_path / "p.tar")
    assert isinstance(item, Document) and "Hello one end." in item.text and "damaged" in item.meta["warnings"][0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.5 ...", "PDF"), (gzip.compress(b"%PDF-1.5" + b"x" * 1000), "PDF"), (b"", "empty"), (b"plain words", "neither"),
        (tar({"figure.png": b"x"}), "no LaTeX"), (zipped({"a.txt": b"x"}), "no LaTeX"), (b"\x1f\x8b\x08\x00rubbish", "damaged"),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_paper_is_dropped_with_its_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "p.gz").write_bytes(data)
    assert reason in dropped(tmp_path / "p.gz")


def test_hostile_names_and_links_do_nothing(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in {"../../evil.tex": b"evil", "/abs.tex": b"abs", "main.tex": MAIN}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("part.tex")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (tmp_path / "p.tar.gz").write_bytes(out.getvalue())
    before = sorted(tmp_path.parent.rglob("*"))
    item = read(tmp_path / "p.tar.gz")
    assert isinstance(item, Document) and "root:" not in item.text
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_input_cannot_leave_the_archive(tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text("secret")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "m.tex").write_text("\\begin{document}a \\input{../secret} \\input{/etc/passwd} b\\end{document}")
    item = read(tmp_path / "p")
    assert isinstance(item, Document) and "secret" not in item.text and "root:" not in item.text


def test_bombs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1_000_000)
    monkeypatch.setattr(archives, "MAX_TOTAL", 500_000)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 50)
    for data in (
        tar({"a.png": bytes(3_000_000), "m.tex": MAIN}),
        tar({"m.tex": b"\\x" * 300_000}),
        tar({f"{n}.tex": b"\\x" for n in range(60)}),
        zipped({f"{n}.tex": b"\\x" for n in range(60)}),
        zipped({"a.tex": b"\\x" * 150_000, "b.tex": b"\\x" * 150_000}),
    ):
        (tmp_path / "p.tar.gz").write_bytes(data)
        assert "more than" in dropped(tmp_path / "p.tar.gz")


def test_missing() -> None:
    with pytest.raises(MissingError):
        Arxiv(inputs=["/nowhere.tar.gz"]).units(None)  # type: ignore[arg-type]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real papers are not on this machine")
def test_real_books_keep_their_theorems_and_proofs() -> None:
    source = Arxiv(inputs=[str(REAL)])
    for unit in source.units(None):  # type: ignore[arg-type]
        (item,) = [source.one(packed, "arxiv") for packed in source.pieces(unit)]
        assert isinstance(item, Document)
        text = b"\n".join(archives.read_archive(Path(unit.path)).files.values()).decode()
        for name in ("theorem", "thm", "lemma", "lem", "proof", "definition", "defn"):
            begin, end = f"\\begin{{{name}}}", f"\\end{{{name}}}"
            assert item.text.count(begin) >= 0.97 * text.count(begin)
            assert item.text.count(begin) == item.text.count(end)


def test_a_bulk_file_gives_one_row_a_paper(tmp_path: Path) -> None:
    single = gzip.compress(MAIN.replace(b"\\input{part}", b"one"))
    members = {
        "2310/2310.10631.gz": tar(FILES),
        "2310/2310.00001.gz": single,
        "2310/2310.00002.pdf": b"%PDF-1.5",
        "2310/math0211159.gz": b"\x1f\x8bx",
    }
    (tmp_path / "arXiv_src_2310_001.tar").write_bytes(tar(members, "w"))
    source = Arxiv(inputs=[str(tmp_path / "arXiv_src_2310_001.tar")])
    (unit,) = source.units(None)  # type: ignore[arg-type]
    items = {item.id: item for item in source.read(unit, "arxiv")}
    assert list(items) == ["2310.10631", "2310.00001", "2310.00002", "math0211159"]
    first, last = items["2310.10631"], items["2310.00002"]
    assert (
        isinstance(first, Document)
        and first.meta["arxiv"] == "2310.10631"
        and first.meta["files"] == ["main.tex", "part.tex"]
    )
    assert isinstance(last, Dropped) and last.reason == "PDF without LaTeX source"


def test_an_archive_in_an_archive_is_opened_once(tmp_path: Path) -> None:
    (tmp_path / "p.tar.gz").write_bytes(tar({"readme": b"x", "source.zip": zipped(FILES)}))
    item = read(tmp_path / "p.tar.gz")
    assert isinstance(item, Document) and "from the part" in item.text
    (tmp_path / "p.tar.gz").write_bytes(tar({"a.zip": zipped({"b.zip": zipped(FILES)})}))
    assert dropped(tmp_path / "p.tar.gz")


@pytest.mark.parametrize(("name", "word"), [("p.pdf", "PDF"), ("p.ps", "PostScript"), ("p.html", "HTML")])
def test_archives_without_latex_say_what_they_hold(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / "p.tar.gz").write_bytes(tar({name: b"x", "figure.png": b"x"}))
    assert dropped(tmp_path / "p.tar.gz") == f"{word} without LaTeX source"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=40), st.sampled_from(["w", "w:gz"]))
def test_damage_anywhere_gives_files_or_a_reason(at: int, junk: bytes, mode: str) -> None:
    data = bytearray(tar(FILES | {"c.sty": b"x" * 900}, mode))
    at %= len(data)
    data[at : at + len(junk)] = junk
    try:
        assert archives.read_packed(bytes(data), "p.tar.gz").files
    except archives.RefusedError as error:
        assert str(error)
