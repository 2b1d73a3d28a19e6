"""AsciiMath to LaTeX: the language of asciimath.org (its grammar: simple expressions, sub/superscripts, fractions)."""

from __future__ import annotations

import re

from llemma.corpus.web.symbols import FUNCTIONS

MAX_LENGTH = 4000
MAX_DEPTH = 60

_GREEK = [
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"
]  # fmt: skip
_SYMBOLS = {
    "*": "\\cdot", "**": "\\ast", "***": "\\star", "xx": "\\times", "-:": "\\div", "@": "\\circ", "o+": "\\oplus",
    "ox": "\\otimes", "sum": "\\sum", "prod": "\\prod", "int": "\\int", "oint": "\\oint", "del": "\\partial",
    "grad": "\\nabla", "+-": "\\pm", "O/": "\\emptyset", "oo": "\\infty", "...": "\\ldots", "cdots": "\\cdots",
    "vdots": "\\vdots", "CC": "\\mathbb{C}", "NN": "\\mathbb{N}", "QQ": "\\mathbb{Q}", "RR": "\\mathbb{R}",
    "ZZ": "\\mathbb{Z}", "!=": "\\neq", "<=": "\\leq", ">=": "\\geq", "lt": "<", "gt": ">", "le": "\\leq",
    "ge": "\\geq", "ne": "\\neq", "in": "\\in", "!in": "\\notin", "sub": "\\subset", "sube": "\\subseteq",
    "sup": "\\supset", "supe": "\\supseteq", "-=": "\\equiv", "~=": "\\cong", "~~": "\\approx", "prop": "\\propto",
    "and": "\\text{ and }", "or": "\\text{ or }", "not": "\\neg", "=>": "\\Rightarrow", "if": "\\text{if }",
    "<=>": "\\Leftrightarrow", "AA": "\\forall", "EE": "\\exists", "_|_": "\\perp", "TT": "\\top", "|--": "\\vdash",
    "->": "\\to", "rarr": "\\rightarrow", "larr": "\\leftarrow", "|->": "\\mapsto", "uu": "\\cup", "nn": "\\cap",
    "vv": "\\vee", "^^": "\\wedge", "uuu": "\\bigcup", "nnn": "\\bigcap", "setminus": "\\setminus", "aleph": "\\aleph",
    "rArr": "\\Rightarrow", "hArr": "\\Leftrightarrow", "harr": "\\leftrightarrow", "quad": "\\quad", "dx": "dx",
    "dy": "dy", "dt": "dt", "dz": "dz", "lcm": "\\operatorname{lcm}", "mod": "\\bmod", "infty": "\\infty",
    "cdot": "\\cdot", "times": "\\times", "approx": "\\approx", "leq": "\\leq", "geq": "\\geq", "neq": "\\neq",
}  # fmt: skip
_UNARY = {"sqrt": "sqrt", "hat": "hat", "bar": "overline", "vec": "vec", "dot": "dot", "ddot": "ddot",
          "ul": "underline",
          "abs": "", "floor": "", "ceil": "", "norm": "", "bb": "mathbf", "bbb": "mathbb", "cc": "mathcal",
          "fr": "mathfrak",
          "sf": "mathsf", "tt": "mathtt", "tilde": "tilde", "obrace": "overbrace", "ubrace": "underbrace",
          "cancel": "cancel", "overline": "overline", "underline": "underline", "overarc": "overparen"}  # fmt: skip
_AROUND = {"abs": ("\\left|", "\\right|"), "floor": ("\\lfloor ", "\\rfloor "), "ceil": ("\\lceil ", "\\rceil "),
           "norm": ("\\left\\|", "\\right\\|")}  # fmt: skip
_BINARY = {"frac", "root", "stackrel", "overset", "underset", "color"}
_LEFT = {"(": "(", "[": "[", "{": "\\{", "(:": "\\langle", "{:": "."}
_RIGHT = {")": ")", "]": "]", "}": "\\}", ":)": "\\rangle", ":}": "."}
_WORDS = sorted(
    {*_GREEK, *(w for w in _SYMBOLS if w.isalpha()), *_UNARY, *_BINARY, *FUNCTIONS, "text", "mbox"},
    key=len,
    reverse=True,
)
_MARKS = sorted((m for m in {*_SYMBOLS, *_LEFT, *_RIGHT} if not m.isalpha()), key=len, reverse=True)
_LEXER = re.compile(
    r'(?P<quoted>"[^"]*")|(?P<text>(?:text|mbox)\([^()]*\))|(?P<number>\d+(?:\.\d+)?)|(?P<command>\\[A-Za-z]+)'
    rf"|(?P<mark>{'|'.join(map(re.escape, _MARKS))})|(?P<word>{'|'.join(_WORDS)})|(?P<other>\S)"
)


