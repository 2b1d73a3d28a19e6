"""The whole sentence on one recipe: problems, corpus, tokenizer, tokens, training, evaluation, proofs, report.

Every stage names its work by a digest of its settings and of the content of its inputs, and records a digest of what it
wrote. A stage whose mark has the right digest and whose outputs are as they were is not done again, so the same
command continues after any interruption, and a changed or damaged file leads to exactly the work that depends on it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import structs

from llemma.core import jsonl
from llemma.core.console import Console, duration
from llemma.core.errors import MissingError, RecipeError
from llemma.core.files import digest, file_digest
from llemma.core.home import cache_folder
from llemma.core.recipe import Recipe
from llemma.core.runs import Run, open_run
from llemma.core.types import SPLITS, Document, Problem
from llemma.corpus import layout
from llemma.reproduce.schema import LlemmaRecipe, need
from llemma.train.config import INDIFFERENT, ModelConfig, TrainConfig

VERSION = 1
TASK = "word_problems"
QUESTIONS = {
    "solution": ["problems.jsonl", "examples.jsonl"],
    "program": ["program_problems.jsonl", "program_examples.jsonl"],
}
"""By the style of their solutions, the problems asked and the examples shown before them."""


THEOREMS = "theorems.jsonl"


class Stage:
    """A unit of a run: its name, the digest of its work, and the files it leaves, relative to the run folder."""

    def __init__(self, name: str, key: str, outputs: list[str], work: Callable[[], dict[str, Any] | None]) -> None:
        self.name, self.key, self.outputs, self.work = name, key, outputs, work


def reproduce(recipe: Recipe[LlemmaRecipe], out: Path, console: Console, *, fresh: bool = False) -> Path:
    """Run a recipe from sources to report in the run folder `out`; returns the path of `report/index.html`."""
    for section in ("corpus", "train"):
        need(recipe, section)
    with open_run(out, "reproduce", recipe.value, console, fresh=fresh) as run:
        pipeline = Pipeline(run, recipe.value)
        for stage in pipeline.stages():
            perform(run, stage)
    # after the run has ended, so that the pages say so; they depend on nothing but the folder and take seconds
    console.say("report ...")
    from llemma import report

    with console.progress("report"):
        return report.build([out], out / "report")


def perform(run: Run, stage: Stage) -> dict[str, Any]:
    """Do a stage unless its mark and its outputs say that it is done; returns the facts it found out."""
    mark = run.mark(stage.name, stage.key)
    if mark is not None:
        if mark.facts.get("outputs") == content(run.path, stage.outputs):
            run.console.say(f"{stage.name}: done before ({duration(mark.seconds)})")
            return mark.facts
        run.console.warn(f"{stage.name}: its files were changed or removed since; doing it again")
    run.console.say(f"{stage.name} ...")
    started = time.monotonic()
    facts = stage.work() or {}
    facts["outputs"] = content(run.path, stage.outputs)
    return run.finish(stage.name, stage.key, time.monotonic() - started, facts).facts


def training_stage(
    root: Path,
    name: str,
    config: TrainConfig,
    *,
    tokens: Path,
    tokenizer: Path,
    before: Path | None,
    shape: ModelConfig | None,
    console: Console,
) -> Stage:
    """The training phase `name` of the run folder `root`: from `config.init`, else from `before` (the phase before it),
    else from random weights of `shape`."""
    init = Path(config.init) if config.init else before
    start = digest(shape) if init is None else content(init, ["."])

    def work() -> dict[str, Any]:
        from llemma.reproduce.phases import train_phase

        return train_phase(
            root / name, config, tokens=tokens, tokenizer=tokenizer, init=init, shape=shape, console=console
        )

    settings = structs.replace(config, **INDIFFERENT)
    key = digest(VERSION, settings, start, content(tokenizer, ["."]), content(tokens, ["."]))
    return Stage(f"train-{name}", key, [f"{name}/final"], work)


def content(root: Path, outputs: list[str]) -> str:
    """A digest of files and folders under `root`: relative names and content; a missing one counts as empty."""
    files = [file for name in outputs for file in _files(root / name)]
    return digest([(str(file.relative_to(root)), file_digest(file)) for file in files])


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return [path] if path.is_file() else []


class Pipeline:
    """The stages of a recipe in one run folder. Later stages are made when earlier ones are done: their keys hold the
    content of what those wrote."""

    def __init__(self, run: Run, recipe: LlemmaRecipe) -> None:
        self.run, self.recipe, self.console, self.path = run, recipe, run.console, run.path
        assert recipe.corpus is not None
        self.corpus_config = recipe.corpus
        self.phases = list(recipe.train)

    def stages(self) -> Iterator[Stage]:
        """All stages in their order."""
        yield self.problems()
        self.corpus()
        yield self.tokenizer()
        for subset, split in self._splits():
            yield self.tokens(subset, split)
        self._forget_old_stores()
        for index in range(len(self.phases)):
            yield self.training(index)
        for phase in self.phases:
            yield self.evaluation(phase)
        if self.recipe.prove is not None and self._prover is not None:
            yield self.theorems()
            for phase in self.phases:
                yield self.proving(phase)
        for name in self.recipe.overlap:
            yield self.overlap(self.phases[-1], name)

    def problems(self) -> Stage:
        """Generate the held-out problems and the worked examples shown before them."""
        from llemma.corpus.sources import synthetic

        config, shots = self.recipe.problems, self.recipe.eval.shots
        clash = [
            name for name, source in self.corpus_config.sources.items() if source.options.get("seed") == config.seed
        ]
        if clash:
            raise RecipeError(
                f"the held-out problems and the source '{clash[0]}' have the same seed {config.seed}",
                where="problems.seed",
                mend="give them different seeds",
            )

        def work() -> None:
            for style in styles:
                problems, examples = (self.path / name for name in QUESTIONS[style])
                asked = (synthetic.worked(config.seed, i, style) for i in range(config.count))
                jsonl.write(problems, (structs.replace(item, id=item.id + suffix[style]) for item in asked))
                jsonl.write(examples, (synthetic.worked(config.seed + 1, i, style) for i in range(shots or 4)))

        styles: list[synthetic.Style] = ["solution", "program"] if config.programs else ["solution"]
        suffix = {"solution": "", "program": "-program"}  # an evaluation asks both, so each has an id of its own
        key = digest(VERSION, synthetic.VERSION, config, shots)
        return Stage("problems", key, self._questions(), work)

    def _questions(self) -> list[str]:
        """The files of problems and of the worked examples shown before them."""
        return [*QUESTIONS["solution"], *(QUESTIONS["program"] if self.recipe.problems.programs else [])]

    def corpus(self) -> None:
        """Build the corpus; `corpus.build` keeps its own marks, one a unit of input, and looks at every input again."""
        from llemma.corpus.build import build

        self.console.say("corpus ...")
        rows = jsonl.read(self.path / "problems.jsonl", dict[str, Any])
        protected = [Problem(row["id"], TASK, row["problem"], row["answer"]) for row in rows]
        build(self.corpus_config, self.path / "corpus", cache=cache_folder(), protected=protected, console=self.console)

    def _splits(self) -> list[tuple[str, str]]:
        """Subsets and splits of the corpus that hold documents and are tokenised."""
        pairs = [
            (subset, split) for subset in layout.subsets(self.path / "corpus") for split in ("train", "validation")
        ]
        return [(subset, split) for subset, split in pairs if self._shards(subset, split)]

    def _shards(self, subset: str, split: str) -> list[str]:
        folder = self.path / "corpus" / subset / split
        return [str(shard.relative_to(self.path)) for shard in sorted(folder.glob("*.jsonl.zst"))]

    def _texts(self, subset: str, split: str) -> Iterator[str]:
        return (document.text for document in layout.read_split(self.path / "corpus", subset, split))

    def tokenizer(self) -> Stage:
        """Train the tokenizer (or copy the given one) on the training split."""
        from llemma.tokens import tokenizer

        config = self.recipe.tokenizer
        subsets = config.subsets or layout.subsets(self.path / "corpus")
        inputs = content(self.path, [shard for subset in subsets for shard in self._shards(subset, "train")])

        def work() -> None:
            with self.console.progress("tokenizer", unit="documents") as bar:
                texts = (text for subset in subsets for text in self._texts(subset, "train"))
                tokenizer.make(config, texts, self.path / "tokenizer", bar)

        return Stage("tokenizer", digest(VERSION, config, inputs), ["tokenizer"], work)

    def tokens(self, subset: str, split: str) -> Stage:
        """Tokenise one split of one subset into a store."""
        from llemma.tokens import store, tokenizer

        target = f"tokens/{subset}/{split}"
        key = digest(VERSION, content(self.path, ["tokenizer", *self._shards(subset, split)]))

        def work() -> dict[str, Any]:
            found = tokenizer.load(self.path / "tokenizer")
            with self.console.progress(f"tokens {subset}/{split}", unit="documents") as bar:
                info = store.write_store(bar.counted(self._texts(subset, split)), found, self.path / target)
            return {"tokens": info.tokens}

        return Stage(f"tokens-{subset}-{split}", key, [target], work)

    def _forget_old_stores(self) -> None:
        """Remove stores of subsets that the corpus no longer has (a source was dropped, a program uninstalled)."""
        wanted = {f"{subset}/{split}" for subset, split in self._splits()}
        for info in list((self.path / "tokens").glob("*/*/store.json")):
            if str(info.parent.relative_to(self.path / "tokens")) not in wanted:
                shutil.rmtree(info.parent)

    def training(self, index: int) -> Stage:
        """One training phase."""
        name = self.phases[index]
        return training_stage(
            self.path,
            name,
            self.recipe.train[name],
            tokens=self.path / "tokens",
            tokenizer=self.path / "tokenizer",
            before=self.path / self.phases[index - 1] / "final" if index else None,
            shape=self.recipe.model,
            console=self.console,
        )

    def evaluation(self, phase: str) -> Stage:
        """Ask a phase's model the held-out problems, and measure bits per byte on every source's validation part."""
        out = f"eval/{phase}"
        validation = [
            shard for subset, split in self._splits() if split == "validation" for shard in self._shards(subset, split)
        ]
        inputs = content(self.path, [*self._questions(), f"{phase}/final", *validation])

        def work() -> dict[str, Any]:
            from llemma.reproduce.phases import evaluate_phase

            return evaluate_phase(self.path, phase, self.recipe, self._validation(), self.console)

        files = ["problems.jsonl.zst", "completions.jsonl.zst", "verdicts.jsonl.zst", "results.json"]
        return Stage(
            f"eval-{phase}", digest(VERSION, self.recipe.eval, inputs), [f"{out}/{file}" for file in files], work
        )

    @cached_property
    def _prover(self) -> str | None:
        """The identity of the prover; None, with a word, where the machine has none."""
        from llemma.reproduce.proving import identity

        assert self.recipe.prove is not None
        try:
            return identity(self.recipe.prove)
        except MissingError as error:
            self.console.warn(f"no theorems are proved: {error.what} ({error.mend})")
            return None

    def theorems(self) -> Stage:
        """Write the held-out theorems."""
        from llemma.corpus.sources import theorems

        config = self.recipe.theorems

        def work() -> None:
            made = theorems.different(config.seed, config.count, held_out=True)
            rows = ({"id": item.id, "header": item.header, "statement": item.statement} for item in made)
            jsonl.write(self.path / THEOREMS, rows)

        return Stage("theorems", digest(VERSION, theorems.VERSION, config), [THEOREMS], work)

    def proving(self, phase: str) -> Stage:
        """Let a phase's model prove the held-out theorems."""
        inputs = content(self.path, [THEOREMS, f"{phase}/final"])

        def work() -> dict[str, Any]:
            from llemma.reproduce.proving import prove_phase

            return prove_phase(self.path, phase, self.recipe, self.console)

        outputs = [f"prove/{phase}/{file}" for file in ("proofs.jsonl", "results.json")]
        return Stage(f"prove-{phase}", digest(VERSION, self.recipe.prove, self._prover, inputs), outputs, work)

    def overlap(self, phase: str, name: str) -> Stage:
        """Look for what a phase's evaluation shares with the corpus."""
        config = self.recipe.overlap[name]
        asked = [f"eval/{phase}/{kind}.jsonl.zst" for kind in ("problems", "completions", "verdicts")]
        shards = [
            shard
            for subset in layout.subsets(self.path / "corpus")
            for split in SPLITS
            for shard in self._shards(subset, split)
        ]

        def work() -> dict[str, Any]:
            from llemma.reproduce.searching import search_phase

            return search_phase(self.path, phase, name, config, self.console)

        key = digest(VERSION, config, content(self.path, [*asked, *shards]))
        endings = ["jsonl.zst", "summary.json", *(["contexts.jsonl.zst"] if config.contexts else [])]
        outputs = [f"overlap/{phase}/{name}.{ending}" for ending in endings]
        return Stage(f"overlap-{phase}-{name}", key, outputs, work)

    def _validation(self) -> dict[str, list[Document]]:
        """The validation documents by source, in the order of the recipe."""
        found: dict[str, list[Document]] = {name: [] for name in self.corpus_config.sources}
        for subset in layout.subsets(self.path / "corpus"):
            for document in layout.read_split(self.path / "corpus", subset, "validation"):
                found[document.source].append(document)
        return {name: documents for name, documents in found.items() if documents}
