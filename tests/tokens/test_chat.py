"""Templates: where answers stand, and what a foreign template may not do."""

from __future__ import annotations

import pytest

from llemma.core.errors import DataError, MissingError
from llemma.tokens import chat
from llemma.tokens.chat import Message, Template, Unfit, from_source, plain
from llemma.tokens.tokenizer import Tokenizer

TWO = [Message("user", "2+2?"), Message("assistant", "4"), Message("user", "3+3?"), Message("assistant", "6")]


def answers(template: Template, messages: list[Message]) -> list[str]:
    text, spans = template.render(messages)
    return [text[start:stop] for start, stop in spans]


def test_the_plain_template_is_the_prompt_of_the_evaluation() -> None:
    from llemma.core.types import Problem
    from llemma.evals.task import few_shot

    asked = few_shot(Problem("p", "t", "2+2?", "4"), ())
    template = plain("</s>")
    assert template.prompt(TWO[:1]) == asked
    assert template.render(TWO[:2])[0] == asked + "\n4</s>"
    assert answers(template, TWO) == ["\n4</s>", "\n6</s>"]


def test_a_template_that_marks_nothing_shows_answers_by_its_prompts(tokenizer: Tokenizer) -> None:
    template = chat.chat(tokenizer.path.parent)
    assert answers(template, TWO) == ["4<|im_end|>\n", "6<|im_end|>\n"]
    assert template.prompt(TWO[:1]).endswith("2+2?<|im_end|>\n<|im_start|>assistant\n")


def test_generation_tags_go_before_prompts() -> None:
    source = (
        "{% for m in messages %}[{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "{% else %}{{ m.content }}{% endif %}]{% endfor %}"
    )
    template = from_source(source, {})
    assert template.render(TWO[:2])[0] == "[2+2?][4]"
    assert answers(template, TWO) == ["4", "6"]


def test_a_prompt_with_more_than_answers_begin_with_leaves_the_content() -> None:
    source = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}|{% endfor %}"
        "{% if add_generation_prompt %}<assistant><think></think>{% endif %}"
    )
    assert answers(from_source(source, {}), TWO) == ["4|", "6|"]


def test_turns_that_change_once_others_follow_are_not_learned() -> None:
    source = (
        "{% for m in messages %}{% if loop.last or m.role == 'user' %}<{{ m.role }}>{{ m.content }}|{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert answers(from_source(source, {}), TWO) == ["6|"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 'x' * 99999999 }}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ raise_exception('no system') }}",
        "{{ nothing.at.all }}",
    ],
)
def test_what_a_template_may_not_do_ends_in_a_reason(source: str) -> None:
    with pytest.raises(Unfit):
        from_source(source, {}).render(TWO)


def test_no_template_and_a_broken_one_are_told_apart(folder: object) -> None:
    with pytest.raises(MissingError, match="no chat template"):
        chat.chat(folder)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not a chat template"):
        from_source("{% for %}", {})


def test_transformers_writes_the_same(tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tokenizer.path.parent)
    rows = [{"role": m.role, "content": m.content} for m in TWO]
    template = chat.chat(tokenizer.path.parent)
    assert template.render(TWO)[0] == theirs.apply_chat_template(rows, tokenize=False)
    asked = theirs.apply_chat_template(rows[:3], tokenize=False, add_generation_prompt=True)
    assert template.prompt(TWO[:3]) == asked
