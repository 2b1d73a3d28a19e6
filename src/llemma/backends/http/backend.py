"""`http://host:port/v1#model`: requests answered by a server, many at a time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from llemma.backends.base import Likelihood, failed
from llemma.backends.http.address import Address, parse
from llemma.backends.http.background import background
from llemma.backends.http.client import Client, Lost, Refused
from llemma.backends.http.context import fitted, overflow
from llemma.backends.http.hello import EASY, Known, hello
from llemma.backends.http.likelihood import echo, likelihood
from llemma.backends.http.wire import Sample, question, samples
from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import digest
from llemma.core.types import Completion, Request

T = TypeVar("T")
FITS = 5  # attempts to make a prompt fit
FRUITLESS = 2  # rounds without a new sample before the rest is given up
MOST_LOST = 32  # requests in a row without any answer, each after all its attempts, before a server counts as gone
HALVINGS = 8  # of a text that is too long to be scored at once
_PROBE = "1 + 1 = 2, and 2 + 2 = 4."


class Gone(Exception):
    """The server cannot be reached any more."""


def open_http(name: str, **_options: Any) -> Http:
    """The opener of `http:NAME`; gets to know the server (`hello`) and raises what is wrong with it."""
    return _open(f"http:{name}")


def open_https(name: str, **_options: Any) -> Http:
    """The opener of `https:NAME`."""
    return _open(f"https:{name}")


def _open(url: str) -> Http:
    address = parse(url)

    async def known() -> AsyncGenerator[Known, None]:
        yield await hello(address)

    [found] = background(known)
    return Http(url, address, found)


class Http:
    """A model behind an OpenAI-compatible server."""

    device = "remote"

    def __init__(self, name: str, address: Address, known: Known) -> None:
        self.name, self.address, self.known = name, address, known
        # the weights behind the name are the server's secret: two servers with other ones are two addresses
        self.identity = digest("http-1", address.base, address.query, known.model, address.options.api)
        self.samples = address.options.samples  # per HTTP request; less once the server has given less
        self.context = known.context
        self.lost = 0  # requests in a row that had no answer
        self.answered = 0  # requests of this process

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        """See `Backend.complete`. A server that is gone for good raises `LlemmaError`, with the number of answers.

        A beam search is refused: the API has no field for it, and a server that ignores one would answer greedily.
        """
        if any(request.beam for request in requests):
            raise MissingError(
                "a server cannot be asked for a beam search",
                where=self.name,
                mend="draw samples (temperature above 0), or load the model here: hf:NAME, run:DIR",
            )
        try:
            for answer in background(lambda: self._answers(requests)):
                self.answered += any(sample.finish != "error" for sample in answer)
                yield answer
        except Gone as gone:
            raise LlemmaError(
                f"the server is gone: {gone}; {self.answered} requests were answered before",
                where=self.address.base,
                mend="start it again; the same command keeps what was answered and asks the rest",
            ) from None

    async def _answers(self, requests: Sequence[Request]) -> AsyncGenerator[list[Completion], None]:
        async with Client(self.address) as client:
            async for answer in _as_completed([self._answer(client, request) for request in requests]):
                yield answer

    async def _answer(self, client: Client, request: Request) -> list[Completion]:
        """All samples of a request: asked in groups, and asked again for what a server that gives fewer has left out.

        Each sample's seed follows from its number, so that a group asked again does not repeat another one.
        """
        found: dict[int, Completion] = {}
        fruitless = 0
        while fruitless < FRUITLESS and len(found) < request.n:
            owed = [number for number in range(request.n) if number not in found]
            groups = _groups(owed, 1 if request.temperature == 0 else self.samples)
            answers = [given async for given in _as_completed([self._group(client, request, g) for g in groups])]
            new = {sample.sample: sample for given in answers for sample in given}
            fruitless = 0 if new else fruitless + 1
            found |= new
        why = f"the server gave {len(found)} of {request.n} samples"
        errors = failed(request, why, [number for number in range(request.n) if number not in found])
        return [found[number] for number in sorted(found)] + errors

    async def _group(self, client: Client, request: Request, group: list[int]) -> list[Completion]:
        """The samples of a group that the server gave, in order; errors for all when it failed."""
        try:
            given, seconds, whole = await self._ask(client, request, group)
        except Lost as lost:
            await self._count_lost(client, lost)
            return failed(request, lost.why, group)
        except Refused as refusal:
            self.lost = 0
            return failed(request, self._reason(refusal), group)
        self.lost = 0
        if 0 < len(given) < len(group):
            self.samples = min(self.samples, len(given))
        made = [_completion(request, n, sample, seconds) for n, sample in zip(group, given, strict=False)]
        return made if whole else [msgspec.structs.replace(completion, cut=True) for completion in made]

    async def _count_lost(self, client: Client, lost: Lost) -> None:
        """One more request without an answer; raises `Gone` when asking on is of no use.

        After many in a row the server is asked something easy: it may be the requests that are at fault.
        """
        self.lost += 1
        if lost.gone:
            raise Gone(lost.why)
        if self.lost % MOST_LOST == 0:
            try:
                await client.ask(self.address.path, self._body(EASY, [0]))
            except Lost:
                raise Gone(f"{self.lost} requests in a row without an answer, the last: {lost.why}") from None
            except Refused:
                pass

    async def _ask(self, client: Client, request: Request, group: list[int]) -> tuple[list[Sample], float, bool]:
        """At most as many samples as `group` has numbers; a server that takes no `n` is asked for one."""
        try:
            return await self._fitted(client, request, group)
        except Refused as refusal:
            if len(group) == 1 or refusal.status not in (400, 422) or overflow(refusal):
                raise
            return await self._fitted(client, request, group[:1])

    async def _fitted(self, client: Client, request: Request, group: list[int]) -> tuple[list[Sample], float, bool]:
        """Ask, and when the prompt is too long, ask with what fits: samples, seconds, and whether it went whole."""
        asked = request
        for attempt in range(FITS):
            try:
                payload, seconds = await client.ask(self.address.path, self._body(asked, group))
                return samples(payload, asked, len(group)), seconds, asked.prompt == request.prompt
            except Refused as refusal:
                told = overflow(refusal)
                if told is None or attempt == FITS - 1:
                    raise
                self.context = told.context or self.context
                if self.context is None:
                    raise
                asked = fitted(asked, self.context, told.prompt or await self._count(client, asked, self.context))
        raise AssertionError("unreachable")

    async def _count(self, client: Client, request: Request, context: int) -> int:
        """Tokens of a prompt, by asking for one more; where even that is too long, a little more than the context."""
        try:
            payload, _ = await client.ask(
                self.address.path, self._body(msgspec.structs.replace(request, max_tokens=1), [0])
            )
        except Refused:
            return math.ceil(1.1 * context)
        usage = payload.get("usage")
        told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return told if type(told) is int and told > 0 else context

    def _body(self, request: Request, group: list[int]) -> dict[str, Any]:
        seed = int(digest(request.seed, request.id, group[0])[:7], 16)
        known, api = self.known, self.address.options.api
        return question(known.model, api, known.dialect, request, len(group), seed)

    def _reason(self, refusal: Refused) -> str:
        """A refusal for length names the context."""
        told = overflow(refusal)
        if told is None:
            return refusal.why
        size = told.context or self.context
        return f"the prompt is too long for the context{f' of {size} tokens' if size else ''}; {refusal.why}"

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        """See `Backend.score`. Whether the server tells probabilities of prompts is found out at the call.

        A text longer than the server's context is scored in halves, each by itself.
        """
        [budget] = background(self._probe)
        return background(lambda: self._scores(texts, budget))

    async def _probe(self) -> AsyncGenerator[int, None]:
        """The `max_tokens` with which the server echoes; raises `MissingError` where it does not."""
        why = "it answers chats alone"
        async with Client(self.address) as client:
            for budget in (0, 1) if self.address.options.api == "completions" else ():
                try:
                    payload, _ = await client.ask(self.address.path, echo(self.known.model, _PROBE, budget))
                    if likelihood(payload, _PROBE).tokens:
                        yield budget
                        return
                except (Refused, Lost) as error:
                    why = error.why
                except DataError as error:
                    why = error.what
        raise MissingError(
            f"this server gives no logprobs for prompts ({why})",
            where=self.address.base,
            mend="use a server that echoes prompts with logprobs (vLLM), run:DIR, or set perplexity = false",
        )

    async def _scores(self, texts: Sequence[str], budget: int) -> AsyncGenerator[Likelihood, None]:
        async with Client(self.address) as client:
            tasks = [asyncio.ensure_future(self._score(client, text, budget)) for text in texts]
            try:
                for task in tasks:
                    yield await task
            except (Refused, Lost) as error:
                raise LlemmaError(
                    f"a text was not scored: {error.why}",
                    where=self.address.base,
                    mend="the same command asks only what is missing",
                ) from None
            finally:
                await _cancel(tasks)

    async def _score(self, client: Client, text: str, budget: int, halvings: int = HALVINGS) -> Likelihood:
        if not text:
            return Likelihood(0.0, 0, 0)
        try:
            payload, _ = await client.ask(self.address.path, echo(self.known.model, text, budget))
            return likelihood(payload, text)
        except Refused as refusal:
            if not halvings or len(text) < 2 or overflow(refusal) is None:
                raise
        middle = text.rfind(" ", len(text) // 4, len(text) // 2) + 1 or len(text) // 2
        halves = [await self._score(client, half, budget, halvings - 1) for half in (text[:middle], text[middle:])]
        return Likelihood(sum(h.nats for h in halves), sum(h.tokens for h in halves), sum(h.bytes for h in halves))


def _completion(request: Request, number: int, sample: Sample, seconds: float) -> Completion:
    return Completion(
        request=request.id,
        sample=number,
        text=sample.text,
        finish=sample.finish or "stop",
        tokens=sample.tokens or 0,
        logprob=sample.logprob,
        seconds=round(seconds, 3),
        error=sample.error,
    )


def _groups(numbers: list[int], size: int) -> list[list[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


async def _as_completed(work: Sequence[Any]) -> AsyncGenerator[Any, None]:
    """The results of coroutines as they come; the first exception ends the others, as leaving early does."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
