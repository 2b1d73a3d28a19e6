"""`python -m llemma`."""

from llemma.cli import main

main()
