"""Many samples of many prompts: the shared beginning computed once, each prompt once, then one token a step for all.

A network is a function `Forward`; `generate` gives that of our own Llama, a backend those of others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import torch
from torch import Tensor

from llemma.model.cache import KV, LayerCache
from llemma.model.sampling import Generated, Row, Sampling, choose

PIECE = 64  # a shared beginning is computed, kept and dropped in pieces of so many tokens
PREFILL = 1024  # tokens computed at once before the first new one: bounds the scores that are held

# ids (B, T), their positions (B, T), a mask (B, 1, T, S) over the rows' own positions or None where all are seen, and
# one cache a layer, to which the new keys and values are appended -> logits after the last token (B, V)
Forward = Callable[[Tensor, Tensor, "Tensor | None", list[LayerCache]], Tensor]


class State(Protocol):
    """All live samples of a batch, one a row."""

    logits: Tensor
    """(rows, V), after each row's last token."""

    def advance(self, tokens: list[int], rows: list[int]) -> None:
        """Go on with old row `rows[i]` as row i, its new token `tokens[i]`; the others have ended.

        A row may go on more than once, as long as there are not more rows than before.
        """
        ...


def decode(
    state: State,
    rows: Sequence[Row],
    sampling: Sampling,
    eos: Collection[int],
    stopped: Callable[[list[int]], bool],
) -> list[Generated]:
    """Draw tokens until every row has ended; rows that have leave the batch."""
    live = list(rows)
    for step in range(sampling.max_tokens):
        tokens, logprobs = choose(state.logits, live, sampling)
        drawn = zip(live, tokens, logprobs, strict=True)
        going = [at for at, (row, token, logprob) in enumerate(drawn) if row.extend(token, logprob, eos, stopped)]
        if not going or step + 1 == sampling.max_tokens:
            break
        order = packed(going)
        state.advance([tokens[at] for at in order], order)
        live = [live[at] for at in order]
    return [row.done() for row in rows]


def packed(going: list[int]) -> list[int]:
    """The rows `going` (ascending) in an order that moves few of them: a row that has ended is replaced by the last."""
    late = [at for at in going if at >= len(going)]
    kept = set(going)
    return [at if at in kept else late.pop() for at in range(len(going))]


class Prefix:
    """The newest shared beginning: its ids, and its keys and values by layer. Kept between batches.

    It is computed in pieces of `PIECE` ids, each by itself. So its numbers are, bit for bit, a function of its ids
    alone and not of the batches before, and a run that was killed and goes on ends as one that was not.
    """

    def __init__(self, forward: Forward, layers: int, device: torch.device) -> None:
        self.forward, self.layers, self.device = forward, layers, device
        self.ids: list[int] = []
        self.kept: list[KV] = []

    def of(self, prompts: Sequence[Sequence[int]]) -> tuple[int, list[LayerCache]]:
        """How many ids all `prompts` share, in whole pieces and one at least left to each, and caches behind them.

        Only what the prefix before did not have is computed.
        """
        shared = _whole(common(prompts)[: min(map(len, prompts)) - 1])
        known = len(_whole(common([self.ids, shared])))
        if known < len(self.ids):
            self.kept = [(k[:, :, :known].contiguous(), v[:, :, :known].contiguous()) for k, v in self.kept]
        self.ids = shared[:known]
        for start in range(known, len(shared), PIECE):
            caches, piece = self.caches(), shared[start : start + PIECE]
            feed(self.forward, torch.tensor([piece], device=self.device), torch.tensor([0], device=self.device), caches)
            self.ids, self.kept = shared[: start + PIECE], [cache.whole for cache in caches]
        return len(shared), self.caches()

    def caches(self) -> list[LayerCache]:
        """One cache a layer, with this prefix and nothing behind it."""
        return [LayerCache(kv) for kv in self.kept] if self.ids else [LayerCache() for _ in range(self.layers)]


