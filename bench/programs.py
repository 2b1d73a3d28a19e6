"""Programs such as models write for word problems and competition problems, generated: the load of bench/sandbox.py."""

from __future__ import annotations

import random
from collections.abc import Callable

Maker = Callable[[random.Random], str]


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _story(r: random.Random) -> str:
    return _lines(
        "def solution():",
        *(f"    {name} = {r.randint(2, 400)}" for name in ("apples", "price", "days", "friends")),
        f"    cost = apples * price - friends * {r.randint(2, 9)}",
        f"    result = cost / days + {r.random():.2f}",
        "    return result",
        "",
        "print(solution())",
    )


def _loop(r: random.Random) -> str:
    return _lines(
        "total = 0",
        f"for week in range(1, {r.randint(10, 4000)}):",
        f"    if week % {r.randint(2, 9)} == 0:",
        f"        total += week * {r.randint(2, 50)}",
        "    else:",
        "        total -= 1",
        "print(total)",
        "answer = total",
    )


def _count(r: random.Random) -> str:
    n = r.randint(20, 90)
    return _lines(
        "count = 0",
        f"for a in range(1, {n}):",
        f"    for b in range(a, {n}):",
        f"        if (a * a + b * b) % {r.randint(3, 30)} == 0:",
        "            count += 1",
        "count",
    )


def _dates(r: random.Random) -> str:
    return _lines(
        "from datetime import datetime, timedelta",
        f"start = datetime({r.randint(1990, 2030)}, {r.randint(1, 12)}, {r.randint(1, 28)})",
        f"end = start + timedelta(days={r.randint(1, 900)})",
        "answer = end.strftime('%m/%d/%Y')",
        "print(answer, (end - start).days)",
    )


def _names(r: random.Random) -> str:
    prices = {f"item{i}": r.randint(1, 99) for i in range(8)}
    return _lines(
        f"prices = {prices}",
        "best = max(prices, key=prices.get)",
        "print(f'{best}: {prices[best]:.2f}')",
        "sorted(prices.values())[:3]",
    )


def _exact(r: random.Random) -> str:
    return _lines(
        "from fractions import Fraction",
        "import math",
        f"p = Fraction({r.randint(1, 30)}, {r.randint(2, 30)}) + math.comb({r.randint(5, 20)}, 3)",
        "answer = p / math.factorial(5)",
    )


def _primes(r: random.Random) -> str:
    return _lines(
        "def is_prime(n):",
        "    if n < 2:",
        "        return False",
        "    i = 2",
        "    while i * i <= n:",
        "        if n % i == 0:",
        "            return False",
        "        i += 1",
        "    return True",
        "",
        f"print(sum(p for p in range({r.randint(300, 1500)}) if is_prime(p)))",
    )


def _wrong(r: random.Random) -> str:
    return _lines(f"speed = {r.randint(1, 90)}", "time = speeed / 2", "print(time)")


def _solve(r: random.Random) -> str:
    p, q = r.randint(-9, 9), r.randint(-9, 9)
    return _lines(
        "from sympy import symbols, solve, Eq",
        "x = symbols('x')",
        f"answer = solve(Eq(x**2 - ({p + q})*x, {-p * q}), x)",
        "print(answer)",
    )


def _system(r: random.Random) -> str:
    a, b, c, d = (r.randint(1, 12) for _ in range(4))
    return _lines(
        "from sympy import *",
        "x, y = symbols('x y')",
        f"solution = solve([{a}*x + {b}*y - {c}, {d}*x - y - 2], [x, y])",
        "solution[x]",
    )


def _simplify(r: random.Random) -> str:
    n = r.randint(2, 6)
    return _lines(
        "from sympy import *",
        "x = symbols('x')",
        f"f = (x**{n} - 1) / (x - 1)",
        "print(simplify(f))",
        f"expand(simplify(f) * (x + {n}))",
    )


def _calculus(r: random.Random) -> str:
    a, n = r.randint(1, 9), r.randint(1, 5)
    return _lines(
        "from sympy import *",
        "x = symbols('x')",
        f"F = integrate({a}*x**{n} + sin(x), (x, 0, pi))",
        f"print(diff(x**{n} * exp(x), x))",
        "F",
    )


def _numbers(r: random.Random) -> str:
    n = r.randint(100, 99999)
    return _lines(
        "from sympy import factorint, divisors, isprime",
        f"print(factorint({n}), len(divisors({n})))",
        f"isprime({n})",
    )


def _root(r: random.Random) -> str:
    return _lines(
        "import sympy as sp",
        f"value = sp.sqrt({r.randint(2, 200)}) / sp.Rational({r.randint(1, 9)}, {r.randint(2, 9)})",
        "sp.nsimplify(value), float(value)",
    )


def _matrix(r: random.Random) -> str:
    rows = [[r.randint(-9, 9) for _ in range(3)] for _ in range(3)]
    return _lines(
        "import numpy as np",
        f"a = np.array({rows})",
        "print(round(float(np.linalg.det(a))), a.sum(axis=0).tolist())",
    )


PLAIN: list[Maker] = [_story, _story, _story, _loop, _count, _dates, _names, _exact, _primes, _wrong]
SYMBOLIC: list[Maker] = [_solve, _solve, _system, _simplify, _calculus, _numbers, _root, _matrix]


def programs(kind: str, count: int, seed: int = 0) -> list[str]:
    """`count` programs: `words` (one in a hundred uses sympy, as in published outputs on GSM8K), `symbols` (all do)."""
    r = random.Random(seed)
    rare = 0.01 if kind == "words" else 1.0
    return [r.choice(SYMBOLIC if r.random() < rare else PLAIN)(r) for _ in range(count)]
