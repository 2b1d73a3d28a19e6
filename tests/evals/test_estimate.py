from llemma.core.types import Document
from llemma.evals.config import EvalConfig
from llemma.evals.cost import Cost
from llemma.evals.estimate import BYTES_PER_TOKEN, estimate, of_texts, priced, text
from llemma.evals.runner import load


def test_an_estimate_counts_requests_completions_and_tokens(sums):
    found = estimate(sums, EvalConfig(k=3, limit=4, max_tokens=50))
    assert (found.problems, found.requests, found.completions, found.new_tokens) == (4, 8, 16, 800)
    size = sum(len(problem.meta["prompt"]) for problem in load(sums, EvalConfig(limit=4))[1])
    assert found.prompt_tokens == round(2 * size / BYTES_PER_TOKEN)
    assert "k = 3, temperature 0.6, top-p 0.95" in text([found])


def test_without_samples_it_is_greedy_and_longer_prompts_cost_more(sums):
    bare, full = (estimate(sums, EvalConfig(shots=shots)) for shots in (0, 4))
    assert (full.requests, full.completions, full.new_tokens) == (10, 10, 10 * 512)
    assert full.prompt_tokens > 3 * bare.prompt_tokens and full.longest_prompt > bare.longest_prompt
    assert "greedy" in text([full])


def test_texts_are_read_in_passages_and_nothing_is_generated():
    documents = [Document(f"d{n}", "x" * 90, "s") for n in range(5)]
    (found,) = of_texts({"web": documents}, EvalConfig(perplexity_bytes=240))
    assert (found.task, found.requests, found.completions, found.prompt_tokens) == ("web", 3, 0, 80)
    assert "bits per byte" in text([found])


def test_time_and_cost_follow_from_a_speed_and_a_price(sums):
    plan = estimate(sums, EvalConfig(k=3, limit=4, max_tokens=50))
    assert "time: unknown" in text([plan]) and "cost" not in text(priced([plan]))
    [told] = priced([plan], speed=10.0, price=(1.0, 2.0))
    assert told.seconds == 80.0 and told.price == (plan.prompt_tokens + 2 * 800) / 1e6
    assert "time: at most about 1m20s" in text([told]) and "cost: about 0.00" in text([told])


def test_an_earlier_evaluation_tells_length_and_speed(sums):
    plan = estimate(sums, EvalConfig(k=3, limit=4, max_tokens=50))
    before = Cost("sums", seconds=5.0, samples=10, tokens=100)
    [told] = priced([plan], [(Cost("other"), 50), (before, 50)])
    assert (told.expected_tokens, told.seconds) == (160, 8.0) and "time: about 8s" in text([told])
    [other] = priced([plan], [(Cost("other", seconds=5.0, samples=10, tokens=100), 50)])  # its speed, not its lengths
    assert (other.expected_tokens, other.seconds) == (None, 40.0)
    [faster] = priced([plan], [(before, 50)], speed=80.0)
    assert faster.seconds == 2.0
    [longer] = priced([plan], [(before, 40)])  # its completions were cut off earlier
    assert (longer.expected_tokens, longer.seconds) == (None, 40.0)