def to_latex(source: str) -> str:
    """LaTeX of an AsciiMath formula; longer than `MAX_LENGTH` characters it is cut. Never raises on odd input."""
    tokens = [match[0] for match in _LEXER.finditer(source[:MAX_LENGTH])]
    return _Parser(tokens).sequence(0, None)


class _Parser:
    """Recursive descent over a list of tokens; depth bounded."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sequence(self, depth: int, stop: str | None) -> str:
        """Expressions up to a closing bracket (any, as AsciiMath pairs them freely) or the end."""
        out: list[str] = []
        while self.peek() and not (stop is not None and self.peek() in _RIGHT):
            out.append(self.fraction(depth))
        return " ".join(part for part in out if part)

    def fraction(self, depth: int) -> str:
        top = self.scripted(depth)
        while self.peek() == "/":
            self.take()
            top = f"\\frac{{{_bare(top)}}}{{{_bare(self.scripted(depth))}}}"
        return top

    def scripted(self, depth: int) -> str:
        base = self.simple(depth)
        for mark in ("_", "^"):
            if self.peek() == mark:
                self.take()
                base += f"{mark}{{{_bare(self.simple(depth))}}}"
        return base

    def simple(self, depth: int) -> str:
        token = self.take()
        if depth > MAX_DEPTH:
            return token
        if token in _LEFT:
            return self.bracket(token, depth)
        if token in _UNARY:
            return _unary(token, self.simple(depth + 1))
        if token in _BINARY:
            return self.binary(token, depth)
        return _atom(token)

    def binary(self, token: str, depth: int) -> str:
        first, second = _bare(self.simple(depth + 1)), _bare(self.simple(depth + 1))
        if token == "root":
            return f"\\sqrt[{first}]{{{second}}}"
        if token == "color":
            return f"\\color{{{first.replace(' ', '')}}}{{{second}}}"
        return f"\\{token}{{{first}}}{{{second}}}"

    def bracket(self, left: str, depth: int) -> str:
        inner = self.sequence(depth + 1, left)
        right = self.take() if self.peek() in _RIGHT else ""
        rows = _matrix_rows(inner)
        if rows and right:
            kind = (
                "cases"
                if (left, right) == ("{", ":}")
                else {"[": "bmatrix", "(": "pmatrix", "|": "vmatrix"}.get(left, "matrix")
            )
            return f"\\begin{{{kind}}} {rows} \\end{{{kind}}}"
        return f"\\left{_LEFT[left]} {inner} \\right{_RIGHT.get(right, '.')}"


_ROW = re.compile(r"\\left([\[(]) ((?:(?!\\left|\\right).)*) \\right[\])]")


def _matrix_rows(inner: str) -> str:
    """`[a, b], [c, d]` -> the body of a matrix, or nothing when `inner` is no list of at least two equal rows."""
    rows = [match[2].split(" , ") for match in _ROW.finditer(inner)]
    rest = _ROW.sub("", inner).replace(",", "").strip()
    if len(rows) < 2 or rest or len({len(row) for row in rows}) != 1:
        return ""
    return " \\\\ ".join(" & ".join(cell.strip() for cell in row) for row in rows)


def _bare(latex: str) -> str:
    """An argument without the brackets that only grouped it."""
    for left, right in (("\\left( ", " \\right)"), ("\\left\\{ ", " \\right\\}"), ("\\left[ ", " \\right]")):
        if latex.startswith(left) and latex.endswith(right) and _closes_last(latex):
            return latex[len(left) : -len(right)]
    return latex


def _closes_last(latex: str) -> bool:
    depth = 0
    for match in re.finditer(r"\\(left|right)(?![a-z])", latex):
        depth += 1 if match[1] == "left" else -1
        if depth == 0:
            return match.end() >= len(latex) - 2
    return False


def _unary(token: str, argument: str) -> str:
    if token in _AROUND:
        left, right = _AROUND[token]
        return f"{left}{_bare(argument)}{right}"
    return f"\\{_UNARY[token]}{{{_bare(argument)}}}"


def _atom(token: str) -> str:
    if token.startswith('"'):
        return f"\\text{{{token.strip(chr(34))}}}"
    if token.startswith(("text(", "mbox(")):
        return f"\\text{{{token[5:-1]}}}"
    if token in _SYMBOLS:
        return _SYMBOLS[token]
    if token in _GREEK or token in FUNCTIONS:
        return f"\\{token}"
    return f"\\{token}" if token in ("%", "#", "&", "$") else token
