"""Runs of the command line that begin with a checkpoint of the hub, and that go on under other settings."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest

from llemma.core import jsonl
from llemma.model import weights
from llemma.tokens.pairs import PairsConfig, write_pairs
from llemma.tokens.tokenizer import load

COMMIT = "c" * 40


@pytest.fixture
def hub(alone: Path) -> Iterator[str]:
    """The address of a hub on loopback that has the model me/tiny."""
    files = {path.name: path.read_bytes() for path in (alone / "final").iterdir()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            if "/tree/" in path:
                self.say([{"type": "file", "path": n, "size": len(c), "oid": digest(c)} for n, c in files.items()])
            elif path.startswith("/api/models/me/tiny"):
                self.say({"id": "me/tiny", "sha": COMMIT, "siblings": [{"rfilename": n} for n in files], "tags": []})
            else:
                found = files.get(path.rpartition("/")[2])
                head = {"ETag": f'"{digest(found)}"', "X-Repo-Commit": COMMIT} if found is not None else {}
                self.answer(200 if head else 404, head or {"X-Error-Code": "EntryNotFound"}, found or b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def say(self, value: Any) -> None:
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.mark.slow
def test_training_begins_with_a_model_of_the_hub(
    launch: Any, alone: Path, helpers: Any, hub: str, tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    here = {"HF_ENDPOINT": hub, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
    fast = ["tokens=640", "schedule_steps=40"]
    said = helpers.ended(launch(tmp_path / "hub", 0, "init='hf:me/tiny@main'", *fast, **here))
    assert "parity" in said or "transformers" in said  # the user's checkpoint is compared before the first step
    helpers.ended(launch(tmp_path / "folder", 0, f"init={str(alone / 'final')!r}", *fast))
    rows = [helpers.untimed(helpers.read(tmp_path / name / "base")) for name in ("hub", "folder")]
    assert rows[0] == rows[1] and rows[0][-1]["step"] == 10
    # the optimizer is new and the weights are not: it begins below where the other run began, with a warm-up
    assert rows[0][0]["loss"] < helpers.read(alone)[0]["loss"] - 1 and rows[0][0]["lr"] < 5e-3
    table = tomllib.loads((tmp_path / "hub" / "recipe.toml").read_text())
    assert table["train"]["base"]["init"] == "hf:me/tiny@main"
    assert weights.identity(tmp_path / "hub" / "base" / "final") == weights.identity(
        tmp_path / "folder" / "base" / "final"
    )


@pytest.mark.slow
def test_settings_that_change_no_number_may_change_on_the_way(
    launch: Any, alone: Path, helpers: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    helpers.kill_while_writing(launch(out, 0), out / "base", 30)
    refused = helpers.ended(launch(out, 0, "peak_lr=2e-2"), 4)
    assert "train.base.peak_lr: 0.01 -> 0.02" in refused and "--fresh" not in refused
    said = helpers.ended(launch(out, 0, "keep_checkpoints=7", "parity_check=false"))
    assert "goes on after step" in said
    assert helpers.untimed(helpers.read(out / "base")) == helpers.untimed(helpers.read(alone))
    assert tomllib.loads((out / "recipe.toml").read_text())["train"]["base"]["keep_checkpoints"] == 7
    again = helpers.ended(launch(out, 0, "keep_checkpoints=1"))
    assert "done before" in again


@pytest.mark.slow
def test_two_processes_learn_answers_as_one_does(launch: Any, helpers: Any, stores: Path, tmp_path: Path) -> None:
    """Answers lie unevenly in the windows of the two."""
    tokens, tokenizer = tmp_path / "tokens", load(stores / "tokenizer")
    tokens.mkdir()
    (tokens / "tokenizer").symlink_to(stores / "tokenizer")
    rows = [{"question": f"{i} + {i}", "answer": f"{2 * i} " * (1 + i % 3)} for i in range(99)]
    jsonl.write(tmp_path / "pairs.jsonl", rows)
    write_pairs([tmp_path / "pairs.jsonl"], tokenizer, tokens / "a", PairsConfig(validation=0.2))
    switches = ["context=48", "document_mask=true", "tokens=1920", "validate_every=5", "micro_batch=1"]
    found = []
    for processes, more in ((0, []), (2, []), (2, ["tensor_parallel=2", "loss_chunk=16"])):
        out = tmp_path / f"{processes}{len(more)}"
        helpers.ended(launch(out, processes, *switches, *more, tokens=str(tokens)))
        found.append(helpers.read(out / "base"))
    losses = [helpers.losses(rows) for rows in found]
    bits = [[row["validation"]["a"] for row in rows if "validation" in row] for rows in found]
    assert len(losses[0]) == 10 and len(bits[0]) == 2
    for other in (1, 2):
        assert max(abs(losses[0][step] - losses[other][step]) for step in losses[0]) < helpers.CLOSE
        assert bits[0] == pytest.approx(bits[other], abs=1e-3)
