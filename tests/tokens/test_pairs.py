"""Rows become ids and marks; what does not fit is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core import jsonl
from llemma.core.errors import DataError
from llemma.tokens import packing, pairs
from llemma.tokens.chat import Message, Unfit, plain
from llemma.tokens.pairs import PairsConfig, messages_of
from llemma.tokens.store import Store, subsample, write_store
from llemma.tokens.tokenizer import Tokenizer

LETTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(LETTERS, min_size=1, max_size=30).filter(lambda text: "</s>" not in text)


def row(i: int) -> dict[str, Any]:
    return {"question": f"{i} plus {i}?", "answer": f"It is {2 * i}."}


def written(folder: Path, tokenizer: Tokenizer, rows: list[dict[str, Any]], **changes: Any) -> tuple[Store, Any]:
    jsonl.write(folder / "pairs.jsonl", rows)
    info = pairs.write_pairs([folder / "pairs.jsonl"], tokenizer, folder / "qa", PairsConfig(**changes))
    return Store(folder / "qa" / "train"), info


@pytest.mark.parametrize(
    ("given_row", "said"),
    [
        ({"question": "q", "answer": "a"}, ["q", "a"]),
        ({"problem": "q", "solution": "worked", "answer": "4"}, ["q", "worked"]),
        ({"prompt": "q", "completion": "a", "system": "s"}, ["s", "q", "a"]),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, ["q", "a"]),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, ["q", "a"]),
        ({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}, ["a"]),
    ],
)
def test_rows_of_all_shapes_are_read(given_row: dict[str, Any], said: list[str]) -> None:
    assert [message.content for message in messages_of(given_row)] == said


@pytest.mark.parametrize(
    ("given_row", "why"),
    [
        ({"question": "q"}, "no solution"),
        ({"answer": "a"}, "no question"),
        ({"messages": "text"}, "messages are no list"),
        ({"messages": [{"role": "user", "content": "q"}]}, "no answer"),
        ({"messages": [{"role": "tool", "content": "q"}]}, "role 'tool'"),
        ({"messages": [{"role": "user", "content": None}]}, "a message without text"),
    ],
)
def test_rows_that_lack_something_say_what(given_row: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        messages_of(given_row)


@given(question=TEXT, answer=TEXT)
def test_what_is_learned_spells_the_answer(tokenizer: Tokenizer, question: str, answer: str) -> None:
    messages = [Message("user", question), Message("assistant", answer)]
    found = pairs.encode(messages, plain("</s>"), tokenizer)
    assert found.answers is not None
    learned = tokenizer.rust.decode(found.ids[found.answers].tolist(), skip_special_tokens=False)
    assert learned == f"\n{answer}</s>"
    assert found.ids[0] == tokenizer.bos and found.ids[-1] == tokenizer.eos


def test_each_turn_of_a_chat_is_learned(tokenizer: Tokenizer) -> None:
    turns = [Message("user", "a?"), Message("assistant", "b"), Message("user", "c?"), Message("assistant", "d")]
    found = pairs.encode(turns, pairs.template_of("chat", tokenizer), tokenizer)
    assert found.answers is not None
    learned = tokenizer.rust.decode(found.ids[found.answers].tolist(), skip_special_tokens=False)
    assert learned == "b<|im_end|>\nd<|im_end|>\n</s>"


def test_a_store_counts_what_it_holds_and_what_it_left_out(tmp_path: Path, tokenizer: Tokenizer) -> None:
    bad = [{"question": "q"}, {"question": "forged</s>", "answer": "x"}, {"question": "q", "answer": "long " * 50}]
    store, info = written(tmp_path, tokenizer, [*map(row, range(20)), *bad], max_tokens=60)
    assert store.info.documents == 20 and store.answers is not None
    assert info.left_out == {"no solution": 1, "a control token in the text": 1, "longer than 60 tokens": 1}
    assert store.info.answers == int(store.answers.sum()) < store.info.tokens


def test_a_cut_conversation_keeps_its_beginning(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store, info = written(
        tmp_path, tokenizer, [{"question": "q", "answer": "long " * 50}], max_tokens=30, too_long="cut"
    )
    assert (store.info.tokens, info.cut) == (30, 1)
    with pytest.raises(DataError, match="no conversation is left"):  # the limit ends before the answer begins
        written(tmp_path, tokenizer, [{"question": "q " * 50, "answer": "a"}], max_tokens=30, too_long="cut")


def test_the_held_out_part_depends_on_what_is_said_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    _, info = written(tmp_path, tokenizer, [row(i) for i in range(200)], validation=0.2)
    _, again = written(tmp_path, tokenizer, [row(i) for i in range(199, -1, -1)], validation=0.2)
    sizes = {split: store.documents for split, store in info.stores.items()}
    assert sum(sizes.values()) == 200 and 20 < sizes["validation"] < 60
    assert {split: store.tokens for split, store in again.stores.items()} == {
        split: store.tokens for split, store in info.stores.items()
    }


@given(lengths=st.lists(st.integers(1, 40), max_size=60), room=st.integers(5, 40), seed=st.integers(0, 3))
def test_packing_loses_nothing_that_fits_and_overfills_nothing(lengths: list[int], room: int, seed: int) -> None:
    bins = packing.pack(np.array(lengths, dtype=np.int64), room, seed)
    assert Counter(i for chosen in bins for i in chosen) == Counter(i for i, n in enumerate(lengths) if n <= room)
    sums = [sum(lengths[i] for i in chosen) for chosen in bins]
    assert all(total <= room for total in sums)
    assert sum(2 * total <= room for total in sums) <= 1  # two half-empty bins would have been one


def test_windows_hold_whole_conversations(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store, _ = written(tmp_path, tokenizer, [row(i) for i in range(60)])
    windows = packing.Packed(store, 127, seed=3)
    assert windows.too_long == 0
    seen: list[str] = []
    for number in range(windows.count):
        ids, learned, documents = windows.window(number), windows.answers(number), windows.documents(number)
        assert ids.shape == learned.shape == documents.shape == (128,)
        for document in range(documents[-1] + 1):
            text = tokenizer.rust.decode(ids[documents == document].tolist(), skip_special_tokens=False)
            if learned[documents == document].any():
                assert text.startswith("<s>Problem:\n") and text.endswith("</s>")
                seen.append(text)
    assert len(seen) == len(set(seen)) == 60
    again = [tuple(windows.window(windows.count + number)) for number in range(windows.count)]
    assert {tuple(windows.window(number)) for number in range(windows.count)} == set(again)


def test_windows_too_small_for_any_conversation_are_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store, _ = written(tmp_path, tokenizer, [row(1)])
    with pytest.raises(DataError, match="none of 1 conversations fits into 5 tokens"):
        packing.Packed(store, 4, 0)


def test_a_subsample_has_so_many_tokens_and_its_own_marks(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store, _ = written(tmp_path, tokenizer, [row(i) for i in range(60)])
    info = subsample(store, tmp_path / "less", 500, seed=1)
    less = Store(tmp_path / "less")
    assert info == less.info and info.tokens == 500 and less.answers is not None
    assert info.answers == int(less.answers.sum()) > 0
    whole = {tuple(store.document(i)) for i in range(store.info.documents)}
    kept = [tuple(less.document(i)) for i in range(info.documents)]
    assert len(set(kept)) == len(kept) and set(kept[:-1]) <= whole
    write_store(["plain text"], tokenizer, tmp_path / "text")
    assert subsample(Store(tmp_path / "text"), tmp_path / "all", 10**6, 0).answers is None
    assert not (tmp_path / "all" / "answers.bin").exists()
