from llemma.core.types import Completion
from llemma.evals.config import EvalConfig
from llemma.evals.runner import evaluate
from llemma.evals.shown import printable, samples, text

SAID = ["The answer is 0.", "The answer is 0.", "Well.", "\x1b[31mThe answer\x1b[0m is\x07\r\n 6.", "The answer is 0."]


def run(tmp_path, scripted, sums, quiet, answers, **settings):
    backend = scripted(lambda request, sample: answers[int(request.id[1]) % len(answers)])
    return evaluate(backend, [sums], EvalConfig(**settings), tmp_path, console=quiet)


def test_three_completions_one_of_each_kind(tmp_path, scripted, sums, quiet):
    run(tmp_path, scripted, sums, quiet, SAID, limit=5)
    found = samples(tmp_path).splitlines()
    assert [line.split("  ")[0] for line in found[::2]] == ["✓ right", "✗ wrong", "– no answer"]
    assert found[0] == "✓ right  s0, answer 0, gold 0" and found[1] == "    The answer is 0."
    assert found[2] == "✗ wrong  s1, answer 0, gold 2"


def test_kinds_that_are_lacking_are_filled_up(tmp_path, scripted, sums, quiet):
    run(tmp_path, scripted, sums, quiet, ["The answer is 0."], limit=5, k=2)
    assert [line.split(",")[0] for line in samples(tmp_path).splitlines()[::2]] == [
        "✓ right  s0",
        "✗ wrong  s1",
        "✗ wrong  s2",
    ]


def test_nothing_of_a_completion_steers_the_terminal(tmp_path, scripted, sums, quiet):
    hostile = "\x1b]0;title\x07 \x1b[2J \x9b31m \u202e\u2066 \x00 The answer is \x1b[8m6\x1b[0m"
    run(tmp_path, scripted, sums, quiet, [hostile * 30], limit=3)
    shown = samples(tmp_path)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert "\\x1b[2J" in shown and "\\u202e" in shown
    assert max(map(len, shown.splitlines())) < 1500
    assert printable("a\tb\nc", "\n") == "a\\tb\nc"


def test_no_completions_are_nothing_to_show(tmp_path, scripted, quiet):
    evaluate(scripted(lambda request, sample: ""), [], EvalConfig(), tmp_path, console=quiet)
    assert samples(tmp_path) == ""


def test_prompts_that_were_cut_are_counted_and_told(tmp_path, scripted, sums, quiet):
    def answer(request, sample):
        n = int(request.id[1])
        return Completion(request.id, sample, f"The answer is {2 * n}.", cut=True) if n % 4 == 3 else f"= {2 * n}"

    backend = scripted(answer)
    results = evaluate(backend, [sums], EvalConfig(k=3), tmp_path, console=quiet)
    assert [cost.cut for cost in results.llemma.costs] == [2]  # of 10 problems, each asked greedily and three times
    assert "warning: 2 of 10 prompts of sums were too long" in text(results)
    whole = evaluate(scripted(lambda request, sample: "1"), [sums], EvalConfig(), tmp_path / "b", console=quiet)
    assert whole.llemma.costs[0].cut == 0 and "warning" not in text(whole)
