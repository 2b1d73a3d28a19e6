"""Keys and values of one layer for many rows that begin with the same tokens.

The shared beginning is kept once. A query multiplies it together with the queries of all other rows, as one large
product instead of one small product a row (Hydragen, arXiv 2402.05099): what was bound by memory is bound by
arithmetic, and the few-shot examples of a benchmark cost next to nothing in each step.
Shapes: B rows, T new positions, S own positions, P shared ones, H query heads, K key/value heads, h their width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

KV = tuple[Tensor, Tensor]
ROOM = 128  # positions by which a row's memory grows at least


class LayerCache:
    """`prefix`: keys and values (1, K, P, h) of all rows; `keys`, `values` (B, K, capacity, h): `length` are used."""

    def __init__(self, prefix: KV | None = None) -> None:
        self.prefix = prefix
        self.length = 0
        self.keys = self.values = torch.empty(0, 0, 0, 0)

    @property
    def end(self) -> int:
        """Positions before the next one: P + S."""
        return self.length + (0 if self.prefix is None else int(self.prefix[0].shape[2]))

    @property
    def own(self) -> KV:
        """The rows' own keys and values (B, K, S, h)."""
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    @property
    def whole(self) -> KV:
        """Prefix and own positions of the only row, (1, K, P + S, h)."""
        if self.prefix is None:
            return self.own
        return torch.cat([self.prefix[0], self.own[0]], dim=2), torch.cat([self.prefix[1], self.own[1]], dim=2)

    def append(self, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (B, K, T, h) after those that are there."""
        end = self.length + keys.shape[2]
        if end > self.keys.shape[2]:
            capacity = max(end, self.length + max(ROOM, self.length // 2)) if self.length else end
            self.keys, self.values = (
                self._grown(old, new, capacity) for old, new in zip(self.own, (keys, values), strict=True)
            )
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end

    def _grown(self, old: Tensor, new: Tensor, capacity: int) -> Tensor:
        grown = new.new_zeros(new.shape[0], new.shape[1], capacity, new.shape[3])
        if self.length:
            grown[:, :, : self.length] = old
        return grown

    def gather(self, parts: list[tuple[LayerCache, Tensor, Tensor]], rows: int) -> None:
        """Fill this empty cache of `rows` rows from caches of fewer: `(cache, its rows, their rows here)`.

        Shorter ones are moved to the right; what stays empty on their left is zero.
        """
        self.length = max(part.length for part, _, _ in parts)
        for name in ("keys", "values"):
            like: Tensor = getattr(parts[0][0], name)
            own = like.new_zeros(rows, like.shape[1], self.length + ROOM, like.shape[3])
            for part, source, target in parts:
                given: Tensor = getattr(part, name)
                own[target, :, self.length - part.length : self.length] = given[source, :, : part.length]
            setattr(self, name, own)

    def move(self, source: Tensor, target: Tensor, rows: int) -> None:
        """Copy the rows `source` over the rows `target`, then keep the first `rows`."""
        if len(source):
            self.keys[target], self.values[target] = self.keys[source], self.values[source]
        self.keys, self.values = self.keys[:rows], self.values[:rows]

    def attend(self, q: Tensor, mask: Tensor | None, scale: float | None = None) -> Tensor:
        """Softmax attention of queries (B, H, T, h) over the prefix and the rows' own positions; (B, H, T, h).

        `mask` (B, 1, T, S) is True where a query may look at its row's own positions; the whole prefix is seen. Softmax
        sums are float32.
        """
        batch, heads, length, width = q.shape
        if batch == 1 and length > 1 and mask is not None:  # nothing to share: the fused kernel is twice as fast
            keys, values = self.whole
            seen = F.pad(mask, (keys.shape[2] - mask.shape[3], 0), value=True)
            grouped = heads != keys.shape[1]
            return F.scaled_dot_product_attention(q, keys, values, seen, scale=scale, enable_gqa=grouped)
        keys, values = self.own
        groups = keys.shape[1]
        # the queries of a group share their keys: (B, K, H/K * T, h)
        q = (q * (width**-0.5 if scale is None else scale)).reshape(batch, groups, -1, width)
        scores = q @ keys.transpose(2, 3)
        if mask is not None:
            shape = (batch, groups, -1, length, self.length)
            scores = scores.view(shape).masked_fill(~mask[:, :, None], -torch.inf).view(scores.shape)
        if self.prefix is None:
            return (_softmax(scores, q) @ values).view(batch, heads, length, width)
        before = int(self.prefix[0].shape[2])
        scores = torch.cat([_shared(q, self.prefix[0][0].transpose(1, 2)), scores], dim=-1)
        weights = _softmax(scores, q)
        found = weights[..., before:] @ values + _shared(weights[..., :before], self.prefix[1][0])
        return found.view(batch, heads, length, width)


def _softmax(scores: Tensor, like: Tensor) -> Tensor:
    return scores.softmax(dim=-1, dtype=torch.float32).to(like.dtype)


def _shared(rows: Tensor, matrix: Tensor) -> Tensor:
    """(B, K, N, a) times (K, a, b) as one product for each of the K; (B, K, N, b)."""
    batch, groups, count, size = rows.shape
    flat = rows.transpose(0, 1).reshape(groups, batch * count, size)
    return torch.bmm(flat, matrix).view(groups, batch, count, -1).transpose(0, 1)
