"""What backends that compute in this process share: requests become batches of rows, tokens become completions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from llemma.backends.base import cut, failed
from llemma.core.files import digest
from llemma.core.types import Completion, Request
from llemma.model.sampling import Generated, Sampling

Decode = Callable[[list[int]], str]
Stopped = Callable[[list[int]], bool]
# prompts, the seeds of the samples of each, settings, when a sample has ended -> the samples of each prompt
Generate = Callable[[list[list[int]], list[list[int]], Sampling, Stopped], list[list[Generated]]]
# prompts, the width, new tokens at most, when a continuation has ended -> the best continuations of each prompt
Search = Callable[[list[list[int]], int, int, Stopped], list[list[Generated]]]


class Fitted(NamedTuple):
    """A request as ids: its prompt, cut on the left where need be, and the settings with a budget that fits."""

    prompt: list[int]
    sampling: Sampling
    cut: bool


class Piece(NamedTuple):
    """Some samples of one request: the request's place among all, its prompt's ids, the numbers of the samples."""

    place: int
    prompt: list[int]
    samples: range


def answers(
    requests: Sequence[Request],
    batch: int,
    fit: Callable[[Request], Fitted],
    generate: Generate,
    decode: Decode,
) -> Iterator[list[Completion]]:
    """The completions of each request, as soon as all its samples are there; at most `batch` samples at once.

    Requests with equal settings are asked together, sorted by length. Which ones does not change what is drawn: each
    sample has a seed of its own.
    """
    groups: dict[tuple[Sampling, tuple[str, ...]], list[tuple[int, list[int]]]] = {}
    cuts = set[int]()
    for place, request in enumerate(requests):
        prompt, sampling, cut_off = fit(request)
        groups.setdefault((sampling, tuple(request.stop)), []).append((place, prompt))
        cuts |= {place} if cut_off else set()
    given: dict[int, list[Completion]] = {}
    for (sampling, stop), group in groups.items():
        stopped = StopStrings(stop, decode)
        for pieces in packs(group, [request.n for request in requests], batch):
            started = time.monotonic()
            seeds = [[seed(requests[place], sample) for sample in samples] for place, _, samples in pieces]
            made = generate([piece.prompt for piece in pieces], seeds, sampling, stopped)
            each = (time.monotonic() - started) / sum(len(piece.samples) for piece in pieces)
            for piece, samples in zip(pieces, made, strict=True):
                request, done = requests[piece.place], given.setdefault(piece.place, [])
                done += [completion(request, i, s, decode, each) for i, s in zip(piece.samples, samples, strict=True)]
                if len(done) == request.n:
                    yield marked(given.pop(piece.place), piece.place in cuts)


def searched(
    requests: Sequence[Request],
    batch: int,
    fit: Callable[[Request], Fitted],
    search: Search,
    decode: Decode,
) -> Iterator[list[Completion]]:
    """The best continuations of each request by beam search, of width `request.n`; at most `batch` beams at once."""
    groups: dict[tuple[int, int, tuple[str, ...]], list[tuple[Request, Fitted]]] = {}
    for request in requests:
        fitted = fit(request)
        key = (request.n, fitted.sampling.max_tokens, tuple(request.stop))
        groups.setdefault(key, []).append((request, fitted))
    for (width, budget, stop), group in groups.items():
        group.sort(key=lambda item: -len(item[1].prompt))
        stopped, size = StopStrings(stop, decode), max(1, batch // width)
        for pack in (group[start : start + size] for start in range(0, len(group), size)):
            started = time.monotonic()
            found = search([fitted.prompt for _, fitted in pack], width, budget, stopped)
            each = (time.monotonic() - started) / (len(pack) * width)
            for (request, fitted), best in zip(pack, found, strict=True):
                made = [completion(request, i, one, decode, each) for i, one in enumerate(best)]
                lacking = failed(request, f"the search found {len(best)} continuations", range(len(best), width))
                yield marked(made + lacking, fitted.cut)


def apart(requests: Sequence[Request]) -> tuple[list[Request], list[Request]]:
    """Those whose samples are drawn, and those whose continuations are searched for."""
    return [r for r in requests if not r.beam], [r for r in requests if r.beam]


def marked(samples: list[Completion], cut_off: bool) -> list[Completion]:
    """`samples`, of a prompt that has lost its beginning if `cut_off`."""
    return [msgspec.structs.replace(sample, cut=True) for sample in samples] if cut_off else samples


def packs(group: list[tuple[int, list[int]]], counts: Sequence[int], batch: int) -> Iterator[list[Piece]]:
    """Neighbours in length, at most `batch` samples together; the longest first, so that memory runs out at once.

    A request with more samples than there is room for goes on in the next pack.
    """
    pack: list[Piece] = []
    room = batch
    for place, prompt in sorted(group, key=lambda item: (-len(item[1]), item[0])):
        start = 0
        while start < counts[place]:
            end = min(counts[place], start + room)
            pack.append(Piece(place, prompt, range(start, end)))
            room -= end - start
            start = end
            if not room:
                yield pack
                pack, room = [], batch
    if pack:
        yield pack


def seed(request: Request, sample: int) -> int:
    """The seed of one sample: neither batch nor order nor number of samples is part of it."""
    return int(digest(request.seed, request.id, sample), 16)


def completion(request: Request, number: int, sample: Generated, decode: Decode, seconds: float) -> Completion:
    """A sample as text; `seconds` is its share of its batch's, times the samples of the request."""
    text, _ = cut(decode(sample.ids), request.stop)
    return Completion(
        request=request.id,
        sample=number,
        text=text,
        finish=sample.finish,
        tokens=len(sample.ids),
        logprob=round(sample.logprob, 4),
        seconds=round(seconds * request.n, 3),
    )


class StopStrings:
    """Whether the newest token completed one of `marks`.

    Only the tail is decoded, a token being at least one byte, and only after a token whose own text has the last
    character of a mark. Characters beyond ASCII may be spread over tokens, and decoders drop leading blanks: marks
    that end in either are looked for after every token.
    """

    def __init__(self, marks: Sequence[str], decode: Decode) -> None:
        self.marks, self.decode = [mark for mark in marks if mark], decode
        self.tail = 4 * max(map(len, self.marks), default=0) + 4
        self.ends = {mark[-1] for mark in self.marks}
        self.always = any(not end.isascii() or end == " " for end in self.ends)
        self.known: dict[int, bool] = {}

    def __call__(self, ids: list[int]) -> bool:
        if not self.marks or not (self.always or self._may_end(ids[-1])):
            return False
        text = self.decode(ids[-self.tail :])
        return any(mark in text for mark in self.marks)

    def _may_end(self, token: int) -> bool:
        if token not in self.known:
            text = self.decode([token])
            self.known[token] = any(end in text for end in self.ends)
        return self.known[token]
