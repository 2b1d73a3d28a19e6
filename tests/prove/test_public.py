"""The public name, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys


def test_best_first_is_public_and_light() -> None:
    code = (
        "import sys, llemma.prove\n"
        "assert callable(llemma.prove.best_first)\n"
        "heavy = {'torch', 'numpy', 'transformers', 'zstandard', 'lxml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
