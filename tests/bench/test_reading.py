import pytest


def verdict(one, other):
    from reading import read, same

    a, b = read(one), read(other)
    assert a is not None, one
    assert b is not None, other
    return same(a, b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\\frac{1}{2}", "0.5"),
        ("1\\frac{1}{2}", "3/2"),
        ("2\\sqrt{3}", "\\sqrt{12}"),
        ("(x+1)^2", "x^2 + 2x + 1"),
        ("\\sin^2 x + \\cos^2 x", "1"),
        ("1.5e-3", "\\frac{3}{2000}"),
        ("12,\\!345", "12345"),
        ("1, 2", "2,1"),
        ("(1,2) \\cup [3,4)", "[3,4) \\cup (1,2)"),
        ("y = 2x + 1", "4x - 2y + 2 = 0"),
        ("x < 3", "3 > x"),
        ("\\begin{pmatrix} 1/2 \\\\ 2 \\end{pmatrix}", "\\begin{bmatrix} 0.5 \\\\ 2 \\end{bmatrix}"),
    ],
)
def test_the_same_in_another_form(one, other):
    assert verdict(one, other) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\\frac{1}{3}", "0.333"),
        ("x^2", "x^3"),
        ("(1,2)", "(2,1)"),
        ("(1,2)", "[1,2)"),
        ("x < 3", "x > 3"),
        ("y = 2x", "y = 3x"),
        ("1, 2", "1, 2, 3"),
        ("10^{-20}", "2 \\cdot 10^{-20}"),
        ("\\{1, 2\\}", "\\{1, 3\\}"),
    ],
)
def test_different_values(one, other):
    assert verdict(one, other) is False


def test_equal_for_some_numbers_only_is_not_decided():
    assert verdict("\\sqrt{x^2}", "x") is None
    assert verdict("x = 0", "x^2 = 0") is None


@pytest.mark.parametrize(
    "text",
    [
        "1/2x",
        "2\\frac{3}{2}",
        "f(2)",
        "E(W)",
        "1 in",
        "No",
        "10_2",
        "\\ln(x)^2",
        "\\cos 5 \\sqrt{3} t",
        "\\text{a}",
        "\\frac{d v}{d t}",
        "3^{99}",
        "0/0(",
    ],
)
def test_what_can_be_read_in_two_ways_is_not_read(text):
    from reading import read

    assert read(text) is None
