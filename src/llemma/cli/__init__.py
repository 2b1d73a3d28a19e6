"""The command line: options in, one function call, nothing more.

Commands live in `commands.py` modules that are imported when they are called; `--help` loads none of them but the one
it is asked about.
"""

from __future__ import annotations

from llemma.cli.main import main

__all__ = ["main"]
