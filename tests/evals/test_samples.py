import hashlib
import json

from llemma.evals.config import EvalConfig
from llemma.evals.runner import evaluate
from llemma.evals.samples import export_samples

KEYS = {
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "doc_hash",
    "prompt_hash",
    "target_hash",
}


def test_samples_have_the_harness_keys_and_hashes(tmp_path, scripted, sums, quiet):
    backend = scripted(lambda request, sample: "The answer is 6." if sample < 2 else "um what was it again")
    evaluate(backend, [sums], EvalConfig(k=3, limit=4), tmp_path / "out", console=quiet)
    [path] = export_samples(tmp_path / "out", tmp_path / "samples", "2023-10-16")
    assert path.name == "samples_sums_2023-10-16.jsonl"
    rows = [json.loads(line) for line in path.open()]
    assert len(rows) == 8
    assert all(set(row) >= KEYS for row in rows)
    greedy, voted = ([row for row in rows if row["filter"] == name] for name in ("greedy", "sampled"))
    assert [row["doc_id"] for row in greedy] == [row["doc_id"] for row in voted] == [0, 1, 2, 3]
    assert [row["exact_match"] for row in greedy] == [row["maj@3"] for row in voted] == [0.0, 0.0, 0.0, 1.0]
    assert voted[3]["resps"] == [["The answer is 6.", "The answer is 6.", "um what was it again"]]
    assert voted[3]["filtered_resps"] == ["6"]
    prompt = greedy[3]["arguments"]["gen_args_0"]["arg_0"]
    assert prompt.endswith("What is 3 + 3?\n\nSolution:")
    assert greedy[3]["prompt_hash"] == hashlib.sha256(prompt.encode()).hexdigest()
    assert greedy[3]["target_hash"] == hashlib.sha256(b"6").hexdigest()
