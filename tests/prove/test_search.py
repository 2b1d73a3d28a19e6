"""Best-first search on random graphs, against brute force and against an independent writing of the published rule."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.prove import Attempt, Candidate, best_first
from llemma.prove.config import ProverConfig, SearchConfig
from llemma.prove.prover import Checked, Proved, Refused, State
from llemma.prove.search import Search, by_rank
from llemma.prove.theorem import Theorem

Graph = dict[str, dict[str, str]]
STATES = [f"s{i}" for i in range(6)]
ENDS = ["error", "crash", "QED"]
DEFAULT, LLEMMA = SearchConfig(expansions=10_000), SearchConfig(protocol="llemma", expansions=60)
WEIGHTS = {"a": (-0.5, 1), "bb": (-1.25, 2), "ccc": (-0.125, 3), "d": (-2.0, 1)}  # log-probability, tokens

graphs = st.fixed_dictionaries(
    {state: st.dictionaries(st.sampled_from(list(WEIGHTS)), st.sampled_from(STATES + ENDS)) for state in STATES}
)


def propose(state: State) -> list[Candidate]:
    names = [line.rsplit(" ", 1)[0] for line in state.text.split("\n")[1:]]
    return [Candidate(name, *WEIGHTS[name]) for name in names]


def attempt(
    toy: ModuleType, graph: Graph, config: SearchConfig, **facts: object
) -> tuple[Attempt, list[tuple[str, str]]]:
    prover = toy.Toy(ProverConfig())
    found = best_first(Theorem("t", "", json.dumps({"graph": graph, **facts})), prover, propose, config)
    prover.close()
    return found, prover.stepped


def at(text: str) -> str:
    return text.split("\n")[0].removeprefix("state ")


def expanded(found: Attempt) -> list[str]:
    return [at(node.text) for node in sorted(found.tree, key=lambda node: node.order) if node.order]


def costs(graph: Graph) -> dict[str, float]:
    """The best sum of log-probabilities to each state, by relaxing all edges until nothing changes."""
    best = {"s0": 0.0}
    for _ in STATES:
        for state in STATES:
            for tactic, led in graph[state].items():
                if state in best and led in STATES:
                    best[led] = max(best.get(led, -1e9), best[state] + WEIGHTS[tactic][0])
    return best


@settings(max_examples=150, deadline=None)
@given(graph=graphs)
def test_default_finds_a_proof_whenever_there_is_one(toy: ModuleType, graph: Graph) -> None:
    found, _ = attempt(toy, graph, DEFAULT)
    reached = costs(graph)
    provable = any(led == "QED" for state in reached for led in graph[state].values())
    assert (found.outcome == "right") == provable
    if provable:
        here = "s0"
        for step in found.steps:
            here = graph[here][step]
        assert here == "QED" and found.proof == "; ".join(found.steps)
        assert found.tree[0].status == "proved"
    else:
        assert found.outcome == "wrong" and sorted(expanded(found)) == sorted(reached)


@settings(max_examples=150, deadline=None)
@given(graph=graphs)
def test_default_expands_each_state_once_and_the_most_probable_first(toy: ModuleType, graph: Graph) -> None:
    found, stepped = attempt(toy, graph, DEFAULT)
    order, best = expanded(found), costs(graph)
    assert len(set(order)) == len(order) and len(set(stepped)) == len(stepped)
    sums = [node.priority for node in sorted(found.tree, key=lambda node: node.order) if node.order]
    assert sums == sorted(sums, reverse=True)
    assert sums == pytest.approx([best[state] for state in order])


@settings(max_examples=150, deadline=None)
@given(graph=graphs)
def test_dead_ends_are_those_below_which_nothing_is_left(toy: ModuleType, graph: Graph) -> None:
    unprovable = {state: {t: led for t, led in edges.items() if led != "QED"} for state, edges in graph.items()}
    found, _ = attempt(toy, unprovable, DEFAULT)
    dead: set[str] = set()
    for _ in STATES:  # the least set: a state is dead when all that its tactics lead to is
        dead |= {s for s in STATES if all(led in ENDS or led in dead for led in unprovable[s].values())}
    told = {at(node.text): node.status for node in found.tree if node.order}
    assert {state for state, status in told.items() if status == "dead"} == dead & set(told)


def published(graph: Graph, limit: int) -> list[str]:
    """The states expanded by the rules of the published search, written from its description."""
    visited: set[str] = set()
    queue, count, order = [(0.0, 0, "s0")], 1, []
    for _ in range(limit):
        if not queue:
            break
        total, _, state = heapq.heappop(queue)
        visited.add(state)
        order.append(state)
        scored = [(WEIGHTS[tactic][0] / WEIGHTS[tactic][1], tactic) for tactic in graph[state]]
        for score, tactic in sorted(scored, key=lambda pair: -pair[0]):
            led = graph[state][tactic]
            if led in ("QED", "crash"):
                return order
            if led != "error" and led not in visited:
                heapq.heappush(queue, (total - score, count, led))
                count += 1
    return order


@settings(max_examples=200, deadline=None)
@given(graph=graphs)
def test_llemma_expands_as_published(toy: ModuleType, graph: Graph) -> None:
    ordered = {s: dict(sorted(edges.items())) for s, edges in graph.items()}
    found, _ = attempt(toy, ordered, LLEMMA)
    assert expanded(found) == published(ordered, LLEMMA.expansions)


def test_llemma_expands_a_state_twice_that_default_expands_once(toy: ModuleType) -> None:
    graph = {"s0": {"a": "s1", "d": "s1"}, "s1": {}}
    assert expanded(attempt(toy, graph, LLEMMA)[0]) == ["s0", "s1", "s1"]
    assert expanded(attempt(toy, graph, DEFAULT)[0]) == ["s0", "s1"]


def test_a_better_way_replaces_the_worse(toy: ModuleType) -> None:
    # s2 is found by d (-2) first, then by a, a (-1): it must come before s3 (-1.25)
    graph = {"s0": {"d": "s2", "a": "s1", "bb": "s3"}, "s1": {"a": "s2"}, "s2": {"a": "QED"}, "s3": {"a": "error"}}
    found, _ = attempt(toy, graph, DEFAULT)
    assert expanded(found) == ["s0", "s1", "s2"] and found.steps == ["a", "a", "a"]


@pytest.mark.parametrize("protocol", ["default", "llemma"])
def test_a_proof_that_a_fresh_process_refuses_does_not_end_the_search(toy: ModuleType, protocol: str) -> None:
    graph = {"s0": {"ccc": "QED", "a": "s1"}, "s1": {"d": "QED"}}
    config = SearchConfig(protocol=protocol)  # type: ignore[arg-type]
    found, _ = attempt(toy, graph, config, refused=["ccc"])
    assert (found.outcome, found.proof, found.rejected) == ("right", "a; d", 1)
    found, _ = attempt(toy, graph, config, refused=["ccc", "a; d"])
    assert found.outcome == "wrong" and found.proof == "" and "2 finished proofs were not accepted" in found.why
    assert [node.status for node in found.tree].count("rejected") == 2
    assert found.tree[0].status == "dead"


def test_forbidden_tactics_never_reach_the_prover(toy: ModuleType, theorem: Callable[..., Theorem]) -> None:
    prover = toy.Toy(ProverConfig())
    named = [Candidate("vernacular x", 0.0), Candidate("a.", -1.0), Candidate(" a ", -2.0)]
    found = best_first(theorem("t", {"s0": {"a": "error"}}), prover, lambda state: named)
    assert [node.status for node in found.tree] == ["dead", "forbidden", "error"]
    assert prover.stepped == [("s0", "a")] and found.tried == 1  # `a.` and `a` are one tactic
    prover.close()


def test_a_crash_ends_the_theorem_under_llemma_alone(toy: ModuleType) -> None:
    graph = {"s0": {"ccc": "crash", "a": "QED"}}
    assert attempt(toy, graph, DEFAULT)[0].outcome == "right"
    ended, _ = attempt(toy, graph, LLEMMA)
    assert ended.outcome == "error" and "crash" in ended.why


def test_limits_end_the_search(toy: ModuleType) -> None:
    chain: Graph = {f"s{i}": {"a": f"s{i + 1}"} for i in range(50)}
    found, _ = attempt(toy, chain, SearchConfig(expansions=7))
    assert (found.outcome, found.expansions) == ("wrong", 7) and "7 expansions" in found.why
    stalls: Graph = {"s0": {"a": "stall", "bb": "stall", "d": "stall"}}
    found, stepped = attempt(toy, stalls, SearchConfig(seconds=0.3))
    assert found.outcome == "timeout" and len(stepped) == 2 and found.seconds < 5


def test_the_last_expansion_may_still_prove(toy: ModuleType) -> None:
    chain: Graph = {"s0": {"a": "s1"}, "s1": {"a": "QED"}}
    assert attempt(toy, chain, SearchConfig(expansions=2))[0].outcome == "right"
    assert attempt(toy, chain, SearchConfig(expansions=1))[0].outcome == "wrong"


def test_a_theorem_that_does_not_open(toy: ModuleType) -> None:
    found, _ = attempt(toy, {}, DEFAULT, unstated="error")
    assert found.outcome == "error" and not found.taken and "what is that?" in found.why
    found, _ = attempt(toy, {}, DEFAULT, unstated="crash")
    assert found.outcome == "error" and found.taken


def test_candidates_are_ordered_and_merged() -> None:
    root = State("t", (), "goal")
    given = [Candidate("x ", -3.0, 6), Candidate("y", -2.0, 1), Candidate("x", -1.0, 1), Candidate("  ", -0.1, 1)]
    assert [one.text for one in Search(root, DEFAULT).ranked(given)] == ["x", "y"]
    # texts are compared before the strip, scores are per token
    assert [(one.text, one.logprob) for one in Search(root, LLEMMA).ranked(given)] == [
        ("x", -3.0),
        ("x", -1.0),
        ("y", -2.0),
    ]


def test_a_log_probability_above_zero_counts_as_zero() -> None:
    search = Search(State("t", (), "goal"), DEFAULT)
    node, _ = search.select() or pytest.fail("the root waits")
    assert search.told(node, Candidate("x", 5.0), State("t", ("x",), "next")).priority == 0.0


def test_ranks_stand_in_for_probabilities() -> None:
    ranked = by_rank(["x", "y", "z"])
    assert [one.logprob for one in ranked] == sorted((one.logprob for one in ranked), reverse=True)
    assert all(one.logprob < 0 and one.tokens == 1 for one in ranked)


def test_the_machine_can_be_driven_by_hand() -> None:
    search = Search(State("t", (), "goal"), DEFAULT)
    root, state = search.select() or pytest.fail("the root waits")
    assert state.text == "goal" and search.select() is None
    search.told(root, Candidate("x", -1.0), Refused("error", "no"))
    child = search.told(root, Candidate("y", -2.0), State("t", ("y",), "next"))
    search.done(root)
    node, _ = search.select() or pytest.fail("the child waits")
    end = search.told(node, Candidate("z", -0.5), Proved("t", ("y", "z")))
    search.checked(end, Checked(True))
    assert node.number == child.number and [n.status for n in search.nodes] == ["proved", "error", "proved", "proved"]
    assert search.states() == 2


def test_long_texts_are_cut_in_the_stored_tree() -> None:
    search = Search(State("t", (), "x" * 100_000), DEFAULT)
    assert len(search.tree()[0].text) < 5_000
