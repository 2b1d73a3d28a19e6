"""Repositories of GitHub by language and date of creation, each as it was at its last commit before a cut-off date.

Searches and tarballs are kept in the cache: a second run asks only for what is missing. A tarball is fetched when its
repository is read.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llemma.core.errors import DataError, MissingError
from llemma.core.files import digest, read_json, write_json
from llemma.core.types import Document, Dropped
from llemma.corpus.languages import named
from llemma.corpus.source import Context, Unit
from llemma.corpus.sources.archive import as_documents, members
from llemma.corpus.sources.files import LANGUAGES, Wanted, unreadable
from llemma.corpus.sources.github_api import MAX_RESULTS, PAGE, GoneError, Tell, api_url, ask, fetch


class Repository(msgspec.Struct, frozen=True):
    """A search result."""

    full_name: str
    stargazers_count: int = 0


class _Commit(msgspec.Struct, frozen=True):
    sha: str


class GitHub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Source files of repositories. Ids are `github/owner/name@commit/path`. GITHUB_TOKEN raises GitHub's limits."""

    language: str
    """GitHub's name of the language, such as `Coq`."""
    since: datetime.date
    """First day on which the repositories were created."""
    until: datetime.date
    """Last day on which they were created."""
    cutoff: datetime.date
    """The first day whose commits are no longer read (the paper's: 2023-04-01)."""
    limit: int = 100_000
    """Repositories at most, those with most stars first."""
    min_stars: int = 0
    """Stars a repository must have."""
    include: list[str] = []
    """Patterns of the paths that are read; the language's own endings when empty."""
    exclude: list[str] = []
    """Patterns of the paths that are not read."""
    max_archive: int = 1_000_000_000
    """Bytes of a tarball above which a repository is not read."""
    keep_archives: bool = True
    """Whether tarballs stay in the cache after they were read."""

    def units(self, context: Context) -> list[Unit]:
        """One unit a repository, by name; its commit is asked for when it is read."""
        query = (api_url(), self.language, self.since, self.until, self.min_stars)
        path = context.cache / "github" / f"search-{digest([str(part) for part in query])}.json"
        if not path.is_file():
            try:
                write_json(path, self._searched(context))
            except GoneError as error:  # of a search, not of a repository
                raise MissingError(f"GitHub refuses the search: {error}", where=self.language) from error
        found = sorted(read_json(path, list[Repository]), key=lambda item: (-item.stargazers_count, item.full_name))
        root = context.cache / "github" / "repositories"
        return [
            Unit(name, str(root / name.replace("/", "--")), digest(name, str(self.cutoff)))
            for name in sorted(item.full_name for item in found[: self.limit])
        ]

    def _searched(self, context: Context) -> list[Repository]:
        """Every repository of the window, once; finished parts of the window are kept, too."""
        parts = context.cache / "github" / "parts"
        found: dict[str, Repository] = {}
        with context.console.progress(
            f"search {self.language}", (self.until - self.since).days + 1, unit="days"
        ) as bar:
            for first, last in self._windows(self.since, self.until, context.console.warn):
                stars = f" stars:>={self.min_stars}" if self.min_stars else ""
                query = f"language:{_quoted(self.language)} created:{first}..{last}{stars}"
                path = parts / f"{digest(api_url(), query)}.json"
                if not path.is_file():
                    write_json(path, list(_results(query, context.console.warn)))
                found.update((item.full_name, item) for item in read_json(path, list[Repository]))
                bar.advance((last - first).days + 1)
        return list(found.values())

    def _windows(
        self, first: datetime.date, last: datetime.date, tell: Tell
    ) -> Iterator[tuple[datetime.date, datetime.date]]:
        """The window in parts that a search can give whole."""
        stars = f" stars:>={self.min_stars}" if self.min_stars else ""
        query = f"language:{_quoted(self.language)} created:{first}..{last}{stars}"
        total = int(ask("/search/repositories", tell, q=query, per_page=1)["total_count"])
        if total > MAX_RESULTS and first < last:
            middle = first + (last - first) // 2
            yield from self._windows(first, middle, tell)
            yield from self._windows(middle + datetime.timedelta(1), last, tell)
            return
        if total > MAX_RESULTS:
            tell(f"{first}: {total} repositories, of which GitHub shows the {MAX_RESULTS} with most stars")
        if total:
            yield first, last

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Every wanted file of the repository, in the tarball's own order."""
        try:
            sha, path = self._fetched(unit)
        except GoneError as error:
            yield unreadable(f"github/{unit.name}", source, f"no repository: {error}")
            return
        wanted = Wanted(self.include or _endings(self.language), self.exclude)
        facts = {"repo": unit.name, "sha": sha}
        try:
            for member in members(path, lambda name: wanted(_below_top(name))):
                inner = msgspec.structs.replace(member, path=_below_top(member.path))
                yield from as_documents(inner, f"github/{unit.name}@{sha[:12]}", source, facts)
        except DataError as error:
            yield unreadable(f"github/{unit.name}", source, f"damaged archive: {error.what}")
        if not self.keep_archives:
            path.unlink(missing_ok=True)

    def _fetched(self, unit: Unit) -> tuple[str, Path]:
        """The commit and its tarball, from the cache where they are there."""
        folder = Path(unit.path)
        note = folder / f"{self.cutoff}.json"
        if not note.is_file():
            write_json(note, _Commit(self._commit(unit.name)))
        sha = read_json(note, _Commit).sha
        path = folder / f"{sha}.tar.gz"
        if not path.is_file():
            fetch(f"{api_url()}/repos/{unit.name}/tarball/{sha}", path, self.max_archive, _silent)
        return sha, path

    def _commit(self, name: str) -> str:
        before = f"{self.cutoff}T00:00:00Z"
        commits = ask(f"/repos/{name}/commits", _silent, until=before, per_page=1)
        if not commits:
            raise GoneError(f"no commit before {self.cutoff}")
        return str(commits[0]["sha"])


def _results(query: str, tell: Tell) -> Iterator[Repository]:
    for page in range(1, MAX_RESULTS // PAGE + 1):
        answer = ask("/search/repositories", tell, q=query, sort="stars", order="desc", per_page=PAGE, page=page)
        if answer.get("incomplete_results"):
            tell(f"GitHub ran out of time and left results out: {query}")
        items = answer["items"]
        yield from (Repository(str(item["full_name"]), int(item.get("stargazers_count", 0))) for item in items)
        if len(items) < PAGE:
            return


def _silent(text: str) -> None:
    """A worker has no console."""


def _quoted(language: str) -> str:
    return '"' + language.replace('"', "") + '"'


def _endings(language: str) -> list[str]:
    endings = [ending for ending, name in LANGUAGES.items() if name == named(language)]
    return [f"*{form}" for ending in endings for form in (ending, ending.upper())]  # a.R, a.F90


def _below_top(path: str) -> str:
    """`owner-name-1a2b3c/src/a.v` is `src/a.v`."""
    return path.partition("/")[2] or path
