"""Fine-tuning on pairs: answers alone are learned, and learned they are."""

from __future__ import annotations

import json
import math
import random
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner

from llemma.backends.base import open_backend
from llemma.core import jsonl
from llemma.core.console import Console
from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.core.types import Mixture, Part, Request
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens.mixture import shares
from llemma.tokens.pairs import PairsConfig, write_pairs
from llemma.tokens.store import Store
from llemma.tokens.tokenizer import load
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.feed import Feed, sampled
from llemma.train.loop import Trainer
from llemma.train.mesh import Mesh
from llemma.train.objective import IGNORED, Objective

WORDS = ("red", "blue", "green", "white", "black", "brown", "grey", "pink")
SHAPE = ModelConfig(
    hidden_size=48,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
CONFIG = TrainConfig(
    mixture=[Part("qa", 1.0, 1000.0)],
    tokens=Count(120 * 8 * 63),
    context=63,
    batch=8,
    optimizer="muon",
    peak_lr=1e-2,
    warmup_steps=10,
    document_mask=True,
    precision="fp32",
    checkpoint_every=1000,
)
TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}|{% endfor %}"
CHATML = TURNS + "{% if add_generation_prompt %}<assistant>{% endif %}"


def questions() -> list[dict[str, str]]:
    """Which of eight words comes after another in a fixed circle."""
    order = random.Random(0).sample(WORDS, len(WORDS))
    after = dict(zip(order, order[1:] + order[:1], strict=True))
    return [{"question": f"after {word}", "answer": after[word]} for word in WORDS for _ in range(8)]


