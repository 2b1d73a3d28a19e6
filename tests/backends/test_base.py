import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.backends.base import cut, failed, open_backend
from llemma.core.errors import MissingError, RecipeError
from llemma.core.types import Request


def test_an_echo_repeats_the_last_line_for_every_sample():
    [[first, second]] = open_backend("echo:").complete([Request(id="a", prompt="Problem:\n2+2\n\nSay 4 now\n", n=2)])
    assert (first.text, first.sample, first.tokens) == ("Say 4 now", 0, 3)
    assert (second.text, second.sample) == ("Say 4 now", 1)


def test_an_echo_ends_before_a_stop_string():
    [[only]] = open_backend("echo:").complete([Request(id="a", prompt="one two STOP three", stop=["STOP"])])
    assert only.text == "one two "


def test_an_echo_of_nothing_is_empty():
    [[only]] = open_backend("echo:").complete([Request(id="a", prompt="")])
    assert only.text == ""


def test_an_unknown_scheme_is_refused_with_the_nearest_one():
    with pytest.raises(RecipeError) as error:
        open_backend("rnu:runs/mini/math")
    assert "unknown backend 'rnu'" in str(error.value)
    assert "did you mean 'run'?" in error.value.mend


def test_a_path_without_scheme_is_told_how_to_write_it(tmp_path):
    with pytest.raises(RecipeError) as error:
        open_backend(str(tmp_path))
    assert f"did you mean 'run:{tmp_path}'?" in error.value.mend
    assert "replay:" in error.value.mend


def test_scoring_with_an_echo_is_refused_at_the_call_and_says_what_to_do():
    with pytest.raises(MissingError, match="cannot tell how likely") as error:
        open_backend("echo:").score(["text"])
    assert "perplexity = false" in error.value.mend


@given(st.text("abP:"), st.lists(st.text("abP:", max_size=3), max_size=3))
def test_a_cut_text_is_the_longest_beginning_without_a_stop_string(text, stop):
    kept, stopped = cut(text, stop)
    ends = [n for n in range(len(text) + 1) if any(mark and text[:n].endswith(mark) for mark in stop)]
    starts = [n for n in range(len(text)) if any(mark and text.startswith(mark, n) for mark in stop)]
    assert stopped == bool(ends)
    assert kept == text[: min(starts, default=len(text))]


def test_failed_gives_one_error_for_each_sample():
    errors = failed(Request(id="a", prompt="", n=3), "gone")
    assert [(e.request, e.sample, e.finish, e.error) for e in errors] == [("a", i, "error", "gone") for i in range(3)]
