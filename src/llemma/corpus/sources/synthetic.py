"""Worked arithmetic word problems, made by a program and labelled so.

A story is one quantity and one to three events that change it (someone finds some, gives some away, the lot
doubles, is shared out). The question is written from the events, the solution from the same events as one equation a
step, or as a program with one line a step. Everything follows from a seed: problem i of seed s is the same on every
machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from llemma.core.files import digest
from llemma.core.types import Document, Dropped
from llemma.corpus.source import Context, Unit

VERSION = 2
UNIT_SIZE = 5_000

# Short words, so that a small vocabulary trained on code spends few tokens on them and most on the arithmetic.
PEOPLE = (
    "Ada", "Al", "Ann", "Art", "Ben", "Bob", "Dan", "Don", "Ed", "Eve", "Grace", "Ian", "Jim", "Jo", "Liz", "Mark",
    "Max", "May", "Mo", "Pat", "Ray", "Rob", "Ron", "Sam", "Sue", "Ted", "Tom", "Uma", "Val", "Wei",
)  # fmt: skip
THINGS = (
    "blocks", "caps", "dogs", "files", "items", "keys", "links", "lists", "maps", "marks", "notes", "oranges", "pages",
    "parts", "pens", "points", "tags",
)  # fmt: skip
BEGINNINGS = ("{name} has {n} {things}.",)
QUESTIONS = ("How many {things} now?", "How many {things} in the end?", "How many {things} are left?")
GAINS = ("{name} finds {k} more.", "{name} buys {k} more.", "{name} gets {k} more.")
LOSSES = ("{name} loses {k}.", "{name} uses {k}.", "{name} sells {k}.")
TIMES = ("Then there are {k} times as many.",)
SHARES = ("{name} keeps one of {k} equal parts.",)


Style = Literal["solution", "program"]
"""How a problem is solved: in words with equations, or by a program that sets `answer`."""


class Worked(msgspec.Struct, frozen=True):
    """A problem with its worked solution; `level` is the number of steps (1 to 3)."""

    id: str
    problem: str
    solution: str
    answer: str
    level: int


class Event(msgspec.Struct, frozen=True):
    """One step: the sentence (a format string), its number, the sign in the equation and the new amount."""

    sentence: str
    k: int
    sign: str
    result: int


def _gain(rng: random.Random, n: int) -> Event | None:
    k = rng.randint(1, 6)
    return Event(rng.choice(GAINS), k, "+", n + k) if n + k <= 20 else None


def _lose(rng: random.Random, n: int) -> Event | None:
    if n < 2:
        return None
    k = rng.randint(1, min(6, n - 1))
    return Event(rng.choice(LOSSES), k, "-", n - k)


def _times(rng: random.Random, n: int) -> Event | None:
    k = rng.randint(2, 3)
    return Event(rng.choice(TIMES), k, "*", n * k) if n <= 10 else None


def _share(rng: random.Random, n: int) -> Event | None:
    divisors = [k for k in range(2, 5) if n % k == 0 and n > k]
    if not divisors:
        return None
    k = rng.choice(divisors)
    return Event(rng.choice(SHARES), k, "/", n // k)


EVENTS: tuple[Callable[[random.Random, int], Event | None], ...] = (_gain, _gain, _lose, _lose, _times, _share)


def worked(seed: int, index: int, style: Style = "solution") -> Worked:
    """Problem number `index` of `seed`; `style` changes its solution and nothing else.

    The solution goes through the story again and adds to each event its equation, as people do who explain; the
    program has each sentence as a comment and the event as a line of code.
    """
    rng = random.Random(f"{seed}/{index}")
    name, things, n = rng.choice(PEOPLE), rng.choice(THINGS), rng.randint(2, 14)
    level = rng.choice((1, 1, 1, 2, 2, 3))
    sentences = [rng.choice(BEGINNINGS).format(name=name, n=n, things=things)]
    steps, code = sentences[:], [f"# {sentences[0]}\nn = {n}"]
    while len(steps) <= level:
        event = rng.choice(EVENTS)(rng, n)
        if event is not None:
            sentence = event.sentence.format(name=name, k=event.k)
            sentences.append(sentence)
            steps.append(f"{sentence[:-1]}: {n} {event.sign} {event.k} = {event.result}.")
            code.append(f"# {sentence}\nn = n {event.sign.replace('/', '//')} {event.k}")
            n = event.result
    question = rng.choice(QUESTIONS).format(name=name, things=things)
    return Worked(
        id=f"synthetic-{seed}-{index}",
        problem=" ".join([*sentences, question]),
        solution="\n".join([*code, "answer = n"]) if style == "program" else " ".join([*steps, f"The answer is {n}."]),
        answer=str(n),
        level=level,
    )


def as_text(item: Worked, style: Style = "solution") -> str:
    """The training text: the problem and its solution in the shape in which the evaluation asks."""
    return f"Problem:\n{item.problem}\n\n{style.capitalize()}:\n{item.solution}"


class Synthetic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`count` generated problems of `seed`, `per_document` to a document, as few-shot prompts show them."""

    count: int
    seed: int = 1
    per_document: int = 4
    style: Style = "solution"

    def units(self, context: Context) -> list[Unit]:
        """One unit for each `UNIT_SIZE` problems."""
        starts = range(0, self.count, UNIT_SIZE)
        return [
            Unit(f"synthetic-{start}", str(start), digest(VERSION, self.count, self.seed, self.style, start))
            for start in starts
        ]

    def read(self, unit: Unit, source: str) -> Iterator[Document | Dropped]:
        """Documents of `per_document` problems each."""
        first = int(unit.path)
        for start in range(first, min(first + UNIT_SIZE, self.count), self.per_document):
            stop = min(start + self.per_document, self.count)
            items = [worked(self.seed, index, self.style) for index in range(start, stop)]
            text = "\n\n".join(as_text(item, self.style) for item in items)
            meta = {"synthetic": True, "generator": f"llemma arithmetic stories v{VERSION}", "problems": len(items)}
            yield Document(f"synthetic/{self.seed}/{start}", text, source, meta)