@pytest.fixture(scope="module")
def qa(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token store of pairs; its tokenizer has a chat template."""
    root = tmp_path_factory.mktemp("qa")
    (root / "tokenizer").mkdir()
    for file in (stores / "tokenizer").iterdir():
        (root / "tokenizer" / file.name).write_bytes(file.read_bytes())
    settings = json.loads((root / "tokenizer" / "tokenizer_config.json").read_text())
    settings["chat_template"] = CHATML
    (root / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings))
    jsonl.write(root / "pairs.jsonl", questions())
    tokenizer = load(root / "tokenizer")
    for template in ("plain", "chat"):
        write_pairs([root / "pairs.jsonl"], tokenizer, root / template, PairsConfig(template=template))  # type: ignore[arg-type]
    return root


def feed(qa: Path, rank: int = 0, size: int = 1, **others: Store) -> Feed:
    stores = {"qa": Store(qa / "plain" / "train"), **others}
    mixture = [Part(name, 1.0, 1000.0) for name in stores]
    planned = shares(Mixture(mixture, 0), {name: store.info.tokens for name, store in stores.items()}, 64 * 64)
    return Feed(stores, planned, CONFIG, 8, Mesh(rank, size, "cpu"))


def test_labels_are_the_next_ids_of_answers_and_nothing_else(qa: Path) -> None:
    tokenizer, found = load(qa / "tokenizer"), feed(qa)
    windows, labels = found.windows(0), found.labels(0)
    assert labels is not None and labels.shape == windows[:, 1:].shape
    counted = labels != IGNORED
    assert torch.equal(labels[counted], windows[:, 1:][counted])
    said = tokenizer.rust.decode(labels[counted].tolist(), skip_special_tokens=False)
    answers = {part.removeprefix("\n") for part in said.split("</s>")}
    assert answers <= {*WORDS, ""} and len(answers) > 4
    parts = [feed(qa, rank, 2).labels(0) for rank in range(2)]
    assert torch.equal(labels, torch.cat([part for part in parts if part is not None]))


def test_other_stores_count_in_full(qa: Path, stores: Path) -> None:
    found = feed(qa, text=Store(stores / "a" / "train"))
    labels, whole = found.labels(0), 0
    assert labels is not None
    for row, place in enumerate(found.places(0)):
        if found.order.names[found._named(place)[0]] == "text":
            assert (labels[row] != IGNORED).all()
            whole += 1
    assert 0 < whole < len(labels)


def test_a_mixture_without_answers_has_no_labels(stores: Path) -> None:
    text = Store(stores / "a" / "train")
    planned = shares(Mixture([Part("a", 1.0, 50.0)], 0), {"a": text.info.tokens}, 64 * 64)
    assert Feed({"a": text}, planned, CONFIG, 8, Mesh(0, 1, "cpu")).labels(0) is None


def test_what_is_asked_has_no_gradient(qa: Path) -> None:
    found = feed(qa)
    windows, labels, documents = found.windows(0), found.labels(0), found.documents(0)
    assert labels is not None
    model = Llama(LlamaConfig(vocab_size=320, **msgspec.to_builtins(SHAPE))).init_weights(0)
    logits: list[torch.Tensor] = []

    def keep(module: Any, given: Any, made: torch.Tensor) -> None:
        made.retain_grad()
        logits.append(made)

    model.lm_head.register_forward_hook(keep)
    minimised, _ = Objective(model, CONFIG, autocast=False)(windows, documents, labels)
    minimised.backward()
    assert logits[0].grad is not None
    assert torch.equal(logits[0].grad.abs().sum(-1) > 0, labels != IGNORED)


def test_logits_in_pieces_give_the_same_gradient(qa: Path) -> None:
    found, grads = feed(qa), []
    for chunk in (0, 7):
        model = Llama(LlamaConfig(vocab_size=320, **msgspec.to_builtins(SHAPE))).init_weights(0)
        objective = Objective(model, msgspec.structs.replace(CONFIG, loss_chunk=chunk, z_loss=1e-3), autocast=False)
        objective(found.windows(0), found.documents(0), found.labels(0))[0].backward()
        grads.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], rtol=1e-4, atol=1e-5), name


def tuned(qa: Path, template: str, run: Path) -> Any:
    tokenizer = load(qa / "tokenizer")
    stores = {"qa": Store(qa / template / "train")}
    console = Console(quiet=True, stream=StringIO())
    trainer = Trainer(
        run, CONFIG, tokenizer=tokenizer, train=stores, validation={}, console=console, init=None, shape=SHAPE
    )
    return trainer.train()


@pytest.mark.parametrize(("template", "query"), [("plain", ""), ("chat", "?chat=true")])
@pytest.mark.slow
def test_a_small_model_learns_to_answer_and_to_stop(qa: Path, tmp_path: Path, template: str, query: str) -> None:
    tuned(qa, template, tmp_path / "run")
    backend = open_backend(f"run:{tmp_path / 'run'}{query}")
    asked = {row["question"]: row["answer"] for row in questions()}
    shape = "{}" if query else "Problem:\n{}\n\nSolution:"
    requests = [Request(question, shape.format(question), max_tokens=20) for question in asked]
    given = {samples[0].request: samples[0] for samples in backend.complete(requests)}
    right = [given[question].text.strip(" \n|") == answer for question, answer in asked.items()]
    assert sum(right) >= 7, {question: sample.text for question, sample in given.items()}
    assert all(sample.finish == "stop" for sample in given.values())


def test_an_option_that_runs_lack_is_refused(qa: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="unknown option 'chats=true'"):
        from llemma.backends.local import _asks_chat

        _asks_chat("chats=true", "x?chats=true")


def test_the_command_says_what_it_kept(qa: Path, tmp_path: Path) -> None:
    from llemma.cli.training import tokenize

    jsonl.write(tmp_path / "more.jsonl", [*questions(), {"question": "no answer"}])
    command = [str(tmp_path / "more.jsonl"), "--pairs", "qa", "--tokenizer", str(qa / "tokenizer")]
    done = CliRunner().invoke(tokenize, [*command, "--out", str(tmp_path / "out"), "-q"], catch_exceptions=False)
    assert "qa/train: 64 conversations" in done.output and "left out: 1 (no solution)" in done.output
    assert (tmp_path / "out" / "tokenizer" / "tokenizer.json").is_file()


def test_validation_looks_at_answers_within_their_conversations(qa: Path, tmp_path: Path) -> None:
    """The loss of each conversation by itself is what a window of several gives, answers alone counted."""
    store, tokenizer = Store(qa / "plain" / "train"), load(qa / "tokenizer")
    found = sampled(store, CONFIG.context, 3, 0)
    asked = found.labels != IGNORED
    assert len(found.windows) == 3 and 0 < int(asked.sum()) < asked.numel() / 2
    said = tokenizer.rust.decode(found.labels[asked].tolist(), skip_special_tokens=False)
    assert {part.removeprefix("\n") for part in said.split("</s>")} <= {*WORDS, ""}
    trainer = Trainer(
        tmp_path / "run",
        msgspec.structs.replace(CONFIG, validation_windows=3),
        tokenizer=tokenizer,
        train={"qa": store},
        validation={"qa": store},
        console=Console(quiet=True, stream=StringIO()),
        shape=SHAPE,
    )
    nats = 0.0
    for ids, labels, documents in zip(*found, strict=True):
        for number in documents.unique():
            where = (documents == number).nonzero()[:, 0]
            logits = trainer.model(ids[where][None, :-1])[0] if len(where) > 1 else torch.zeros(0, 320)
            nats += float(F.cross_entropy(logits, labels[where[:-1]], reduction="sum", ignore_index=IGNORED).detach())
    bits = nats / int(asked.sum()) / math.log(2) * store.info.tokens / store.info.text_bytes
    with torch.no_grad():
        assert trainer._bits_per_byte(store) == pytest.approx(bits, rel=1e-5)


def test_a_validation_store_that_fits_no_window_is_no_number(qa: Path) -> None:
    found = sampled(Store(qa / "plain" / "train"), 4, 3, 0)
    assert found.windows.shape == (0, 5) and found.labels.shape == (0, 4)
