"""The training loop: windows in, one optimizer step after the other, metrics and checkpoints out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from llemma.core.console import Console, Progress, count
from llemma.core.errors import Interrupted, LlemmaError
from llemma.core.files import digest, file_digest, replacing, write_json
from llemma.core.interrupt import Pending, deferred
from llemma.core.types import Mixture
from llemma.model import network, parity, weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens.mixture import Order, shares
from llemma.tokens.store import Store
from llemma.tokens.tokenizer import Tokenizer
from llemma.train import checkpoint
from llemma.train.checkpoint import TrainState
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.optim import Optimizers
from llemma.train.plan import plan, shape_of
from llemma.train.schedule import schedule

VERSION = 1
MAX_SKIPPED = 20
RESUME = "the same command goes on from there"


class Trainer:
    """One training phase in one run folder.

    `init` is a checkpoint folder to continue from, or None to start from `shape` with random weights. `train` and
    `validation` are stores by subset. The same arguments in the same folder resume exactly: the loss curve and the
    final weights equal those of an undisturbed run on the same machine.
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
        self.init = init
        self.model = _model(config, tokenizer, init, shape, console)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)
        available = {name: store.info.tokens for name, store in train.items()}
        self.plan = plan(config, shape_of(self.model.config, self.model.config.vocab_size))
        mixture = shares(Mixture(config.mixture, config.seed), available, self.plan.tokens)
        self.plan = msgspec.structs.replace(self.plan, mixture=mixture)
        self.order = Order(dict(train), mixture, config.context, config.seed)
        self.sources, self.draws = self.order.schedule(self.plan.steps * config.batch)
        self.optimizers = Optimizers(self.model, config)
        self.work = self._work(init, shape, train)

    def _work(self, init: Path | None, shape: ModelConfig | None, train: Mapping[str, Store]) -> str:
        """Names everything that the result depends on."""
        stores = {name: file_digest(store.path / "tokens.bin") for name, store in sorted(train.items())}
        config = msgspec.structs.replace(self.config, parity_check=True)  # a check changes no result
        return digest(VERSION, config, weights.identity(init) if init else shape, self.tokenizer.digest, stores)

    def train(self) -> dict[str, Any]:
        """Run (or finish) the phase; leaves `final/` and returns the last metrics."""
        self.run.mkdir(parents=True, exist_ok=True)
        write_json(self.run / "plan.json", self.plan)
        state = checkpoint.resume(self.run, self.work, self.model, self.optimizers)
        if state.step:
            self.console.say(f"{self.run.name}: goes on after step {state.step}")
        elif self.init is not None and self.config.init and self.config.parity_check:
            self._check_parity(self.init)
        metrics = _Metrics(self.run / "metrics.jsonl", state.step)
        with self.console.progress(f"train {self.run.name}", self.plan.steps, "steps") as bar:
            bar.resume(state.step)
            with deferred(self.console) as pending:
                state = self._steps(state, metrics, bar, pending)
        last = self._look(metrics, state.step)
        with replacing(self.run / "final") as folder:
            weights.save(
                self.model, folder, tokenizer=self.tokenizer.path.parent, bos=self.tokenizer.bos, eos=self.tokenizer.eos
            )
        return {**last, "skipped": state.skipped, "steps": state.step}

    def _check_parity(self, init: Path) -> None:
        """The user's checkpoint against transformers (one that the phase before wrote needs none)."""
        found = parity.check(self.model, init, self._batch(0), rope_theta=self.config.rope_theta)
        self.console.say(f"{self.run.name}: {found.line}")
        if found.warning:
            self.console.warn(found.warning)

    def _steps(self, state: TrainState, metrics: _Metrics, bar: Progress, pending: Pending) -> TrainState:
        clock = _Clock(self.config)
        while state.step < self.plan.steps:
            loss, norm = self._step(state.step)
            finite = math.isfinite(loss) and math.isfinite(norm)
            state = TrainState(state.step + 1, state.skipped + (not finite), self.work)
            if state.skipped > MAX_SKIPPED:
                raise LlemmaError(
                    f"{state.skipped} steps had a loss or gradient that is not finite",
                    where=f"{self.run} step {state.step}",
                    mend="lower peak_lr or clip, and look at metrics.jsonl for where it began",
                )
            clock.tick()
            lr = schedule(state.step - 1, self.plan.steps, self.config)
            bar.advance(1, f"loss {loss:.3f} | lr {lr:.1e} | {count(clock.rate)} tok/s")
            if state.step % self.config.log_every == 0 or state.step == self.plan.steps:
                metrics.write(self._row(state, loss, norm, lr, clock))
            if (
                self.config.validate_every
                and state.step % self.config.validate_every == 0
                and state.step < self.plan.steps
            ):
                self._look(metrics, state.step)
            last = state.step == self.plan.steps
            if not last and (pending.requested or state.step % self.config.checkpoint_every == 0):
                checkpoint.save(self.run, self.model, self.optimizers, state, self.tokenizer)
            if pending.requested and not last:
                raise Interrupted(
                    f"stopped after step {state.step} of {self.plan.steps}", where=str(self.run), mend=RESUME
                )
        return state

    def _row(self, state: TrainState, loss: float, norm: float, lr: float, clock: _Clock) -> dict[str, Any]:
        return {
            "step": state.step,
            "tokens": state.step * self.config.batch * self.config.context,
            "loss": round(loss, 5),
            "lr": lr,
            "grad_norm": round(norm, 4),
            "skipped": state.skipped,
            "tokens_per_second": round(clock.rate),
            "seconds": round(clock.seconds, 1),
        }

    def _step(self, step: int) -> tuple[float, float]:
        """Forward, backward and update on batch number `step`; returns its loss (nats a token) and gradient norm.

        A step whose loss or gradient is not finite leaves the weights as they are.
        """
        windows = self._batch(step)
        micro = self.config.micro_batch or len(windows)
        total = 0.0
        for start in range(0, len(windows), micro):
            loss = self._loss(windows[start : start + micro]) / (windows.shape[0] * self.config.context)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip))
        if math.isfinite(total) and math.isfinite(norm):
            self.optimizers.step(schedule(step, self.plan.steps, self.config))
        else:
            self.model.zero_grad(set_to_none=True)
        return total, norm

    def _batch(self, step: int) -> Tensor:
        first = step * self.config.batch
        places = range(first, first + self.config.batch)
        rows = [self.order.window(int(self.sources[i]), int(self.draws[i])) for i in places]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def _loss(self, windows: Tensor) -> Tensor:
        """Summed negative log-likelihood (nats) of windows (rows, context + 1)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            logits = self.model(windows[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten(), reduction="sum")

    @torch.no_grad()
    def _look(self, metrics: _Metrics, step: int) -> dict[str, Any]:
        """Bits per byte on the first windows of each validation store, written to the metrics."""
        self.model.eval()
        bits = {name: self._bits_per_byte(store) for name, store in self.validation.items()}
        self.model.train()
        row = {"step": step, "tokens": step * self.config.batch * self.config.context, "validation": bits}
        metrics.write(row)
        return row

    def _bits_per_byte(self, store: Store) -> float:
        """Estimate from at most `validation_windows` evenly spaced windows: nats a token over bytes a token."""
        context = self.config.context
        possible = (store.info.tokens - 1) // context
        wanted = min(possible, self.config.validation_windows)
        if not wanted:
            return math.nan
        starts = [int(i * possible / wanted) * context for i in range(wanted)]
        windows = torch.from_numpy(np.stack([store.ids[s : s + context + 1].astype(np.int64) for s in starts])).to(
            self.device
        )
        nats = sum(float(self._loss(windows[i : i + 16])) for i in range(0, wanted, 16)) / (wanted * context)
        return nats / math.log(2) * store.info.tokens / store.info.text_bytes


def _model(
    config: TrainConfig, tokenizer: Tokenizer, init: Path | None, shape: ModelConfig | None, console: Console
) -> Llama:
    if init is not None:
        found = network.load(init, implementation=config.implementation, rope_theta=config.rope_theta, say=console.warn)
        return cast(Llama, found)  # a foreign one has the same face
    assert shape is not None, "a training phase needs a checkpoint or a shape"
    table = msgspec.to_builtins(shape)
    return Llama(LlamaConfig(vocab_size=tokenizer.vocab_size, **table)).init_weights(config.seed)


class _Clock:
    """Seconds since the start of this process' part, and tokens a second over the last ten steps."""

    def __init__(self, config: TrainConfig) -> None:
        self.tokens, self.started = config.batch * config.context, time.monotonic()
        self.ticks = [self.started]

    def tick(self) -> None:
        self.ticks = [*self.ticks[-10:], time.monotonic()]

    @property
    def seconds(self) -> float:
        return self.ticks[-1] - self.started

    @property
    def rate(self) -> float:
        passed = self.ticks[-1] - self.ticks[0]
        return self.tokens * (len(self.ticks) - 1) / passed if passed else 0.0


class _Metrics:
    """`metrics.jsonl`: rows after the step that training resumes from are cut off first."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        rows = _readable_rows(path) if path.exists() else []
        with replacing(path) as temporary:
            temporary.write_bytes(
                b"".join(msgspec.json.encode(row) + b"\n" for row in rows if row["step"] <= step and step)
            )

    def write(self, row: dict[str, Any]) -> None:
        with open(self.path, "ab") as out:
            out.write(msgspec.json.encode(row) + b"\n")


def _readable_rows(path: Path) -> list[dict[str, Any]]:
    """All whole rows; a kill may have cut the last one."""
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(msgspec.json.decode(line))
        except msgspec.DecodeError:
            break
    return rows
