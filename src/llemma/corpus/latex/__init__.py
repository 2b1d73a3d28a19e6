"""LaTeX papers to readable LaTeX text: one string from the files of a source archive.

main file found -> \\input followed -> comments out -> macros expanded -> preamble and bibliography cut
"""

from llemma.corpus.latex.paper import clean, paper

__all__ = ["clean", "paper"]
