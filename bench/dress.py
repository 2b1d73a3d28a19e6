"""Rules that change the dress of an answer: brackets, order where it is free, units, words, whole completions."""

from __future__ import annotations

import random
import re

from rules import Gold, latex, reasoned, same, split_items

# lists, tuples, sets, matrices


@same()
def sized_brackets(gold: Gold, chance: random.Random) -> str | None:
    if "\\left" in gold.text:
        return re.sub(r"\\left|\\right", "", gold.text)
    if "\\sqrt[" in gold.text:
        return None
    text = re.sub(r"\\?[(\[]|\\\{", lambda m: f"\\left{m[0]}", gold.text)
    return re.sub(r"[)\]]|\\\}", lambda m: f"\\right{m[0]}", text) if gold.value else None


@same()
def comma_spacing(gold: Gold, chance: random.Random) -> str | None:
    if gold.value is None or gold.value.kind not in ("tuple", "list", "set") or not re.search(r",(?!\\!)", gold.text):
        return None
    return re.sub(r",\s*", chance.choice((",", ", ", " , ", ",\\,", ",~", ",\\ ")).replace("\\", "\\\\"), gold.text)


@same()
def items_permuted(gold: Gold, chance: random.Random) -> str | None:
    value = gold.value
    if value is None or value.kind not in ("list", "set") or re.search(r"=|(?<![a-zA-Z\\])[A-Z]", gold.text):
        return None  # x = 1, 2 names its first item, and letters may be an order
    mark, inner = ("\\cup", gold.text) if value.mark == "cup" else (",", gold.text)
    braces = inner.startswith("\\{")
    items = [item.strip() for item in split_items(inner[2:-2] if braces else inner, mark)]
    turned = f" {mark} ".replace(" ,", ",").join(items[1:] + items[:1])
    return f"\\{{{turned}\\}}" if braces else turned


@same(safe=True)
def list_with_and(gold: Gold, chance: random.Random) -> str | None:
    if gold.value is None or gold.value.kind != "list" or any(p.kind != "expression" for p in gold.value.parts):
        return None
    *items, last = split_items(gold.text)
    return f"{', '.join(item.strip() for item in items)} \\text{{ and }} {last.strip()}"


@same(safe=True)
def plus_minus(gold: Gold, chance: random.Random) -> str | None:
    value = gold.value
    if value is None or value.kind != "list" or len(value.parts) != 2 or "pm" in gold.text:
        return None
    one, other = (part.parts[0] if part.kind == "expression" else None for part in value.parts)
    if None in (one, other) or one != -other:
        return None
    return f"\\pm {latex(other if one.could_extract_minus_sign() else one)}"


