"""Programs such as models write for word problems and competition problems, generated: the load of bench/sandbox.py."""

from __future__ import annotations

import random
from collections.abc import Callable

Maker = Callable[[random.Random], str]


def _story(r: random.Random) -> str:
    lines = [f"    {name} = {r.randint(2, 400)}" for name in ("apples", "price", "days", "friends")]
    body = f"    cost = apples * price - friends * {r.randint(2, 9)}\n    result = cost / days + {r.random():.2f}"
    return "def solution():\n" + "\n".join(lines) + f"\n{body}\n    return result\n\nprint(solution())\n"


def _loop(r: random.Random) -> str:
    return (
        f"total = 0\nfor week in range(1, {r.randint(10, 4000)}):\n    if week % {r.randint(2, 9)} == 0:\n"
        f"        total += week * {r.randint(2, 50)}\n    else:\n        total -= 1\nprint(total)\nanswer = total\n"
    )


def _count(r: random.Random) -> str:
    n = r.randint(20, 90)
    return (
        f"count = 0\nfor a in range(1, {n}):\n    for b in range(a, {n}):\n"
        f"        if (a * a + b * b) % {r.randint(3, 30)} == 0:\n            count += 1\ncount\n"
    )


def _dates(r: random.Random) -> str:
    return (
        "from datetime import datetime, timedelta\n"
        f"start = datetime({r.randint(1990, 2030)}, {r.randint(1, 12)}, {r.randint(1, 28)})\n"
        f"end = start + timedelta(days={r.randint(1, 900)})\n"
        "answer = end.strftime('%m/%d/%Y')\nprint(answer, (end - start).days)\n"
    )


def _names(r: random.Random) -> str:
    prices = {f"item{i}": r.randint(1, 99) for i in range(8)}
    return f"prices = {prices}\nbest = max(prices, key=prices.get)\nprint(f'{{best}}: {{prices[best]:.2f}}')\nsorted(prices.values())[:3]\n"


def _exact(r: random.Random) -> str:
    a, b, n = r.randint(1, 30), r.randint(2, 30), r.randint(5, 20)
    return f"from fractions import Fraction\nimport math\np = Fraction({a}, {b}) + math.comb({n}, 3)\nanswer = p / math.factorial(5)\n"


def _primes(r: random.Random) -> str:
    return (
        "def is_prime(n):\n    if n < 2:\n        return False\n    i = 2\n    while i * i <= n:\n"
        "        if n % i == 0:\n            return False\n        i += 1\n    return True\n\n"
        f"print(sum(p for p in range({r.randint(300, 1500)}) if is_prime(p)))\n"
    )


def _wrong(r: random.Random) -> str:
    return f"speed = {r.randint(1, 90)}\ntime = speeed / 2\nprint(time)\n"


def _solve(r: random.Random) -> str:
    p, q = r.randint(-9, 9), r.randint(-9, 9)
    return f"from sympy import symbols, solve, Eq\nx = symbols('x')\nanswer = solve(Eq(x**2 - ({p + q})*x, {-p * q}), x)\nprint(answer)\n"


def _system(r: random.Random) -> str:
    a, b, c, d = (r.randint(1, 12) for _ in range(4))
    return f"from sympy import *\nx, y = symbols('x y')\nsolution = solve([{a}*x + {b}*y - {c}, {d}*x - y - 2], [x, y])\nsolution[x]\n"


def _simplify(r: random.Random) -> str:
    n = r.randint(2, 6)
    return f"from sympy import *\nx = symbols('x')\nf = (x**{n} - 1) / (x - 1)\nprint(simplify(f))\nexpand(simplify(f) * (x + {n}))\n"


def _calculus(r: random.Random) -> str:
    a, n = r.randint(1, 9), r.randint(1, 5)
    return f"from sympy import *\nx = symbols('x')\nF = integrate({a}*x**{n} + sin(x), (x, 0, pi))\nprint(diff(x**{n} * exp(x), x))\nF\n"


def _numbers(r: random.Random) -> str:
    n = r.randint(100, 99999)
    return f"from sympy import factorint, divisors, isprime\nprint(factorint({n}), len(divisors({n})))\nisprime({n})\n"


def _root(r: random.Random) -> str:
    n = r.randint(2, 200)
    return f"import sympy as sp\nvalue = sp.sqrt({n}) / sp.Rational({r.randint(1, 9)}, {r.randint(2, 9)})\nsp.nsimplify(value), float(value)\n"


def _matrix(r: random.Random) -> str:
    rows = [[r.randint(-9, 9) for _ in range(3)] for _ in range(3)]
    return f"import numpy as np\na = np.array({rows})\nprint(round(float(np.linalg.det(a))), a.sum(axis=0).tolist())\n"


PLAIN: list[Maker] = [_story, _story, _story, _loop, _count, _dates, _names, _exact, _primes, _wrong]
SYMBOLIC: list[Maker] = [_solve, _solve, _system, _simplify, _calculus, _numbers, _root, _matrix]


def programs(kind: str, count: int, seed: int = 0) -> list[str]:
    """`count` programs: `words` (one in a hundred uses sympy, as in published outputs on GSM8K) or `symbols` (all do)."""
    r = random.Random(seed)
    rare = 0.01 if kind == "words" else 1.0
    return [r.choice(SYMBOLIC if r.random() < rare else PLAIN)(r) for _ in range(count)]
