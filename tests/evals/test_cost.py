import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.types import Completion
from llemma.evals.cost import Latency, Meter, quantile


def counted(*completions, mode="greedy"):
    meter = Meter()
    for completion in completions:
        meter.completion("t", mode, completion)
    return meter


@given(st.lists(st.floats(0, 100), min_size=1))
def test_quantiles_are_values_that_enough_others_do_not_exceed(values):
    values.sort()
    for q in (0.5, 0.99, 1.0):
        found = quantile(values, q)
        assert found in values and sum(v <= found for v in values) >= q * len(values) - 1e-9


def test_the_samples_of_a_request_wait_once():
    rows = [Completion(f"p{n}#maj", s, "", tokens=10, seconds=n + s / 10) for n in range(3) for s in range(4)]
    (cost,) = counted(*rows, mode="maj").costs(["t"], {"t": 6.0})
    assert (cost.samples, cost.tokens, cost.tokens_per_second) == (12, 120, 20.0)
    assert cost.latencies == {"maj": Latency(3, pytest.approx(1.3), pytest.approx(2.3))}


def test_errors_and_recordings_have_no_latency():
    failed = Completion("p0#greedy", 0, "", finish="error", seconds=60.0)
    (cost,) = counted(failed, Completion("p1#greedy", 0, "", seconds=2.0)).costs(["t"], {})
    assert cost.latencies == {"greedy": Latency(1, 2.0, 2.0)} and cost.tokens_per_second is None
    (cost,) = counted(Completion("p1#greedy", 0, "")).costs(["t"], {})
    assert cost.latencies == {}


def test_judging_is_added_up():
    meter = Meter()
    meter.judged("t", 0.25)
    meter.judged("t", 0.5)
    assert [cost.judging for cost in meter.costs(["t", "u"], {})] == [0.75, 0.0]
