"""The data card of a corpus: what a person wants to know before using it."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from llemma.core.errors import LlemmaError
from llemma.core.registry import find
from llemma.core.types import SPLITS
from llemma.corpus.check import open_steps, with_chunks
from llemma.corpus.config import CorpusConfig, SourceConfig
from llemma.corpus.languages.paper_counts import BYTES_PER_TOKEN, PAPER_TOKENS
from llemma.corpus.layout import CorpusStats, Count, SourceStats, added


def card(stats: CorpusStats, config: CorpusConfig) -> str:
    """Markdown: what is in the corpus, where it comes from, what was dropped, how to load it."""
    parts = [
        _front(stats),
        "# A corpus made by llemma",
        _summary(stats),
        _table(["subset", *SPLITS], [[subset, *_splits(splits)] for subset, splits in stats.subsets.items()]),
        _tokens(stats),
        "## Loading",
        _loading(stats),
        "Each row has `text` and `meta`; `meta` has the document's `id`, its `source` and the source's own facts.",
        *_languages(stats),
        "## Sources",
        "\n\n".join(_source(name, source, config) for name, source in stats.sources.items()),
        "## How it was made",
        _making(config),
        "## Before you use it",
        _caution(),
    ]
    return "\n\n".join(parts) + "\n"


def megabytes(count: Count) -> str:
    """`12.3 MB` of text."""
    return f"{in_millions(count.bytes)} MB"


def in_millions(number: int) -> str:
    """`12.3`; of less than one, two digits that say something: `0.0012`."""
    return f"{number / 1e6:,.1f}" if number >= 1e6 else f"{float(f'{number / 1e6:.2g}'):f}".rstrip("0").rstrip(".")


def millions(count: Count) -> str:
    """Millions of tokens."""
    return in_millions(count.tokens)


def tokens_title(stats: CorpusStats) -> str:
    """The heading of a column of tokens, which says whether they were counted."""
    return "M tokens" if stats.tokenizer else "M tokens, about"


def paper_rows(stats: CorpusStats) -> list[list[str]]:
    """For each language of AlgebraicStack: documents, MB and millions of tokens here, and the paper's tokens.

    Empty for a corpus that has nothing in these languages.
    """
    ours: dict[str, Count] = {}
    for source in stats.sources.values():
        for language, count in source.languages.items():
            ours[language] = added(ours.get(language, Count()), count)
    if not ours.keys() & PAPER_TOKENS.keys():
        return []
    return [
        [language, f"{count.docs:,}", in_millions(count.bytes), millions(count), f"{tokens / 1e6:,.1f}"]
        for language, tokens in PAPER_TOKENS.items()
        for count in [ours.get(language, Count())]
    ]


def _front(stats: CorpusStats) -> str:
    """What the Hugging Face Hub and `datasets` read: a configuration a subset, with its splits."""
    lines = ["---", "configs:"]
    for subset, splits in stats.subsets.items():
        lines += [f"- config_name: {subset}", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: {subset}/{split}/*.jsonl.zst"]
    return "\n".join([*lines, "---"])


def _summary(stats: CorpusStats) -> str:
    read = stats.kept.docs + stats.dropped
    used = [name for name, source in stats.sources.items() if not source.skipped]
    share = f" ({stats.dropped / read:.0%} of what was read)" if read else ""
    return (
        f"{stats.kept.docs:,} documents, {megabytes(stats.kept)} of text, from {len(used)} sources; "
        f"{stats.dropped:,} documents were dropped{share}, each with its reason."
    )


def _splits(splits: dict[str, Count]) -> list[str]:
    return [f"{splits[split].docs:,} ({megabytes(splits[split])})" if split in splits else "none" for split in SPLITS]


def _tokens(stats: CorpusStats) -> str:
    how = (
        f"as `{stats.tokenizer}` counts them" if stats.tokenizer else f"at {BYTES_PER_TOKEN} bytes a token, as code has"
    )
    return f"{millions(stats.kept)} million tokens, {how}."


def _languages(stats: CorpusStats) -> list[str]:
    """The table beside the paper's, where the corpus has such languages."""
    rows = paper_rows(stats)
    head = ["language", "documents", "MB", tokens_title(stats), "AlgebraicStack of the paper, M tokens"]
    return ["## Languages, beside the paper's", _table(head, rows)] if rows else []


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _loading(stats: CorpusStats) -> str:
    subset = next(iter(stats.subsets), "SUBSET")
    split = next(iter(stats.subsets.get(subset, {})), "train")
    return (
        f'```python\nfrom datasets import load_dataset\n\nload_dataset("THIS FOLDER", "{subset}", split="{split}")\n```'
    )


def _source(name: str, stats: SourceStats, config: CorpusConfig) -> str:
    settings = config.sources[name]
    if stats.skipped:
        return f"### {name}\n\nLeft out: {stats.skipped}"
    read = stats.kept.docs + sum(sum(reasons.values()) for reasons in stats.dropped.values())
    units = "1 unit" if stats.units == 1 else f"{stats.units:,} units"
    facts = [
        f"- kind `{settings.kind}`: {_about('source', settings.kind)}",
        f"- options `{_json(settings.options)}`; {units} of input, into the subset `{stats.subset}`",
        *(f"- step `{step}`: {_about('step', step)}" for step in settings.steps),
        *_judges(settings),
        f"- kept: {stats.kept.docs:,} of {read:,} documents, {megabytes(stats.kept)}",
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


def _about(kind: str, name: str) -> str:
    """The first sentence of what a plug-in says of itself."""
    try:
        what: Any = find(kind, name)
    except LlemmaError:
        return "a plug-in of the recipe"
    text = " ".join((inspect.getdoc(what) or "a plug-in of the recipe").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".")


def _making(config: CorpusConfig) -> str:
    if config.dedup == "simhash":
        near = "Equal documents and those whose 64-bit SimHash of 5-word shingles differs in three bits at most"
    else:
        least = config.dedup_threshold
        near = f"Equal documents and those with a Jaccard similarity of 5-word shingles of at least {least}"
    ways = {with_chunks(source, config).chunk_dedup for source in config.sources.values()} - {"none"}
    chunks = "Documents made of chunks of 2,048 characters of earlier ones go as well. " if ways else ""
    held = f"So are documents that share {config.decontaminate_ngram} consecutive words with a protected problem, "
    pinned = any(source.splits == "published" for source in config.sources.values())
    splits = "Documents keep the split that their source gives them; others are" if pinned else "Splits are"
    return (
        f"{near} to an earlier document are left out, over all sources and splits. {chunks}{held}"
        f"or contain one that is shorter. {splits} drawn by a hash of the document id. "
        "Every dropped document stands in `dropped/` with its step and reason; `stats.json` has all counts."
    )


def _caution() -> str:
    return (
        "The documents keep the licences of where they come from; this folder gives none of its own. Nothing was done "
        "about personal data in them. What the filters keep is decided by the rules named above, not by people: look "
        "at some documents (`llemma corpus show DIR`), and at some that were dropped (`--dropped`), before training."
    )
