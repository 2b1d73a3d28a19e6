"""What is asked of a server that works, and what is made of its answers."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from llemma.backends.http.address import parse
from llemma.backends.http.client import api_key
from llemma.core.errors import MissingError, RecipeError
from llemma.core.types import Completion, Request


def only(backend: Any, **request: Any) -> list[Completion]:
    [samples] = backend.complete([Request(**{"id": "a", "prompt": "p", "temperature": 0.5, **request})])
    return list(samples)


def test_a_request_is_asked_as_it_stands(server: Any) -> None:
    backend = server.open()
    prompt = "Größe 𝔽 \ud800 \x00"
    only(backend, prompt=prompt, stop=["\n\n", "Q:"], temperature=0.6, top_p=0.95, max_tokens=77)
    body = server.asked[0]
    assert (body["model"], body["prompt"], body["stop"]) == ("m", prompt, ["\n\n", "Q:"])
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["logprobs"]) == (0.6, 0.95, 77, 1)
    assert "n" not in body and isinstance(body["seed"], int)


@pytest.mark.slow
def test_every_request_is_answered_with_its_own_samples(server: Any) -> None:
    backend = server.open("concurrency=8")
    requests = [Request(str(i), f"prompt {i}", n=1 + i % 3, temperature=1.0) for i in range(40)]
    given = {samples[0].request: samples for samples in backend.complete(requests)}
    assert given.keys() == {request.id for request in requests}
    for request in requests:
        samples = given[request.id]
        assert [(s.sample, s.text, s.finish) for s in samples] == [
            (i, f"{request.prompt} {i}", "stop") for i in range(request.n)
        ]


def test_requests_are_in_flight_together_and_no_more_than_allowed(server: Any) -> None:
    def slow(body: dict[str, Any]) -> Any:
        time.sleep(0.05)
        return server.numbered(body)

    backend, server.answer = server.open("concurrency=5"), slow
    assert len(list(backend.complete([Request(str(i), "p") for i in range(20)]))) == 20
    assert server.most == 5


def test_an_answer_is_handed_on_while_others_are_still_computed(server: Any) -> None:
    release = threading.Event()

    def answer(body: dict[str, Any]) -> Any:
        if body["prompt"] == "slow":
            release.wait(10)
        return server.numbered(body)

    backend, server.answer = server.open(), answer
    answers = backend.complete([Request("slow", "slow"), Request("quick", "quick")])
    assert next(answers)[0].request == "quick"
    release.set()
    assert next(answers)[0].request == "slow"


def test_many_samples_are_asked_in_groups_with_seeds_of_their_own(server: Any) -> None:
    samples = only(server.open("samples=4"), n=10)
    assert [s.sample for s in samples] == list(range(10)) and all(s.finish == "stop" for s in samples)
    assert sorted(body.get("n", 1) for body in server.asked) == [2, 4, 4]
    assert len({body["seed"] for body in server.asked}) == 3


def test_seeds_follow_from_the_request_alone(server: Any) -> None:
    backend = server.open()
    for seed in (1, 1, 2):
        only(backend, seed=seed)
    first, again, other = (body["seed"] for body in server.asked)
    assert first == again != other


@pytest.mark.parametrize("most", [1, 3])
def test_what_a_server_leaves_out_is_asked_again(server: Any, most: int) -> None:
    backend = server.open()
    server.answer = lambda body: server.numbered({**body, "n": min(body.get("n", 1), most)})
    assert [s.finish for s in only(backend, n=7)] == ["stop"] * 7
    asked = len(server.asked)
    only(backend, id="b", n=2 * most)  # it has been learned by now
    assert len(server.asked) == asked + 2


def test_a_server_that_refuses_n_is_asked_one_by_one(server: Any) -> None:
    def answer(body: dict[str, Any]) -> Any:
        if body.get("n", 1) > 1:
            return server.reply({"detail": "Only one completion choice is allowed"}, 400)
        return server.numbered(body)

    backend, server.answer = server.open(), answer
    assert [s.text for s in only(backend, n=3)] == ["p 0"] * 3


def test_greedy_samples_are_asked_one_by_one(server: Any) -> None:
    assert len(only(server.open(), n=3, temperature=0.0)) == 3
    assert [body.get("n", 1) for body in server.asked] == [1, 1, 1]
    assert "top_p" not in server.asked[0]


def test_a_server_that_never_gives_all_is_told_of(server: Any) -> None:
    backend, left = server.open(), [["x", "y"]]
    server.answer = lambda body: server.reply(server.completion(*(left.pop() if left else [])))
    samples = only(backend, n=3)
    assert [s.text for s in samples[:2]] == ["x", "y"]
    assert (samples[2].finish, samples[2].error) == ("error", "the server gave 2 of 3 samples")


def test_too_many_choices_and_wrong_order(server: Any) -> None:
    backend = server.open()
    choices = [{"index": i, "text": str(i), "finish_reason": "stop"} for i in (2, 0, 1, 3)]
    server.script(server.reply({"choices": choices}))
    assert [s.text for s in only(backend, n=3)] == ["0", "1", "2"]


def test_the_text_is_cut_at_every_stop_string_and_four_are_sent(server: Any) -> None:
    backend, stop = server.open(), ["1", "2", "3", "4", "END", ""]
    server.script(server.reply(server.completion(" a bEND c", finish_reason="length")))
    [sample] = only(backend, stop=stop)
    assert (sample.text, sample.finish) == (" a b", "stop")
    assert server.asked[0]["stop"] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("eos_token", "stop"), ("content_filter", "error"), (7, "error")],
)
def test_ends(server: Any, reason: Any, finish: str) -> None:
    backend = server.open()
    server.script(server.reply(server.completion("x", finish_reason=reason)))
    [sample] = only(backend)
    assert (sample.text, sample.finish) == ("x", finish)
    assert (repr(reason) in sample.error) == (finish == "error")


@pytest.mark.parametrize(("tokens", "finish"), [(8, "length"), (7, "stop")])
def test_an_end_without_a_name_is_told_by_the_budget(server: Any, tokens: int, finish: str) -> None:
    backend = server.open()
    payload = {**server.completion("x", finish_reason=None), "usage": {"completion_tokens": tokens}}
    server.script(server.reply(payload))
    [sample] = only(backend, max_tokens=8)
    assert (sample.finish, sample.tokens) == (finish, tokens)


def test_tokens_and_logprobs(server: Any) -> None:
    backend = server.open()
    payload = server.completion("a", "b")
    payload["choices"][0]["logprobs"] = {"token_logprobs": [-0.5, -0.25]}
    payload["choices"][1]["logprobs"] = {"content": [{"logprob": -1.0}, {"logprob": -1}, {"logprob": -1}]}
    server.script(server.reply({**payload, "usage": {"completion_tokens": 99}}))
    assert [(s.tokens, s.logprob) for s in only(backend, n=2)] == [(2, -0.75), (3, -3.0)]


def test_a_sum_of_tokens_is_shared_by_length(server: Any) -> None:
    backend = server.open()
    payload = {**server.completion("a" * 9, "b" * 29, ""), "usage": {"completion_tokens": 50}}
    server.script(server.reply(payload))
    counts = [s.tokens for s in only(backend, n=3)]
    assert sum(counts) == 50 and counts[1] > counts[0] > counts[2]


@pytest.mark.parametrize(
    "values", [b"[-1.0, NaN]", b"[-1.0, -Infinity]", b'[-1.0, "x"]', b"[null, -1.0]", b"[1e999, 0]"]
)
def test_logprobs_that_are_no_numbers_are_no_logprob(server: Any, values: bytes) -> None:
    backend = server.open()
    body = b'{"choices": [{"text": "x", "finish_reason": "stop", "logprobs": {"token_logprobs": %s}}]}' % values
    server.script(server.reply(body))
    [sample] = only(backend)
    assert (sample.text, sample.logprob, sample.tokens) == ("x", None, 2)


def test_text_comes_back_as_it_was_written(server: Any) -> None:
    backend = server.open()
    server.script(
        server.reply(b'{"choices": [{"text": " \\u00fc \\ud835\\udd3d\\n \\ud800 ", "finish_reason": "stop"}]}')
    )
    assert only(backend)[0].text == " ü 𝔽\n � "


def test_chat_is_one_message_of_the_user(server: Any) -> None:
    message = {"role": "assistant", "content": "four"}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    server.hello = server.answer = lambda body: server.reply(answer)
    backend = server.open("api=chat")
    assert only(backend, prompt="2 + 2")[0].text == "four"
    assert server.seen[-1][1] == "/v1/chat/completions"
    assert server.asked[0]["messages"] == [{"role": "user", "content": "2 + 2"}]
    assert server.asked[0]["logprobs"] is True and "prompt" not in server.asked[0]
    server.hello = server.numbered
    assert backend.identity != server.open().identity


@pytest.mark.parametrize(
    ("content", "finish", "text", "end"),
    [
        ([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}], "stop", "ab", "stop"),
        (None, "length", "", "length"),
        (None, "stop", "", "error"),
        (5, "stop", "", "error"),
    ],
)
def test_other_contents_of_a_message(server: Any, content: Any, finish: str, text: str, end: str) -> None:
    backend = server.open("api=chat")
    server.script(server.reply({"choices": [{"message": {"content": content}, "finish_reason": finish}]}))
    [sample] = only(backend)
    assert (sample.text, sample.finish) == (text, end)


def test_the_only_model_is_taken_and_several_are_listed(server: Any) -> None:
    assert server.open().known.model == "m"
    server.models = server.reply({"data": [{"id": "b"}, {"id": "a"}, {"x": 1}, 7]})
    with pytest.raises(RecipeError, match="which model of the server\\? it has a, b"):
        server.open()
    server.models = server.reply(b"", 404)
    with pytest.raises(RecipeError, match="it lists no models"):
        server.open()
    server.hello = server.numbered
    assert server.open(model="any").known.model == "any"


def test_a_model_that_is_not_there_is_refused_with_those_that_are(server: Any) -> None:
    server.models = server.reply({"data": [{"id": "llemma_7b"}, {"id": "other"}]})
    server.hello = lambda _: server.reply({"error": {"message": "The model `lemma_7b` does not exist."}}, 404)
    with pytest.raises(RecipeError, match="no model 'lemma_7b'; it has llemma_7b, other") as error:
        server.open(model="lemma_7b")
    assert "did you mean 'llemma_7b'?" in error.value.mend


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            404,
            "This is a chat model and not supported in the v1/completions endpoint. Did you mean v1/chat/completions?",
        ),
        (400, "the model does not support completions, only chat completions"),
    ],
)
def test_a_model_for_chats_alone_is_refused_before_the_first_request(server: Any, status: int, said: str) -> None:
    server.hello, server.answer = None, lambda _: server.reply({"error": {"message": said}}, status)
    with pytest.raises(RecipeError, match="answers chats alone") as error:
        server.open()
    assert f"{server.url}#m?api=chat" in error.value.mend


def test_an_address_without_the_endpoint(server: Any) -> None:
    server.hello = lambda _: server.reply({"detail": "Not Found"}, 404)
    with pytest.raises(RecipeError, match="no /completions there") as error:
        server.open()
    assert "api=chat" in error.value.mend


def test_a_name_with_chat_in_it_says_nothing_about_the_model(server: Any) -> None:
    said = "The model `my-chat-model` does not exist."
    server.hello = lambda _: server.reply({"error": {"message": said}}, 404)
    with pytest.raises(RecipeError, match="the server has no model 'my-chat-model'"):
        server.open(model="my-chat-model")


def test_a_base_model_cannot_be_asked_for_a_chat(server: Any) -> None:
    said = "default chat template is no longer allowed, so you must provide a chat template"
    server.hello, server.answer = None, lambda _: server.reply({"message": said}, 400)
    with pytest.raises(RecipeError, match="is no chat model") as error:
        server.open("api=chat")
    assert error.value.mend == "leave out ?api=chat"


def test_fields_that_a_server_does_not_take_are_left_out(server: Any) -> None:
    def strict(body: dict[str, Any]) -> Any:
        if "max_tokens" in body:
            return server.reply({"error": {"message": "'max_tokens': use 'max_completion_tokens' instead"}}, 400)
        bad = sorted(body.keys() & {"seed", "logprobs"})
        return server.reply({"detail": f"Unexpected fields: {bad[:1]}"}, 422) if bad else server.numbered(body)

    server.hello, server.answer = None, strict
    backend = server.open()
    assert only(backend, stop=["x"], max_tokens=9)[0].finish == "stop"
    body = server.asked[-1]
    assert body["max_completion_tokens"] == 9 and body["stop"] == ["x"]
    assert not body.keys() & {"max_tokens", "seed", "logprobs"}


def test_a_server_that_does_not_say_what_it_dislikes_is_asked_plainly(server: Any) -> None:
    server.hello = None
    server.answer = lambda body: server.reply(b"no", 400) if "logprobs" in body else server.numbered(body)
    assert only(server.open(), stop=["1"])[0].text == "p 0"
    assert server.asked[-1].keys() == {"model", "prompt", "temperature", "max_tokens"}


def test_a_server_that_refuses_everything(server: Any) -> None:
    server.hello, server.answer = None, lambda _: server.reply({"error": "closed for\nholidays\x1b[2J"}, 400)
    with pytest.raises(RecipeError, match=r"refuses a first request: the server says 400: closed for holidays \[2J"):
        server.open()


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_missing_or_wrong(server: Any, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    server.models = server.reply({"error": {"message": "bad key sk-secret"}}, status)
    with pytest.raises(MissingError, match=r"no key was sent.*LLEMMA_API_KEY"):
        server.open()
    monkeypatch.setenv("LLEMMA_API_KEY", " sk-secret\n")
    with pytest.raises(MissingError, match="the key comes from the environment variable LLEMMA_API_KEY") as error:
        server.open()
    assert server.seen[-1][2]["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in str(error.value)


def test_where_the_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    local, tls, plain = (parse(f"{url}/v1") for url in ("http://localhost:1", "https://h.test", "http://h.test"))
    monkeypatch.setenv("OPENAI_API_KEY", "open")
    assert (api_key(local), api_key(tls), api_key(plain)) == ("open", "open", "")
    monkeypatch.setenv("LLEMMA_API_KEY", "ours")
    assert {api_key(local), api_key(tls), api_key(plain)} == {"ours"}
    monkeypatch.setenv("LLEMMA_API_KEY", "gebr\u00fcll")
    assert api_key(plain) == ""


def test_the_identity_is_of_address_name_and_kind(server: Any) -> None:
    server.hello = None
    one, same, other = server.open(), server.open("concurrency=3", model="m"), server.open(model="n")
    assert one.identity == same.identity != other.identity
    assert one.device == "remote" and one.name.startswith("http://127.0.0.1:")
