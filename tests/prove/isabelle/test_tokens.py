"""Isar's tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.prove.isabelle.tokens import LexicalError, is_proper, tokenize

SHARED = Path(__file__).parents[4] / "shared" / "minif2f"
PIECE = st.one_of(
    st.sampled_from(
        ["(*", "*)", "(", "*", ")", '"', "`", "\\", "\\<open>", "\\<close>", "\\<forall>", "{*", "..", "'", "?"]
    ),
    st.sampled_from(["\\<^sub>", "\\<alpha>", "\n", " ", "a", "B_1", "::", "12.5", "foo.bar", "[", "]", "\\<", ">"]),
    st.text(max_size=3),
)


@given(st.lists(PIECE, max_size=25).map("".join))
def test_tokens_put_together_are_the_text(text: str) -> None:
    try:
        tokens = tokenize(text)
    except LexicalError:
        return
    assert "".join(token.text for token in tokens) == text
    assert [token.start for token in tokens] == [len("".join(t.text for t in tokens[:n])) for n in range(len(tokens))]


@given(
    st.text(alphabet='ab \n"`\\<>()*', max_size=30),
    st.sampled_from([('"', '"'), ("\\<open>", "\\<close>"), ("(*", "*)")]),
)
def test_what_is_closed_is_one_token(inside: str, quotes: tuple[str, str]) -> None:
    text = quotes[0] + inside + quotes[1]
    try:
        tokens = tokenize(text)
    except LexicalError:
        return
    if len(tokens) == 1:
        assert tokens[0].text == text


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('have x: "y"', ["word", "word", "symbol", "string"]),
        ('"a \\" b" c', ["string", "word"]),
        ('"\\\\" c', ["string", "word"]),
        ("(* a (* b *) c *) d", ["comment", "word"]),
        ('(* " *) d', ["comment", "word"]),
        ('\\<open>a \\<open>b\\<close> "\\<close> c', ["cartouche", "word"]),
        ("'a ?x.1 ?'b x\\<^sub>1 \\<alpha>' a.b.c", ["type", "variable", "type", "word", "word", "word"]),
        ("foo(1-3) .. .", ["word", "symbol", "number", "symbol", "number", "symbol", "symbol", "symbol"]),
        ('`x = "y"`', ["altstring"]),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [token.kind for token in tokenize(text) if token.kind != "space"] == kinds


@pytest.mark.parametrize(
    "text", ['"a', "(* a", "\\<open> \\<open> \\<close>", "\\<close>", "{* a *}", "\u00e9", '"\\n"', "`"]
)
def test_what_is_no_sequence_of_tokens(text: str) -> None:
    with pytest.raises(LexicalError):
        tokenize(text)


def test_contents_are_without_quotes() -> None:
    assert [token.content for token in tokenize('"a"\\<open>b\\<close>`c`d')] == ["a", "b", "c", "d"]


def test_long_input_takes_linear_time() -> None:
    assert len(tokenize("\\<alpha>" * 50_000)) == 1
    assert len([t for t in tokenize("(* x *) a " * 5_000) if is_proper(t)]) == 5_000
    with pytest.raises(LexicalError):
        tokenize("(*" * 50_000)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/minif2f here")
def test_every_statement_of_minif2f_is_tokens() -> None:
    rows = [json.loads(line) for name in ("test", "valid") for line in (SHARED / f"{name}.jsonl").open()]
    assert len(rows) == 488
    for row in rows:
        for text in (row["isabelle_header"], row["isabelle"]):
            assert "".join(token.text for token in tokenize(text)) == text
