"""`llemma sweep`: short runs over mixtures, a fit, and a run at the mixture that the fit prefers.

OUT/data/        token stores, cut down so that each source repeats as often as in the target run
OUT/runs/NAME/   one training run a mixture: metrics.jsonl and loss.json
OUT/sweep.json   mixtures, losses and the fit; table.md and sweep.svg show them
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from llemma.core.console import Console
from llemma.core.errors import DataError, RecipeError
from llemma.core.files import digest, read_json, write_bytes, write_json
from llemma.core.recipe import Recipe
from llemma.core.runs import Run, open_run
from llemma.core.types import Part
from llemma.reproduce.phases import lead, stores, train_phase
from llemma.reproduce.schema import LlemmaRecipe, need, swept
from llemma.reproduce.stages import Stage, content, perform
from llemma.reproduce.training import fetched
from llemma.tokens.store import Store, subsample
from llemma.train import mixtures
from llemma.train.config import INDIFFERENT, TrainConfig
from llemma.train.mixtures import Fit
from llemma.train.schedule import steps_of

VERSION = 1
FREE = 1e9  # epochs: a proxy's repetition is that of the target run, which the bounds of the weights heed


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A run: its mixture (shares of the weighted sources), seed, bits per byte by validation set, their objective."""

    name: str
    weights: dict[str, float]
    seed: int
    losses: dict[str, float]
    objective: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`. `confirmed` are the runs at the fitted mixture, `compared` those at `sweep.compare`, seed by seed;
    `tokens` are those of one run, `epochs` those of each source in a run at `compare`, as in the target run."""

    sources: list[str]
    objective: dict[str, float]
    tokens: int
    epochs: dict[str, float]
    runs: list[Proxy]
    fit: Fit
    confirmed: list[Proxy]
    compared: list[Proxy]

    @property
    def gain(self) -> float:
        """Measured: the mean objective at the fitted mixture less that at `compare`; negative is better."""
        return float(np.mean([run.objective for run in self.confirmed]) - np.mean([r.objective for r in self.compared]))


class Space:
    """What a recipe's sweep varies: the sources, the share that they have together, the bounds of their weights."""

    def __init__(self, recipe: LlemmaRecipe, available: dict[str, int]) -> None:
        assert recipe.sweep is not None
        self.config, self.name = recipe.sweep, swept(recipe)
        self.phase: TrainConfig = recipe.train[self.name]
        self.sources = list(self.config.compare)
        parts = {part.source: part for part in self.phase.mixture}
        total = sum(part.weight for part in parts.values())
        self.replay = {n: part for n, part in parts.items() if n not in self.sources and n in available}
        self.share = 1 - sum(part.weight for part in self.replay.values()) / total
        self.available = {name: int(self.config.target_available.get(name, available[name])) for name in self.sources}
        self.tokens = steps_of(self.phase) * self.phase.batch * self.phase.context
        self.target = int(self.config.target_tokens) or self.tokens
        self.low = np.array([self.config.low.get(name, 0.02) for name in self.sources])
        most = [parts[name].max_epochs * self.available[name] / (self.target * self.share) for name in self.sources]
        self.high = np.minimum([self.config.high.get(name, 0.9) for name in self.sources], most)
        self.compare = self._mixture(self.config.compare)

    def _mixture(self, given: dict[str, float]) -> np.ndarray:
        found = np.array([given.get(name, 0.0) for name in self.sources], dtype=np.float64)
        return found / found.sum()  # type: ignore[no-any-return]

    def planned(self) -> list[np.ndarray]:
        """All mixtures to run: `compare` first, the candidates, the draws."""
        natural = self._mixture(self.config.natural or {n: float(size) for n, size in self.available.items()})
        drawn = mixtures.draws(
            natural, self.config.concentration, self.config.draws, self.low, self.high, self.config.seed
        )
        return [self.compare, *map(self._mixture, self.config.candidates), *drawn]

    def kept(self, name: str) -> int:
        """Tokens of a source that a proxy run chooses from."""
        return max(1, round(self.available[name] * self.tokens / self.target))

    def epochs(self, mixture: np.ndarray) -> dict[str, float]:
        """How often a run at `mixture` goes through each source, the target run as well."""
        given = zip(self.sources, mixture, strict=True)
        return {name: float(w) * self.share * self.target / self.available[name] for name, w in given}

    def settings(self, mixture: np.ndarray, seed: int) -> TrainConfig:
        """The phase at this mixture; only the data differ between two runs."""
        total = sum(part.weight for part in self.phase.mixture)
        parts = [Part(n, float(w) * self.share, FREE) for n, w in zip(self.sources, mixture, strict=True) if w > 0]
        parts += [msgspec.structs.replace(p, weight=p.weight / total) for p in self.replay.values()]
        return msgspec.structs.replace(self.phase, mixture=parts, seed=self.phase.seed + seed)


def sweep(recipe: Recipe[LlemmaRecipe], out: Path, console: Console) -> Outcome | None:
    """Run the recipe's mixture experiment in the run folder `out`; goes on where it was interrupted.

    Under torchrun all processes call this, and all but the leader return None.
    """
    return lead(lambda: _sweep(recipe, out, console))


def open_space(recipe: Recipe[LlemmaRecipe]) -> tuple[Space, dict[str, Store]]:
    """What is varied, and the training stores; raises `RecipeError` and `MissingError` for what is not there."""
    for section in ("train", "sweep"):
        need(recipe, section)
    found = stores(_tokens(recipe), "train")
    lacking = [name for name in recipe.value.sweep.compare if name not in found]  # type: ignore[union-attr]
    if lacking:
        raise RecipeError(
            f"no token store of {', '.join(lacking)}", where=str(_tokens(recipe)), mend="tokenize them first"
        )
    return Space(recipe.value, {name: store.info.tokens for name, store in found.items()}), found


def _tokens(recipe: Recipe[LlemmaRecipe]) -> Path:
    if not recipe.value.data.tokens:
        raise RecipeError(
            "the recipe names no token stores", where=f"{recipe.path} data.tokens", mend="add --set data.tokens=DIR"
        )
    return Path(recipe.value.data.tokens)


def _sweep(recipe: Recipe[LlemmaRecipe], out: Path, console: Console) -> Outcome:
    space, found = open_space(recipe)
    with open_run(out, "sweep", recipe.value, console, free=INDIFFERENT) as run:
        experiment = Experiment(run, recipe, space, found)
        outcome = experiment.perform()
        from llemma.reproduce import sweep_pages

        write_json(out / "sweep.json", outcome)
        write_bytes(out / "table.md", sweep_pages.markdown(outcome).encode())
        sweep_pages.draw(outcome, out / "sweep.svg")
    return outcome


class Experiment:
    """The runs of a sweep in its folder."""

    def __init__(self, run: Run, recipe: Recipe[LlemmaRecipe], space: Space, found: dict[str, Store]) -> None:
        self.run, self.recipe, self.space, self.found = run, recipe.value, space, found
        tokens = Path(self.recipe.data.tokens)
        self.tokens = tokens
        self.tokenizer = Path(self.recipe.data.tokenizer) if self.recipe.data.tokenizer else tokens / "tokenizer"
        phase = fetched(space.phase)
        self.init = Path(phase.init) if phase.init else None
        if self.init is None and space.name != next(iter(self.recipe.train)):
            raise RecipeError(
                f"the phase '{space.name}' begins where another ends, and a sweep trains that one alone",
                where=f"train.{space.name}.init",
                mend="name the checkpoint: init = 'RUN/PHASE/final'",
            )

    def perform(self) -> Outcome:
        """All runs, the fit, and the runs that confirm it."""
        config = self.space.config
        perform(self.run, self._data())
        self.inputs = digest(
            content(self.run.path, ["data"]),
            content(self.tokenizer, ["."]),
            content(self.init, ["."]) if self.init else self.recipe.model,
        )
        planned = self.space.planned()
        runs = [self._proxy(f"mix-{number:02d}", mixture, 0) for number, mixture in enumerate(planned)]
        fit = self._fit(planned, runs)
        best = np.array([fit.best[name] for name in self.space.sources])
        confirmed = [self._proxy(f"best-{seed}", best / best.sum(), seed) for seed in range(config.repeats)]
        compared = [
            runs[0] if seed == 0 else self._proxy(f"compare-{seed}", self.space.compare, seed)
            for seed in range(config.repeats)
        ]
        return Outcome(
            sources=self.space.sources,
            objective=self._objective(runs[0].losses),
            tokens=self.space.tokens,
            epochs={name: round(times, 3) for name, times in self.space.epochs(self.space.compare).items()},
            runs=runs,
            fit=fit,
            confirmed=confirmed,
            compared=compared,
        )

    def _data(self) -> Stage:
        """The stores of the proxies: sources cut down, replay and validation as they are."""
        space, seed = self.space, self.space.config.seed
        wanted = {name: space.kept(name) for name in space.sources}
        for name, size in wanted.items():
            self._check_size(name, size)
        used = {name: self.found[name] for name in [*space.sources, *space.replay]}
        identity = {name: content(store.path, ["."]) for name, store in used.items()}
        held_out = content(self.tokens, [f"{name}/validation" for name in stores(self.tokens, "validation")])

        def work() -> dict[str, Any]:
            folder, taken = self.run.path / "data", dict[str, int]()
            shutil.rmtree(folder, ignore_errors=True)
            for name, store in used.items():
                size = wanted.get(name, store.info.tokens)
                taken[name] = subsample(store, folder / name / "train", size, seed).tokens
            for name, store in stores(self.tokens, "validation").items():
                shutil.copytree(store.path, folder / name / "validation")
            return {"tokens": taken}

        return Stage("data", digest(VERSION, wanted, seed, identity, held_out), ["data"], work)

    def _check_size(self, name: str, size: int) -> None:
        there, phase = self.found[name].info.tokens, self.space.phase
        if size <= 2 * phase.context:
            raise DataError(
                f"'{name}' would be cut down to {size:,} tokens, which is hardly a window",
                where="sweep.target_tokens",
                mend=f"more tokens in train.{self.space.name}, or a smaller target",
            )
        if size > there:
            self.run.console.warn(
                f"'{name}' has {there:,} tokens and {size:,} are needed to repeat it as the target run does: it is "
                "repeated more often"
            )

    def _proxy(self, name: str, mixture: np.ndarray, seed: int) -> Proxy:
        settings, folder = self.space.settings(mixture, seed), self.run.path / "runs" / name

        def work() -> dict[str, Any]:
            facts = train_phase(
                folder,
                settings,
                tokens=self.run.path / "data",
                tokenizer=self.tokenizer,
                init=self.init,
                shape=self.recipe.model if self.init is None else None,
                console=self.run.console,
            )
            found = {name: bits for name, bits in facts["validation"].items() if math.isfinite(bits)}
            write_json(folder / "loss.json", found)
            if not self.space.config.keep_models:
                for heavy in ("final", "checkpoints"):
                    shutil.rmtree(folder / heavy, ignore_errors=True)
            return {}

        key = digest(VERSION, msgspec.structs.replace(settings, **INDIFFERENT), self.inputs)
        perform(self.run, Stage(f"run-{name}", key, [f"runs/{name}/loss.json"], work))
        losses = read_json(folder / "loss.json", dict[str, float])
        weights = self._objective(losses)
        return Proxy(
            name=name,
            weights={source: round(float(w), 4) for source, w in zip(self.space.sources, mixture, strict=True)},
            seed=settings.seed,
            losses=losses,
            objective=sum(weight * losses[subset] for subset, weight in weights.items()),
        )

    def _objective(self, losses: dict[str, float]) -> dict[str, float]:
        """The weights of the validation sets, which sum to one."""
        given = self.space.config.objective or dict.fromkeys(self.space.sources, 1.0)
        lacking = [name for name in given if name not in losses]
        if lacking:
            raise DataError(
                f"no validation store of {', '.join(lacking)}", where="sweep.objective", mend="tokenize that split"
            )
        return {name: weight / sum(given.values()) for name, weight in given.items()}

    def _fit(self, planned: list[np.ndarray], runs: list[Proxy]) -> Fit:
        objective = self._objective(runs[0].losses)
        tried = np.array(planned)
        with self.run.console.progress("fit"):
            return mixtures.fit(
                self.space.sources,
                tried,
                {name: np.array([run.losses[name] for run in runs]) for name in objective},
                objective,
                # beyond what was tried a fit is a guess
                low=np.maximum(self.space.low, tried.min(axis=0)),
                high=np.minimum(self.space.high, tried.max(axis=0)),
                compare=self.space.compare,
                seed=self.space.config.seed,
            )
