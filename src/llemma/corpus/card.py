"""The data card of a corpus."""

from __future__ import annotations

from typing import Any

import msgspec

from llemma.core.types import SPLITS
from llemma.corpus.check import open_steps
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.layout import CorpusStats, Count, SourceStats


def card(stats: CorpusStats, config: CorpusConfig) -> str:
    """Markdown: what is in the corpus, where it comes from, what was dropped, how to load it."""
    parts = [
        "# A corpus made by llemma",
        f"{stats.kept.docs:,} documents, {megabytes(stats.kept)} of text; {stats.dropped:,} documents were dropped.",
        _table(["subset", *SPLITS], [[subset, *_splits(splits)] for subset, splits in stats.subsets.items()]),
        "## Loading",
        _loading(stats),
        "Each row has `text` and `meta`; `meta` has the document's `id`, its `source` and the source's own facts.",
        "## Sources",
        "\n\n".join(_source(name, source, config) for name, source in stats.sources.items()),
        "## How it was made",
        _making(config),
    ]
    return "\n\n".join(parts) + "\n"


def megabytes(count: Count) -> str:
    """`12.3 MB` of text."""
    return f"{count.bytes / 1e6:,.1f} MB"


def _splits(splits: dict[str, Count]) -> list[str]:
    return [f"{splits[split].docs:,} ({megabytes(splits[split])})" if split in splits else "none" for split in SPLITS]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _loading(stats: CorpusStats) -> str:
    subset = next(iter(stats.subsets), "SUBSET")
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'load_dataset("json", data_files={{"train": "{subset}/train/*.jsonl.zst"}})\n```'
    )


def _source(name: str, stats: SourceStats, config: CorpusConfig) -> str:
    settings = config.sources[name]
    if stats.skipped:
        return f"### {name}\n\nLeft out: {stats.skipped}"
    facts = [
        f"- kind `{settings.kind}`, subset `{stats.subset}`, {stats.units} units, options `{_json(settings.options)}`",
        f"- steps: {', '.join(f'`{step}`' for step in settings.steps) or 'none'}",
        *_judges(settings),
        f"- kept: {stats.kept.docs:,} documents, {megabytes(stats.kept)}",
    ]
    rows = [
        [step, reason, f"{count:,}"] for step, reasons in stats.dropped.items() for reason, count in reasons.items()
    ]
    table = "\n\n" + _table(["dropped by", "reason", "documents"], rows) if rows else ""
    return f"### {name}\n\n" + "\n".join(facts) + table


def _judges(settings: SourceConfig) -> list[str]:
    """What the steps' options are, and of the models among them what they were trained on."""
    lines = [f"- options of `{name}`: `{_json(options)}`" for name, options in settings.step_options.items()]
    return lines + [f"- `{name}`: {step.about()}" for name, step in open_steps(settings) if hasattr(step, "about")]


def _json(options: dict[str, Any]) -> str:
    return msgspec.json.encode(options, order="sorted").decode()


def _making(config: CorpusConfig) -> str:
    return (
        f"Equal documents and those with a Jaccard similarity of 5-word shingles of at least {config.dedup_threshold} "
        "to an earlier document are left out, over all sources and splits. "
        f"So are documents that share {config.decontaminate_ngram} consecutive words with a protected problem, "
        "or contain one that is shorter. Splits are drawn by a hash of the document id. "
        "Every dropped document stands in `dropped/` with its step and reason."
    )
