"""A file is read once, and again when it is another."""

from pathlib import Path

from llemma.corpus.web.quality.fresh import kept


def test_read_again_only_when_changed(tmp_path: Path) -> None:
    reads: list[str] = []

    @kept
    def text(path: str) -> str:
        reads.append(path)
        return Path(path).read_text("utf-8") if path else "built in"

    file = tmp_path / "a"
    file.write_text("one", "utf-8")
    assert [text(str(file)), text(str(file)), text(""), text("")] == ["one", "one", "built in", "built in"]
    file.write_text("three", "utf-8")
    assert text(str(file)) == "three" and len(reads) == 3
