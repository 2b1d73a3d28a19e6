"""The `overlap` sections of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class OverlapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the problems and completions of a reproduction's last phase share with its own corpus."""

    ngram: list[Annotated[int, msgspec.Meta(ge=1)] | Literal["full"]] = msgspec.field(default_factory=lambda: [30])
    """Words in a row that count, several lengths at once; `full`: whole items. The paper's length is 30."""

    of: list[Literal["problem", "solution", "completion"]] = msgspec.field(
        default_factory=lambda: ["problem", "solution", "completion"]
    )
    """What is looked for."""

    tokens: Literal["whitespace", "normal"] = "whitespace"
    """Words as published, or units that see through LaTeX's spacing and punctuation."""

    contexts: Annotated[int, msgspec.Meta(ge=0)] = 100
    """Words kept on both sides of a hit."""

    fuzzy: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Also similar texts, from this Jaccard similarity on; 0: none."""
