"""A model of the hub answers as transformers' own `generate` and as our own backend do, in any company."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers")

from llemma.backends.base import open_backend
from llemma.backends.hub import Hub, parse
from llemma.backends.hub_network import PlainState
from llemma.core.errors import DataError, LlemmaError, MissingError, RecipeError
from llemma.core.types import Completion, Request
from llemma.tokens import tokenizer as tokenizers

SHOTS = "Q: what is two plus two?\nA: four.\n\n" * 3
CONTEXT = 96
SHAPE = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefixes of four, eight … tokens: short prompts are enough."""
    monkeypatch.setattr("llemma.model.decode.PIECE", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Callable[..., Path]) -> Path:
    text = SHOTS + "Problem: solution 0 1 2 3 4 5 6 7 8 9"
    return saved(tmp_path_factory.mktemp("hub") / "m", text, **SHAPE)


@pytest.fixture(scope="module")
def hub(folder: Path) -> Hub:
    return opened(f"{folder}?bos=true&dtype=float32&device_map=cpu")


def opened(name: str, **options: Any) -> Hub:
    found = open_backend(f"hf:{name}", **options)
    assert isinstance(found, Hub)
    return found


def requests(n: int = 1, temperature: float = 0.0) -> list[Request]:
    questions = ["Q: two?\nA:", "Q: what is two plus two plus two?\nA:", "Q: what?\nA:", "Q: four 3?\nA:"]
    return [
        Request(f"p{i}", SHOTS + question, n=n, temperature=temperature, top_p=0.95, max_tokens=14, seed=i)
        for i, question in enumerate(questions)
    ]


def by_id(backend: Any, asked: list[Request]) -> dict[str, list[tuple[str, int, str]]]:
    found = {}
    for samples in backend.complete(asked):
        assert [sample.sample for sample in samples] == list(range(len(samples)))
        found[samples[0].request] = [(sample.text, sample.tokens, sample.finish) for sample in samples]
    assert sorted(found) == sorted(request.id for request in asked)
    return found


def theirs(hub: Hub, request: Request) -> tuple[str, int, str]:
    """transformers' own greedy answer to one prompt."""
    ids = torch.tensor([hub.encode(request.prompt)])
    hub.model.set_attn_implementation("sdpa")
    made = hub.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=14)
    hub.model.set_attn_implementation("llemma_shared_prefix")
    new = made[0, ids.shape[1] :].tolist()
    ended = new[-1] in hub.eos
    return hub.decode(new), len(new) - ended, "stop" if ended else "length"


def plain(hub: Hub, monkeypatch: pytest.MonkeyPatch, picks: bool = True) -> None:
    """Let `hub` compute without a shared prefix, and without picking rows of the cache."""

    class State(PlainState):
        def __init__(self, *given: Any) -> None:
            if not picks:
                from transformers.cache_utils import DynamicLayer

                monkeypatch.delattr(DynamicLayer, "batch_select_indices")
            super().__init__(*given)
            assert self.picks is picks
            monkeypatch.undo()

    hub.state = lambda prompts, samples: State(hub.model, prompts, samples)


def test_greedy_answers_equal_transformers_token_for_token(hub: Hub) -> None:
    asked = requests()
    found = by_id(hub, asked)
    assert {request.id: [theirs(hub, request)] for request in asked} == found
    assert len({answer[0][0] for answer in found.values()}) > 1


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_hub_and_our_own_backend_agree(folder: Path, hub: Hub, temperature: float) -> None:
    asked = requests(n=3, temperature=temperature)
    ours = by_id(open_backend(f"run:{folder}"), asked)
    assert by_id(hub, asked) == ours
    if temperature:
        assert all(len({text for text, _, _ in samples}) > 1 for samples in ours.values())


@pytest.mark.slow
def test_neither_batch_nor_order_changes_a_sample(folder: Path, hub: Hub) -> None:
    asked = requests(n=5, temperature=1.0)
    found = by_id(hub, asked)
    for batch in (1, 3, 7):
        assert by_id(opened(f"{folder}?bos=true", batch=batch), asked[::-1]) == found
    fewer = by_id(hub, [Request(**{**_fields(asked[1]), "n": 2})])
    assert fewer["p1"] == found["p1"][:2]


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__struct_fields__}


