"""What keeps a run alive: steps that go wrong are left out, and a run of them leads back to a checkpoint and past the
data that they met.

Going back and passing the data of the time since the checkpoint is PaLM's remedy (arXiv 2204.02311, section 5.1); the
window of 128 steps is that of OLMo 2's skip-step optimizer. Medians stand for means, so that a spike in the window
does not hide the next one.
"""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import msgspec

from llemma.core.errors import LlemmaError
from llemma.core.files import read_json, write_json
from llemma.train.config import TrainConfig
from llemma.train.feed import Span

WINDOW = 128
LEAST = 32
"""Steps seen before one can stand out of them."""
MOST = 20
"""Steps of the window that may be left out before the run counts as hopeless."""
TRIES = 2
"""Rollbacks to one checkpoint before the one before it is taken."""
SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
CALM = 0.01
"""A standard deviation of losses is taken as at least this share of their median: in a calm stretch, the usual is no
spike."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A step's loss and gradient norm (None: not finite), and whether it updated the weights."""

    loss: float | None
    norm: float | None
    taken: bool


class Guard:
    """The last steps of a run. `seen` and `streak`, the steps left out just now, are part of its checkpoints."""

    def __init__(self, config: TrainConfig, seen: list[Seen], streak: int = 0) -> None:
        self.config, self.seen, self.streak = config, list(seen), streak

    def judge(self, loss: float, norm: float) -> str:
        """Why a step must not update the weights; empty where it may. Remembers the step.

        Finite values count in the window even when they stood out: a level that stays becomes the usual one.
        """
        why = self._why(loss, norm)
        self.streak = self.streak + 1 if why else 0
        self.seen = [*self.seen[1 - WINDOW :], Seen(_finite(loss), _finite(norm), not why)]
        return why

    @property
    def hopeless(self) -> bool:
        """Whether too many of the last steps were left out."""
        return sum(not step.taken for step in self.seen) > MOST

    def _why(self, loss: float, norm: float) -> str:
        for name, value in (("loss", loss), ("gradient norm", norm)):
            if not math.isfinite(value):
                return f"{name} not finite"
        usual = [step.loss for step in self.seen if step.loss is not None]
        norms = [step.norm for step in self.seen if step.norm is not None]
        if min(len(usual), len(norms)) < LEAST:
            return ""
        middle, sigma = spread(usual)
        if self.config.loss_spike and loss > middle + self.config.loss_spike * sigma:
            return f"loss {loss:.3g} where {middle:.3g} is usual"
        middle = statistics.median(norms)
        if self.config.norm_spike and norm > self.config.norm_spike * middle:
            return f"gradient norm {norm:.3g} where {middle:.3g} is usual"
        return ""


def spread(values: list[float]) -> tuple[float, float]:
    """Median and standard deviation (from the median absolute deviation), the latter at least `CALM` of the median."""
    middle = statistics.median(values)
    deviation = statistics.median(abs(value - middle) for value in values)
    return middle, max(SIGMA * deviation, CALM * abs(middle))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class Rollback(msgspec.Struct, frozen=True):
    """The run went back from after step `came` to after step `to`; the places `left_out` are passed from then on."""

    came: int
    to: int
    left_out: Span
    why: str


class Journal(msgspec.Struct, frozen=True):
    """`rollbacks.json`: with the seed, all that the order of the data depends on."""

    work: str
    rollbacks: list[Rollback] = []

    @property
    def left_out(self) -> list[Span]:
        """Places that rollbacks put aside."""
        return [rollback.left_out for rollback in self.rollbacks]

    def holds(self, step: int, known: int) -> bool:
        """Whether a checkpoint after `step` steps, written when there were `known` rollbacks, is part of the run: a
        later rollback may have gone back before it."""
        return all(step <= rollback.to for rollback in self.rollbacks[known:])

    def spent(self, step: int) -> bool:
        """Whether the run went back to the checkpoint after `step` steps so often that its weights are suspected."""
        return sum(rollback.to == step for rollback in self.rollbacks) >= TRIES


def read_journal(run: Path, work: str) -> Journal:
    """The rollbacks of a run of this `work`; none where there is no file of it."""
    path = run / "rollbacks.json"
    found = read_json(path, Journal) if path.is_file() else Journal(work)
    return found if found.work == work else Journal(work)


def added(run: Path, journal: Journal, rollback: Rollback, limit: int) -> Journal:
    """The journal with one more rollback; raises `Hopeless` when there were `limit` before."""
    if len(journal.rollbacks) >= limit:
        raise hopeless(run, rollback.came, f"{limit} rollbacks did not help; the last reason was: {rollback.why}")
    return Journal(journal.work, [*journal.rollbacks, rollback])


def write_journal(run: Path, journal: Journal) -> None:
    """Keep the journal of a run."""
    write_json(run / "rollbacks.json", journal)


class Hopeless(LlemmaError):
    """No rollback saves the run. All its processes raise it at the same step."""


def hopeless(run: Path, step: int, why: str) -> Hopeless:
    """The end of a run after `step` steps, with its reason."""
    return Hopeless(
        f"training does not go on: {why}",
        where=f"{run} step {step}",
        mend="lower peak_lr or clip, and look at metrics.jsonl for where it began",
    )
