import json

GOLDS = [
    *("\\frac{3}{4}", "-\\frac{7}{2}", "12", "1234", "0.5", "120", "2\\sqrt{3}", "\\frac{\\pi}{6}", "x^2 - 5x + 6"),
    *("(1, -2)", "[0, 4)", "3, -3", "y = 2x + 1", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    *("60^\\circ", "\\text{Friday}", "\\text{Monday}"),
]


def folder(path):
    (path / "math").mkdir()
    rows = [{"solution": f"So it is $\\boxed{{{gold}}}$."} for gold in GOLDS]
    (path / "math" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_same_folder_gives_the_same_pairs_and_no_answer_lies_in_both_halves(tmp_path):
    from labelled import build

    source = folder(tmp_path)
    halves = build(source)
    assert halves == build(source)
    ours, theirs = ({row["gold"] for row in halves[name]} for name in ("open", "held"))
    assert ours and theirs and not ours & theirs
    assert {row["rule"] for rows in halves.values() for row in rows} > {"decimal_of_fraction", "sign_flipped", "no_end"}


def test_a_label_that_the_second_reader_denies_is_dropped():
    from labelled import confirmed
    from reading import read
    from rules import Gold, Rule

    zero, rule = Gold("0", read("0"), "math"), Rule("sign_flipped", lambda gold, chance: "-0", equal=False)
    assert not confirmed(rule, zero, "-0")
    assert confirmed(rule, Gold("5", read("5"), "math"), "-5")
    unread = Gold("\\text{even}", None, "math")
    assert not confirmed(rule, unread, "-\\text{even}")
    assert confirmed(rule._replace(safe=True), unread, "-\\text{even}")


def test_there_are_many_rules_of_both_labels():
    import labelled

    assert min(len(labelled.SAME), len(labelled.OTHER)) >= 20
    assert len({rule.name for rule in (*labelled.SAME, *labelled.OTHER)}) == len(labelled.SAME) + len(labelled.OTHER)