def _whole(ids: list[int]) -> list[int]:
    return ids[: len(ids) // PIECE * PIECE]


def common(rows: Sequence[Sequence[int]]) -> list[int]:
    """The ids with which all of `rows` begin."""
    ordered = [list(row) for row in rows]
    first, last = min(ordered), max(ordered)  # all others lie between them
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def feed(forward: Forward, ids: Tensor, padding: Tensor, caches: list[LayerCache]) -> Tensor:
    """Compute `ids` (B, T), whose first `padding` (B,) are none, after what is in `caches`; the last logits (B, V)."""
    width = max(1, PREFILL // ids.shape[0])
    logits = torch.empty(0)
    for start in range(0, ids.shape[1], width):
        piece = ids[:, start : start + width]
        before, behind = caches[0].end - caches[0].length, caches[0].length
        places = torch.arange(behind, behind + piece.shape[1], device=ids.device)
        positions = (before + places[None] - padding[:, None]).clamp(min=0)
        logits = forward(piece, positions, visible(places, padding), caches)
    return logits


def visible(places: Tensor, padding: Tensor) -> Tensor:
    """(B, 1, T, S): queries at `places` (T,) see their row's tokens up to their own; a padded one sees itself."""
    seen = torch.arange(int(places[-1]) + 1, device=places.device)
    mask = (seen <= places[:, None]) & (seen >= padding[:, None, None])
    return (mask | (seen == places[:, None]))[:, None]


class SharedState:
    """Rows behind a shared prefix, left-padded among themselves; see `State`."""

    def __init__(
        self, forward: Forward, prefix: Prefix, prompts: Sequence[Sequence[int]], samples: Sequence[int]
    ) -> None:
        self.forward, device = forward, prefix.device
        self.shared, self.caches = prefix.of(prompts)
        tails = [prompt[self.shared :] for prompt in prompts]
        first = [sum(samples[:at]) for at in range(len(samples) + 1)]
        chunks = [(chunk, self._prefill([tails[at] for at in chunk], prefix)) for chunk in _chunks(tails)]
        sources = [torch.tensor([i for i, at in enumerate(c) for _ in range(samples[at])]) for c, _ in chunks]
        targets = [torch.tensor([r for at in c for r in range(first[at], first[at + 1])]) for c, _ in chunks]
        for layer, cache in enumerate(self.caches):
            made = [caches[layer] for _, (caches, _) in chunks]
            cache.gather(list(zip(made, sources, targets, strict=True)), first[-1])
        spread = [logits[source] for (_, (_, logits)), source in zip(chunks, sources, strict=True)]
        self.logits = torch.cat(spread)[torch.cat(targets).argsort()]
        width = max(map(len, tails))
        padding = [width - len(tail) for tail, count in zip(tails, samples, strict=True) for _ in range(count)]
        self.padding = torch.tensor(padding, device=device)

    def _prefill(self, tails: list[Sequence[int]], prefix: Prefix) -> tuple[list[LayerCache], Tensor]:
        caches, (ids, padding) = prefix.caches(), padded(tails, prefix.device)
        return caches, feed(self.forward, ids, padding, caches)

    def advance(self, tokens: list[int], rows: list[int]) -> None:
        """See `State`."""
        device = self.padding.device
        if rows != list(range(len(self.padding))):
            moved = [(old, new) for new, old in enumerate(rows) if old != new]
            # indices stay on the CPU: layers may lie on several devices
            source = torch.tensor([old for old, _ in moved], dtype=torch.long)
            target = torch.tensor([new for _, new in moved], dtype=torch.long)
            for cache in self.caches:
                cache.move(source, target, len(rows))
            self.padding = self.padding[torch.tensor(rows)]
        place = torch.tensor([self.caches[0].length], device=device)
        positions = self.shared + place[None] - self.padding[:, None]
        mask = visible(place, self.padding) if bool(self.padding.any()) else None
        self.logits = self.forward(torch.tensor(tokens, device=device)[:, None], positions, mask, self.caches)


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """`rows` as ids (B, T), filled on the left with zeros, and how many of these each has (B,)."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    return ids, torch.tensor([width - len(row) for row in rows], device=device)


def _chunks(tails: Sequence[Sequence[int]]) -> list[list[int]]:
    """Which of `tails` to compute together: neighbours in length, at most `PREFILL` tokens with their padding."""
    chunks: list[list[int]] = []
    for at in sorted(range(len(tails)), key=lambda at: -len(tails[at])):
        if chunks and (len(chunks[-1]) + 1) * len(tails[chunks[-1][0]]) <= PREFILL:
            chunks[-1].append(at)
        else:
            chunks.append([at])
    return chunks
