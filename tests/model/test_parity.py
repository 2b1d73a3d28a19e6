"""A checkpoint that is read as transformers reads it passes; one that is not is refused before the first step."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
import pytest
import torch

from llemma.core.console import Console
from llemma.core.errors import DataError, LlemmaError
from llemma.core.types import Part
from llemma.model import parity, weights
from llemma.model.foreign import Foreign
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens.store import Store, write_store
from llemma.tokens.tokenizer import Tokenizer, load, train_bpe
from llemma.train.config import ModelConfig, TrainConfig
from llemma.train.loop import Trainer

SHAPE = ModelConfig(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
Data = tuple[Tokenizer, dict[str, Store]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    root = tmp_path_factory.mktemp("data")
    texts = [f"{i} plus {i} is {2 * i}. " * 8 for i in range(60)]
    train_bpe(texts, 320, root / "t")
    tokenizer = load(root / "t")
    write_store(texts, tokenizer, root / "a")
    return tokenizer, {"a": Store(root / "a")}


@pytest.fixture
def saved(tmp_path: Path, data: Data) -> Path:
    config = LlamaConfig(vocab_size=data[0].vocab_size, initializer_range=0.2, **msgspec.to_builtins(SHAPE))
    weights.save(Llama(config).init_weights(1), tmp_path / "init", tokenizer=data[0].path.parent, bos=0, eos=1)
    return tmp_path / "init"


def train(run: Path, data: Data, init: Path, **changes: object) -> tuple[str, dict[str, object]]:
    """What two steps from `init` print, and their facts."""
    settings = TrainConfig(
        mixture=[Part("a", 1.0, 50.0)],
        tokens=2 * 4 * 16,  # type: ignore[arg-type]
        context=16,
        batch=4,
        precision="fp32",
        init=str(init),
    )
    shown = StringIO()
    found = Trainer(
        run,
        msgspec.structs.replace(settings, **changes),
        tokenizer=data[0],
        train=data[1],
        validation=data[1],
        console=Console(stream=shown),
        init=init,
    )
    return shown.getvalue() + str(found.train() and shown.getvalue()), {"model": found.model}


def windows(rows: int = 4) -> torch.Tensor:
    return torch.randint(0, 250, (rows, 33), generator=torch.Generator().manual_seed(1))


def test_the_same_loss_is_told(saved: Path) -> None:
    pytest.importorskip("transformers")
    for rope_theta in (None, 50.0):
        model = weights.load(saved, rope_theta=rope_theta)
        found = parity.check(model, saved, windows(), rope_theta=rope_theta)
        assert found.theirs is not None and abs(found.ours - found.theirs) < 1e-5
        assert found.tokens == 4 * 32
        assert "difference" in found.line


def test_another_base_and_other_weights_are_refused(saved: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(LlemmaError, match="do not mean here"):
        parity.check(weights.load(saved, rope_theta=5.0), saved, windows())
    broken = weights.load(saved)
    with torch.no_grad():
        broken.blocks[0].self_attn.q_proj.weight *= 1.2
    with pytest.raises(LlemmaError, match="do not mean here"):
        parity.check(broken, saved, windows())
    with torch.no_grad():
        broken.lm_head.weight[3, 3] = torch.nan
    with pytest.raises(LlemmaError, match="do not mean here"):
        parity.check(broken, saved, windows())


def test_without_transformers_the_loss_alone_is_judged(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity.importlib.util, "find_spec", lambda name: None)
    found = parity.check(weights.load(saved), saved, windows())
    assert found.theirs is None and "not installed" in found.line
    assert "guessing gives" in found.warning  # random weights
    assert msgspec.structs.replace(found, ours=2.0).warning == ""


def test_a_foreign_tokenizer_is_told(saved: Path) -> None:
    with pytest.raises(DataError, match="beyond the checkpoint's vocabulary"):
        parity.check(weights.load(saved), saved, windows() + 200)


def test_no_second_copy_where_there_is_no_room(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "_free_memory", lambda: 1000.0)
    assert "no room" in parity.check(weights.load(saved), saved, windows()).line


def test_the_trainer_checks_a_checkpoint_before_the_first_step(tmp_path: Path, saved: Path, data: Data) -> None:
    pytest.importorskip("transformers")
    shown, _ = train(tmp_path / "on", data, saved)
    assert "difference" in shown and "guessing gives" in shown
    shown, _ = train(tmp_path / "off", data, saved, parity_check=False)
    assert "parity" not in shown
    path = saved / "config.json"
    path.write_text(path.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-06, "logit_scale": 2.0'))
    with pytest.raises(DataError, match="logit_scale"):
        train(tmp_path / "own", data, saved, implementation="llemma")
    shown, facts = train(tmp_path / "other", data, saved)  # transformers ignores the key, too, and says so by loading
    assert "logit_scale" in shown and isinstance(facts["model"], Foreign)
