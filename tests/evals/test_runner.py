import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from llemma.core import jsonl
from llemma.core.errors import DataError, ItemsError, MissingError, RecipeError
from llemma.core.files import read_json
from llemma.core.types import Completion, Document, Problem, Verdict
from llemma.evals.config import EvalConfig
from llemma.evals.results import Results
from llemma.evals.runner import COMPLETIONS, LIKELIHOODS, PROBLEMS, RESULTS, VERDICTS, evaluate, rescore
from llemma.evals.shown import text
from llemma.evals.task import Sampling, jsonl_task

ROOT = Path(__file__).parents[2]


def number(request):
    return int(request.id[1])


def mostly_right(request, sample):
    """Greedy: s0 … s6 right, s7 wrong, s8 silent, s9 cut off. Sampled: two of three right up to s4, then one."""
    n = number(request)
    if request.id.endswith("#greedy"):
        texts = {
            7: "The answer is 0.",
            8: "I have no idea what to say",
            9: Completion(request.id, 0, "so", "length", 3),
        }
        return texts.get(n, f"The answer is {2 * n}.")
    right = sample < 2 if n < 5 else sample < 1
    return f"The answer is {2 * n if right else 77}."


def scores(results):
    return {(score.task, score.metric): score for score in results.llemma.scores}


def files(out):
    """The final files' bytes; of verdicts and results all but what was measured, the seconds."""
    final = {name: (out / name).read_bytes() for name in (PROBLEMS, COMPLETIONS, LIKELIHOODS)}
    final[VERDICTS] = [structs.replace(row, seconds=0.0) for row in jsonl.read(out / VERDICTS, Verdict)]
    results = json.loads((out / RESULTS).read_bytes())
    results["llemma"].pop("seconds")
    results["llemma"].pop("costs")
    return {**final, RESULTS: json.dumps(results)}


def test_an_evaluation_tells_how_every_problem_ended(tmp_path, scripted, sums, quiet):
    results = evaluate(scripted(mostly_right), [sums], EvalConfig(k=3), tmp_path, console=quiet)
    found = scores(results)
    greedy, vote, mean = found["sums", "greedy"], found["sums", "maj@3"], found["sums", "pass@1"]
    assert (greedy.value, greedy.n) == (0.7, 10)
    assert greedy.outcomes == {"right": 7, "wrong": 1, "no_answer": 1, "cut_off": 1}
    assert greedy.low == pytest.approx(0.3968, abs=1e-4)
    assert (vote.value, vote.n, vote.outcomes) == (0.5, 10, {"right": 5, "wrong": 5})
    assert vote.low < 0.5 < vote.high
    assert mean.value == pytest.approx(0.5)
    assert mean.outcomes == {"right": 15, "wrong": 15}


def test_files_hold_what_was_asked_answered_and_judged(tmp_path, scripted, sums, quiet):
    backend = scripted(mostly_right)
    evaluate(backend, [sums], EvalConfig(k=3, seed=5), tmp_path, console=quiet)
    problems = list(jsonl.read(tmp_path / PROBLEMS, Problem))
    completions = list(jsonl.read(tmp_path / COMPLETIONS, Completion))
    verdicts = list(jsonl.read(tmp_path / VERDICTS, Verdict))
    assert [problem.id for problem in problems] == [f"s{n}" for n in range(10)]
    assert problems[3].meta["prompt"].endswith("Problem:\nWhat is 3 + 3?\n\nSolution:")
    assert [c.request for c in completions[:10]] == [f"s{n}#greedy" for n in range(10)]
    assert [(c.request, c.sample) for c in completions[10:14]] == [("s0#maj", i) for i in range(3)] + [("s1#maj", 0)]
    samples = [(v.problem, v.sample) for v in verdicts if not v.problem.endswith("#vote")]
    assert samples == [(c.request, c.sample) for c in completions]
    asked = {request.id: request for request in backend.asked}
    assert asked["s1#greedy"].temperature == 0
    assert (asked["s1#maj"].n, asked["s1#maj"].temperature, asked["s1#maj"].top_p) == (3, 0.6, 0.95)
    assert len({request.seed for request in asked.values()}) == len(asked)


