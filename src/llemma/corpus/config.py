"""The `corpus` section of a recipe."""

from __future__ import annotations

from typing import Any

import msgspec


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source of documents and what is done with them."""

    kind: str
    """Name of the source plug-in; `llemma list sources` shows them."""
    subset: str
    """Folder of the corpus its documents go to; several sources may share one."""
    steps: list[str] = []
    """Names of the document steps, applied in this order; the first that drops a document ends its way."""
    options: dict[str, Any] = {}
    """The plug-in's own options, checked strictly against its fields."""
    optional: bool = False
    """Whether the build goes on without this source where something it needs is not on the machine."""
    keep: float = 1.0
    """Share of the documents that is kept, chosen by hash of the document id."""
    validation: float | None = None
    """Share of the documents in the validation split; the corpus' own share when left out."""
    test: float | None = None
    """Share of the documents in the test split; the corpus' own share when left out."""
    step_options: dict[str, dict[str, Any]] = {}
    """Options of those steps that have some, by the step's name, checked strictly against its fields."""
    splits: str = "hash"
    """Who decides the split of a document: the `hash` of its id, or, where its meta names one, `published`."""
    chunk_dedup: str | None = None
    """The corpus' own `chunk_dedup` when left out."""


class SlurmConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Slurm is asked for under `executor = "slurm"`: an array of tasks that read units, then one job."""

    tasks: int = 100
    """Tasks of the array, at most one a unit; the cluster's MaxArraySize (1001 by default) is the limit."""
    at_once: int = 0
    """How many tasks may run at the same time; 0 leaves it to the cluster."""
    cpus: int = 1
    """Cores of a task, which reads as many units at the same time."""
    memory: str = "4G"
    """Memory of a task; `llemma corpus build RECIPE --plan` measures what a unit takes."""
    time: str = "24:00:00"
    """Time limit of a task; units that are finished by then are kept."""
    merge_cpus: int = 4
    """Cores of the job that removes copies and writes the corpus."""
    merge_memory: str = "8G"
    """Its memory: above the corpus' `merge_memory`; docs/scale.md has the bytes a document."""
    merge_time: str = "24:00:00"
    """Its time limit."""
    partition: str = ""
    """Partition; the cluster's default when empty."""
    account: str = ""
    """Account that is charged; the user's default when empty."""
    directives: list[str] = []
    """Further options of sbatch, such as `--qos=low`."""
    setup: list[str] = []
    """Lines of bash that make llemma's environment, such as `module load python/3.11`."""


class CorpusConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a corpus is built."""

    sources: dict[str, SourceConfig]
    """Sources by name. Of two copies the one from the earlier source is kept."""
    rules: str = "default"
    """`llemma`: every step, cut of test problems and search for chunks that has a published form takes that form."""
    validation: float = 0.01
    """Share of the documents in the validation split, chosen by hash of the document id."""
    test: float = 0.01
    """Share of the documents in the test split."""
    dedup: str = "minhash"
    """How near-duplicates are found: `minhash`, or `simhash` as OpenWebMath did (and the threshold says nothing)."""
    dedup_threshold: float = 0.8
    """Jaccard similarity of 5-word shingles from which on a document is a copy."""
    chunk_dedup: str = "none"
    """Whether documents made of chunks of 2,048 characters of earlier ones are dropped: `none`, `default`, or `llemma`
    as the paper's scripts do. Only sources with the same way are compared."""
    tokenizer: str = ""
    """A `tokenizer.json`, or a folder with one, that counts tokens for the statistics; they are estimated without."""
    protect: list[str] = []
    """Test problems that no source may bring in: files, folders or archives of rows, statements, splits, or patterns of
    them. Theorems are cut out of formal code, texts that hold a problem are dropped; the ledger says which."""
    decontaminate_ngram: int = 30
    """A document that shares this many consecutive words with a protected problem is dropped."""
    shard_bytes: int = 20_000_000
    """Size from which on a new shard is begun, in bytes before compression."""
    workers: int = 2
    """How many units of input are read at the same time."""
    merge_memory: int = 512_000_000
    """Memory for the tables of the global pass, in bytes; besides it takes one byte a document."""
    executor: str = "local"
    """What reads the units: processes of this machine (`local`), a Ray cluster (`ray`), or jobs of Slurm (`slurm`)."""
    slurm: SlurmConfig = SlurmConfig()
    """What Slurm is asked for."""
