"""What we write in lm-evaluation-harness' shape, read by its own tools where it is installed (or `LLEMMA_LM_EVAL`)."""

import json
import os
import subprocess
import sys

import pytest

from llemma.evals.config import EvalConfig
from llemma.evals.runner import evaluate
from llemma.evals.samples import export

# The part of the harness that reads its files: names and dates, the table, the card of a data set of results (with
# the hub's three functions replaced). The card is what finds the newest results and reads them by `load_dataset`.
SCRIPT = """
import json, os, sys
from datasets import load_dataset
import huggingface_hub
from lm_eval import utils
from lm_eval.loggers import EvaluationTracker
root = sys.argv[1]
files = [f"{root}/model/{name}" for name in sorted(os.listdir(f"{root}/model"))]
[results] = utils.get_results_filenames(files)
samples = utils.get_sample_results_filenames(files)
tasks = {utils.get_file_task_name(os.path.basename(path)): path for path in samples}
table = utils.make_table(json.load(open(results)))
rows = {task: load_dataset("json", data_files=path, split="train").to_list() for task, path in tasks.items()}

card = {}
class Card:
    def push_to_hub(self, *given, **options): pass
    @classmethod
    def from_template(cls, data, **options):
        card.update(text=data.dataset_summary)
        return cls()
huggingface_hub.hf_hub_url = lambda repo_id, filename, repo_type: filename
huggingface_hub.DatasetCard = Card
tracker = EvaluationTracker()
tracker.api = type("Api", (), {"list_repo_files": lambda self, **given: files})()
tracker.public_repo, tracker.details_repo = True, "someone/details"
tracker.details_repo_private, tracker.general_config_tracker.model_name = "", "model"
tracker.recreate_metadata_card()
print(json.dumps({"table": table, "rows": rows, "card": card["text"]}))
"""


def read_by_harness(folder):
    python = os.environ.get("LLEMMA_LM_EVAL") or sys.executable
    probe = subprocess.run([python, "-c", "import lm_eval.loggers"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no lm_eval in {python}; LLEMMA_LM_EVAL names a Python that has it")
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    done = subprocess.run([python, "-c", SCRIPT, str(folder)], capture_output=True, text=True, check=False, env=offline)
    assert not done.returncode, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def exported(tmp_path, scripted, sums, quiet):
    backend = scripted(lambda request, sample: "The answer is 6." if sample < 2 else "um what was it again")
    evaluate(backend, [sums], EvalConfig(k=3, limit=4), tmp_path / "run", console=quiet)
    written = export(tmp_path / "run", tmp_path / "model", "2026-01-02T03-04-05")
    return tmp_path, written


def test_names_and_the_fields_that_viewers_read(exported):
    _, written = exported
    assert [path.name for path in written] == [
        "results_2026-01-02T03-04-05.json",
        "samples_sums_2026-01-02T03-04-05.jsonl",
    ]
    results = json.loads(written[0].read_text())
    assert results["config"]["model_args"] == "" and results["model_source"] == "scripted"
    config = results["configs"]["sums"]
    assert [row["name"] for row in config["filter_list"]] == ["greedy", "sampled"]
    rows = [json.loads(line) for line in written[1].read_text().splitlines()]
    assert len(rows) == 8
    # a viewer makes one column a metric of the task, over the rows of all filters
    for metric in config["metric_list"]:
        assert {row[metric["metric"]] for row in rows} == {0.0, 1.0} and metric["aggregation"] == "mean"


@pytest.mark.slow
def test_the_harness_own_tools_read_it(exported):
    folder, _ = exported
    read = read_by_harness(folder)
    lines = [[cell.strip() for cell in line.split("|")] for line in read["table"].splitlines()]
    assert ["", "sums", "1", "greedy", "4", "exact_match", "↑", "0.2500", "±"] in [line[:9] for line in lines]
    assert any(line[3:6] == ["sampled", "4", "maj@3"] for line in lines[2:])
    assert [row["doc_id"] for row in read["rows"]["sums"]] == [0, 1, 2, 3] * 2
    assert read["rows"]["sums"][3]["resps"] == [["The answer is 6."]]
    assert "exact_match,greedy" in read["card"] and "sums" in read["card"]