def test_results_have_the_harness_keys(tmp_path, scripted, sums, quiet):
    evaluate(scripted(mostly_right), [sums], EvalConfig(k=3, limit=4, shots=2), tmp_path, console=quiet)
    results = json.loads((tmp_path / RESULTS).read_text())
    assert results["results"]["sums"]["exact_match,greedy"] == 1.0
    assert results["results"]["sums"]["maj@3,sampled"] == 1.0
    assert results["results"]["sums"]["exact_match_stderr,greedy"] > 0
    assert (results["versions"], results["n-shot"]) == ({"sums": 1}, {"sums": 2})
    assert results["n-samples"] == {"sums": {"original": 10, "effective": 4}}
    assert results["higher_is_better"]["sums"]["exact_match"] is True
    assert results["configs"]["sums"]["num_fewshot"] == 2
    assert read_json(tmp_path / RESULTS, Results).llemma.model == "scripted:"


def contents(folder):
    """Every file but the verdicts, without the seconds that judging took."""
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != VERDICTS}
    return {path: re.sub(rb'"judging": [0-9.e-]+', b"", content) for path, content in found.items()}


def test_a_second_call_asks_nothing_and_changes_nothing_but_the_seconds_of_judging(tmp_path, scripted, sums, quiet):
    texts = {"arxiv": [Document("a", "text " * 50, "s")]}
    evaluate(scripted(mostly_right), [sums], EvalConfig(k=3, batch=4), tmp_path, console=quiet, texts=texts)
    before = contents(tmp_path)
    verdicts = files(tmp_path)[VERDICTS]
    backend = scripted(mostly_right)
    evaluate(backend, [sums], EvalConfig(k=3, batch=4), tmp_path, console=quiet, texts=texts)
    assert (backend.asked, backend.scored) == ([], [])
    after = contents(tmp_path)
    assert (after, files(tmp_path)[VERDICTS]) == (before, verdicts)


def test_the_size_of_batches_changes_no_result(tmp_path, scripted, sums, quiet):
    for batch in (1, 7, 1000):
        evaluate(scripted(mostly_right), [sums], EvalConfig(k=3, batch=batch), tmp_path / str(batch), console=quiet)
    assert files(tmp_path / "1") == files(tmp_path / "7") == files(tmp_path / "1000")


def test_stored_completions_are_judged_again_without_a_model(tmp_path, scripted, sums, quiet):
    evaluate(scripted(mostly_right), [sums], EvalConfig(k=3), tmp_path, console=quiet)
    before = files(tmp_path)
    (tmp_path / VERDICTS).unlink()
    rescore(tmp_path)
    assert files(tmp_path) == before


def test_rescoring_by_another_judge_says_so(tmp_path, scripted, sums, quiet, monkeypatch):
    from llemma.core import registry
    from llemma.evals.answers import DEFAULT, Comparison, Judge

    generous = Judge("generous", 9, DEFAULT.find, DEFAULT.canonical, lambda answer, gold: Comparison(True, "any"))
    monkeypatch.setitem(registry._TABLES["judge"], "generous", generous)
    evaluate(scripted(mostly_right), [sums], EvalConfig(), tmp_path, console=quiet)
    results = rescore(tmp_path, judge="generous")
    assert scores(results)["sums", "greedy"].value == 0.8
    assert results.configs["sums"]["metadata"] == {"version": 1, "judge": "generous", "judge_version": 9}
    with pytest.raises(RecipeError, match="unknown judge 'generuos'"):
        rescore(tmp_path, judge="generuos")


def test_too_many_errors_are_told_after_everything_is_written(tmp_path, scripted, sums, quiet):
    def failing(request, sample):
        if number(request) == 3:
            return Completion(request.id, sample, "", finish="error", error="server gone")
        return f"#### {2 * number(request)}"

    with pytest.raises(ItemsError, match="1 of 10 items ended in an error") as error:
        evaluate(scripted(failing), [sums], EvalConfig(), tmp_path, console=quiet)
    assert error.value.exit_code == 5
    assert read_json(tmp_path / RESULTS, Results).llemma.scores[0].outcomes == {"right": 9, "error": 1}
    tolerant = evaluate(scripted(failing), [sums], EvalConfig(max_errors=0.1), tmp_path, console=quiet)
    assert tolerant.llemma.scores[0].value == 0.9
    mended = scripted(mostly_right)
    evaluate(mended, [sums], EvalConfig(), tmp_path, console=quiet)
    assert [request.id for request in mended.asked] == ["s3#greedy"]


