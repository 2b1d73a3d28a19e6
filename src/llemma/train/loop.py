"""The training loop: windows in, one optimizer step after the other, metrics and checkpoints out.

`feed` says which windows a step takes, `objective` what is minimised, `sharding` how the network lies on the processes
of `mesh`, `guard` which steps must not count, and `checkpoint` what outlives a kill.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import torch
from torch import Tensor

from llemma.core.console import Console, Progress
from llemma.core.errors import DataError, Interrupted
from llemma.core.files import digest, file_digest, write_json
from llemma.core.interrupt import Pending, deferred
from llemma.core.types import Mixture
from llemma.model import network, parity, weights
from llemma.model.llama import Llama
from llemma.tokens.mixture import shares
from llemma.tokens.store import Store
from llemma.tokens.tokenizer import Tokenizer
from llemma.train import branch, checkpoint, guard, metrics
from llemma.train.ahead import Ahead
from llemma.train.checkpoint import TrainState
from llemma.train.config import INDIFFERENT, ModelConfig, TrainConfig
from llemma.train.feed import Feed, Sample, joined, sampled
from llemma.train.guard import Guard
from llemma.train.mesh import Mesh, current
from llemma.train.metrics import Clock, Metrics
from llemma.train.objective import IGNORED
from llemma.train.optim import Optimizers
from llemma.train.plan import flops_per_token, plan, shape_of
from llemma.train.schedule import schedule
from llemma.train.sharding import Start, lay_out, release

VERSION = 3
RESUME = "the same command goes on from there"
POISON = "LLEMMA_POISON"
"""For tests: places `FIRST:STOP` of windows whose loss is not a number."""


class Done(NamedTuple):
    """A step of all processes together: its loss (nats a token) and gradient norm, why it did not count (empty where it
    did), whether one process was asked to stop, and whether all have written the checkpoint under way."""

    loss: float
    norm: float
    why: str
    stop: bool
    written: bool


class Trainer:
    """One training phase in one run folder.

    `init` is a checkpoint folder to continue from, or None to start from `shape` with random weights. `train` and
    `validation` are stores by subset. The same arguments in the same folder resume exactly: the loss curve and the
    final weights equal those of an undisturbed run on the same machine. Under torchrun all processes make one.
    """

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        *,
        tokenizer: Tokenizer,
        train: Mapping[str, Store],
        validation: Mapping[str, Store],
        console: Console,
        init: Path | None = None,
        shape: ModelConfig | None = None,
    ) -> None:
        self.run, self.config, self.console, self.tokenizer = run, config, console, tokenizer
        self.validation = dict(validation)
        _check_tokenizer(tokenizer, {**train, **validation})
        self.mesh: Mesh = current().arrange(config.tensor_parallel)
        self.start = Start(config, tokenizer, init, shape, console)
        self.objective = lay_out(self.start, self.mesh)
        self.model = cast(Llama, self.objective.network)  # one of transformers has the same face
        available = {name: store.info.tokens for name, store in train.items()}
        sizes = shape_of(self.model.config, int(self.model.config.vocab_size))
        self.plan = plan(config, sizes)
        mixture = shares(Mixture(config.mixture, config.seed), available, self.plan.tokens)
        self.plan = msgspec.structs.replace(self.plan, mixture=mixture)
        self.flops = flops_per_token(sizes, config.context)
        self.feed = Feed(train, mixture, config, self.plan.steps, self.mesh)
        self.ahead = Ahead(self.feed, self.mesh.device, documents=config.document_mask)
        self.optimizers = Optimizers(self.model, config)
        self.work: str = self.mesh.agree(self._work(init, shape, train) if self.mesh.leader else "")
        self.journal = self.mesh.agree(guard.read_journal(run, self.work))
        self.writer = checkpoint.Writer(run, self.mesh, tokenizer, config.keep_checkpoints)
        self.guard, self.pending = Guard(config, []), Pending()

    def _work(self, init: Path | None, shape: ModelConfig | None, train: Mapping[str, Store]) -> str:
        """Names everything that the result depends on."""
        stores = {name: _content(store) for name, store in sorted(train.items())}
        config = msgspec.structs.replace(self.config, **INDIFFERENT)
        trunk = branch.identity(self.run, self.config.branch) if self.config.branch else ""
        start = weights.identity(init) if init else shape
        return digest(VERSION, config, start, self.tokenizer.digest, stores, trunk)

    def train(self) -> dict[str, Any]:
        """Run (or finish) the phase; leaves `final/` and returns the last metrics."""
        if self.mesh.leader:
            self.run.mkdir(parents=True, exist_ok=True)
            write_json(self.run / "plan.json", self.plan)
        state = self._begin()
        rows = self._rows(state.step)
        with self.console.progress(f"train {self.run.name}", self.plan.steps, "steps") as bar, self.ahead:
            bar.resume(state.step)
            with deferred(self.console) as self.pending:
                state = self._steps(state, rows, bar)
            self.writer.finish()
        last = self._look(rows, state.step)
        checkpoint.export(self.model, self.run / "final", self.tokenizer, self.mesh)
        return {**last, "skipped": state.skipped, "rollbacks": state.rollbacks, "steps": state.step}

    def _rows(self, step: int) -> Metrics | None:
        """Where metrics go; nowhere but on the leader."""
        if not self.mesh.leader:
            return None
        return Metrics(self.run / "metrics.jsonl", step, metrics.open_trackers(self.config, self.run))

    # where the run stands

    def _begin(self) -> TrainState:
        """Load the newest checkpoint of this work, else what the phase starts from."""
        state = self._restored()
        if state is not None:
            self.console.say(f"{self.run.name}: goes on after step {state.step}")
            return state
        if self.start.init is not None and self.config.init and self.config.parity_check:
            self._check_parity(self.start.init)
        return self._first(again=self.mesh.distributed and not self.start.foreign)

    def _first(self, *, again: bool) -> TrainState:
        """The state before step 1, or that of the run to branch from; `again`: the network has other weights by now."""
        if again:
            self.start.refill(self.model)
            self.optimizers.forget()
        state = TrainState(work=self.work, batch=self.config.batch, context=self.config.context)
        if self.config.branch:
            folder = branch.find(self.config.branch, self.run, self.mesh, self.console)
            trunk = checkpoint.restore(folder, self.model, self.optimizers)
            state = branch.state(trunk, state, self.plan.steps, folder)
            self.console.say(f"{self.run.name}: branches from {folder} after step {state.step}")
        return self._taken(state)

    def _restored(self, *, fresh: bool = False) -> TrainState | None:
        folder = checkpoint.newest(self.run, self.journal, self.mesh, self.console, fresh=fresh)
        if folder is None:
            return None
        return self._taken(checkpoint.restore(folder, self.model, self.optimizers))

    def _taken(self, state: TrainState) -> TrainState:
        """Let feed and guard continue from `state`."""
        left_out = joined([*state.left_out, *self.journal.left_out])
        self.feed.left_out = left_out
        self.guard = Guard(self.config, state.seen, state.streak)
        return msgspec.structs.replace(state, left_out=left_out, rollbacks=len(self.journal.rollbacks))

    def _check_parity(self, init: Path) -> None:
        """The user's checkpoint against transformers (one that the phase before wrote needs none)."""
        if self.mesh.leader:
            options: dict[str, Any] = {"rope_theta": self.config.rope_theta}
            model = network.load(init, dtype=None, **options) if self.mesh.distributed else self.model
            found = parity.check(model, init, self.feed.windows(0), **options)
            self.console.say(f"{self.run.name}: {found.line}")
            if found.warning:
                self.console.warn(found.warning)
        self.mesh.agree(None)

    # steps

    def _steps(self, state: TrainState, rows: Metrics | None, bar: Progress) -> TrainState:
        peak = metrics.peak(self.mesh.device, self.config) * self.mesh.size
        clock = Clock(self.config.batch * self.config.context, self.flops, peak)
        while state.step < self.plan.steps:
            done = self._step(state.step)
            state = self._after(state, done.why)
            clock.tick()
            lr = schedule(state.step - 1, self.plan.steps, self.config)
            bar.advance(1, clock.line(done.loss, lr, metrics.memory(self.mesh.device)))
            if done.why:
                self._tell(rows, state.step, "left out", done.why)
            if state.step % self.config.log_every == 0 or state.step == self.plan.steps:
                self._log(rows, self._row(state, done, lr, clock))
            if self.guard.hopeless:
                raise guard.hopeless(self.run, state.step, f"too many steps were left out; the last one: {done.why}")
            if state.streak >= self.config.rollback_after:
                state = self._roll_back(state, rows, done.why)
                bar.resume(state.step)
                continue
            self._keep(state, rows, done)
        return state

    def _step(self, step: int) -> Done:
        """Forward, backward and, unless the guard objects, update on batch number `step`, with all processes."""
        loss, stop, written = self._gradients(step)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        length = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        why = self.guard.judge(loss, length)
        if why:
            self.model.zero_grad(set_to_none=True)
        else:
            self.optimizers.step(schedule(step, self.plan.steps, self.config))
        return Done(loss, length, why, stop, written)

    def _gradients(self, step: int) -> tuple[float, bool, bool]:
        """Forward and backward; of all processes together: the loss (nats a token), whether one was asked to stop, and
        whether all have written the checkpoint under way."""
        windows, documents, labels = self.ahead.take(step, last=step + 1 == self.plan.steps)
        micro, tokens, readers = self.config.micro_batch or len(windows), self._counted(labels), self.mesh.readers
        total = torch.zeros((), dtype=torch.float64, device=windows.device)
        for start in range(0, len(windows), micro):
            rows = slice(start, start + micro)
            parts = (None if part is None else part[rows] for part in (documents, labels))
            minimised, nats = self.objective(windows[rows], *parts)
            if self._poisoned(step):
                minimised, nats = minimised * math.nan, nats * math.nan
            # FSDP takes the mean of the processes' gradients, and the batch has one sum
            (minimised * readers / tokens if readers > 1 else minimised / tokens).backward()
            total += (nats.detach() / tokens).double()
        asked, ready = self.pending.requested, self.writer.ready
        loss, stops, written = self.mesh.sums([float(total), float(asked), float(ready)])
        return loss / self.mesh.tensor, stops > 0, written == self.mesh.size

    def _counted(self, labels: Tensor | None) -> int:
        """Tokens of a step that count in its loss, of all processes together; at least 1."""
        if labels is None:
            return self.config.batch * self.config.context
        (found,) = self.mesh.sums([float((labels != IGNORED).sum())])
        return max(1, int(found) // self.mesh.tensor)

    def _poisoned(self, step: int) -> bool:
        first, _, stop = os.environ.get(POISON, "").partition(":")
        return bool(stop) and any(int(first) <= place < int(stop) for place in self.feed.mine(step))

    def _after(self, state: TrainState, why: str) -> TrainState:
        return msgspec.structs.replace(
            state,
            step=state.step + 1,
            skipped=state.skipped + bool(why),
            seen=self.guard.seen,
            streak=self.guard.streak,
        )

    def _keep(self, state: TrainState, rows: Metrics | None, done: Done) -> None:
        """What is due after a step: a look at the validation stores, a checkpoint, the end that the user asked for.

        In the middle of steps that go wrong there is no checkpoint: it might not be worth going back to.
        """
        last = state.step == self.plan.steps
        if done.written:
            self.writer.finish()
        if self.config.validate_every and state.step % self.config.validate_every == 0 and not last:
            self._look(rows, state.step)
        due = state.step % self.config.checkpoint_every == 0 and not state.streak
        if (not last and (due or done.stop)) or (last and self._is_trunk()):
            self.writer.save(self.model, self.optimizers, state)
        if done.stop and not last:
            self.writer.finish()
            raise Interrupted(f"stopped after step {state.step} of {self.plan.steps}", where=str(self.run), mend=RESUME)

    def _is_trunk(self) -> bool:
        """Whether the learning rate never falls: such a run is there to be branched from, its end too."""
        config = self.config
        return config.schedule == "constant" or (config.schedule == "wsd" and not config.decay_steps)

    def _roll_back(self, state: TrainState, rows: Metrics | None, why: str) -> TrainState:
        """Go back to the last checkpoint, and let its next step take the data after that of the last step.

        A checkpoint that the run came back to often enough is passed for the one before it. The guard's window starts
        anew: a level that is higher for good must not stop the run.
        """
        came = state.step
        self.writer.finish()
        back = self._restored(fresh=True) or self._first(again=True)
        entry = guard.Rollback(came, back.step, self.feed.span(back.step, came), why)
        self.journal = guard.added(self.run, self.journal, entry, self.config.max_rollbacks)
        if self.mesh.leader:
            guard.write_journal(self.run, self.journal)
        self.writer.drop_after(back.step)
        if rows:
            rows.cut(back.step)
        state = self._taken(msgspec.structs.replace(back, seen=[], streak=0))
        self._tell(rows, came, "rollback", f"went back to step {back.step}: {why}", to=back.step, places=entry.left_out)
        return state

    # what is said

    def _tell(self, rows: Metrics | None, step: int, event: str, why: str, **facts: Any) -> None:
        """An event of the guard after `step`, for the user and the report."""
        self.console.warn(f"{self.run.name} step {step}: {event}: {why}")
        self._log(rows, {"step": step, "event": event, "why": why, **facts})

    def _log(self, rows: Metrics | None, row: dict[str, Any]) -> None:
        if rows is not None:
            rows.write(row)

    def _row(self, state: TrainState, done: Done, lr: float, clock: Clock) -> dict[str, Any]:
        return {
            "step": state.step,
            "tokens": state.step * self.config.batch * self.config.context,
            "loss": round(done.loss, 5),
            "lr": lr,
            "grad_norm": round(done.norm, 4),
            "skipped": state.skipped,
            "tokens_per_second": round(clock.rate),
            "mfu": round(clock.mfu, 4),
            "memory": metrics.memory(self.mesh.device),
            "seconds": round(clock.seconds, 1),
        }

    @torch.no_grad()
    def _look(self, rows: Metrics | None, step: int) -> dict[str, Any]:
        """Bits per byte on the first windows of each validation store, written to the metrics."""
        self.model.eval()
        bits = {name: self._bits_per_byte(store) for name, store in self.validation.items()}
        self.model.train()
        release(self.objective)
        row = {"step": step, "tokens": step * self.config.batch * self.config.context, "validation": bits}
        self._log(rows, row)
        return row

    def _bits_per_byte(self, store: Store) -> float:
        """Estimate from at most `validation_windows` evenly spaced windows: nats a token over bytes a token. Of a store
        of questions and answers, on the answers alone."""
        found = sampled(store, self.config.context, self.config.validation_windows, self.config.seed)
        counted = int((found.labels != IGNORED).sum())
        if not counted:
            return math.nan
        nats = self._nats([Sample(*parts) for parts in zip(*(torch.split(part, 16) for part in found), strict=True)])
        return nats / counted / math.log(2) * store.info.tokens / store.info.text_bytes

    def _nats(self, batches: list[Sample]) -> float:
        """The summed loss of windows that the processes share; all compute equally often, as FSDP needs."""
        total, device = 0.0, self.mesh.device
        for first in range(0, len(batches), self.mesh.readers):
            mine = first + self.mesh.reader
            windows, labels, documents = batches[mine % len(batches)]
            within = documents if self.config.document_mask else None
            nats = float(self.objective(windows.to(device), within, labels.to(device))[1])
            total += nats if mine < len(batches) else 0.0
        return self.mesh.sums([total])[0] / self.mesh.tensor


def _check_tokenizer(tokenizer: Tokenizer, stores: Mapping[str, Store]) -> None:
    """Refuse stores whose ids mean something else to `tokenizer`, which goes along with the weights."""
    for name, store in stores.items():
        if store.info.tokenizer_digest != tokenizer.digest:
            raise DataError(
                f"the tokens of '{name}' were made with another tokenizer",
                where=f"{store.path}, {tokenizer.path}",
                mend="name theirs as data.tokenizer, or tokenize the texts again",
            )


def _content(store: Store) -> list[str]:
    """What names a store's tokens, and which of them are learned."""
    return [file_digest(path) for name in ("tokens.bin", "answers.bin") if (path := store.path / name).is_file()]
