"""The pages of theorems: a list with every proof found, and a page a theorem with its search as a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from llemma.report import read

SHOWN = 1_000  # nodes of a tree that a page shows: the first made
DEPTH = 60  # tactics below one another that a page shows
REFUSALS = 40  # refused tactics listed below one state
LEADING = ("open", "expanded", "dead", "same", "finished", "proved", "rejected")
"""States of nodes that the prover accepted; every other one is a refusal."""
MEANING = {
    "open": "a state that was not looked at again",
    "expanded": "a state from which tactics were tried",
    "dead": "nothing below it leads to a proof",
    "same": "this state was reached before",
    "finished": "no goal left, not checked",
    "proved": "on the way to the proof",
    "rejected": "no goal left, but a fresh process did not accept the proof",
    "error": "the prover refused it",
    "timeout": "took too long",
    "forbidden": "not one allowed tactic; the prover never saw it",
    "memory": "needed too much memory",
    "crash": "ended the prover",
}


class Tree(msgspec.Struct, frozen=True):
    """A state of a search with the tactics tried in it: those that led on, and the others counted and listed."""

    node: read.Tried
    below: list[Tree]
    refused: list[read.Tried]
    refusals: list[tuple[str, int]]

    @property
    def on_the_way(self) -> bool:
        """Whether it lies on the way to the proof."""
        return self.node.status == "proved"


class Theorem(msgspec.Struct, frozen=True):
    """A theorem of a list: how each model's attempt ended, and the page of its search."""

    id: str
    rows: list[read.ProofRow | None]
    page: str


def listed(asked: Sequence[read.Proving], before: int = 0) -> list[Theorem]:
    """The theorems of one task in their order, each with the rows of all models; `before` pages have been named."""
    tables = [{row.id: row for row in read.proofs(proving)} for proving in asked]
    ids = dict.fromkeys(id for table in tables for id in table)
    pages = (f"proof-{before + number}.html" for number in range(1, len(ids) + 1))
    return [Theorem(id, [table.get(id) for table in tables], page) for id, page in zip(ids, pages, strict=True)]


def tree(proving: read.Proving, row: read.ProofRow) -> tuple[Tree | None, int]:
    """The search of a theorem as a tree, and how many of its nodes are not shown."""
    nodes = read.tree(proving, row)
    kept = nodes[:SHOWN]
    below: dict[int, list[read.Tried]] = {}
    for node in kept:
        below.setdefault(node.parent, []).append(node)
    roots = below.get(-1, [])
    return (_grown(roots[0], below) if roots else None), len(nodes) - len(kept)


def _grown(root: read.Tried, below: dict[int, list[read.Tried]]) -> Tree:
    """Children before parents, so that no depth of a search is too deep."""
    made: dict[int, Tree] = {}
    for node in reversed(list(_reached(root, below))):
        tried = below.get(node.number, [])
        refused = [child for child in tried if child.status not in LEADING]
        counts = Counter(child.status for child in refused).most_common()
        leading = [made[child.number] for child in tried if child.number in made]
        made[node.number] = Tree(node, leading, refused[:REFUSALS], counts)
    return made[root.number]


def _reached(root: read.Tried, below: dict[int, list[read.Tried]]) -> Iterator[read.Tried]:
    """Nodes that lead on, parents first; each once, whatever a damaged file says."""
    waiting, seen = [(root, 0)], {root.number}
    while waiting:
        node, depth = waiting.pop()
        yield node
        for child in below.get(node.number, []) if depth < DEPTH else ():
            if child.status in LEADING and child.number not in seen:
                seen.add(child.number)
                waiting.append((child, depth + 1))
