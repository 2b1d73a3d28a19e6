"""An encoder-decoder over bytes, as ReProver's tactic generator is, proposes in a real search."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers")

from llemma.cli.main import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("coqc") is None or shutil.which("bwrap") is None, reason="Rocq or bubblewrap is not installed"
    ),
]
LESSONS = {
    "====\nforall n : nat, n + 0 = n": "induction n; auto",
    "====\nforall n : nat, n = n": "intros n.",
    "n : nat\n====\nn = n": "reflexivity.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few thousand weights that has learned the lessons by heart."""
    from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

    path = tmp_path_factory.mktemp("t5")
    torch.manual_seed(0)
    tokenizer = ByT5Tokenizer(extra_ids=0)
    sizes = {"d_model": 48, "d_kv": 12, "d_ff": 64, "num_layers": 1, "num_heads": 4, "dropout_rate": 0.0}
    model = T5ForConditionalGeneration(T5Config(vocab_size=259, decoder_start_token_id=0, **sizes))
    asked = tokenizer(list(LESSONS), return_tensors="pt", padding=True)
    wanted = tokenizer(list(LESSONS.values()), return_tensors="pt", padding=True).input_ids
    wanted[wanted == tokenizer.pad_token_id] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = model(**asked, labels=wanted).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.slow
def test_it_proves_by_beam_search_from_the_state_alone(folder: Path, tmp_path: Path) -> None:
    statements = {"same": "forall n : nat, n = n", "plus": "forall n : nat, n + 0 = n", "false": "0 = 1"}
    rows = [{"id": name, "header": "", "statement": f"Theorem {name} : {it}."} for name, it in statements.items()]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--format", "reprover", "--proposals", "beam", "--samples", "3", "--expansions", "4", "--no-baseline"]
    out = tmp_path / "out"
    model = f"hf:{folder}?dtype=float32&device_map=cpu"
    assert (
        run(
            [
                "prove",
                "--prover",
                "rocq",
                "-m",
                model,
                "-t",
                str(tmp_path / "t.jsonl"),
                *options,
                "-q",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    found = {row["id"]: row for row in map(json.loads, (out / "proofs.jsonl").read_text().splitlines())}
    assert {name: row["outcome"] for name, row in found.items()} == {"same": "right", "plus": "right", "false": "wrong"}
    assert found["same"]["proof"] == "intros n.\nreflexivity."
    assert found["false"]["tried"] >= 1
