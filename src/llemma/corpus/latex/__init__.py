"""LaTeX papers to readable LaTeX text: one string from the files of a source archive.

archive read -> main file found -> \\input followed -> comments out -> macros expanded -> preamble and bibliography cut
"""

from llemma.corpus.latex.paper import RULES, Paper, clean, paper

__all__ = ["RULES", "Paper", "clean", "paper"]
