"""How fast AlgebraicStack's filters are, by language, over the source files that a machine holds anyway.

python bench/languages.py [FOLDER...] [--megabytes N]      default: Python's packages, Rocq's library, C headers

One table: files, what both rule sets keep, and megabytes per CPU-second of telling the language, of both rule sets, of
looking for theorems (Lean, Isabelle, Rocq alone) and of chunk fingerprints. The files are read before the clock starts.
"""

from __future__ import annotations

import argparse
import subprocess
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import which
from typing import Any

from llemma.core.types import Document, Drop
from llemma.corpus.languages import TABLE, algebraic_stack, algebraic_stack_llemma
from llemma.corpus.languages.chunks import fingerprints
from llemma.corpus.languages.statements import said, statements
from llemma.corpus.sources.files import LANGUAGES, Wanted, as_document, language, walk


def roots() -> list[Path]:
    """Folders that hold source files on most machines."""
    found = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib")), Path("/usr/include")]
    if program := which("coqc"):
        answer = subprocess.run([program, "-where"], capture_output=True, text=True, check=True)
        found.append(Path(answer.stdout.strip()))
    shared = ("gap", "octave", "agda", "R", "julia", "hol-light", "texmf", "texlive")
    return [*found, *(Path("/usr/share") / name for name in shared if (Path("/usr/share") / name).is_dir())]


def gather(folders: Iterable[Path], limit: int) -> dict[str, list[Document]]:
    """Documents by language, at most `limit` bytes of each."""
    found: dict[str, list[Document]] = {}
    sizes: dict[str, int] = {}
    endings = [f"*{form}" for ending, name in LANGUAGES.items() if name in TABLE for form in (ending, ending.upper())]
    for folder in folders:
        for name in walk(folder, Wanted(endings), skip=("__pycache__",)):
            guess = LANGUAGES.get(Path(name).suffix.lower(), "")
            if sizes.get(guess, 0) >= limit:
                continue
            item = as_document(name, "bench", name, (folder / name).read_bytes())
            if isinstance(item, Document) and item.meta["language"] in TABLE:
                key = str(item.meta["language"])
                found.setdefault(key, []).append(item)
                sizes[key] = sizes.get(key, 0) + len(item.text)
    return found


def rate(work: Callable[[Document], Any], documents: list[Document]) -> tuple[float, list[Any]]:
    """Megabytes of text per CPU-second, and what the work gave."""
    start = time.process_time()
    results = [work(document) for document in documents]
    seconds = max(time.process_time() - start, 1e-9)
    return sum(len(document.text.encode()) for document in documents) / 1e6 / seconds, results


def theorems(document: Document) -> int:
    """What decontamination does with a file of a prover: find all theorems and digest what they say."""
    spoken = str(document.meta["language"])
    return len({said(document.text[item.start : item.said], spoken) for item in statements(document.text, spoken)})


def row(name: str, documents: list[Document]) -> str:
    """One line of the table."""
    size = sum(len(document.text.encode()) for document in documents) / 1e6
    told, _ = rate(lambda item: language(str(item.meta["path"]), item.text), documents)
    default, kept = rate(algebraic_stack, documents)
    published, held = rate(algebraic_stack_llemma, documents)
    stated = rate(theorems, documents)[0] if name in ("lean", "isabelle", "coq") else None
    chunks, _ = rate(lambda item: fingerprints(item.text), documents)
    counts = [sum(isinstance(item, Document) for item in items) for items in (kept, held)]
    cells = [name, f"{len(documents):,}", f"{size:.1f}", *(f"{count:,}" for count in counts)]
    cells += [f"{told:.0f}", f"{default:.0f}", f"{published:.0f}", f"{stated:.1f}" if stated else "", f"{chunks:.1f}"]
    return "| " + " | ".join(cells) + " |"


def drops(documents: list[Document]) -> str:
    """What the default rules drop of a language, by reason."""
    reasons = Counter(
        result.reason.partition(": ")[0] for result in map(algebraic_stack, documents) if isinstance(result, Drop)
    )
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common()) or "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=float, default=20.0, help="of each language at most")
    options = parser.parse_args()
    found = gather(options.folders or roots(), int(options.megabytes * 1e6))
    print("| language | files | MB | kept default | kept llemma | told | default | llemma | theorems | chunks |")
    print("|---" * 10 + "|")
    for name in sorted(found):
        print(row(name, found[name]))
    print("\n| language | dropped by the default rules |\n|---|---|")
    for name in sorted(found):
        print(f"| {name} | {drops(found[name])} |")


if __name__ == "__main__":
    main()