@pytest.mark.parametrize("picks", [True, False])
def test_sharing_the_prefix_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, picks: bool) -> None:
    asked = [*requests(n=4, temperature=1.0), Request("other", "Problem: 3", max_tokens=9)]
    shared, other = (opened(f"{folder}?bos=true&dtype=float32") for _ in range(2))
    plain(other, monkeypatch, picks)
    assert by_id(shared, asked) == by_id(other, asked)


def test_half_precision_shares_the_prefix_too(folder: Path) -> None:
    said: list[str] = []
    hub = opened(f"{folder}?bos=true&dtype=bfloat16", warn=said.append)
    assert not said and hub.dtype == torch.bfloat16
    assert all(len(samples) == 2 for samples in by_id(hub, requests(n=2, temperature=0.5)).values())


def test_too_large_a_batch_is_told(folder: Path) -> None:
    hub = opened(f"{folder}?bos=true")

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    hub.state = full
    with pytest.raises(LlemmaError, match="no memory for 3 samples at once"):
        list(hub.complete(requests(n=3)[:1]))


def test_the_prefix_is_computed_once_for_all_batches(folder: Path) -> None:
    hub = opened(f"{folder}?bos=true", batch=4)
    sizes: list[int] = []
    hub.model.register_forward_pre_hook(
        lambda _, __, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    asked = requests(n=4, temperature=1.0)
    list(hub.complete(asked))
    prompts = [len(hub.encode(request.prompt)) for request in asked]
    shots = len(hub.encode(SHOTS))
    prefill = sum(size for size in sizes if size > 4)
    assert prefill <= max(prompts) + sum(length - shots + 8 for length in prompts)


def test_log_probabilities_are_those_of_the_tokens(hub: Hub) -> None:
    [[sample]] = hub.complete(requests()[:1])
    request = requests()[0]
    ids = torch.tensor([hub.encode(request.prompt)])
    expected = 0.0
    for _ in range(sample.tokens + (sample.finish == "stop")):
        logprobs = torch.log_softmax(hub.model(ids).logits[0, -1].detach(), -1)
        expected += float(logprobs.max())
        ids = torch.cat([ids, logprobs.argmax()[None, None]], 1)
    assert sample.logprob == pytest.approx(expected, abs=1e-3)


def test_text_ends_before_its_stop_string_and_the_row_ends_there(hub: Hub) -> None:
    [[free]] = hub.complete(requests()[:1])
    mark = free.text[5:8]
    [[cut]] = hub.complete([Request(**{**_fields(requests()[0]), "stop": [mark]})])
    assert cut.text == free.text[: free.text.index(mark)]
    assert cut.finish == "stop" and cut.tokens < free.tokens


def test_a_long_prompt_keeps_its_newest_tokens_and_that_is_said_once(folder: Path) -> None:
    said: list[str] = []
    hub = opened(f"{folder}?bos=true", warn=said.append)
    long = Request("long", SHOTS * 4, max_tokens=20)
    ids, sampling, _ = hub._fit(long)
    assert ids == hub.encode(SHOTS * 4)[-(CONTEXT - 20) :] and sampling.max_tokens == 20
    hub.cut_prompts = 0
    for _ in range(2):
        [[sample]] = hub.complete([long])
        assert sample.tokens <= 20 and sample.cut is True
    assert hub.cut_prompts == 2 and len(said) == 1 and "1 of 1 prompts lose their beginning" in said[0]
    assert not next(hub.complete([Request("short", "two", max_tokens=2)]))[0].cut
    ids, sampling, _ = hub._fit(Request("greedy", SHOTS * 4, max_tokens=10_000))
    assert len(ids) + sampling.max_tokens == CONTEXT and len(ids) == CONTEXT // 4


def test_scores_are_those_of_our_own_backend(folder: Path, hub: Hub) -> None:
    texts = ["two plus two is four", SHOTS * 5, "", "é ü 数"]
    ours = list(open_backend(f"run:{folder}").score(texts))
    for mine, other, text in zip(hub.score(texts), ours, texts, strict=True):
        assert (mine.tokens, mine.bytes) == (other.tokens, other.bytes) and mine.bytes == len(text.encode())
        assert mine.nats == pytest.approx(other.nats, rel=2e-2)
    ids = torch.tensor([hub.tokenizer(texts[0])["input_ids"]])
    assert ids[0, 0] == hub.tokenizer.bos_token_id
    exact = F.cross_entropy(hub.model(ids).logits[0, :-1], ids[0, 1:], reduction="sum").item()
    assert next(iter(hub.score(texts[:1]))).nats == pytest.approx(exact, rel=1e-4)


ARCHITECTURES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
    "gpt_neox": {"max_position_embeddings": CONTEXT},
    "qwen2": {"max_position_embeddings": CONTEXT, "num_key_value_heads": 2},
    "mistral": {"sliding_window": 8, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT},
    "gemma2": {"sliding_window": 8, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT, "head_dim": 8},
    "bloom": {"n_layer": 2, "n_head": 4},
}
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_any_architecture_answers_as_its_own_generate(folder: Path, tmp_path: Path, kind: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    size = tokenizers.load(folder).vocab_size
    config = AutoConfig.for_model(
        kind, vocab_size=size, bos_token_id=0, eos_token_id=1, pad_token_id=0, initializer_range=0.3,
        **{**SIZES, **ARCHITECTURES[kind]},
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    said: list[str] = []
    hub = opened(f"{tmp_path}?bos=true&dtype=float32", warn=said.append)
    shares = kind in ("gpt_neox", "qwen2", "gpt2")
    assert [("beginning that prompts share" in text) for text in said] == ([] if shares else [True])
    asked = requests(n=2)
    found = by_id(hub, asked)
    plain_model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    for request in asked:
        ids = torch.tensor([hub.encode(request.prompt)])
        made = plain_model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=14)
        assert [text for text, _, _ in found[request.id]] == [hub.decode(made[0, ids.shape[1] :].tolist())] * 2


def chat(folder: Path, to: Path) -> Path:
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    table = json.loads((to / "tokenizer_config.json").read_text())
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
    (to / "tokenizer_config.json").write_text(json.dumps({**table, "chat_template": template}))
    return to


def test_a_chat_model_on_a_plain_prompt_is_told_and_its_template_is_asked_for(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    to = chat(folder, tmp_path)
    plain_hub = opened(str(to), warn=said.append)
    assert len(said) == 1 and "chat=true" in said[0]
    assert plain_hub.encode("two?") == plain_hub.tokenizer("two?")["input_ids"]
    hub = opened(f"{to}?chat=true", warn=said.append)
    assert len(said) == 1 and hub.identity != plain_hub.identity
    assert hub.decode(hub.encode("two?")) == "[user] two?\n[assistant]"
    with pytest.raises(RecipeError, match="no chat template"):
        opened(f"{folder}?chat=true")


def test_names_and_options() -> None:
    name, options = parse("owner/name@refs/pr/3?dtype=float16&chat=true&batch=8", {"batch": 4, "unknown": 1})
    assert name == "owner/name" and (options.revision, options.dtype) == ("refs/pr/3", "float16")
    assert options.chat is True and options.batch == 8 and options.trust_remote_code is False
    with pytest.raises(RecipeError, match="unknown option 'dtyp'") as error:
        parse("x?dtyp=float16", {})
    assert "dtype" in error.value.mend
    with pytest.raises(RecipeError, match="no model is named"):
        parse("?chat=true", {})
    with pytest.raises(RecipeError, match="bad option"):
        parse("x?dtype=float8", {})


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name.replace("model.safetensors", "pytorch_model.bin")).write_bytes(file.read_bytes())
    with pytest.raises(DataError, match="only pickled ones") as error:
        opened(str(tmp_path))
    assert "pytorch_model.bin" in error.value.where and "save_pretrained" in error.value.mend


def test_damaged_and_lacking_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    lacking = "model.layers.1.mlp.up_proj.weight"
    save_file({k: v for k, v in tensors.items() if k != lacking}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=f"no weights for {lacking}".replace(".", r"\.")):
        opened(str(tmp_path))
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot load the model"):
        opened(str(tmp_path))


def test_remote_code_is_never_run_unasked(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    mark = tmp_path / "ran"
    (tmp_path / "code.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    table = json.loads((tmp_path / "config.json").read_text())
    mapping = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (tmp_path / "config.json").write_text(json.dumps({**table, "model_type": "mine", "auto_map": mapping}))
    with pytest.raises(DataError, match="trust_remote_code") as error:
        opened(str(tmp_path))
    assert "?trust_remote_code=true" in error.value.mend and not mark.exists()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="no folder"):
        opened("./no/such/folder")
    with pytest.raises(MissingError, match="no model in"):
        opened(str(tmp_path))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingError, match="transformers") as error:
        opened(str(tmp_path))
    assert "pip install" in error.value.mend


COMMIT = "c" * 40


@pytest.fixture
def endpoint(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, bytes]]]:
    """A hub on loopback: repository -> file -> content."""
    repos = {"me/tiny": {file.name: file.read_bytes() for file in folder.iterdir()}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            if "/tree/" in path:
                self.tree(path.removeprefix("/api/models/").partition("/tree/")[0])
            elif path.startswith("/api/models/"):
                name, _, revision = path.removeprefix("/api/models/").partition("/revision/")
                self.listing(name, revision)
            else:
                name, _, rest = path.removeprefix("/").partition("/resolve/")
                self.file(repos.get(name, {}).get(rest.partition("/")[2]))

        def do_HEAD(self) -> None:
            self.do_GET()

        def listing(self, name: str, revision: str) -> None:
            files = repos.get(name)
            if files is None or revision not in ("", "main", COMMIT):
                kind = "RepoNotFound" if files is None else "RevisionNotFound"
                return self.answer(404, {"X-Error-Code": kind}, b"{}")
            info = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files], "tags": []}
            return self.answer(200, {"Content-Type": "application/json"}, json.dumps(info).encode())

        def tree(self, name: str) -> None:
            files = [
                {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for file, content in repos[name].items()
            ]
            return self.answer(200, {"Content-Type": "application/json"}, json.dumps(files).encode())

        def file(self, content: bytes | None) -> None:
            if content is None:
                return self.answer(404, {"X-Error-Code": "EntryNotFound"}, b"")
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            return self.answer(200, {"X-Repo-Commit": COMMIT, "ETag": etag}, content)

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield repos
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_from_the_hub_and_named_by_its_commit(
    endpoint: dict[str, dict[str, bytes]], folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint["me/tiny"] |= {"pytorch_model.bin": b"pickle", "training/data.json": b"[]", "model.fp16.safetensors": b""}
    fetched = opened("me/tiny?bos=true")
    assert by_id(fetched, requests()) == by_id(hub, requests())
    assert opened("me/tiny@main?bos=true").identity == fetched.identity
    kept = Path(fetched.model.name_or_path)
    assert kept.name == COMMIT and not (kept / "pytorch_model.bin").exists() and not (kept / "training").exists()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens: the kept copy is used
    assert opened("me/tiny?bos=true").identity == fetched.identity


def test_what_the_hub_does_not_have_is_named(
    endpoint: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint["me/pickled"] = {"config.json": b"{}", "pytorch_model.bin": b""}
    with pytest.raises(DataError, match="no safetensors"):
        opened("me/pickled")
    with pytest.raises(MissingError, match="no model 'me/none' at http://127"):
        opened("me/none")
    with pytest.raises(MissingError, match="no revision 'v9'"):
        opened("me/tiny@v9")
    with pytest.raises(MissingError, match="is no name of a model"):
        opened("a b/c d/e")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingError, match="cannot fetch 'me/other' from http://127"):
        opened("me/other")


def test_a_completion_tells_what_it_cost(hub: Hub) -> None:
    [samples] = hub.complete(requests(n=2)[:1])
    assert all(
        isinstance(sample, Completion) and sample.seconds > 0 and sample.logprob is not None for sample in samples
    )
