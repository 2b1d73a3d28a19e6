"""Speed of generation: our backends against transformers' `generate`, and lm-evaluation-harness' `hf` where installed.

GOMP_SPINCOUNT=1000 python bench/generate.py [--prompts 2] [--samples 16] [--tokens 64] [--rounds 3]

A random Llama (width 256, 6 layers) with a small byte-level BPE answers 8-shot prompts in the shape of GSM8K, k samples
each, all in one batch, at temperature 0.6 and top-p 0.95, a fixed number of new tokens. The ways take turns in one
process; each opens its model anew before the clock starts, so that nothing is left from the turn before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from llemma.backends.base import open_backend
from llemma.core.types import Request
from llemma.model import weights
from llemma.model.llama import Llama, LlamaConfig
from llemma.tokens import tokenizer as tokenizers

ROOT = Path(__file__).parents[1]
TEMPERATURE, TOP_P = 0.6, 0.95
SHOTS = json.loads((ROOT / "src/llemma/evals/prompts/gsm8k.json").read_text())


def prompts(count: int) -> list[str]:
    """8-shot prompts; the questions are the examples themselves with other numbers."""
    shown = "\n\n".join(f"Q: {shot['problem']}\nA: {shot['solution']}" for shot in SHOTS)
    questions = [SHOTS[i % len(SHOTS)]["problem"].replace("2", str(3 + i)) for i in range(count)]
    return [f"{shown}\n\nQ: {question}\nA:" for question in questions]


def make(folder: Path) -> Path:
    """A random model with its tokenizer, trained on our documentation."""
    texts = [path.read_text() for path in sorted(ROOT.glob("docs/*.md"))] + prompts(1)
    tokenizers.train_bpe(texts, 4096, folder / "tokenizer")
    found = tokenizers.load(folder / "tokenizer")
    config = LlamaConfig(
        vocab_size=found.vocab_size,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=4096,
    )
    model = Llama(config).init_weights(0)
    weights.save(model, folder / "model", tokenizer=folder / "tokenizer", bos=found.bos, eos=found.eos)
    print(f"{sum(w.numel() for w in model.parameters()) / 1e6:.1f} M parameters, vocabulary {found.vocab_size}")
    return folder / "model"


def ours(scheme: str, folder: Path, asked: list[str], samples: int, tokens: int) -> Callable[[], int]:
    """One of our backends; the number of new tokens it made."""
    backend: Any = open_backend(f"{scheme}:{folder}", batch=len(asked) * samples)
    if scheme == "hf":
        backend.eos = frozenset()
    else:
        backend.tokenizer.eos = -1
    requests = [
        Request(str(i), prompt, n=samples, temperature=TEMPERATURE, top_p=TOP_P, max_tokens=tokens)
        for i, prompt in enumerate(asked)
    ]
    return lambda: sum(sample.tokens for answer in backend.complete(requests) for sample in answer)


def plain(folder: Path, asked: list[str], samples: int, tokens: int) -> Callable[[], int]:
    """transformers' `generate`, all samples of all prompts in one batch."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", pad_token="</s>")
    given = tokenizer(asked, return_tensors="pt", padding=True)
    settings = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "top_k": 0}
    limits = {"max_new_tokens": tokens, "min_new_tokens": tokens, "num_return_sequences": samples}

    def work() -> int:
        made = model.generate(
            input_ids=given.input_ids, attention_mask=given.attention_mask, pad_token_id=1, **settings, **limits
        )
        return int(made.shape[0]) * (int(made.shape[1]) - int(given.input_ids.shape[1]))

    return work


def harness(folder: Path, asked: list[str], samples: int, tokens: int) -> Callable[[], int]:
    """lm-evaluation-harness' `hf` model, each prompt once a sample, as its `repeats` asks; tokens are counted whole."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    count = len(asked) * samples
    model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=count)
    settings = {"until": ["\x00"], "do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "top_k": 0}
    settings |= {"max_gen_toks": tokens, "min_new_tokens": tokens}
    requests = [
        Instance("generate_until", {}, (prompt, settings), at, repeats=1)
        for at, prompt in enumerate(prompt for prompt in asked for _ in range(samples))
    ]

    def work() -> int:
        return len(model.generate_until(requests, disable_tqdm=True)) * tokens

    return work


def has_harness() -> bool:
    """Whether lm-evaluation-harness' `hf` model can be imported here."""
    try:
        import lm_eval.models.huggingface  # noqa: F401
    except ImportError:
        return False
    return True


def main() -> None:
    """Print a row for each way: median seconds, prompts/s, tokens/s, and ratio to plain `generate` in the same turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"prompts": 2, "samples": 16, "tokens": 64, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    ways: dict[str, Callable[..., Callable[[], int]]] = {
        "transformers generate": plain,
        "run:": lambda *given: ours("run", *given),
        "hf:": lambda *given: ours("hf", *given),
    }
    if has_harness():
        ways["lm-eval hf"] = harness
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    asked = prompts(options.prompts)
    expected = options.prompts * options.samples * options.tokens
    with tempfile.TemporaryDirectory() as scratch:
        folder = make(Path(scratch))
        print(f"prompt: {len(tokenizers.load(folder).encode(asked[0]))} tokens; load {os.getloadavg()[0]:.1f}")
        for _ in range(options.rounds):
            for name, way in ways.items():
                work = way(folder, asked, options.samples, options.tokens)
                started = time.monotonic()
                made = work()
                seconds[name].append(time.monotonic() - started)
                print(f"  {name:24s}{seconds[name][-1]:7.2f} s, load {os.getloadavg()[0]:.1f}", flush=True)
                assert made == expected, f"{name} made {made} tokens, not {expected}"
    print(f"{'':24s}{'seconds':>9s}{'prompts/s':>11s}{'tokens/s':>10s}{'as fast':>9s}")
    for name, found in seconds.items():
        middle = statistics.median(found)
        ratio = statistics.median(a / b for a, b in zip(seconds["transformers generate"], found, strict=True))
        print(f"{name:24s}{middle:9.2f}{options.prompts / middle:11.2f}{expected / middle:10.0f}{ratio:9.1f}")


if __name__ == "__main__":
    main()
