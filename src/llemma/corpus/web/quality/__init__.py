"""Which pages are worth keeping: each test is a document step that keeps a page or says why not.

prose       what words there are besides formulas, code and addresses
plain       length, formulas, accents, web furniture, macro lines
language    whether the prose is English
features    words and pairs of words by number
score       the mathematics score and its step
training    where scores come from, and how good they are
perplexity  under a language model that the user has
addresses   blacklist, libretexts
fresh       models and lists are read once, and again when they change
passes      the paper's two passes, a step each
"""

from llemma.corpus.web.quality.language import english
from llemma.corpus.web.quality.plain import few_accents, has_formulas, little_boilerplate, long_enough, no_macro_lines

__all__ = ["english", "few_accents", "has_formulas", "little_boilerplate", "long_enough", "no_macro_lines"]
