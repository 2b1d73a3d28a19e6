"""The benchmarks: for each where its rows are, how they are read, and how they are asked as published.

A `Benchmark` in the table below is what the registry knows; called with the user's options, it gives a `Task`. Shots,
stop strings, token budget and sampling are those of the paper (arXiv 2310.10631 and its evaluation code); sets that the
paper does not have are asked as the nearest that it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from llemma.core.errors import UsageError
from llemma.evals.answers.tasks import judge_of
from llemma.evals.benchmarks import harness, programs, rows
from llemma.evals.data import Hub, locate
from llemma.evals.programs import Program
from llemma.evals.task import (
    MINERVA,
    Example,
    Layout,
    Protocol,
    Sampling,
    Task,
    named,
    own_examples,
    read_examples,
)

MAX_TOKENS = 1024
"""New tokens a completion, in all published runs."""


@dataclass(frozen=True)
class Form:
    """A published way of asking: our file of worked examples, the shape of the prompt, where completions stop."""

    examples: str
    shots: int
    layout: Layout
    stop: tuple[str, ...]
    sampling: Sampling
    programs: dict[Protocol, Callable[[str], str]] | None = None
    """By protocol, from a completion to its program."""


STORY = Form("gsm8k", 8, Layout("Q: {}\nA:", gap=" "), ("\n\n",), Sampling(100, 0.6, 0.95))
PROOF = Form("math", 4, MINERVA, ("I hope it is correct.",), Sampling(256, 0.6, 0.95))
COURSE = Form("ocw_courses", 4, Layout("Problem:\n{}\nSolution:"), ("I hope it is correct.",), Sampling(100, 0.6, 0.95))
CHOICE = Form("choice", 4, COURSE.layout, COURSE.stop, Sampling(16, 0.3, 0.95))
STORY_PROGRAM = Form(
    "gsm8k_python",
    8,
    Layout("Q: {}\n\n# solution in Python:", gap="\n\n\n", between="\n\n\n\n\n"),
    ("Q:",),
    Sampling(1, 0.6, 0.95),
    {"default": programs.solution_call, "llemma": programs.published_solution_call},
)
PROOF_PROGRAM = Form(
    "math_python",
    5,
    Layout(
        "Problem:\n{}\n\nSolve the problem above with a Python program that leaves its result, a number or a SymPy"
        " object, in the variable answer.\n```"
    ),
    ("I hope my solution is correct.",),
    Sampling(16, 0.6, 0.95),
    {"default": programs.answer_program, "llemma": programs.published_answer_program},
)


@dataclass(frozen=True)
class Benchmark:
    """A task before the user's options. `size` is the number of its problems in the local layout."""

    name: str
    form: Form
    reader: rows.Reader
    hub: Hub
    size: int
    folder: str = ""
    """Of the local layout, where it is not the name."""

    def __call__(
        self,
        *,
        data: Path | None = None,
        protocol: Protocol = "default",
        prompts: str = "own",
        examples: Path | None = None,
        shots: int | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> Task:
        """The task. `data`: the folder of local benchmarks; `prompts`: `own`, `lm-eval` or a file of examples (as is
        `examples`). `MissingError` for a task that the protocol does not have, or without lm_eval."""
        judge, gold = self._judged(protocol)
        worked, layout, shown_from = self._prompts(str(examples or prompts))
        where = cache(partial(locate, self.folder or self.name, self.hub, data))
        return Task(
            name=self.name,
            version=1,
            load=lambda: rows.read(self.name, where(), self.reader, gold),
            prompt=layout.prompt,
            judge=judge,
            stop=self.form.stop,
            max_tokens=max_tokens,
            shots=min(self.form.shots, len(worked)) if shots is None else shots,
            examples=worked,
            sampling=self.form.sampling,
            protocol=protocol,
            prompts=shown_from,
            source=lambda: where().source,
            program=Program(self.form.programs[protocol]) if self.form.programs else None,
        )

    def _judged(self, protocol: Protocol) -> tuple[str, Callable[[rows.Item], str]]:
        """The judge's name, and how gold answers are read; the published reading has faults of its own."""
        judge = judge_of(self.name, protocol)
        return judge.name, rows.gold_answer if protocol == "default" else lambda item: judge.gold(item.gold)

    def _prompts(self, prompts: str) -> tuple[tuple[Example, ...], Layout, str]:
        """Worked examples, the shape they come in, and whose they are."""
        if prompts == "own":
            return own_examples(self.form.examples), self.form.layout, "own"
        if prompts != "lm-eval":
            return read_examples(Path(prompts)), self.form.layout, named(Path(prompts))
        if self.form not in (STORY, PROOF):
            having = ", ".join(name for name, each in TABLE.items() if each.form in (STORY, PROOF))
            raise UsageError(
                f"lm-eval has no worked examples for the task '{self.name}'",
                where="--prompts",
                mend=f"leave --prompts out, give a file, or take one of {having}",
            )
        worked = harness.gsm8k() if self.form is STORY else harness.minerva()
        # the harness puts one blank between a prompt and its answer (its default target_delimiter)
        return worked, self.form.layout._replace(gap=" "), harness.version()


_MATH_PARTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
_GSM8K = Hub("openai/gsm8k", ("main",))
_MATH = Hub("EleutherAI/hendrycks_math", _MATH_PARTS)
_SAT = Hub("mcaleste/sat_multiple_choice_math_may_23", splits=("train",))
_ASDIV = Hub("EleutherAI/asdiv", ("asdiv",), ("validation",))
_SVAMP = Hub("ChilleD/SVAMP", splits=("train", "test"))

TABLE = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("gsm8k", STORY, rows.word_problem, _GSM8K, 1319),
        Benchmark("math", PROOF, rows.mathematics, _MATH, 5000),
        Benchmark("math500", PROOF, rows.mathematics, Hub("HuggingFaceH4/MATH-500"), 500),
        Benchmark("ocw_courses", COURSE, rows.course, Hub("open-web-math/ocwcourses"), 272),
        Benchmark("mmlu_stem", CHOICE, rows.stem, Hub("cais/mmlu", rows.STEM), 3018),
        Benchmark("sat_math", CHOICE, rows.sat, _SAT, 32),
        Benchmark("svamp", STORY, rows.word_problem, _SVAMP, 1000),
        Benchmark("asdiv", STORY, rows.word_problem, _ASDIV, 2215),
        Benchmark("gsm_hard", STORY, rows.word_problem, Hub("reasoning-machines/gsm-hard", splits=("train",)), 1319),
        Benchmark("college_math", PROOF, rows.college, Hub("di-zhang-fdu/College_Math_Test"), 2818),
        Benchmark("aime24", PROOF, rows.competition, Hub("HuggingFaceH4/aime_2024", splits=("train",)), 30),
        Benchmark("amc23", PROOF, rows.competition, Hub("math-ai/amc23"), 40),
        Benchmark("gsm8k_python", STORY_PROGRAM, rows.word_problem, _GSM8K, 1319, folder="gsm8k"),
        Benchmark("math_python", PROOF_PROGRAM, rows.mathematics, _MATH, 5000, folder="math"),
    )
}
"""All benchmarks by name."""


def __getattr__(name: str) -> Benchmark:
    """`llemma.evals.benchmarks.gsm8k`: what the registry's lazy strings name."""
    try:
        return TABLE[name]
    except KeyError:
        raise AttributeError(name) from None
