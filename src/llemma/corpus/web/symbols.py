"""Unicode mathematics and its LaTeX commands, shared by the MathML and AsciiMath converters."""

from __future__ import annotations

FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "exp",
        "log",
        "ln",
        "lg",
        "lim",
        "liminf",
        "limsup",
        "max",
        "min",
        "sup",
        "inf",
        "det",
        "dim",
        "ker",
        "deg",
        "gcd",
        "arg",
        "hom",
        "Pr",
    ]
)

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ϵ": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi",
    "π": "pi", "ϖ": "varpi", "ρ": "rho", "ϱ": "varrho", "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon",
    "φ": "varphi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
    "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_SYMBOLS = {
    "∑": "sum", "∏": "prod", "∐": "coprod", "∫": "int", "∬": "iint", "∭": "iiint", "∮": "oint", "∂": "partial",
    "∇": "nabla", "∞": "infty", "∈": "in", "∉": "notin", "∋": "ni", "⊂": "subset", "⊆": "subseteq", "⊃": "supset",
    "⊇": "supseteq", "⊊": "subsetneq", "∪": "cup", "∩": "cap", "⋃": "bigcup", "⋂": "bigcap", "∅": "emptyset",
    "∀": "forall", "∃": "exists", "¬": "neg", "∧": "wedge", "∨": "vee", "⊕": "oplus", "⊗": "otimes", "⊥": "perp",
    "≤": "leq", "≥": "geq", "⩽": "leqslant", "⩾": "geqslant", "≠": "neq", "≈": "approx", "≡": "equiv", "∼": "sim",
    "≃": "simeq", "≅": "cong", "∝": "propto", "≪": "ll", "≫": "gg", "≺": "prec", "≻": "succ", "×": "times", "÷": "div",
    "⋅": "cdot", "·": "cdot", "∘": "circ", "∙": "bullet", "•": "bullet", "∗": "ast", "±": "pm", "∓": "mp", "→": "to",
    "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow", "⇐": "Leftarrow", "⇔": "Leftrightarrow",
    "↦": "mapsto", "↪": "hookrightarrow", "⟶": "longrightarrow", "⟹": "Longrightarrow", "⟺": "Longleftrightarrow",
    "⟼": "longmapsto", "↑": "uparrow", "↓": "downarrow", "…": "ldots", "⋯": "cdots", "⋮": "vdots", "⋱": "ddots",
    "⟨": "langle", "⟩": "rangle", "〈": "langle", "〉": "rangle", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil",
    "⌉": "rceil", "∥": "parallel", "‖": "|", "∣": "mid", "∤": "nmid", "√": "surd", "∠": "angle", "△": "triangle",
    "□": "square", "■": "blacksquare", "⊢": "vdash", "⊨": "models", "⊤": "top", "ℓ": "ell", "ℏ": "hbar", "ℜ": "Re",
    "ℑ": "Im", "℘": "wp", "ℵ": "aleph", "∖": "setminus", "⋆": "star", "†": "dagger", "∴": "therefore", "∵": "because",
}  # fmt: skip
_LETTERS = {
    "ℝ": "\\mathbb{R}", "ℂ": "\\mathbb{C}", "ℕ": "\\mathbb{N}", "ℤ": "\\mathbb{Z}", "ℚ": "\\mathbb{Q}",
    "ℙ": "\\mathbb{P}", "𝔼": "\\mathbb{E}", "ℍ": "\\mathbb{H}", "𝟙": "\\mathbb{1}", "ℒ": "\\mathcal{L}",
    "ℋ": "\\mathcal{H}", "ℱ": "\\mathcal{F}", "−": "-", "′": "'", "″": "''", "‴": "'''", "\xa0": "~", "²": "^2",
    "³": "^3", "¹": "^1", "½": "\\frac{1}{2}", "‐": "-", "–": "-",
}  # fmt: skip

LATEX_OF: dict[str, str] = {char: f"\\{name}" for char, name in (_GREEK | _SYMBOLS).items()} | _LETTERS
"""One Unicode character -> LaTeX."""


def _styled() -> dict[str, str]:
    """The letters of the Mathematical Alphanumeric Symbols block (U+1D400 on) as plain or styled letters."""
    starts = {0x1D400: "mathbf", 0x1D434: "", 0x1D468: "boldsymbol", 0x1D49C: "mathcal", 0x1D504: "mathfrak",
              0x1D538: "mathbb", 0x1D5A0: "mathsf", 0x1D670: "mathtt"}  # fmt: skip
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return {
        chr(start + offset): f"\\{style}{{{letter}}}" if style else letter
        for start, style in starts.items()
        for offset, letter in enumerate(letters)
    }


LATEX_OF.update({char: latex for char, latex in _styled().items() if char not in LATEX_OF})
