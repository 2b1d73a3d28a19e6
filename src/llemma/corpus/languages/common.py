"""What rules of several languages share. A check returns a `Drop` or None, so that checks join with `or`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from llemma.core.types import Document, Drop
from llemma.corpus.languages.told import told

MAX_BYTES = 1_048_575
"""Largest source file of AlgebraicStack, in UTF-8 bytes."""
MAX_NUMERIC = 0.5
"""Largest share of digits among the characters that are not blank."""

# ASCII digits, as the published scripts count; \d would take those of other scripts too.
_DIGITS = re.compile(r"[0-9]+")
MATHEMATICS = (
    *("numpy", "scipy", "sympy", "sage", "numba", "numexpr", "theano", "statsmodels", "networkx", "mpmath", "pymc3"),
    *("astropy", "cupy", "pycuda", "cvxpy", "pyomo", "jax"),
)
"""Python's mathematical packages, as the paper lists them."""


def size(text: str) -> int:
    """UTF-8 bytes of a text, half surrogate pairs counted as three."""
    # A text of ASCII need not be encoded to know.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def numeric(text: str) -> float:
    """The share of digits among the characters that are not blank; 0 for a blank text."""
    digits = sum(map(len, _DIGITS.findall(text)))
    return digits / sum(map(len, text.split())) if digits else 0.0


def standard(document: Document, max_bytes: int = MAX_BYTES, max_numeric: float = MAX_NUMERIC) -> Drop | None:
    """The filter that all languages have: not blank, not too large, not mostly digits."""
    return blank(document) or too_large(document, max_bytes) or too_numeric(document, max_numeric)


def blank(document: Document) -> Drop | None:
    """Drops texts of blanks only."""
    return Drop("empty") if not document.text or document.text.isspace() else None


def too_large(document: Document, limit: int = MAX_BYTES) -> Drop | None:
    """Drops texts of more than `limit` UTF-8 bytes."""
    count = size(document.text) if len(document.text) * 4 > limit else 0
    return Drop(f"too large: {count} bytes") if count > limit else None


def too_numeric(document: Document, limit: float = MAX_NUMERIC) -> Drop | None:
    """Drops texts in which the share of digits exceeds `limit`."""
    share = numeric(document.text)
    return Drop(f"mostly digits: {share:.2f}") if share > limit else None


def lacks(document: Document, pattern: re.Pattern[str], reason: str) -> Drop | None:
    """Drops texts in which `pattern` occurs nowhere."""
    return None if pattern.search(document.text) else Drop(reason)


def has(document: Document, pattern: re.Pattern[str], reason: str) -> Drop | None:
    """Drops texts in which `pattern` occurs; the reason goes on with what was found."""
    found = pattern.search(document.text)
    return Drop(f"{reason}: {' '.join(found[0].split())[:60]}") if found else None


def path(document: Document) -> str:
    """The document's path, with `/` before and between its parts."""
    return "/" + str(document.meta.get("path", "")).lstrip("/")


def extension(document: Document) -> str:
    """The ending of the document's file name, lower case and without its dot."""
    return PurePosixPath(path(document)).suffix.lower().lstrip(".")


def repository(document: Document) -> str:
    """The name of the repository without its owner."""
    return str(document.meta.get("repo", "")).rpartition("/")[2]


def another_language(document: Document) -> Drop | None:
    """Drops files whose content is not in the language that a data set, or a search, says they are in."""
    language = str(document.meta.get("language"))
    found = told(path(document), document.text, language)
    same = found == language or {found, language} <= {"c", "cpp"}
    return None if same else Drop(f"another language: {found}")


_OWN = re.compile(
    rf"/(?:{'|'.join(MATHEMATICS)}|eigen3?|Eigen|armadillo_bits|NTL|gsl|blitz|adept|alglib|mtl|deal\.II|petsc\w*|nlopt|fftw3?"
    r"|boost/(?:math|numeric|multiprecision|random|geometry|graph|rational|polygon)"
    r"|dlib/(?:matrix|optimization|global_optimization|statistics|svm|numerical_integration|filtering|rand))/"
)


def of_mathematical_package(document: Document) -> bool:
    """Whether the document is a mathematical package's own: of its distribution, or below a folder of its name."""
    return document.meta.get("package") in MATHEMATICS or bool(_OWN.search(path(document)))
