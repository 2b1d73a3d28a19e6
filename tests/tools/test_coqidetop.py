"""Sessions of coqidetop: the protocol read and written, and limits that hold."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import DataError, MissingError
from llemma.tools import coq, coq_xml
from llemma.tools.coq_xml import Failure, Goals, Message
from llemma.tools.coqidetop import Coqidetop, SessionError

present = pytest.mark.skipif(
    shutil.which("coqidetop.opt") is None or shutil.which("bwrap") is None, reason="Coq or bubblewrap is not installed"
)


@given(st.text())
def test_no_text_breaks_a_call(text: str) -> None:
    call = ElementTree.fromstring(coq_xml.add_call(text, 7))
    found = call.find(".//string")
    assert found is not None
    clean = coq_xml._CONTROL.sub("\ufffd", text)
    # an XML parser reads every line end as a newline
    assert (found.text or "") == clean.replace("\r\n", "\n").replace("\r", "\n")
    assert ElementTree.fromstring(coq_xml.query_call(text, 7)).get("val") == "Query"


@given(st.binary(max_size=200))
def test_a_reply_is_read_or_refused(data: bytes) -> None:
    try:
        coq_xml.read_reply(data)
    except DataError as error:
        assert "Coq answered" in error.what


def test_feedback_and_messages_come_before_the_value() -> None:
    reply = coq_xml.read_reply(
        b'<feedback object="state" route="0"><state_id val="3"/><feedback_content val="processed"/></feedback>'
        b'<feedback object="state" route="0"><state_id val="3"/><feedback_content val="message"><message>'
        b'<message_level val="notice"/><option val="none"/><richpp><_><pp>a&nbsp;&lt;<b.c>d</b.c>\x01</pp></_></richpp>'
        b"</message></feedback_content></feedback>"
        b'<value val="fail" loc_s="3" loc_e="5"><state_id val="9"/><richpp><_>Timeout!</_></richpp></value>'
    )
    assert reply.messages() == [Message("notice", "a <d\ufffd")]
    assert reply.failure() == Failure("timeout", "Timeout!", 3, 5, 9)


@pytest.fixture(scope="module")
def shared() -> Iterator[Coqidetop]:
    with Coqidetop(memory_mb=1500) as session:
        yield session


@pytest.fixture
def session(shared: Coqidetop) -> Coqidetop:
    if not shared.alive():
        pytest.fail("an earlier test lost the shared session")
    assert shared.edit_at(shared.root, 5) is None
    return shared


def tell(session: Coqidetop, *sentences: str) -> int:
    state = session.root
    for sentence in sentences:
        added = session.add(sentence, state, 20)
        assert isinstance(added, int), added
        state = added
    assert not isinstance(session.goals(20), Failure)
    return state


@present
def test_goals_are_told_in_and_out_of_focus(session: Coqidetop) -> None:
    assert session.goals(5) is None
    tell(session, "Theorem t : forall n m : nat, n = m -> m = n /\\ exists k, k = n.", "intros n m E.", "split.", "-")
    goals = session.goals(5)
    assert isinstance(goals, Goals)
    assert [goal.conclusion for goal in goals.foreground] == ["m = n"]
    assert goals.foreground[0].hypotheses == ("n, m : nat", "E : n = m")
    assert [goal.conclusion for goal in goals.background] == ["exists k : nat, k = n"]
    assert not goals.finished and session.finished(5) is False


@present
def test_shelved_and_given_up_goals_are_not_finished(session: Coqidetop) -> None:
    tell(session, "Theorem t : True /\\ True.", "split.", "shelve.", "admit.")
    goals = session.goals(5)
    assert isinstance(goals, Goals) and not goals.foreground and not goals.finished
    assert (len(goals.shelved), len(goals.given_up)) == (1, 1)
    assert session.finished(5) is False


@present
def test_errors_tell_their_place_and_the_last_good_state(session: Coqidetop) -> None:
    state = tell(session, "Theorem té : True.")
    parsed = session.add("pose (é := ((1).", state, 5)
    assert isinstance(parsed, Failure) and "Syntax error" in parsed.why and parsed.start == 15
    assert isinstance(session.add("exact J.", state, 5), int)
    failed = session.goals(5)
    assert isinstance(failed, Failure) and failed.kind == "error" and failed.state == state
    assert failed.why == "The reference J was not found in the current environment."
    assert session.edit_at(state, 5) is None
    assert isinstance(session.add("exact I.", state, 5), int) and session.finished(5) is True


@present
@pytest.mark.parametrize(
    "failing",
    [
        ["Definition x := y.", "Theorem t : True."],
        ["Theorem t : True /\\ True.", "split.", "{", "exact J.", "}", "exact I."],
        ["Theorem t : True /\\ True.", "split.", "-", "exact J.", "-", "exact I."],
        ["Theorem t : False.", "exact J.", "Qed.", "Theorem u : True."],
    ],
)
def test_no_error_is_passed_over(session: Coqidetop, failing: list[str]) -> None:
    state: int | Failure = session.root
    for sentence in failing:
        assert isinstance(state, int)
        state = session.add(sentence, state, 5)
    assert isinstance(session.goals(5), Failure)


@present
def test_a_state_left_behind_is_gone(session: Coqidetop) -> None:
    state = tell(session, "Theorem t : True.", "idtac.")
    assert session.edit_at(session.root, 5) is None
    assert isinstance(session.edit_at(state, 5), Failure)


@present
def test_what_commands_print_is_kept(session: Coqidetop) -> None:
    state = tell(session, "Axiom cheat : False.", "Theorem t : False.", "exact cheat.", "Qed.")
    printed = session.query("Print Assumptions t.", state, 20)
    assert isinstance(printed, list) and "cheat : False" in printed[-1].text
    assert isinstance(session.query("Print Assumptions nothing.", state, 5), Failure)
    status = session.status(5)
    assert isinstance(status, coq_xml.Status) and status.proof is None and status.path == ("Top",)


@present
@pytest.mark.parametrize("endless", ["repeat pose 1.", "repeat (pose 1; pose 2).", "do 100000000 idtac."])
def test_an_endless_tactic_is_interrupted_and_the_session_lives(session: Coqidetop, endless: str) -> None:
    state = tell(session, "Theorem t : True.")
    assert isinstance(session.add(endless, state, 5), int)
    begun = time.monotonic()
    result = session.goals(0.3)
    assert isinstance(result, Failure) and result.kind == "timeout"
    assert time.monotonic() - begun < 8
    assert session.edit_at(state, 5) is None
    assert isinstance(session.add("exact I.", state, 5), int) and session.finished(5) is True


@present
def test_an_interrupt_between_calls_costs_one_call_at_most(session: Coqidetop) -> None:
    session.interrupt()
    time.sleep(0.1)
    first = session.status(5)
    assert not isinstance(first, Failure) or first.kind == "interrupted"
    assert not isinstance(session.status(5), Failure)


@present
def test_another_thread_may_interrupt(session: Coqidetop) -> None:
    state = tell(session, "Theorem t : True.")
    session.add("repeat pose 1.", state, 5)
    timer = threading.Timer(0.2, session.interrupt)
    timer.start()
    result = session.goals(20)
    timer.join()
    assert isinstance(result, Failure) and result.kind == "interrupted"


@present
@pytest.mark.slow
def test_what_heeds_no_interrupt_is_killed() -> None:
    with Coqidetop() as session:
        pid = session._process._program()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(SessionError) as caught:
            session.goals(0.2)
        assert caught.value.kind == "timeout" and time.monotonic() - begun < 10
        assert not session.alive() and not Path(f"/proc/{pid}").exists()


@present
def test_memory_is_bounded() -> None:
    with Coqidetop(memory_mb=600) as session:
        state = tell(session, "Theorem t : True.", "Require Import Arith.")
        session.add("let x := eval vm_compute in (Nat.pow 2 28) in pose x.", state, 5)
        try:
            result = session.goals(30)
        except SessionError as error:
            assert error.kind == "memory"
        else:
            assert isinstance(result, Failure) and result.kind == "memory"


@present
def test_a_crash_is_told_and_close_may_be_called_again() -> None:
    session = Coqidetop()
    pid = session._process._program()
    assert pid is not None and session.resident_mb() > 10
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(SessionError) as caught:
        for _ in range(3):
            session.goals(2)
    assert caught.value.kind == "crash"
    session.close()
    session.close()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.what, again.kind) == (caught.value.what, "crash")


@present
def test_a_session_writes_nowhere_else(session: Coqidetop, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    state = tell(session)
    session.add(f'Redirect "{tmp_path}/leak" Print nat.', state, 5)
    session.goals(5)
    session.edit_at(state, 5)
    session.add('Redirect "/proof" Print nat.', state, 5)
    assert isinstance(session.goals(5), Failure)
    assert list(tmp_path.iterdir()) == []


@present
def test_theories_of_its_own_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "Own.v").write_text("Definition five := 5.")
    tmp_path.chmod(0o755)
    subprocess.run(["coqc", "-q", "-noglob", "-Q", ".", "Mine", "Own.v"], cwd=tmp_path, check=True, timeout=60)
    with Coqidetop(options=["-Q", "/theory", "Mine"], readable={"/theory": str(tmp_path)}) as session:
        state = tell(session, "Require Import Mine.Own.")
        printed = session.query("Print five.", state, 5)
        assert isinstance(printed, list) and "five = 5" in printed[-1].text


def test_absence_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    coq.find_coq.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match="apt-get install coq libcoq-coquelicot"):
        coq.find_coq()
    coq.find_coq.cache_clear()
