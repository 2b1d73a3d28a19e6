"""Downloads that break anywhere, servers of every mood, a cache that stays small; a run killed and begun again."""

# mypy: ignore-errors

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llemma.core.console import Console
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.types import Document
from llemma.corpus.source import Context
from llemma.corpus.sources import addresses, download, remote
from llemma.corpus.sources.warc import Warc


def _beside(name):
    spec = importlib.util.spec_from_file_location(f"beside_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


crawl_server, warcs = _beside("crawl_server"), _beside("test_warc")
State, serving = crawl_server.State, crawl_server.serving
DATA = random.Random(1).randbytes(1_500_000)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LLEMMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr(download, "sleep", found.append)
    return found


def fetched(state, times=1):
    with serving(state) as address:
        for _ in range(times):
            with remote.local(f"{address}/a.warc.gz") as path:
                data = path.read_bytes()
    assert not [path for path in remote.folder().iterdir() if path.suffix != ".lock"]
    return data


def ranges(state):
    return [asked for command, _, asked in state.asked if command == "GET"]


@pytest.mark.parametrize("tags", [True, False])
def test_a_broken_connection_goes_on_where_it_broke(waits, tags):
    state = State({"a.warc.gz": DATA}, tags=tags)
    state.plan = ["400000", "300000", "0", "500000", "ok"]
    assert fetched(state) == DATA
    assert ranges(state) == ["", "bytes=400000-", "bytes=700000-", "bytes=700000-", "bytes=1200000-"]
    assert state.sent == len(DATA) and len(waits) == 4


def test_what_makes_progress_may_break_for_ever(waits):
    state = State({"a.warc.gz": DATA})
    state.plan = ["20000"] * 60
    assert fetched(state) == DATA and state.sent == len(DATA)


def test_a_busy_server_is_waited_for_as_it_asks(waits):
    state = State({"a.warc.gz": DATA})
    state.plan = ["503:7", "100000", "503", "503:100000", "ok"]
    assert fetched(state) == DATA
    assert waits[0] == 7.0 and waits[3] == download.LONGEST and 0 < waits[2] <= 60
    assert state.sent == len(DATA)


def test_a_server_without_ranges_is_read_from_the_start(waits):
    state = State({"a.warc.gz": DATA})
    state.plan = ["400000", "ignore"]
    assert fetched(state) == DATA and state.sent == 400_000 + len(DATA)


@pytest.mark.parametrize("tags", [True, False])
def test_a_file_that_changes_meanwhile_is_never_pieced_together(waits, tags):
    state = State({"a.warc.gz": DATA}, tags=tags)
    state.plan = ["400000", "changed"]
    assert fetched(state) == DATA + b"!"


def test_a_part_longer_than_the_file_and_one_that_is_all_of_it(waits):
    state = State({"a.warc.gz": DATA})
    with serving(state) as address, remote._Entry(f"{address}/a.warc.gz") as entry:
        facts = download.probe(entry.address)
        entry._noted(facts)
        entry.part.write_bytes(DATA)
        entry.fetch(None)
        assert entry.path.read_bytes() == DATA and not ranges(state)
        entry.remove()
        entry._noted(download.Facts(None, facts.etag))
        entry.part.write_bytes(DATA)
        entry.fetch(None)
        assert entry.path.read_bytes() == DATA and ranges(state) == [f"bytes={len(DATA)}-"]
        entry.remove()
        entry._noted(download.Facts(None, facts.etag))
        entry.part.write_bytes(DATA + b"more")
        entry.fetch(None)
        assert entry.path.read_bytes() == DATA


def test_what_cannot_be_had_says_so(waits):
    state = State({"a.warc.gz": DATA})
    with serving(state) as address:
        with pytest.raises(MissingError, match="404") as error, remote.local(f"{address}/b.warc.gz"):
            pass
        assert error.value.mend and not waits
        state.plan = ["0"] * 20
        with pytest.raises(MissingError, match="8 times"), remote.local(f"{address}/a.warc.gz"):
            pass
    with pytest.raises(MissingError, match="cannot fetch"):
        download.probe(address)


def test_a_whole_file_that_was_kept_is_not_fetched_again_unless_it_changed(waits):
    state = State({"a.warc.gz": DATA})
    with serving(state) as address:
        for _ in range(2):
            with remote.local(f"{address}/a.warc.gz", keep=True) as path:
                assert path.read_bytes() == DATA
        assert len(ranges(state)) == 1
        state.files["a.warc.gz"] = b"other"
        with remote.local(f"{address}/a.warc.gz", keep=True) as path:
            assert path.read_bytes() == b"other"


def test_probing_a_server_that_answers_no_head(waits):
    state = State({"a.warc.gz": DATA}, head=False)
    with serving(state) as address:
        assert download.probe(f"{address}/a.warc.gz").size == len(DATA)


def test_the_cache_keeps_within_its_bound(waits, monkeypatch):
    state = State({f"{n}.warc.gz": bytes([n]) * 400_000 for n in range(5)})
    monkeypatch.setenv("LLEMMA_CRAWL_GB", "0.001")
    with serving(state) as address, remote.local(f"{address}/0.warc.gz", keep=True) as held:
        for n in range(1, 5):
            with remote.local(f"{address}/{n}.warc.gz", keep=True):
                pass
            os.utime(remote.folder(), None)
            assert held.is_file(), "a file in use is never removed"
        files = [path for path in remote.folder().iterdir() if path.name.endswith(".gz")]
        assert sum(path.stat().st_size for path in files) <= 1_000_000
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: type("U", (), {"free": 10}))
    with serving(state) as address, pytest.raises(LlemmaError, match="no room"), remote.local(f"{address}/1.warc.gz"):
        pass


