"""Structure, furniture, encodings and robustness of the extraction."""

# ruff: noqa: E501

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.corpus.web import extract, looks_mathematical
from llemma.corpus.web.shelf import CLOSE, OPEN

PROSE = "This paragraph holds enough plain English prose for an extractor to take it for the main content of the page."


def body(html: str) -> str:
    return extract(f"<html><body><article><p>{PROSE}</p>{html}<p>{PROSE}</p></article></body></html>").text


def test_structure_survives_as_markdown() -> None:
    text = body(
        "<h2>Head</h2><p>x</p><ul><li>one</li><li>two<ul><li>inner</li></ul></li></ul><ol start=3><li>three</li></ol>"
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<pre><code class='language-python'>if x &lt; 1:\n    y = '$2_a'</code></pre><p>Call <code>f(x)</code> now.</p>"
    )
    for wanted in (
        "## Head",
        "- one\n",
        "- two",
        "  - inner",
        "3. three",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "```python\nif x < 1:\n    y = '$2_a'\n```",
        "Call `f(x)` now.",
    ):
        assert wanted in text


@pytest.mark.parametrize(
    "furniture",
    [
        "<nav>BAD</nav>",
        "<div class='cookie-banner'>BAD</div>",
        "<div id='comments'>BAD</div>",
        "<div class='js-vote-count'>BAD</div>",
        "<aside>BAD</aside>",
        "<div class='sidebar'>BAD</div>",
        "<p style='display: none'>BAD</p>",
        "<script>BAD</script>",
        "<ul><li><a href=1>BAD</a></li><li><a href=2>BAD</a></li><li><a href=3>BAD</a></li></ul>",
        "<footer>BAD</footer>",
        "<button>BAD</button>",
    ],
)
def test_furniture_goes(furniture: str) -> None:
    assert "BAD" not in body(furniture)


def test_unclosed_figure_deletes_nothing() -> None:
    assert "after the figure $x$" in body("<figure><img src=a alt=b><p>after the figure \\(x\\) there is text</p>")


def test_class_names_never_delete_the_page() -> None:
    assert PROSE in extract(f"<body class='cookie'><div class='sidebar newsletter'><p>{PROSE}</p></div></body>").text


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (f"<meta charset=iso-8859-1><p>{PROSE} naïve".encode("cp1252"), "naïve"),
        (f"<p>{PROSE} naïve".encode(), "naïve"),
        (f"<meta charset=iso-8859-1><p>{PROSE} naïve".encode(), "naïve"),
        (f"\ufeff<p>{PROSE} naïve".encode("utf-16"), "naïve"),
        (f"<p>{PROSE} \0na\0ïve\x07".encode(), "naïve"),
    ],
)
def test_encodings(raw: bytes, wanted: str) -> None:
    assert wanted in extract(raw).text


def test_declared_charset_of_the_transport_counts() -> None:
    assert "простой" in extract(f"<p>{PROSE} простой".encode("koi8-r"), charset="koi8-r").text


def test_xhtml_with_empty_script_keeps_the_page() -> None:
    text = extract(
        f"<?xml version='1.0'?><html><head><script src='a.js'/></head><body><div/><p>{PROSE}</p></body></html>"
    ).text
    assert text == PROSE


def test_title_comes_from_the_head_or_the_first_heading() -> None:
    assert extract("<title> A  b </title><p>x</p>").title == "A b"
    assert extract("<h1>C</h1><p>x</p>").title == "C"


@pytest.mark.parametrize(
    "html", ["", b"", "   ", b"\x00\x00", "<", "<!-- -->", "<html>", b"\xff\xfe", "<math>", "$", "\\["]
)
def test_odd_input_gives_a_page(html: str | bytes) -> None:
    assert extract(html).found_math == 0


def test_page_cannot_forge_tokens() -> None:
    assert body(f"<p>a {OPEN}i0{CLOSE} b</p>").count("a i0 b") == 1


