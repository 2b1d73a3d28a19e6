"""Did it learn or remember? What a training corpus shares with problems, solutions and completions.

`words` says what a word is, `index` finds shared n-grams, `fuzzy` similar texts; `shards` reads corpora, `items` what
is looked for, `work` goes over a corpus with several processes; `tables`, `accuracy` and `memory` say what it means.
"""

from llemma.overlap.pairs import Hit, find

__all__ = ["Hit", "find"]