def test_texts_are_scored_by_subset_and_together(tmp_path, scripted, quiet):
    texts = {name: [Document(f"{name}{i}", "é" * 100, name) for i in range(5)] for name in ("arxiv", "code", "general")}
    backend = scripted(mostly_right)
    config = EvalConfig(perplexity_bytes=450, perplexity_document_bytes=101)
    results = evaluate(backend, [], config, tmp_path, console=quiet, texts=texts)
    found = scores(results)
    assert [task for task, _ in found] == ["arxiv", "code", "general", "mathematics"]
    # one bit a character of two bytes
    assert all(score.value == pytest.approx(0.5) for score in found.values())
    assert found["mathematics", "bits_per_byte"].n == 10
    assert found["code", "bits_per_byte"].outcomes == {"scored": 5, "cut": 5, "error": 0}
    assert sum(len(text.encode()) for text in backend.scored) == 3 * 450
    assert results.results["code"]["bits_per_byte,none"] == pytest.approx(0.5)
    assert results.higher_is_better["code"] == {"bits_per_byte": False}


def test_only_the_named_subsets_are_scored(tmp_path, scripted, quiet):
    texts = {name: [Document(name, "text", name)] for name in ("arxiv", "code")}
    results = evaluate(scripted(None), [], EvalConfig(perplexity=["code"]), tmp_path, console=quiet, texts=texts)
    assert [score.task for score in results.llemma.scores] == ["code", "mathematics"]
    backend = scripted(None)
    evaluate(backend, [], EvalConfig(perplexity=False), tmp_path, console=quiet, texts=texts)
    assert backend.scored == []
    with pytest.raises(RecipeError, match="no texts of subset 'cod'") as error:
        evaluate(backend, [], EvalConfig(perplexity=["cod"]), tmp_path, console=quiet, texts=texts)
    assert error.value.mend == "did you mean 'code'?"


def test_an_echo_cannot_score_texts_and_says_so_before_asking(tmp_path, sums, quiet):
    from llemma.backends.base import open_backend

    with pytest.raises(MissingError, match="cannot tell how likely"):
        evaluate(
            open_backend("echo:"), [sums], EvalConfig(), tmp_path, console=quiet, texts={"a": [Document("d", "t", "s")]}
        )
    assert not (tmp_path / PROBLEMS).exists()


def test_problems_of_two_tasks_with_one_id_are_refused(tmp_path, scripted, sums, quiet):
    (tmp_path / "more.jsonl").write_text('{"id": "s3", "problem": "p", "answer": "1"}\n')
    with pytest.raises(DataError, match="two problems have the id 's3'") as error:
        evaluate(scripted(None), [sums, jsonl_task(tmp_path / "more.jsonl")], EvalConfig(), tmp_path, console=quiet)
    assert "'sums' and 'more'" in error.value.where


def test_two_tasks_of_one_name_are_refused(tmp_path, scripted, sums, quiet):
    with pytest.raises(RecipeError, match="2 tasks are called 'sums'"):
        evaluate(scripted(None), [sums, sums], EvalConfig(), tmp_path, console=quiet)


def test_an_unknown_judge_is_refused_before_anything_is_asked(tmp_path, scripted, sums, quiet):
    backend = scripted(mostly_right)
    with pytest.raises(RecipeError, match="unknown judge 'defualt'"):
        evaluate(backend, [replace(sums, judge="defualt")], EvalConfig(), tmp_path, console=quiet)
    assert backend.asked == []


def test_progress_tells_the_right_and_the_silent(tmp_path, scripted, sums):
    import io

    from llemma.core.console import Console

    stream = io.StringIO()
    evaluate(scripted(mostly_right), [sums], EvalConfig(k=3), tmp_path, console=Console(stream=stream))
    assert "40 samples" in stream.getvalue()
    assert "greedy right 7 no answer 2 of 10; sampled right 15 no answer 0 of 30" in stream.getvalue()


SCRIPT = """
import sys, time
from pathlib import Path
from llemma.backends.base import open_backend
from llemma.core.console import Console
from llemma.core.types import Document
from llemma.evals.config import EvalConfig
from llemma.evals.runner import evaluate
from llemma.evals.task import Sampling, jsonl_task

folder, out, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

class Slow:
    def __init__(self):
        self.inner = open_backend(f"replay:{folder / 'recorded.jsonl'}")
        self.name, self.identity, self.device = self.inner.name, self.inner.identity, "none"
    def complete(self, requests):
        for request in requests:
            time.sleep(pause)
            print(request.id, flush=True)
            yield from self.inner.complete([request])

evaluate(Slow(), [jsonl_task(folder / "sums.jsonl")], EvalConfig(k=4, batch=5), out, console=Console(quiet=True))
"""


def start(folder, out, pause):
    command = [sys.executable, "-c", SCRIPT, str(folder), str(out), str(pause)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def asked_when_killed(process, out, parts):
    while len(list((out / "parts").glob("*.jsonl"))) < parts:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0].split()


