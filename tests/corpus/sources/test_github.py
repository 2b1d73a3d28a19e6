"""Repositories as they were before a date, from a loopback server that has GitHub's limits, errors and redirects."""

from __future__ import annotations

import datetime
import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llemma.core.errors import MissingError
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context
from llemma.corpus.sources import github_api
from llemma.corpus.sources.github import GitHub

_spec = importlib.util.spec_from_file_location("loopback_github", Path(__file__).with_name("github_server.py"))
assert _spec is not None and _spec.loader is not None
loopback = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(loopback)

PROOF = "Theorem t : True. Proof. exact I. Qed.\n"
REPOS: dict[str, Any] = {
    "ada/orbits": ("2020-01-05", 9, [("2020-02", "a" * 40, {"a.v": PROOF}), ("2024-01", "b" * 40, {"a.v": "late"})]),
    "bea/groups": ("2020-02-05", 7, [("2020-03", "c" * 40, {"src/g.v": PROOF, "README.md": "x"})]),
    "cy/new": ("2020-03-05", 5, [("2024-01", "d" * 40, {"a.v": "late"})]),
    "dee/old": ("2019-01-01", 99, [("2019-02", "e" * 40, {"a.v": "outside of the window"})]),
}
OPTIONS = {"language": "Coq", "since": "2020-01-01", "until": "2020-12-31", "cutoff": "2023-04-01"}


def source(**options: Any) -> GitHub:
    return msgspec.convert({**OPTIONS, **options}, GitHub)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(github_api, "sleep", waits.append)
    return waits


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Iterator[Any]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    found = loopback.State(REPOS)
    with loopback.serving(found) as address:
        monkeypatch.setenv("GITHUB_API_URL", address)
        yield found


def read(github: GitHub, context: Context) -> list[Document | Dropped]:
    return [item for unit in github.units(context) for item in github.read(unit, "s")]


def test_each_repository_at_its_last_commit_before_the_cutoff(state: Any, context: Context) -> None:
    first, second, third = read(source(), context)
    assert first == Document(
        f"github/ada/orbits@{'a' * 12}/a.v",
        PROOF,
        "s",
        {"repo": "ada/orbits", "sha": "a" * 40, "path": "a.v", "language": "coq"},
    )
    assert second.id.endswith("/src/g.v")
    assert third == Dropped("github/cy/new", "s", "read", "no repository: no commit before 2023-04-01")
    # the token is the API's, not that of the host the tarball comes from
    assert {token for path, token in zip(state.asked, state.tokens, strict=True) if "archive" in path} == {None}
    assert set(state.tokens) == {"Bearer secret", None}


def test_what_was_fetched_is_not_asked_for_again(state: Any, context: Context) -> None:
    before = read(source(), context)
    count = len(state.asked)
    assert read(source(), context) == before
    assert [path.partition("?")[0] for path in state.asked[count:]] == ["/repos/cy/new/commits"]
    (digests,) = {tuple(unit.digest for unit in source().units(context)) for _ in range(2)}
    assert digests != tuple(unit.digest for unit in source(cutoff="2025-01-01").units(context))


def test_limits_stars_and_paths(state: Any, context: Context) -> None:
    assert [unit.name for unit in source(limit=1).units(context)] == ["ada/orbits"]
    assert [unit.name for unit in source(min_stars=7).units(context)] == ["ada/orbits", "bea/groups"]
    names = [item.id.rpartition("/")[2] for item in read(source(include=["*.md"], keep_archives=False), context)]
    assert names == ["README.md", "new"]
    assert not list((context.cache / "github").rglob("*.tar.gz"))
    large = read(source(max_archive=10), context)
    assert isinstance(large[0], Dropped) and large[0].reason == "no repository: a tarball of more than 10 bytes"


def test_a_window_with_too_many_results_is_cut_until_all_are_seen(
    state: Any, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(number) for number in range(60)]
    state.repos = {f"o/r{number}": (str(day), number, []) for number, day in enumerate(days)}
    state.page_limit = 7
    monkeypatch.setattr("llemma.corpus.sources.github.MAX_RESULTS", 7)
    monkeypatch.setattr("llemma.corpus.sources.github.PAGE", 3)
    assert len(source().units(context)) == 60


RESET = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3_000)}  # when tests are collected
FAILURES = [
    ([(429, {"Retry-After": "17"}, b"")], 17, 17),
    ([(403, RESET, b'{"message": "API rate limit exceeded"}')], 600, 3_200),
    ([(403, {}, b'{"message": "You have exceeded a secondary rate limit"}')] * 2, 60, 120),
    ([(500, {}, b""), (502, {}, b"")], 1, 2),
]


@pytest.mark.parametrize(("failures", "least", "most"), FAILURES)
def test_limits_are_waited_for(
    failures: list[Any], least: float, most: float, state: Any, slept: list[float], context: Context
) -> None:
    state.failures = list(failures)
    assert len(read(source(), context)) == 3
    assert len(slept) == len(failures) and all(least <= wait <= most for wait in slept)


def test_a_tarball_cut_short_is_fetched_again(state: Any, slept: list[float], context: Context) -> None:
    github = source()
    (unit, *_) = github.units(context)
    commit = (200, {}, b'[{"sha": "' + b"a" * 40 + b'"}]')
    state.failures = [commit, (200, {"Content-Length": "9000"}, b"\x1f\x8b\x08cut")]
    (item,) = github.read(unit, "s")
    assert isinstance(item, Document) and len(slept) == 1


def test_repositories_that_are_gone_are_lines_of_the_ledger(state: Any, context: Context) -> None:
    github = source()
    units = github.units(context)
    for failure, reason in [
        ((451, {}, b""), "no repository: 451 Unavailable For Legal Reasons"),
        ((409, {}, b""), "no repository: 409 Conflict"),
        ((403, {}, b'{"message": "Repository access blocked"}'), "no repository: 403 Forbidden"),
    ]:
        state.failures = [failure]
        (item,) = github.read(units[0], "s")
        assert isinstance(item, Dropped) and item.reason == reason
    commit = (200, {}, b'[{"sha": "' + b"a" * 40 + b'"}]')
    state.failures = [commit, (200, {}, b"no archive")]
    (item,) = github.read(units[0], "s")
    assert isinstance(item, Dropped) and item.reason.startswith("damaged archive: not an archive")


def test_what_cannot_be_mended_by_waiting_is_said(state: Any, context: Context) -> None:
    for failures, match in [
        ([(401, {}, b"")], "refuses the token"),
        ([(422, {}, b"")], "refuses the search"),
        ([(503, {}, b"")] * 6, "cannot be used: 503"),
        ([(200, {}, b"<html>")], "no JSON"),
    ]:
        state.failures = failures
        with pytest.raises(MissingError, match=match):
            source().units(context)
    state.failures = []
    assert len(source().units(context)) == 3  # nothing wrong was kept