PIECES = st.sampled_from(
    ["<p>", "</p>", "<math>", "<mfrac>", "</math>", "$", "$$", "\\(", "\\)", "\\[", "\\begin{align}", "<table>", "<tr>", "<td>",
     "<li>", "<ul>", "<pre>", "<code>", "x_1", "<em>", "</em>", "<span class='math'>", "<span class='katex'>", "<figure>",
     "<script type='math/tex'>", "</script>", "<img class='math' alt='a'>", "&lt;", "<", "{", "}", "`", "\n", "[tex]", "[/tex]",
     "<h2>", "<div data-math='a^2'>", "</div>", OPEN, CLOSE, "\x00", "é", "<mjx-container>", "<br/>", "|", "<svg>", "<a>", "\\$"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)))
def test_any_input_gives_clean_text(html: str | bytes) -> None:
    page = extract(html)
    assert OPEN not in page.text and CLOSE not in page.text
    assert extract(html) == page
    outside_code = re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    assert page.found_math <= len(re.findall(r"(?<!\\)\$", outside_code))


@pytest.mark.parametrize(
    "html",
    ["<div>" * 20_000 + "deep", "$" * 50_000, "\\(" * 50_000, "<math>" * 3_000, "<b>" * 5_000 + "x $a$", "\\begin{align}" * 10_000,
     "<ul><li>" * 3_000, "<table><tr><td>" * 1_000, "{" * 50_000 + "$", "<p>$" + "{" * 50_000, "$a " * 20_000, "${" * 50_000, "$ {" * 50_000, "<" * 50_000, "`" * 50_000],
)  # fmt: skip
def test_hostile_pages_take_bounded_time(html: str) -> None:
    started = time.process_time()
    extract(html)
    assert time.process_time() - started < 5


def test_prefilter_sees_marks_and_passes_over_news() -> None:
    for raw in (
        b"<math>",
        b"class='katex'",
        b"\\frac{1}{2}",
        b"latex.php",
        b"$$x$$",
        b"\\(E=mc^2\\)",
        b"[tex]a[/tex]",
        b"AM_CHTML asciimath",
    ):
        assert looks_mathematical(b"<p>" + raw + b"</p>")
    for raw in (b"", b"<p>It costs $5 and $10.</p>", b"<p>plain news</p>", b"\xff\xfe\x00"):
        assert not looks_mathematical(raw)


def test_ids_of_sections_are_no_names_of_furniture() -> None:
    text = body("<section id='social-votes-and-other-related-functions'><h2>On votes</h2><p>KEPT</p></section>")
    assert "KEPT" in text


def test_element_named_as_content_is_rendered_whole() -> None:
    listing = "".join(f"<dl class='c'><dt>f{i}</dt><dd><p>Gives {i}.</p></dd></dl>" for i in range(30))
    page = f"<body><div class='x'>BAD</div><div role='main'><p>{PROSE}</p>{listing}</div></body>"
    text = extract(page).text
    assert all(f"Gives {i}." in text for i in range(30)) and "BAD" not in text


def test_equation_number_stays_beside_its_formula() -> None:
    assert "\n$$a=b$$ (2)\n" in body("<div class='math'><span class='eqno'>(2)</span>\\[a=b\\]</div>")


def test_doxygen_listing_is_code_and_its_dollars_begin_no_formula() -> None:
    listing = '<div class="fragment"><div class="line"><span class="lineno"> 1</span>x = "($";</div><div class="line">f();</div></div>'
    text = extract(f'<body><p>Words.</p>{listing}<p>Then <img class="formulaInl" alt="$a_1$">.</p></body>').text

    assert '```\nx = "($";\nf();\n```' in text
    assert text.endswith("Then $a_1$.")


def test_list_of_links_with_formulas_is_no_menu() -> None:
    links = "".join(
        f'<li><a href="/{n}">The <span class="math">\\(\\chi_{n}\\)</span> matrix</a></li>' for n in range(5)
    )

    assert "$\\chi_3$" in extract(f"<body><p>Chapters of the manual.</p><ul>{links}</ul></body>").text
