import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.types import Completion, Request
from llemma.evals import journal as journals
from llemma.evals.journal import Journal, Part, batches


def complete(backend, batch, journal, seen=lambda samples: None):
    return journals.complete(backend, batch, journal, seen)


def requests(*counts):
    return [Request(id=f"r{i}", prompt=f"p{i}", n=n) for i, n in enumerate(counts)]


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 12))
def test_batches_are_bounded_and_lose_nothing(counts, samples):
    given = requests(*counts)
    found = list(batches(given, samples))
    assert [request for batch in found for request in batch] == given
    assert all(len(batch) == 1 or sum(r.n for r in batch) <= samples for batch in found)


def test_a_finished_batch_is_not_asked_again_but_by_another_model(tmp_path, scripted):
    journal, batch = Journal(tmp_path), requests(1, 2)
    first = scripted(lambda request, sample: f"{request.prompt} {sample}")
    part = complete(first, batch, journal)
    assert [(c.request, c.sample, c.text) for c in part.records] == [
        ("r0", 0, "p0 0"),
        ("r1", 0, "p1 0"),
        ("r1", 1, "p1 1"),
    ]
    again = scripted(lambda request, sample: "never asked")
    assert complete(again, batch, journal) == part
    assert again.asked == []
    other = scripted(lambda request, sample: "other", identity="scripted-2")
    assert {c.text for c in complete(other, batch, journal).records} == {"other"}


def test_changed_settings_are_asked_anew(tmp_path, scripted):
    journal = Journal(tmp_path)
    complete(scripted(lambda request, sample: "one"), [Request(id="a", prompt="p")], journal)
    backend = scripted(lambda request, sample: "two")
    [completion] = complete(backend, [Request(id="a", prompt="p", max_tokens=7)], journal).records
    assert completion.text == "two"


def test_errors_alone_are_asked_again(tmp_path, scripted):
    def flaky(request, sample):
        return Completion(request.id, sample, "", finish="error", error="busy") if request.id == "r1" else "fine"

    journal, batch = Journal(tmp_path), requests(1, 1, 1)
    assert [c.finish for c in complete(scripted(flaky), batch, journal).records] == ["stop", "error", "stop"]
    better = scripted(lambda request, sample: "later")
    assert [c.text for c in complete(better, batch, journal).records] == ["fine", "later", "fine"]
    assert [request.id for request in better.asked] == ["r1"]


def test_what_a_dying_backend_had_finished_is_kept(tmp_path, scripted):
    def dying(request, sample):
        if request.id == "r0":
            raise ConnectionError("gone")
        return "fine"

    journal, batch = Journal(tmp_path), requests(1, 1, 1)
    with pytest.raises(ConnectionError):
        complete(scripted(dying), batch, journal)
    second = scripted(lambda request, sample: "later")
    assert [c.text for c in complete(second, batch, journal).records] == ["later", "fine", "fine"]
    assert [request.id for request in second.asked] == ["r0"]


def test_a_backend_that_lies_about_its_samples_gives_errors(tmp_path):
    class Liar:
        name = identity = device = "liar"

        def complete(self, requests):
            yield [Completion("r0", 0, "a"), Completion("r0", 5, "surplus")]
            yield [Completion("unasked", 0, "b")]

    records = complete(Liar(), requests(2, 1), Journal(tmp_path)).records
    assert [(c.request, c.sample, c.finish, c.error) for c in records] == [
        ("r0", 0, "stop", ""),
        ("r0", 1, "error", "the backend gave no such sample"),
        ("r1", 0, "error", "the backend gave no answer"),
    ]


def test_what_a_killed_process_was_writing_is_swept_up(tmp_path):
    torn = tmp_path / ".0011223344556677.jsonl.deadbeef.tmp"
    torn.write_text("{")
    (tmp_path / ".keep").write_text("")
    Journal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".keep"]


def test_a_part_comes_back_as_it_was_written(tmp_path):
    journal, part = Journal(tmp_path), Part(1.5, [Completion("a", 0, "ünï\n\u2028", seconds=0.25)])
    journal.write(journal.path("x"), part)
    assert journal.read(journal.path("x"), Completion) == part
    assert journal.read(journal.path("y"), Completion) == Part(0.0, [])


def test_every_sample_is_seen_once_as_it_comes(tmp_path, scripted):
    journal, batch, seen = Journal(tmp_path), requests(1, 2), []
    complete(scripted(lambda request, sample: "x"), batch, journal, lambda samples: seen.append(samples[0].request))
    assert sorted(seen) == ["r0", "r1"]
    complete(scripted(lambda request, sample: "x"), batch, journal, lambda samples: seen.append(len(samples)))
    assert sorted(seen[2:]) == [1, 2]
