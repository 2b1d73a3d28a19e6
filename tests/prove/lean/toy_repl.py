"""A stand-in for the REPL that knows a toy logic: implications and conjunctions of letters.

It speaks the REPL's protocol and keeps its rules: numbers count up, states never change, environments branch. Tactics:
`intro h`, `exact h`, `constructor`, `simp` (nothing), and `exact NAME` of what misbehaves:

    crash  hang  grow  heartbeats  holes  kernel  gap  nothing  cheat (an axiom of its own)  forge (writes replies)

`import Slow` takes a moment, `import Broken` fails, `import Never` ends the process.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator

LIBRARY_AXIOMS = ["propext", "Quot.sound"]
held: list[bytes] = []


class Wrong(Exception):
    """What Lean would call an error."""


def requests() -> Iterator[dict]:
    lines: list[str] = []
    for raw in sys.stdin.buffer:
        line = raw.decode().rstrip()
        if line:
            lines.append(line)
        elif lines:
            yield json.loads("".join(lines))
            lines = []


def parse(text: str) -> object:
    """`a → b ∧ c` as nested tuples; arrows bind weaker and to the right."""
    parts = re.findall(r"[a-z]\w*|→|∧|\(|\)", text)

    def arrow() -> object:
        left = conjunction()
        if parts and parts[0] == "→":
            parts.pop(0)
            return ("→", left, arrow())
        return left

    def conjunction() -> object:
        left = atom()
        if parts and parts[0] == "∧":
            parts.pop(0)
            return ("∧", left, conjunction())
        return left

    def atom() -> object:
        if not parts or parts[0] in "→∧)":
            raise Wrong("expected term")
        token = parts.pop(0)
        if token != "(":
            return token
        inner = arrow()
        if not parts or parts.pop(0) != ")":
            raise Wrong("expected ')'")
        return inner

    found = arrow()
    if parts:
        raise Wrong(f"unexpected token '{parts[0]}'")
    return found


def shown(term: object) -> str:
    return term if isinstance(term, str) else f"({shown(term[1])} {term[0]} {shown(term[2])})"


def goal_text(goal: tuple) -> str:
    hypotheses, target = goal
    return "".join(f"{name} : {shown(term)}\n" for name, term in hypotheses) + f"⊢ {shown(target)}"


class Repl:
    def __init__(self) -> None:
        self.envs: list[dict] = []
        self.states: list[dict] = []

    def answer(self, asked: dict) -> dict:
        if "tactic" in asked:
            if asked["proofState"] >= len(self.states):
                return {"message": "Unknown proof state."}
            try:
                return self.reply(run(self.states[asked["proofState"]], asked["tactic"]))
            except Wrong as error:
                return {"message": f"Lean error:\n{error}"}
        env = asked.get("env")
        if env is not None and env >= len(self.envs):
            return {"message": "Unknown environment."}
        return self.command(asked["cmd"], {} if env is None else dict(self.envs[env]))

    def reply(self, state: dict) -> dict:
        self.states.append(state)
        said: dict = {"proofState": len(self.states) - 1}
        if "old" not in sys.argv:  # before 2025 there was no status
            said["proofStatus"] = status(state)
        said["goals"] = [goal_text(goal) for goal in state["goals"]]
        return said

    def command(self, text: str, env: dict) -> dict:
        messages, sorries = [], []
        for part in re.split(r"\n(?=theorem|example|#print|import)", text.strip()):
            try:
                self.declare(part, env, messages, sorries)
            except Wrong as error:
                messages.append({"severity": "error", "pos": {"line": 1, "column": 0}, "data": str(error)})
        self.envs.append(env)
        said: dict = {"env": len(self.envs) - 1}
        if messages:
            said["messages"] = messages
        if sorries:
            said["sorries"] = sorries
        return said

    def declare(self, text: str, env: dict, messages: list, sorries: list) -> None:
        if text.startswith("import"):
            time.sleep(0.3 if "Slow" in text else 0)
            if "Broken" in text:
                raise Wrong("unknown module prefix 'Broken'")
            if "Never" in text:
                os._exit(1)
        elif match := re.fullmatch(r"example : type_of% @(\S+) := @(\S+)\s*", text):
            if env[match[1]]["type"] != env[match[2]]["type"]:
                raise Wrong("type mismatch")
        elif match := re.fullmatch(r"#print axioms (\S+)\s*", text):
            if match[1] not in env:
                raise Wrong(f"Unknown constant `{match[1]}`")
            axioms = env[match[1]]["axioms"]
            says = f"depends on axioms: [{', '.join(axioms)}]" if axioms else "does not depend on any axioms"
            messages.append({"severity": "info", "data": f"'{match[1]}' {says}"})
        elif match := re.fullmatch(r"theorem (\S+) : ([^:]*) := by\s(.*)", text, re.DOTALL):
            self.prove(match, env, messages, sorries)
        else:
            raise Wrong(f"unexpected command {text!r}")

    def prove(self, match: re.Match, env: dict, messages: list, sorries: list) -> None:
        target = parse(match[2])
        state = {"goals": [((), target)], "axioms": ["propext"], "self": match[1], "mark": None}
        for tactic in match[3].split("\n"):
            if tactic.strip() == "sorry":
                self.states.append(state)
                gap = {"proofState": len(self.states) - 1, "goal": goal_text(state["goals"][0])}
                sorries.append(gap)
                messages.append({"severity": "warning", "data": "declaration uses `sorry`"})
                state = {**state, "goals": [], "axioms": ["propext", "sorryAx"]}
            elif tactic.strip():
                state = run(state, tactic.strip())
        if state["goals"] or state["mark"]:
            raise Wrong("unsolved goals\n" + "\n\n".join(map(goal_text, state["goals"])))
        env[match[1]] = {"type": target, "axioms": state["axioms"]}


def status(state: dict) -> str:
    if state["goals"]:
        return "Incomplete: open goals remain"
    return state["mark"] or "Completed"


def run(state: dict, tactic: str) -> dict:
    word, _, name = tactic.partition(" ")
    if not state["goals"]:
        raise Wrong("no goals to be proved")
    (hypotheses, target), *rest = state["goals"]
    if word == "simp":
        return state
    if word == "intro" and isinstance(target, tuple) and target[0] == "→":
        return {**state, "goals": [((*hypotheses, (name, target[1])), target[2]), *rest]}
    if word == "constructor" and isinstance(target, tuple) and target[0] == "∧":
        return {**state, "goals": [(hypotheses, target[1]), (hypotheses, target[2]), *rest]}
    if word == "exact" and dict(hypotheses).get(name) == target:
        return {**state, "goals": rest}
    if word == "exact":
        return misbehave({**state, "goals": rest}, name)
    raise Wrong(f"tactic '{word}' failed")


def misbehave(state: dict, name: str) -> dict:
    if name == "crash":
        os._exit(134)
    if name == "hang":
        time.sleep(1000)
    if name == "grow":
        held.append(os.urandom(64 << 20))
        raise Wrong("grown")
    if name == "heartbeats":
        raise Wrong("(deterministic) timeout at `whnf`, maximum number of heartbeats (200000) has been reached")
    if name == "forge":
        for env in (50, 51):
            line = {"env": env, "messages": [{"severity": "info", "data": "'t' does not depend on any axioms"}]}
            print(json.dumps(line) + "\n", flush=True)
        raise Wrong("forged")
    if name == "cheat":
        return {**state, "axioms": ["propext", "cheat", "Lean.ofReduceBool"]}
    if name == "library":
        return {**state, "axioms": LIBRARY_AXIOMS}
    marks = {
        "holes": "Incomplete: contains metavariable(s)",
        "gap": "Incomplete: contains sorry",
        "kernel": "Error: kernel type check failed: (kernel) declaration has free variables",
        "several": "Not verified: more than one initial goal",
        "nothing": "Error: Goal not assigned",
    }
    if name == state["self"]:
        name = "kernel"
    if name not in marks:
        raise Wrong(f"Unknown identifier `{name}`")
    return {**state, "mark": marks[name]}


def main() -> None:
    repl = Repl()
    for asked in requests():
        print(json.dumps(repl.answer(asked), ensure_ascii=False, indent=1) + "\n", flush=True)


if __name__ == "__main__":
    main()