def test_where_addresses_lead(monkeypatch, tmp_path, console):
    key = "crawl-data/CC-MAIN-2023-14/a b.warc.gz"
    assert addresses.web_address(f"s3://commoncrawl/{key}").startswith("https://data.commoncrawl.org/crawl-data/CC-")
    assert addresses.web_address(f"s3://mine/{key}") == f"https://mine.s3.amazonaws.com/{key.replace(' ', '%20')}"
    assert addresses.web_address("https://a.example/b") == "https://a.example/b"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")
    assert addresses.web_address("s3://commoncrawl/x/y") == "http://127.0.0.1:9000/commoncrawl/x/y"
    (tmp_path / "warc.paths").write_text("crawl-data/a.warc.gz\n\n# no\nhttps://b.example/c.warc.gz\n")
    assert addresses.listed(str(tmp_path / "warc.paths"), 0, console) == [
        "s3://commoncrawl/crawl-data/a.warc.gz",
        "https://b.example/c.warc.gz",
    ]
    for bad in ("file:///etc/passwd\n", "ftp://a/b\n"):
        (tmp_path / "bad.paths").write_text(bad)
        with pytest.raises(DataError, match="no address"):
            addresses.listed(str(tmp_path / "bad.paths"), 0, console)
    (tmp_path / "bad.paths.gz").write_bytes(b"\x1f\x8b\x08 no")
    with pytest.raises(DataError, match="no list"):
        addresses.listed(str(tmp_path / "bad.paths.gz"), 0, console)


def crawl(count=3):
    """A bucket with a list and `count` small crawl files of four pages each."""
    keys = [f"crawl-data/CC-X/{n}.warc.gz" for n in range(count)]
    files = {
        f"commoncrawl/{key}": b"".join(gzip.compress(warcs.record(10 * n + m), mtime=0) for m in range(4))
        for n, key in enumerate(keys)
    }
    files["commoncrawl/crawl-data/CC-X/warc.paths.gz"] = gzip.compress("\n".join(keys).encode())
    return files


def test_a_build_plans_without_fetching_and_reads_a_list(waits, monkeypatch, tmp_path):
    state = State(crawl())
    console = Console(quiet=True, stream=io.StringIO())
    with serving(state) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        source = Warc(["s3://commoncrawl/crawl-data/CC-X/warc.paths.gz"], files=2)
        units = source.units(Context(tmp_path, console))
        assert [unit.name for unit in units] == ["0.warc.gz", "1.warc.gz"] and len({unit.digest for unit in units}) == 2
        assert [path for command, path, _ in state.asked if command == "GET"] == [
            "commoncrawl/crawl-data/CC-X/warc.paths.gz"
        ]
        direct = Warc([f"{address}/commoncrawl/crawl-data/CC-X/warc.paths.gz"]).units(Context(tmp_path, console))
        assert [unit.path for unit in direct] == [
            f"{address}/commoncrawl/crawl-data/CC-X/{n}.warc.gz" for n in range(3)
        ]
        state.plan = ["900"]
        items = [item for unit in units for item in source.read(unit, "web")]
        assert [item.meta["url"][-2:].strip("/") for item in items if isinstance(item, Document)] == [
            "0", "1", "2", "3", "10", "11", "12", "13",
        ]  # fmt: skip
        state.files["commoncrawl/crawl-data/CC-X/0.warc.gz"] += gzip.compress(warcs.record(99))
        assert source.units(Context(tmp_path, console))[0].digest != units[0].digest
        with pytest.raises(DataError, match="changed since"):
            list(source.read(units[0], "web"))


def test_the_next_file_is_fetched_while_one_is_read(waits, monkeypatch):
    state = State(crawl())
    with serving(state) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        wheres = [f"s3://commoncrawl/crawl-data/CC-X/{n}.warc.gz" for n in range(3)]
        flow = remote.each(wheres)
        next(flow)
        deadline = time.monotonic() + 5
        while len(ranges(state)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(ranges(state)) == 2, "one ahead, and no more"
        assert len(list(flow)) == 2
    assert not [path for path in remote.folder().iterdir() if path.suffix != ".lock"]


def command(address, out, home):
    run = [sys.executable, "-m", "llemma", "corpus", "extract", "s3://commoncrawl/crawl-data/CC-X/warc.paths.gz"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": address, "LLEMMA_HOME": str(home)}
    return subprocess.Popen(
        [*run, "--out", str(out), "--all", "--limit", "2", "--workers", "1"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_download_goes_on_in_the_next_run(tmp_path):
    files = crawl()
    first = "commoncrawl/crawl-data/CC-X/0.warc.gz"
    files[first] += gzip.compress(warcs.record(7, random.Random(2).randbytes(900_000)), mtime=0)
    state = State(files)
    with serving(state) as address:
        state.plan = ["ok", "500000", "503:100", "ok"]  # the list; a part of the first file; a long wait
        process = command(address, tmp_path / "out.jsonl", tmp_path / "home")
        deadline = time.monotonic() + 20
        while len(ranges(state)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert len(ranges(state)) == 3 and not (tmp_path / "out.jsonl").exists()
        state.plan = []
        process = command(address, tmp_path / "out.jsonl", tmp_path / "home")
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert [asked for _, path, asked in state.asked if path == first and asked] == ["bytes=500000-", "bytes=500000-"]
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 8
    assert not [path for path in (tmp_path / "home/cache/crawl").iterdir() if path.suffix != ".lock"]


@pytest.mark.slow
def test_ctrl_c_ends_everything_at_once(tmp_path):
    state = State(crawl())
    with serving(state) as address:
        state.plan = ["ok", "10", "503:100"]
        process = command(address, tmp_path / "out.jsonl", tmp_path / "home")
        deadline = time.monotonic() + 20
        while len(ranges(state)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130 and time.monotonic() - begun < 5
