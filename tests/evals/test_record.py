import pytest

from llemma.core.errors import LlemmaError
from llemma.core.files import file_digest, read_json
from llemma.core.types import RunRecord
from llemma.evals.record import RECORD, recorded


def record(folder):
    return read_json(folder / RECORD, RunRecord)


def test_what_ran_is_known_before_and_how_it_ended_after(tmp_path, scripted, sums):
    backend = scripted(lambda request, sample: "")
    with recorded(tmp_path / "run", backend, [sums], {"k": 3}):
        before = record(tmp_path / "run")
        assert (before.state, before.ended, before.kind) == ("running", "", "eval")
    after = record(tmp_path / "run")
    assert (after.state, after.started) == ("done", before.started) and after.ended >= after.started
    assert after.inputs["model"] == "scripted: scripted-1"
    assert after.inputs["sums"].startswith("sums.jsonl sha256:") and len(after.inputs["sums"].split(":")[1]) == 64
    assert {"python", "torch", "sympy"} <= after.packages.keys() and after.device == "none"


def test_other_settings_have_another_digest(tmp_path, scripted, sums):
    digests = set()
    for settings in ({"k": 3}, {"k": 4}):
        with recorded(tmp_path, scripted(lambda request, sample: ""), [sums], settings):
            digests.add(record(tmp_path).recipe_digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("error", "state"), [(KeyboardInterrupt(), "interrupted"), (LlemmaError("no"), "failed"), (ValueError(), "failed")]
)
def test_an_end_before_the_end_is_recorded_and_goes_on(tmp_path, scripted, error, state):
    with pytest.raises(type(error)), recorded(tmp_path, scripted(lambda request, sample: ""), [], {}):
        raise error
    assert record(tmp_path).state == state and file_digest(tmp_path / RECORD)
