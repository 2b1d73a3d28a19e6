"""Web pages to text with every formula as LaTeX.

    decode -> parse -> boilerplate out -> formulas, code and tables onto a shelf -> main content -> shelf back in

`forms` knows the markups of formulas (one function a form), `delimiters` the ones typed into text, `mathml` and
`asciimath` convert what has no LaTeX, `markdown` keeps code, lists, tables and headings, `boilerplate` knows what
is not content, `quality` holds the document steps.
"""

from llemma.corpus.web.extract import Page, extract
from llemma.corpus.web.prefilter import looks_mathematical

__all__ = ["Page", "extract", "looks_mathematical"]
