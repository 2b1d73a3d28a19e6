"""Three real books: theorems, definitions and proofs survive whole.

Both sides are brought to one form: words and formulas without blanks, macros expanded. What a body loses on purpose
(pictures, index entries, layout) is taken out of the source's body too, and everything else must be in the output.
"""

# ruff: noqa: E501

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llemma.corpus.latex import Paper, cuts, modes, paper, project
from llemma.corpus.latex.archive import read_archive
from llemma.corpus.latex.encodings import decode
from llemma.corpus.latex.macros import Macros, collect, expand

ROOT = Path(__file__).parents[3]
BOOKS = ROOT.parent / "shared" / "raw" / "arxiv"
KINDS = r"theorem|thm|lemma|lem|proposition|prop|corollary|cor|definition|defn|remark|rmk|rem|example|eg|proof|exercise|ex|axiom|problem|fact|claim|situation|subproof|soln|sketch"
_OPEN = re.compile(rf"\\begin\{{({KINDS})\*?\}}")


def bodies(text: str) -> list[tuple[str, str]]:
    """Every theorem-like environment of `text`, nested ones too: its name and its source."""
    out = []
    for match in _OPEN.finditer(text):
        name, depth = match[1], 0
        for edge in re.finditer(rf"\\(begin|end)\{{{name}\*?\}}", text[match.start() :]):
            depth += 1 if edge[1] == "begin" else -1
            if depth == 0:
                out.append((name, text[match.end() : match.start() + edge.start()]))
                break
    return out


def bare(text: str) -> str:
    return re.sub(r"\s+|\{\}", "", text)


def _documents(book: Path) -> Iterator[tuple[Paper, str]]:
    """The converted paper, with the comment-stripped source of each of its documents."""
    files = read_archive(book).files
    made = paper(files)
    texts = project.without_comments({name: decode(data) for name, data in files.items()})
    for main in made.main:
        yield made, project.assemble(main, texts).text


needs_books = pytest.mark.skipif(not BOOKS.is_dir(), reason="the three books (../shared/raw/arxiv) are not here")


@needs_books
@pytest.mark.parametrize(("book", "at_least"), [("hott", 1000), ("napkin", 2400), ("stacks", 2500)])
def test_theorems_and_proofs_survive_whole(book: str, at_least: int) -> None:
    found, lost = 0, []
    for made, source in _documents(BOOKS / f"{book}.tar.gz"):
        known, output = Macros(), bare(made.text)
        collect(source, known)
        for name, body in bodies(source[source.find("\\begin{document}") + 1 :]):
            found += 1
            wanted = cuts.matter(cuts.floats(modes.settle(expand(body, known))))
            if bare(wanted) not in output:
                lost.append(f"{name}: {body.strip()[:200]}")
    assert found >= at_least
    assert not lost, f"{len(lost)} of {found} lost, as {lost[:10]}"


_PROSE = re.compile(r"(?<![\\A-Za-z{\[])[A-Za-z][A-Za-z ,.;:\n'()-]{30,}[a-z.](?=[\s$])")
_NO_PROSE = re.compile(r"\\begin\{(asy|tikzpicture)\}.*?\\end\{\1\}|\\index\w*\{[^{}]*\}", re.DOTALL)


@needs_books
@pytest.mark.parametrize(("book", "at_least"), [("hott", 2000), ("napkin", 4000), ("stacks", 8000)])
def test_every_run_of_words_in_them_survives(book: str, at_least: int) -> None:
    """The same without our own code on the side of the source: nothing but comments, pictures and index entries is
    taken out of it."""
    found, lost = 0, []
    for made, source in _documents(BOOKS / f"{book}.tar.gz"):
        output = " ".join(made.text.split())
        for _, body in bodies(source[source.find("\\begin{document}") + 1 :]):
            runs = [" ".join(run.split()) for run in _PROSE.findall(_NO_PROSE.sub("", body))]
            found += len(runs)
            lost += [run for run in runs if run not in output]
    assert found >= at_least
    assert not lost, f"{len(lost)} of {found} lost, as {lost[:20]}"