def test_a_killed_evaluation_goes_on_and_ends_in_the_same_files(tmp_path, sums):
    rows = [{"id": f"s{n}", "texts": [f"#### {2 * n + (i == n % 5)}" for i in range(4)]} for n in range(10)]
    (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / f".{VERDICTS}.deadbeef.tmp").write_text("half a file of an earlier kill")
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    everything = start(tmp_path, undisturbed, 0).communicate()[0].split()
    assert len(everything) == 20
    asked = asked_when_killed(start(tmp_path, killed, 0.01), killed, parts=2)
    asked += asked_when_killed(start(tmp_path, killed, 0.01), killed, parts=5)
    last = start(tmp_path, killed, 0)
    asked += last.communicate()[0].split()
    assert last.returncode == 0
    assert files(killed) == files(undisturbed)
    # two kills cost at most two batches of at most five requests
    assert set(asked) == set(everything)
    assert len(asked) <= 20 + 2 * 5
    assert not list(killed.rglob(".*.tmp"))


def test_samples_are_drawn_as_published_unless_the_user_says_otherwise(tmp_path, scripted, sums, quiet):
    task = replace(sums, sampling=Sampling(4, 0.3, 0.9))

    def drawn(**settings):
        backend = scripted(mostly_right)
        facts = evaluate(backend, [task], EvalConfig(limit=1, **settings), tmp_path, console=quiet).llemma.tasks[0]
        samples = [(r.n, r.temperature, r.top_p) for r in backend.asked if r.id.endswith("#maj")]
        assert not samples or samples == [(facts.k, facts.temperature, facts.top_p)]
        return samples

    assert drawn() == []
    assert drawn(k=2) == [(2, 0.3, 0.9)]
    assert drawn(k=2, temperature=0.7, top_p=1.0) == [(2, 0.7, 1.0)]
    assert drawn(published_k=True) == [(4, 0.3, 0.9)]
    assert drawn(published_k=True, temperature=1.5) == [(4, 1.5, 0.9)]


def test_results_say_where_the_problems_came_from_and_by_which_rules(tmp_path, scripted, sums, quiet):
    task = replace(sums, protocol="llemma", prompts="given")
    facts = evaluate(scripted(mostly_right), [task], EvalConfig(), tmp_path / "out", console=quiet).llemma.tasks[0]
    assert (facts.protocol, facts.prompts) == ("llemma", "given")
    assert facts.data.origin == "sums.jsonl"
    assert facts.data.sha256 == hashlib.sha256((tmp_path / "sums.jsonl").read_bytes()).hexdigest()


def test_programs_are_run_and_their_values_judged(tmp_path, scripted, sums, quiet):
    from llemma.evals.programs import Program, unfenced
    from llemma.tools import Sandbox, SandboxConfig

    try:
        Sandbox(SandboxConfig(workers=1)).open().close()
    except MissingError as error:
        pytest.skip(str(error))
    task = replace(sums, program=Program(unfenced), judge="program")
    config = EvalConfig(k=2, sandbox=SandboxConfig(workers=1))
    backend = scripted(lambda request, sample: "1 / 0" if number(request) == 9 else f"answer = {number(request)} * 2.0")
    results = evaluate(backend, [task], config, tmp_path, console=quiet)
    assert results.llemma.tasks[0].sandbox == "full"
    assert results.llemma.tasks[0].programs == {"ok": 27, "error": 3}
    assert "programs of sums: ok 27, error 3" in text(results)
    assert scores(results)["sums", "greedy"].outcomes == {"right": 9, "no_answer": 1}
    assert scores(results)["sums", "maj@2"].value == 0.9
    whys = [verdict.why for verdict in jsonl.read(tmp_path / VERDICTS, Verdict) if verdict.outcome == "no_answer"]
    assert any("ZeroDivisionError" in why for why in whys)
    assert rescore(tmp_path).llemma.scores == results.llemma.scores


def test_judging_again_holds_one_problem_at_a_time(tmp_path, scripted, sums, quiet):
    long = "we go on " * 500
    backend = scripted(lambda request, sample: f"{long}{sample}. The answer is {sample % 3}.")
    evaluate(backend, [sums], EvalConfig(k=64), tmp_path, console=quiet)
    stored = sum(len(row.text) for row in jsonl.read(tmp_path / COMPLETIONS, Completion))
    rescore(tmp_path)  # what is imported and cached at the first time does not count
    tracemalloc.start()
    rescore(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < stored / 2
