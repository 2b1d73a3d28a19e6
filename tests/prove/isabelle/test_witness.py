"""Another client as a witness: `isabelle-client` understands our fake server, and we understand what it recorded.

The package holds replies of a real server (Isabelle2025-2) for its own tests. It is no dependency; where it is not
installed (`pip install isabelle-client`), these tests are skipped.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from llemma.prove.isabelle.hammer import suggestions
from llemma.prove.isabelle.server import Results
from llemma.prove.isabelle.theory import trouble
from llemma.prove.isabelle.wire import Frames, Message

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("isabelle_client") is None, reason="isabelle-client is not installed"
)
FAKE = [os.path.realpath(sys.executable), str(Path(__file__).parent / "fake_server.py")]


def recorded(name: str) -> list[Message]:
    folder = importlib.resources.files("isabelle_client") / "resources" / "isabelle-responses"
    return Frames().feed((folder / name).read_bytes() + b"\n")


def results(name: str) -> Results:
    finished = [message for message in recorded(name) if message.name == "FINISHED"]
    return msgspec.convert(finished[-1].argument, Results)


@pytest.mark.parametrize(
    "name", ["help", "purge_theories", "session_build", "session_start", "session_stop", "unknown"]
)
def test_recorded_replies_are_whole_messages(name: str) -> None:
    messages = [message for message in recorded(name) if message.name]
    assert {message.name for message in messages} <= {"OK", "ERROR", "NOTE", "FINISHED"}
    if name.startswith("session"):
        assert messages[0].argument["task"] == messages[-1].argument["task"]


def test_a_recorded_proof_is_clean_and_a_recorded_failure_is_not() -> None:
    [good], [bad] = results("use_theories").nodes, results("use_theories.Fail").nodes
    assert trouble(good) == "" and trouble(bad).startswith("Failed to finish proof")


def test_a_recorded_call_of_sledgehammer_gives_steps() -> None:
    [node] = results("use_theories.Sledgehammer").nodes
    assert suggestions(node, 9)[:3] == ["by presburger", "by simp", "by auto"]


def test_the_fake_server_is_understood_by_another_client(tmp_path: Path) -> None:
    import isabelle_client

    (tmp_path / "Good.thy").write_text('theory Good imports Main begin lemma x: "closed_by auto" by auto end')
    (tmp_path / "Bad.thy").write_text('theory Bad imports Main begin lemma x: "closed_by auto" by simp end')
    server = subprocess.Popen([*FAKE, "server"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        client = isabelle_client.get_isabelle_client(server.stdout.readline())
        assert "use_theories" in client.help()[-1].response_body
        session = client.session_start(session="HOL")[-1].response_body.session_id
        for name, ok in (("Good", True), ("Bad", False)):
            said = client.use_theories(session, [name], str(tmp_path), check_limit=9)[-1].response_body
            assert said.ok is ok and bool(said.errors) is not ok
        assert client.purge_theories(session, ["Good"], str(tmp_path))[-1].response_body.purged
        assert client.shutdown().response_type.value == "OK"
        assert server.wait(timeout=10) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
