"""What the paper's AlgebraicStack has of each language, in tokens, to be set beside a corpus of one's own.

Source: Llemma (Azerbayev et al. 2023), the table of AlgebraicStack by language in the appendix, and the card of the
published data set, which has the same table. Tokens are those of Llama's tokenizer; proof steps are counted with Lean
and Isabelle. The numbers add up to the table's own total.
"""

from __future__ import annotations

PAPER_TOKENS = {
    "agda": 35.2e6,
    "c": 25.1e6,
    "cpp": 954.1e6,
    "coq": 281.9e6,
    "fortran": 724.9e6,
    "gap": 3.6e6,
    "haskell": 9.1e6,
    "idris": 10.9e6,
    "isabelle": 1_089.7e6,
    "julia": 531.0e6,
    "jupyter": 199.1e6,
    "lean": 285.6e6,
    "maple": 2.0e6,
    "matlab": 65.8e6,
    "python": 6_098.8e6,
    "r": 71.3e6,
    "tex": 567.7e6,
}
"""Tokens by language, under the names that sources give the languages."""
PAPER_TOTAL = 10_955.7e6

BYTES_PER_TOKEN = 2.4
"""Bytes of UTF-8 for one token of code: what estimates tokens where no tokenizer counts them. A public copy of the
published Agda, Fortran and GAP parts has 82.4, 1,746.9 and 8.5 MB of text, which is 2.3 to 2.4 bytes a token."""


def estimated_tokens(bytes: int) -> int:
    """About how many tokens so many bytes of code are."""
    return round(bytes / BYTES_PER_TOKEN)
