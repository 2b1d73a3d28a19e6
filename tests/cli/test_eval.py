"""`llemma eval` on the benchmarks: data, protocol, prompts, plan."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from llemma.backends.base import Likelihood
from llemma.cli.main import run
from llemma.core import jsonl, registry
from llemma.core.files import read_json
from llemma.core.types import Completion, Request, RunRecord, Verdict
from llemma.evals.benchmarks import TABLE
from llemma.evals.results import Results
from llemma.evals.task import open_task

BOX = "Final Answer: The final answer is "


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Small benchmarks in the local layout: four of GSM8K, three of MATH, two of MMLU-STEM."""
    folder = tmp_path / "data"
    gold = ("#### 18", "#### 1,200", "#### 5", "#### 7")
    write(folder / "gsm8k/test.jsonl", *({"question": f"How many {i}?", "answer": g} for i, g in enumerate(gold)))
    solutions = (("Algebra", "\\boxed{\\frac{1}{2}}"), ("Geometry", "\\boxed{x+1}"), ("Algebra", "\\boxed{3}"))
    rows = ({"problem": s, "solution": s, "type": kind, "level": "Level 2"} for kind, s in solutions)
    write(folder / "math/test.jsonl", *rows)
    choice = {"question": "Which?", "type": "astronomy", "choices": ["w", "x", "y", "z"]}
    write(folder / "mmlu_stem/test.jsonl", {**choice, "answer": 1}, {**choice, "answer": 3})
    return folder


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Recorded completions that run on behind their stop strings."""
    texts = {
        "gsm8k/0": " 9 * 2 = 18. The answer is 18.\n\nQ: More?\nA: The answer is 99.",
        "gsm8k/1": " The answer is $1,200.",
        "gsm8k/2": " The answer is 6.",
        "gsm8k/3": " I would not know.",
        "math/algebra/0": f"\n{BOX}$0.5$. I hope it is correct.\n\nProblem:\nNext\n\nSolution: \\boxed{{8}}",
        "math/geometry/0": f"\n{BOX}$1+x$. I hope it is correct.",
        "math/algebra/1": f"\n{BOX}$4$. I hope it is correct.",
        "mmlu_stem/astronomy/0": f"\n{BOX}(B). I hope it is correct.",
        "mmlu_stem/astronomy/1": f"\n{BOX}(B). I hope it is correct.",
    }
    return write(tmp_path / "said.jsonl", *({"id": name, "text": text} for name, text in texts.items()))


def outcomes(out: Path) -> dict[str, str]:
    rows = jsonl.read(out / "verdicts.jsonl.zst", Verdict)
    return {verdict.problem.removesuffix("#greedy"): verdict.outcome for verdict in rows}


def test_recorded_completions_get_their_verdicts(data: Path, said: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = ["-t", "gsm8k,math", "-t", "mmlu-stem"]
    assert run(["eval", "-m", f"replay:{said}", *tasks, "--data", str(data), "--out", str(out), "-q"]) == 0
    assert outcomes(out) == {
        "gsm8k/0": "right",
        "gsm8k/1": "right",
        "gsm8k/2": "wrong",
        "gsm8k/3": "no_answer",
        "math/algebra/0": "right",
        "math/geometry/0": "right",
        "math/algebra/1": "wrong",
        "mmlu_stem/astronomy/0": "right",
        "mmlu_stem/astronomy/1": "wrong",
    }
    facts = {task.task: task for task in read_json(out / "results.json", Results).llemma.tasks}
    assert {task.protocol for task in facts.values()} == {"default"}
    assert (facts["gsm8k"].shots, facts["math"].shots, facts["gsm8k"].max_tokens) == (8, 4, 1024)
    assert facts["math"].data is not None and facts["math"].data.origin == "math/test.jsonl"


def test_samples_are_shown_to_people_and_the_run_is_on_record(
    data: Path, said: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["eval", "-m", f"replay:{said}", "-t", "gsm8k", "--data", str(data), "--out", str(out)]
    assert run([*command, "--harness", str(tmp_path / "harness")]) == 0
    assert "✓ right  gsm8k/0, answer 18, gold 18" in capsys.readouterr().out
    names = sorted(path.name.partition("_2")[0] for path in (tmp_path / "harness").iterdir())
    assert names == ["results", "samples_gsm8k"]
    record = read_json(out / "run.json", RunRecord)
    assert record.state == "done" and record.inputs["gsm8k"].startswith("gsm8k/test.jsonl sha256:")
    for option in ("--json", "-q"):
        assert run([*command, option]) == 0
        assert "gsm8k/0" not in capsys.readouterr().out
    assert run(["rescore", str(out), "--harness", str(tmp_path / "again")]) == 0
    assert len(list((tmp_path / "again").iterdir())) == 2


def test_the_protocol_llemma_judges_the_same_completions_as_published(data: Path, said: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--data", str(data), "--out", str(out), "-q", "--protocol", "llemma"]
    assert run(["eval", "-m", f"replay:{said}", "-t", "gsm8k,mmlu_stem", *options]) == 0
    found = outcomes(out)
    # "$1,200" hides the digits that the published pattern wants behind "The answer is"
    assert (found["gsm8k/0"], found["gsm8k/1"]) == ("right", "no_answer")
    assert found["mmlu_stem/astronomy/0"] == "right"
    facts = {task.task: task for task in read_json(out / "results.json", Results).llemma.tasks}
    assert (facts["gsm8k"].protocol, facts["gsm8k"].judge) == ("llemma", "llemma-gsm8k")


def test_votes_are_drawn_with_the_published_settings(data: Path, tmp_path: Path) -> None:
    texts = [" The answer is 18."] * 3
    rows = write(
        tmp_path / "k.jsonl", {"id": "gsm8k/0", "texts": texts}, {"id": "mmlu_stem/astronomy/0", "texts": texts}
    )
    options = ["-k", "3", "--data", str(data), "--limit", "1", "--out", str(tmp_path / "out"), "-q"]
    assert run(["eval", "-m", f"replay:{rows}", "-t", "gsm8k,mmlu_stem", *options]) == 0
    facts = read_json(tmp_path / "out" / "results.json", Results).llemma.tasks
    assert [(task.k, task.temperature, task.top_p) for task in facts] == [(3, 0.6, 0.95), (3, 0.3, 0.95)]


def test_a_plan_asks_and_writes_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    arguments = ["eval", "-m", "run:nowhere", "-t", "gsm8k,math", "--data", str(data), "-k", "published", "--plan"]
    assert run(arguments) == 0
    assert "nothing was asked or written" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["requests"], row["completions"]) for row in rows] == [("gsm8k", 8, 404), ("math", 6, 771)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["-t", "gms8k"], 4, "did you mean 'gsm8k'?"),
        (["-t", "ocw_courses"], 3, "ocw_courses/test.jsonl"),
        (["-t", "svamp", "--protocol", "llemma"], 3, "the protocol llemma has no task 'svamp'"),
        (["-t", "gsm8k", "--prompts", "nowhere.json"], 3, "no example file"),
        (["-t", "gsm8k,gsm8k"], 4, "2 tasks are called 'gsm8k'"),
        (["-t", "gsm8k", "-k", "publishd"], 2, "publishd"),
        (["-t", "gsm8k", "-k", "0"], 2, "0"),
    ],
)
def test_bad_input_ends_before_a_model_is_loaded(
    data: Path, arguments: list[str], code: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval", "-m", "run:nowhere", "--data", str(data), *arguments]) == code
    assert hint in capsys.readouterr().err


class Halves:
    """A backend that gives every byte half a chance."""

    name, identity, device = "halves:", "halves-1", "none"

    def complete(self, requests: Sequence[Request]) -> Iterator[list[Completion]]:
        yield from ([Completion(request.id, 0, "The answer is 4.")] for request in requests)

    def score(self, texts: Sequence[str]) -> Iterator[Likelihood]:
        for text in texts:
            yield Likelihood(nats=len(text.encode()) * math.log(2), tokens=1, bytes=len(text.encode()))


def test_folders_of_texts_are_asked_beside_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._TABLES["backend"], "halves", lambda name, **options: Halves())
    rows = ({"text": f"Text {n} of the corpus.", "meta": {"id": str(n)}} for n in range(4))
    jsonl.write(tmp_path / "corpus/web/validation/00000.jsonl.zst", rows)
    write(tmp_path / "mine.jsonl", {"problem": "2 + 2?", "answer": "4"})
    tasks = f"{tmp_path / 'mine.jsonl'},{tmp_path / 'corpus'}"
    assert run(["eval", "-m", "halves:", "-t", tasks, "--out", str(tmp_path / "out"), "-q"]) == 0
    scores = read_json(tmp_path / "out" / "results.json", Results).llemma.scores
    assert {(score.task, score.metric): score.value for score in scores}[("web", "bits_per_byte")] == pytest.approx(1.0)
    (tmp_path / "empty").mkdir()
    assert run(["eval", "-m", "halves:", "-t", str(tmp_path / "empty"), "-q"]) == 3


def test_all_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "tasks"]) == 0
    assert {"gsm8k", "math", "ocw_courses", "mmlu_stem", "sat_math", "math_python"} < set(
        capsys.readouterr().out.split()
    )


@pytest.mark.slow
def test_tasks_of_programs_run_them_and_judge_their_values(tmp_path: Path) -> None:
    rows: list[object] = []
    for name, field in (("gsm8k_python", "question"), ("math_python", "problem")):
        benchmark, problems = TABLE[name], list[object]()
        for n, example in enumerate(open_task(name).examples[:2]):
            problems.append({field: example.problem, "answer": example.answer, "type": "Algebra"})
            group = "algebra/" if field == "problem" else ""
            rows.append({"id": f"{name}/{group}{n}", "text": benchmark.form.layout.gap + example.solution})
        write(tmp_path / "data" / benchmark.folder / "test.jsonl", *problems)
    said, out = write(tmp_path / "said.jsonl", *rows), tmp_path / "out"
    options = ["--data", str(tmp_path / "data"), "--out", str(out), "-q"]
    code = run(["eval", "-m", f"replay:{said}", "-t", "gsm8k-python,math-python", *options])
    if code == 3:
        pytest.skip("programs cannot be isolated on this machine")
    assert code == 0 and list(outcomes(out).values()) == ["right"] * 4


def test_parts_are_told_and_published_figures_stand_beside_the_papers_models(
    data: Path, said: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = said.rename(tmp_path / "llemma_7b.jsonl")
    out = tmp_path / "out"
    assert run(["eval", "-m", f"replay:{recorded}", "-t", "math", "--data", str(data), "--out", str(out), "-q"]) == 0
    told = capsys.readouterr().out
    rows = [line.split() for line in told.splitlines()]
    assert next(row for row in rows if row[:1] == ["Geometry"])[1:3] == ["100.0", "(20.7"]
    assert ["Llemma", "7B", "18.0", "33.5"] in rows and "3 of 5,000 problems" in told
    assert run(["rescore", str(out), "-q"]) == 0
    again = capsys.readouterr().out
    assert told.startswith(again[: again.index("cost ")])
