"""What the server loads and exercises once, so that no child pays for it."""

from __future__ import annotations

import importlib
import signal
import sys

from . import program

# the modules of the standard library that programs for mathematics import
STANDARD = (
    "math", "cmath", "fractions", "decimal", "statistics", "random", "itertools", "functools", "collections",
    "operator", "datetime", "calendar", "re", "string", "heapq", "bisect", "json", "copy", "typing", "dataclasses",
    "enum", "time", "textwrap", "numbers", "array", "abc", "threading", "atexit", "traceback",
)  # fmt: skip
FATAL = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGIO,
)
# Programs separated by blank lines. The first call of most things costs a child ten times the second: imports inside
# functions, tables filled once, code specialised by the interpreter.
LIGHT = """
def solution():
    a = [i ** 2 for i in range(9)]
    return sum(a) / 3 + round(2.5)
print(f"{solution():.2f}", end="")

import datetime
d = datetime.datetime(2021, 3, 1) - datetime.timedelta(days=2)
d.strftime('%m/%d/%Y')

from fractions import Fraction
import math
answer = math.comb(5, 2) * Fraction(1, 3)

raise ValueError('x')

x = 1 +
"""
FULL = """
from sympy import *
x, y = symbols('x y')
answer = solve([x + y - 3, x - y - 1], [x, y])

from sympy import *
x = symbols('x', positive=True)
solve(x**2 - 5*x + 6, x)

from sympy import *
x = symbols('x')
[solve(x**3 - x, x), solve(Eq(2*x + 1, 7), x), solve(x**2 + 1, x)]

from sympy import *
x = symbols('x')
simplify((x**2 - 1)/(x - 1)) + expand((x + 1)**3) + factor(x**2 - 4)

from sympy import *
x = symbols('x')
diff(sin(x)*exp(x), x), integrate(x**2 + sin(x), (x, 0, 1)), limit(sin(x)/x, x, 0), series(cos(x), x)

from sympy import *
n = symbols('n', integer=True)
summation(n**2, (n, 1, 10)), Rational(1, 3) + sqrt(8), N(pi)

from sympy import *
x = symbols('x', real=True)
solveset(x**2 < 4, x, S.Reals), solve(Abs(x - 1) - 2, x), nsimplify(0.5), simplify(sin(x)**2 + cos(x)**2)

from sympy import *
Matrix([[1, 2], [3, 4]]).inv().det(), factorint(360), isprime(97), divisors(12), gcd(12, 18)

import sympy as sp
x = sp.Symbol('x')
sp.srepr(sp.sqrt(x) / 2), sp.binomial(5, 2), sp.sqrt(50), sp.latex(x / 2)

import numpy as np
a = np.array([[1.0, 2.0], [3.0, 4.0]])
np.linalg.solve(a, a[0]), np.roots([1, -3, 2]), np.mean(a)
"""


def up(image: str, packages: str) -> None:
    """Import and exercise the image `light` (the standard library) or `full` (sympy, numpy, mpmath as well).

    `packages` is the folder of installed packages; `.pth` files in it are not read.
    """
    sys.path.extend(path for path in packages.split(":") if path)
    sys.dont_write_bytecode = True
    for name in STANDARD:
        importlib.import_module(name)
    if image == "full":
        for name in ("sympy", "numpy", "mpmath"):
            importlib.import_module(name)
    examples = LIGHT + (FULL if image == "full" else "")
    for text in examples.split("\n\n"):
        program.run({"__name__": "__main__"}, text, None)
