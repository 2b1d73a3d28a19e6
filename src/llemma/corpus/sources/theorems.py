"""Small Rocq theorems with their proofs, made by a program and labelled so.

Theorem i of seed s is the same on every machine. What makes a theorem itself (its family and its numbers, not the names
of its variables) decides by a hash whether it belongs to training or is held out, so that no seed can bring a held-out
theorem into a corpus. Some families close under one automatic tactic, others need an induction, a case split or a
witness that has to be calculated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import msgspec

from llemma.core.errors import RecipeError
from llemma.core.files import digest

VERSION = 1
HELD_OUT = 5  # one theorem in so many is held out

HEADER = "Require Import Arith Bool Lia List.\n"
_PATIENCE = 1_000  # theorems tried for each that is wanted

_NUMBERS = ("n", "m", "k", "x", "y", "a", "b")
_FUNCTIONS = ("f", "g", "h", "count", "total", "cost", "grow", "size")
_PROPOSITIONS = ("P", "Q", "R", "A", "B", "C")
_BITS = ("b", "c", "p", "q")
# laws of two truth values: each holds for all four pairs
_LAWS = (
    "andb {0} (orb {0} {1}) = {0}",
    "orb {0} (andb {0} {1}) = {0}",
    "andb {0} {1} = andb {1} {0}",
    "orb {0} {1} = orb {1} {0}",
    "xorb {0} {1} = xorb {1} {0}",
    "negb (andb {0} {1}) = orb (negb {0}) (negb {1})",
    "negb (orb {0} {1}) = andb (negb {0}) (negb {1})",
    "implb {0} {1} = orb (negb {0}) {1}",
    "xorb {0} {1} = negb (eqb {0} {1})",
    "andb {0} (andb {0} {1}) = andb {0} {1}",
    "orb {1} (orb {0} {1}) = orb {0} {1}",
    "xorb {0} (xorb {0} {1}) = {1}",
    "andb (negb {0}) (andb {0} {1}) = false",
    "orb (negb {0}) (orb {0} {1}) = true",
    "negb (xorb {0} {1}) = xorb (negb {0}) {1}",
    "andb {0} (negb {0}) = andb {1} (negb {1})",
)


class Made(msgspec.Struct, frozen=True):
    """A theorem: `header` (imports and definitions), `statement` up to its full stop, and the `steps` that prove it."""

    id: str
    header: str
    statement: str
    steps: tuple[str, ...]

    def source(self) -> str:
        """The text of a file that states and proves it."""
        return f"{self.header}{self.statement}\nProof.\n" + "\n".join(self.steps) + "\nQed.\n"


class _Draft(msgspec.Struct, frozen=True):
    """A theorem before it has a name; `facts` tell it from others of its family."""

    facts: tuple[object, ...]
    claim: str
    steps: tuple[str, ...]
    definition: str = ""


def _recursion(rng: random.Random) -> _Draft:
    start, step, f, n = rng.randint(0, 9), rng.randint(1, 6), rng.choice(_FUNCTIONS), rng.choice(_NUMBERS)
    body = f"match {n} with 0 => {start} | S r => {step} + {f} r end"
    steps = (f"induction {n} as [| {n} IH].", "reflexivity.", "simpl; lia.")
    claim = f"forall {n} : nat, {f} {n} = {start} + {step} * {n}"
    return _Draft((start, step), claim, steps, f"Fixpoint {f} ({n} : nat) : nat := {body}.\n")


def _weight(rng: random.Random) -> _Draft:
    start, step, f, items = rng.randint(0, 9), rng.randint(1, 6), rng.choice(_FUNCTIONS), rng.choice("lst")
    body = f"match {items} with nil => {start} | cons _ r => {step} + {f} r end"
    steps = (f"induction {items} as [| x {items} IH].", "reflexivity.", "simpl; lia.")
    claim = f"forall {items} : list nat, {f} {items} = {start} + {step} * length {items}"
    return _Draft((start, step), claim, steps, f"Fixpoint {f} ({items} : list nat) : nat := {body}.\n")


def _sum(rng: random.Random) -> _Draft:
    x, known, witness = rng.choice(_NUMBERS), rng.randint(1, 9), rng.randint(1, 9)
    left = rng.choice((f"{x} + {known}", f"{known} + {x}"))
    claim = f"exists {x} : nat, {left} = {known + witness}"
    return _Draft((known, witness), claim, (f"exists {witness}.", "reflexivity."))


def _product(rng: random.Random) -> _Draft:
    x, known, more, witness = rng.choice(_NUMBERS), rng.randint(2, 5), rng.randint(0, 5), rng.randint(1, 6)
    claim = f"exists {x} : nat, {known} * {x} + {more} = {known * witness + more}"
    return _Draft((known, more, witness), claim, (f"exists {witness}.", "reflexivity."))


def _law(rng: random.Random) -> _Draft:
    law = rng.randrange(len(_LAWS))
    one, other = rng.sample(_BITS, 2)
    steps = (f"intros {one} {other}.", f"destruct {one}; destruct {other}; reflexivity.")
    return _Draft((law,), f"forall {one} {other} : bool, {_LAWS[law].format(one, other)}", steps)


def _chain(rng: random.Random) -> _Draft:
    names = rng.sample(_PROPOSITIONS, rng.randint(2, 5))
    links = [f"({one} -> {other})" for one, other in pairwise(names)]
    order = rng.sample(range(len(links)), len(links))
    assumed = [f"H{place}" for place in range(len(links))]
    by_link = {link: assumed[place] for place, link in enumerate(order)}
    claim = " -> ".join([*(links[i] for i in order), names[0], names[-1]])
    steps = [f"intros {' '.join([*names, *assumed])} H."]
    steps += [f"apply {by_link[i]}." for i in reversed(range(len(links)))]
    return _Draft(tuple(order), f"forall {' '.join(names)} : Prop, {claim}", (*steps, "exact H."))


def _bound(rng: random.Random) -> _Draft:
    (x, y), a, b, k = rng.sample(_NUMBERS, 2), rng.randint(1, 20), rng.randint(1, 20), rng.randint(1, 3)
    claim = f"forall {x} {y} : nat, {x} <= {a} -> {y} <= {b} -> {k} * {x} + {y} <= {k * a + b}"
    return _Draft((a, b, k), claim, (f"intros {x} {y} H H0.", "lia."))


_FAMILIES: dict[str, Callable[[random.Random], _Draft]] = {
    "recursion": _recursion,
    "weight": _weight,
    "sum": _sum,
    "product": _product,
    "law": _law,
    "chain": _chain,
    "bound": _bound,
}


def made(seed: int, index: int, *, held_out: bool = False) -> Made:
    """Theorem number `index` of `seed`, from training's or from the held-out ones."""
    rng = random.Random(f"theorems/{seed}/{index}")
    while True:
        family = rng.choice(list(_FAMILIES))
        draft = _FAMILIES[family](rng)
        if (int(digest(family, draft.facts), 16) % HELD_OUT == 0) == held_out:
            break
    name = f"{family}_{index}"
    return Made(
        id=f"theorem-{seed}-{index}-{family}",
        header=HEADER + draft.definition,
        statement=f"Theorem {name} : {draft.claim}.",
        steps=draft.steps,
    )


def different(seed: int, count: int, *, held_out: bool = False) -> Iterator[Made]:
    """The first `count` theorems of `seed` no two of which say the same, names of functions and variables included.

    Raises `RecipeError` where the families have fewer.
    """
    seen: set[str] = set()
    index = 0
    while len(seen) < count:
        if index > _PATIENCE * count:
            raise RecipeError(f"only {len(seen)} different theorems can be made", where="count", mend="ask for fewer")
        item = made(seed, index, held_out=held_out)
        text = item.header + item.statement.partition(":")[2]
        index += 1
        if text not in seen:
            seen.add(text)
            yield item