@same(safe=True)
def plus_minus_listed(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\pm ?(\d+|\\frac\{\d+\}\{\d+\}|\\sqrt\{\d+\})", gold.text)
    return found and f"{found[1]}, -{found[1]}"


@same()
def matrix_brackets(gold: Gold, chance: random.Random) -> str | None:
    if "pmatrix" not in gold.text:
        return None
    return gold.text.replace("pmatrix", "bmatrix").replace(" \\\\ ", chance.choice(("\\\\", "\\\\\n", " \\\\ ")))


@same()
def entries_rewritten(gold: Gold, chance: random.Random) -> str | None:
    """Entries or coordinates one by one in another form: fractions as decimals or with a slash."""
    if gold.value is None or gold.value.kind not in ("matrix", "tuple", "list"):
        return None
    return re.sub(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", gold.text)


# words around an answer


@same(safe=True)
def unit_dropped(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(-?[\d.,]+|\\[dt]?frac\{\d+\}\{\d+\})\s*\\text\{[a-z. ]+\}(\^\{?\d\}?)?", gold.text)
    return found and found[1]


@same(safe=True)
def unit_added(gold: Gold, chance: random.Random) -> str | None:
    if gold.rational is None or "\\text" in gold.text:
        return None
    unit = chance.choice(("cm", "units", "square feet", "hours", "miles per hour", "meters"))
    return f"{gold.text}\\text{{ {unit}}}"


@same(safe=True)
def counted(gold: Gold, chance: random.Random) -> str | None:
    return f"{gold.text} {gold.unit}" if re.fullmatch(r"[a-z]+( [a-z]+)?", gold.unit) else None


@same(safe=True)
def degrees(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"(-?[\d.]+)\s*\^\{?\\circ\}?", gold.text)
    return found and found[1] + chance.choice(("", "^{\\circ}", "\u00b0", "\\text{ degrees}", " degrees"))


@same(safe=True)
def percent(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"([\d.]+)\\%", gold.text)
    return found and found[1] + chance.choice(("", "%", " \\%", "\\text{ percent}", " percent"))


@same(safe=True)
def dollars(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\\$\s?([\d.,\\!]+)", gold.text)
    return found and chance.choice((found[1], f"${found[1]}", f"{found[1]} dollars", f"{found[1]}\\text{{ dollars}}"))


@same(safe=True)
def name_before(gold: Gold, chance: random.Random) -> str | None:
    value = gold.expression
    return f"{chance.choice('xnNAk')} = {gold.text}" if value is not None and value.is_number else None


@same(safe=True)
def maths_marks(gold: Gold, chance: random.Random) -> str | None:
    before, after = chance.choice((("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$ ", " $.")))
    return f"{before}{gold.text}{after}"


@same(safe=True)
def in_a_box(gold: Gold, chance: random.Random) -> str | None:
    return chance.choice(("\\boxed{{{}}}", "$\\boxed{{{}}}$", "$\\fbox{{{}}}$", "\\boxed{{ {} }}.")).format(gold.text)


@same(safe=True)
def full_stop(gold: Gold, chance: random.Random) -> str | None:
    return f"{gold.text}."


@same(safe=True)
def words_bare(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\text\{\s*([A-Za-z ]{2,})\s*\}", gold.text)
    return found and chance.choice((found[1], found[1].lower(), f"\\mbox{{{found[1]}}}", f"\\textbf{{{found[1]}}}"))


@same(safe=True)
def choice_letter(gold: Gold, chance: random.Random) -> str | None:
    found = re.fullmatch(r"\\text\{\(?([A-F])\)?\}|\(\\text\{([A-F])\}\)", gold.text)
    letter = found and (found[1] or found[2])
    return letter and chance.choice((letter, f"({letter})", f"\\text{{({letter})}}", f"\\textbf{{({letter})}}"))


# whole completions


NEXT = "\n\nProblem:\nWhat is the value of ${other}$?\n\nSolution:\nWe read it off.\n"


@same(safe=True, kind="completion")
def closing_sentence(gold: Gold, chance: random.Random) -> str | None:
    end = chance.choice((" I hope it is correct.", "", " "))
    return f"{reasoned(gold, chance)}Final Answer: The final answer is ${gold.text}$.{end}"


@same(safe=True, kind="completion")
def closing_sentence_and_more(gold: Gold, chance: random.Random) -> str | None:
    more = NEXT.replace("{other}", gold.other)
    again = f"Final Answer: The final answer is ${gold.other}$. I hope it is correct."
    return (
        f"{reasoned(gold, chance)}Final Answer: The final answer is ${gold.text}$. I hope it is correct.{more}{again}"
    )


@same(safe=True, kind="completion")
def box_in_a_sentence(gold: Gold, chance: random.Random) -> str | None:
    end = chance.choice((".", " as required.", ".\n\nThis agrees with the estimate above."))
    return f"{reasoned(gold, chance)}Therefore the result is $\\boxed{{{gold.text}}}${end}"


@same(safe=True, kind="completion")
def box_and_sentence(gold: Gold, chance: random.Random) -> str | None:
    box = f"So we get $\\boxed{{{gold.text}}}$.\n"
    return f"{reasoned(gold, chance)}{box}Final Answer: The final answer is ${gold.text}$. I hope it is correct."


@same(safe=True, kind="completion")
def plain_sentence(gold: Gold, chance: random.Random) -> str | None:
    ends = ("", "\n\nQ: How many are there in all?\nA: There are 2 + 3 = 5. The answer is 5.")
    return f"{reasoned(gold, chance)}The answer is ${gold.text}$.{chance.choice(ends)}"


@same(safe=True, kind="completion")
def number_sign_line(gold: Gold, chance: random.Random) -> str | None:
    if gold.rational is None or not re.fullmatch(r"-?[\d.]+", gold.text):
        return None
    return f"{reasoned(gold, chance)}That makes {gold.text} in all.\n#### {gold.text}"
