"""The language of a file whose ending several languages share, told from its content.

Each ending has one function. It looks for kinds of evidence, each a pattern that one language has and the others do
not; the language with most kinds wins, and the first of the list where none is ahead. Kinds are counted rather than
places, so that a long comment about wires does not make Verilog of a proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

HEAD = 30_000
"""Characters looked at; what a file is shows early."""
LINE = 400
"""Characters of each line looked at, so that a hostile line costs no more than an honest file."""

OTHER = "other"


class Evidence:
    """A language and patterns that speak for it; a line begins at `^`."""

    def __init__(self, language: str, *patterns: str) -> None:
        self.language = language
        self.patterns = [re.compile(pattern, re.MULTILINE) for pattern in patterns]

    def count(self, text: str) -> int:
        """How many of the patterns occur."""
        return sum(pattern.search(text) is not None for pattern in self.patterns)


def weighed(text: str, *candidates: Evidence, silent: str = "") -> str:
    """The language of most evidence, an earlier one where two have as much; `silent`, or the first, without any."""
    counts = [candidate.count(text) for candidate in candidates]
    best = max(counts)
    return candidates[counts.index(best)].language if best else silent or candidates[0].language


_COQ = Evidence(
    "coq",
    r"^[ \t]*(?:Theorem|Lemma|Corollary|Fact|Remark|Proposition|Example)\s+[\w']+",
    r"\b(?:Qed|Defined|Admitted)\s*\.",
    r"^[ \t]*(?:Inductive|CoInductive|Fixpoint|CoFixpoint|Definition|Record|Instance|Class)\s+[\w']+",
    r"^[ \t]*(?:From\s+\w+\s+)?Require\s+(?:Import\s+|Export\s+)?\w",
    r"^[ \t]*(?:Section|Variable|Variables|Hypothesis|Notation|Ltac|Hint|Proof)\b[^;\n]*\.[ \t]*$",
    r"\(\*",
    r"^(?:Declare|Import|Export|Set|Unset|Global|Local|Arguments|Open)\s[^;\n]*\.[ \t]*$",
)
_VERILOG = Evidence(
    "verilog",
    r"^[ \t]*endmodule\b",
    r"^[ \t]*module\s+\w+\s*(?:#\s*)?[(;]",
    r"\b(?:always|initial)\s*(?:@|begin\b)",
    r"\b(?:posedge|negedge)\s+\w",
    r"^[ \t]*(?:input|output|inout|wire|reg|assign|parameter)\s[^.\n]*[;,]\s*(?://.*)?$",
    r"^[ \t]*`(?:timescale|define|include|ifdef|ifndef)\b",
)
_VLANG = Evidence(
    "v",
    r"^(?:pub\s+)?fn\s+\w[\w.]*\s*\(",
    r"^module\s+\w+[ \t]*$",
    r"^[ \t]*mut\s+\w+\s*:=",
    r"^import\s+[\w.]+[ \t]*$",
)


def _v(text: str) -> str:
    return weighed(text, _COQ, _VERILOG, _VLANG, silent=OTHER)


_MATLAB = Evidence(
    "matlab",
    r"^[ \t]*%",
    r"^[ \t]*function\b[^;{]*$",
    r"^[ \t]*(?:end|endfunction|endif|endfor)\b\s*;?\s*(?:%.*|#.*)?$",
    r"\.[*/^]|\w'\s*[*;,)]",
    r"^[ \t]*(?:for|if|while|switch)\s[^{;:]*(?:=[^=\n{]*)?(?:%.*)?$",
    r"\b(?:zeros|ones|linspace|fprintf|disp|plot|figure|numel|length|size)\s*\(",
    r"^[ \t]*(?:clc|clear|close all)\b",
)
_OBJECTIVE_C = Evidence(
    "objective-c",
    r"^[ \t]*#\s*(?:import|include)\s*[<\"]",
    r"^[ \t]*@(?:interface|implementation|property|protocol|class|end|synthesize)\b",
    r"^[-+]\s*\([\w\s*<>]+\)\s*\w+",
    r"\[\s*\w+\s+\w+[\]:]",
    r"\b(?:NSString|nil|self\.|NSObject|@\")",
    r"^[ \t]*//",
)
_MATHEMATICA = Evidence(
    "mathematica",
    r"\(\*",
    r"\b(?:Module|Block|With|Table|Map|Plot|Solve|BeginPackage|Needs)\s*\[",
    r"\b\w+\[\s*\w+_\w*",
    r":=|->|/@|//\s*\w+[ \t]*$",
    r"\bEnd(?:Package)?\[\s*\]",
)
_MERCURY = Evidence(
    "mercury", r"^:-\s*(?:module|interface|implementation|import_module|pred|func|mode)\b", r":-[ \t]*$"
)
_MUF = Evidence(
    "muf",
    r"^[ \t]*(?:\(|@program|@prog|@set)\s",
    r"^[ \t]*:\s+[\w-]+(?:\s|$)",
    r"^[ \t]*(?:lvar|var|\$def|\$include|\$define|\$lib-version|public)\s+\S+[ \t]*$",
    r"\b(?:me @|pop|strcat|notify|getpropstr|dup|swap)\b",
    r"^[ \t]*;[ \t]*$|\s;[ \t]*$",
)
_LIMBO = Evidence("limbo", r"^implement\s+\w+;", r":\s*adt\b", r"^include\s+\"[\w.]+\.m\";")
_M = Evidence(
    "m", r"^\w+\s*;\s*\S", r"^[ \t]+(?:[sSqQdDwWkK]|[nN]ew|[sS]et|[dD]o|[qQ]uit)\s+\S", r"\$(?:[oOgGpPeEjJ])\("
)
_NO_MATLAB = re.compile(r"^[ \t]*(?:@(?:interface|implementation|protocol)|#\s*import|:-\s*module)\b", re.MULTILINE)


def _m(text: str) -> str:
    # One such line decides: no MATLAB file has it outside of a comment.
    others = (_OBJECTIVE_C, _MERCURY) if _NO_MATLAB.search(text) else ()
    rest = (_MATLAB, _OBJECTIVE_C, _MATHEMATICA, _MERCURY, _MUF, _LIMBO, _M)
    return weighed(text, *(others or rest))


_ISABELLE = Evidence(
    "isabelle",
    r"^[ \t]*theory\b",
    r"^[ \t]*imports\b",
    r"^[ \t]*begin\b",
    r"^[ \t]*(?:lemma|theorem|corollary|proposition|definition|fun|datatype|locale|section|consts|defs|axioms)\b",
    r"\\<[\w^]+>|\bby\s*(?:\(|auto|simp|blast|force)",
    r"^\w+ *= *[\"\w]+(?: *\+ *[\"\w]+)* *\+? *$",
)


def _thy(text: str) -> str:
    return weighed(text, _ISABELLE, silent=OTHER)


_LEAN4 = Evidence(
    "lean4",
    r"^import\s+(?:[A-Z]\w*\.)*[A-Z]\w*[ \t]*$",
    r":=\s*by[ \t]*$",
    r"\bfun\s+[^,\n]*=>",
    r"^[ \t]*(?:@\[[^\]\n]*\]\s*)?(?:theorem|lemma|def|instance|example)\b[^\n]*\bwhere[ \t]*$",
    r"^[ \t]*(?:macro|syntax|elab|declare_syntax_cat|deriving|inductive\s+\w+\s+where|structure\s+\w+\s+where)\b",
    r"\b(?:Nat|Int|Real|List|String|Type)\.[a-z]\w*",
    r"^[ \t]*(?:·|\|\s+[\w.]+\s.*=>)",
    r"\b(?:rfl|simp|rw|exact|intro)\b[^\n,]*\n\s+(?:rfl|simp|rw|exact|intro|apply|constructor)\b",
    r"^[ \t]*(?:open\s+[A-Z]\w*(?:\s+[A-Z]\w*)*(?:\s+in)?|namespace\s+[A-Z][A-Za-z.]*)[ \t]*$",
    r"^[ \t]*(?:#eval|let\s+mut|do$|return\b)",
)
_LEAN3 = Evidence(
    "lean3",
    r"^import\s+(?:[a-z]\w*\.)*[a-z]\w*(?:\s+[a-z][\w.]*)*[ \t]*$",
    r"^[ \t]*begin[ \t]*$",
    r"(?:λ|\bfun\b)[^=\n]*,",
    r"\bby\s*\{",
    r"^[ \t]*end[ \t]*$",
    r"\b(?:nat|int|real|list|finset|set)\.[a-z]\w*",
    r"\b(?:assume|obtain\s+⟨[^⟩\n]*⟩\s*,|have\s[^\n:]*:[^\n]*,\s*from)\b",
    r"\b(?:rw|simp|exact|apply|intros?|cases|refine|norm_num|linarith|ring)\b[^\n]*,[ \t]*$",
    r"^[ \t]*(?:variables|constants?|axioms|meta\s+def|open_locale|noncomputable\s+theory|parameters?)\b",
)


def lean_version(text: str) -> str:
    """`lean3` or `lean4`, `lean4` where nothing tells."""
    return weighed(_beginning(text), _LEAN4, _LEAN3)


def _lean(text: str) -> str:
    return "lean"


_GNUPLOT = Evidence(
    "gnuplot",
    r"^[ \t]*(?:set|unset)\s+"
    r"(?:term|terminal|output|xlabel|ylabel|title|key|style|[xyz]range|xtics|logscale|datafile|grid)\b",
    r"^[ \t]*s?plot\s+[\"'\[\w]",
    r"\busing\s+\(?\$?\d",
    r"\bwith\s+(?:lines|points|linespoints|boxes|errorbars|l|p|lp)\b",
)
_PARI = Evidence(
    "pari",
    r"^[ \t]*\\\\",
    r"^\w+\([\w,= ]*\)\s*=",
    r"\bmy\s*\(",
    r"\b(?:for(?:prime|div|vec|step)?|forprime|print|if|while)\s*\(\s*\w+\s*=?[^;\n]*,",
    r"\b(?:polcoeff|znprimroot|ellinit|bnfinit|vecmax|matdet|nfinit|Mod|factorint|allocatemem)\s*\(",
    r"\b(?:addhelp|install|default)\s*\(",
)
_GAP = Evidence(
    "gap",
    r":=\s*function\s*\(",
    r"^[ \t]*(?:fi|od|end)\s*;",
    r"\b(?:InstallMethod|DeclareOperation|InstallGlobalFunction|DeclareGlobalFunction|DeclareAttribute|BindGlobal)\s*\(",
    r"^[ \t]*#[#A-Z]?",
    r"^gap>|^>\s",
    r"\b(?:Group|SymmetricGroup|PermList|Size|Print|GF|LoadPackage)\s*\(|\([0-9]+(?:,[0-9]+)+\)",
    r"^[ \t]*(?:local|Read\w*|DeclareCategory)\b[^;\n]*;",
    r":=[^\n]*;",
)
_ANTLR = Evidence(
    "antlr", r"^[ \t]*(?:lexer\s+|parser\s+|tree\s+)?grammar\s+\w+\s*;", r"^@(?:header|members)", r"^[ \t]*:\s"
)
_GCODE = Evidence("g-code", r"^(?:N\d+\s*)?G0?[01]\s", r"^M\d+", r"^%[ \t]*$")


def _gp(text: str) -> str:
    return weighed(text, _GNUPLOT, _PARI, _GAP, silent=OTHER)


def _g(text: str) -> str:
    return weighed(text, _GAP, _ANTLR, _GCODE, silent=OTHER)


_TEX = re.compile(r"\\(?:[A-Za-z@]{2,}|[\[\](){}\\])")


def _tex(text: str) -> str:
    return "tex" if _TEX.search(text) else OTHER


_R = Evidence(
    "r",
    r"<-",
    r"\b(?:library|require|source)\s*\(",
    r"\bfunction\s*\(",
    r"^[ \t]*#",
    r"\b(?:c|data\.frame|matrix|print|cat|ggplot|lm|mean)\s*\(",
    r"%(?:in|>|\*|o)%?%|\$\w+|TRUE|FALSE",
)
_REBOL = Evidence(
    "rebol",
    r"(?i)^[ \t]*rebol\s*\[",
    r"^[ \t]*[\w-]+:\s*(?:func|does|make|context)\b",
    r"^[ \t]*(?:Title|Purpose):\s*\"",
)
_REZ = Evidence(
    "rez",
    r"/\* Resource fork",
    r"^[ \t]*(?:resource|data|type)\s+'....'",
    r"^[ \t]*#include\s+\"\w+\.r\"",
    r"^[ \t]*\$\"[0-9A-F ]+\"",
)
_REQUIREMENT = Evidence(
    "requirement", r"\bRequirement\s{1,200}\{\s{1,200}Identifier", r"^[ \t]*(?:Identifier|Title|Description)\s*:"
)
_XML = re.compile(r"\s*<(?:\?xml|!DOCTYPE|\w+[^<>]{0,500}>)")
_JSON = re.compile(r"\s*(?:\{\s*(?:\"|\})|\[\s*(?:\"|\{|-?[0-9][0-9.eE+-]*\s*,\s*[0-9]))")


def _r(text: str) -> str:
    return _marked_up(text) or weighed(text, _R, _REBOL, _REZ, _REQUIREMENT)


def _marked_up(text: str) -> str:
    """`xml` or `json` for texts that begin so, whatever their ending."""
    start = text.lstrip("\ufeff")
    return "xml" if _XML.match(start) else "json" if _JSON.match(start) else ""


_FORTRAN = Evidence(
    "fortran",
    r"(?i)^[ \t]*(?:program|subroutine|module|(?:\w+\s+)?function|block\s*data)\s+\w+",
    r"(?i)^[ \t]*end\s*(?:if|do|program|subroutine|function|module)?\s*(?:\w+\s*)?(?:!.*)?$",
    r"(?i)^[ \t]*(?:integer|real|double\s*precision|complex|logical|character|dimension|implicit|parameter|common)\b",
    r"(?i)^[ \t]*(?:call|do|if\s*\(|write\s*\(|return|goto)\b",
    r"(?i)^[c*!]",
)
_FORTH = Evidence(
    "forth",
    r"^[ \t]*:\s+\S+\s",
    r"\s;\s*(?:immediate\s*)?$",
    r"^[ \t]*\\\s",
    r"\(\s[^)\n]*--[^)\n]*\)",
    r"\b(?:dup|swap|drop|over)\b",
)
_FILEBENCH = Evidence("filebench", r"^[ \t]*(?:define\s+(?:fileset|process)|flowop)\b", r"^[ \t]*set\s+\$\w+\s*=")


def _f(text: str) -> str:
    return weighed(text, _FORTRAN, _FORTH, _FILEBENCH)


_JULIA = Evidence(
    "julia",
    r"^[ \t]*(?:function|module|struct|mutable\s+struct|abstract\s+type|macro|using|import|export|const|begin|let)\b",
    r"^[ \t]*end\b",
    r"^[ \t]*(?:#|@\w+)",
    r"::\s*[A-Z]\w*",
    r"\w[!]?\([^()\n]*\)\s*=(?!=)",
    r"\bprintln?\(|\.\+|\.\*|\bfor\s+\w+\s+(?:in|=|∈)\s",
)


def _jl(text: str) -> str:
    # no statement of Julia begins with a percent sign: such files are TeX or PostScript
    found = _marked_up(text) or (OTHER if text.lstrip().startswith("%") else "")
    return found if found and not _JULIA.count(text) > 1 else "julia"


_CPP = Evidence(
    "cpp",
    r"^[ \t]*template[ \t]*<",
    r"^[ \t]*(?:enum[ \t]+)?class[ \t]+(?:\w+[ \t]+){0,3}\w+(?:<[^>\n]*>)?\s*(?:final\s*)?[:{;]",
    r"^[ \t]*(?:inline[ \t]+)?namespace\b[ \t\w:]*\s*\{",
    r"^[ \t]*using\s+(?:namespace\s+[\w:]+|\w+(?:::\w+)+|\w+\s*=[^;\n]*);",
    r"^[ \t]*(?:public|private|protected)[ \t]*:[ \t]*$",
    r"^[^*/\n]*\bstd::\w",
    r"^[ \t]*#[ \t]*include[ \t]*<(?:iostream|vector|string|map|memory|algorithm|functional|utility)>",
)


def _h(text: str) -> str:
    # C++ headers are full of C; what only C++ has decides, outside of comments.
    return "objective-c" if _NO_MATLAB.search(text) else "cpp" if _CPP.count(text) else "c"


_MAPLE = Evidence(
    "maple",
    r":=\s*proc\s*\(",
    r"^[ \t]*(?:end\s*(?:proc|if|do)?|fi|od)\s*[:;]",
    r"^[ \t]*(?:with|restart|read|unprotect|local|global|option)\b[^=\n]*[:;]",
    r"^[ \t]*#",
    r":=[^\n]*[:;][ \t]*$",
)


def _mpl(text: str) -> str:
    return _marked_up(text) or weighed(text, _MAPLE, silent=OTHER)


BY_CONTENT: dict[str, Callable[[str], str]] = {
    ".v": _v,
    ".m": _m,
    ".thy": _thy,
    ".lean": _lean,
    ".gp": _gp,
    ".g": _g,
    ".tex": _tex,
    ".r": _r,
    ".f": _f,
    ".for": _f,
    ".jl": _jl,
    ".h": _h,
    ".mpl": _mpl,
}
"""For each ending that languages share, what tells them apart."""


def told(path: str, text: str, by_name: str) -> str:
    """The language of a file: by its content where its ending is shared, else `by_name`. Blank texts tell nothing."""
    look = BY_CONTENT.get(PurePosixPath(path).suffix.lower())
    return look(_beginning(text)) if look and text and not text.isspace() else by_name


def _beginning(text: str) -> str:
    head = text[:HEAD]
    return "\n".join(line[:LINE] for line in head.split("\n"))
