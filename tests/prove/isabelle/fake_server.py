"""A server that speaks Isabelle's protocol and knows a toy logic: sessions, tasks, notes, theories, and faults.

It runs as the program `isabelle` does: `fake_server.py getenv -b NAME...`, `fake_server.py version`, and
`fake_server.py server [-n NAME] [-s]`. With `-s`, NAME is a file that holds the line of a running server.

A goal is closed by the methods that `goals.json` lists for it, or by those it names itself: `closed_by auto simp`.
Sledgehammer suggests what stands behind `found_by`. A theory that has the word `fault_NAME` brings a fault about.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

PASSWORD = "b5a1c7f0-password"
GOALS = json.loads((Path(__file__).parent / "goals.json").read_text())
TOKEN = re.compile(r'"[^"]*"|\(|\)|\[[^\]]*\]|[^\s()"\[\]]+')
OPENERS = ("theorem", "lemma", "have", "show", "hence", "thus")


class Theory:
    """What a theory's text comes to: errors, messages and, by theorem, the oracles it rests on."""

    def __init__(self, text: str, known: dict) -> None:
        self.errors: list[str] = []
        self.messages: list[str] = []
        self.oracles: dict[str, set[str]] = {}
        self.stated: dict[str, str] = {}
        self.running = 0
        self.known = known
        self.goals: list[tuple[str, str]] = []  # what is to be proved: goal, name
        self.blocks: list[int] = []
        self.used: set[str] = set()
        tokens = TOKEN.findall(re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL))
        self.name = tokens[1] if tokens[:1] == ["theory"] else ""
        start = tokens.index("begin") + 1 if "begin" in tokens else len(tokens)
        self.total = len(tokens)
        try:
            self.run(tokens[start:])
        except (IndexError, ValueError) as error:
            self.errors.append(f"Outer syntax error: {error}")

    def run(self, tokens: list[str]) -> None:
        at = 0
        while at < len(tokens) and not self.running:
            word = tokens[at]
            at += 1
            if word in OPENERS:
                name = tokens[at].rstrip(":") if word in ("theorem", "lemma") else ""
                while not tokens[at].startswith('"') or tokens[at - 1] in ("assumes", "and", "h0:", "h1:"):
                    if tokens[at] == "?thesis":
                        break
                    at += 1
                goal = tokens[at].strip('"') if tokens[at] != "?thesis" else "done"
                self.goals.append((goal, name))
                at += 1
            elif word == "by":
                method, at = self.method(tokens, at)
                self.close(method)
            elif word == "sorry":
                self.used.add("skip_proof")
                self.finish()
            elif word == "proof":
                self.blocks.append(len(self.goals))
                at += tokens[at] == "-"
            elif word == "qed":
                if len(self.goals) != self.blocks.pop():
                    self.errors.append("Illegal application of proof command: goal not proved")
                self.finish()
            elif word == "sledgehammer":
                at += tokens[at].startswith("[")
                self.hammer()
            elif word == "declare":
                at += 1  # options of what is shown
            elif word == "thm":
                theory, _, fact = tokens[at].rpartition(".")
                at += 1
                if theory in self.known and fact in self.known[theory].stated:
                    self.messages.append(self.known[theory].stated[fact])
                else:
                    self.errors.append(f'Undefined fact: "{theory}.{fact}"')
            elif word == "thm_oracles":
                self.print_oracles(tokens[at])
                at += 1
            elif word == "end":
                if self.goals:
                    self.errors.append("Illegal application of command: unfinished proof")
            elif word == "oops":
                self.goals.pop()
            elif word not in ("then", "next", "done"):
                self.errors.append(f"Outer syntax error: command expected, but {word} was found")
                return

    @staticmethod
    def method(tokens: list[str], at: int) -> tuple[str, int]:
        if tokens[at] != "(":
            return tokens[at], at + 1
        end = tokens.index(")", at)
        return " ".join(tokens[at + 1 : end]), end + 1

    def close(self, method: str) -> None:
        goal, _ = self.goals[-1]
        listed = GOALS.get(goal, [])
        if goal.startswith("closed_by "):
            listed = goal.split()[1:]
        if goal.startswith("found_by "):
            listed = [goal.removeprefix("found_by ").replace("_", " ")]
        if goal.startswith("slow "):
            self.running = 1
            return
        if goal == "done":
            listed = [method]
        if method not in listed and method.split()[0] not in listed:
            self.errors.append(f"Failed to finish proof\\<^here>:\ngoal (1 subgoal):\n 1. {goal}")
        if method == "eval":
            self.used.add("Code_Runtime.holds_by_evaluation")
        self.finish()

    def finish(self) -> None:
        goal, name = self.goals.pop()
        if name:
            self.oracles[name] = self.used
            self.stated[name] = goal
            self.used = set()
            self.messages.append(f"theorem {name}: {goal}")

    def hammer(self) -> None:
        goal, _ = self.goals[-1]
        if goal.startswith("found_by "):
            found = goal.removeprefix("found_by ").replace("_", " ")
            self.messages.append("Sledgehammering...")
            self.messages.append(f"cvc5: Try this: by ({found}) (12 ms)")
        else:
            self.messages.append("No proof found")

    def print_oracles(self, name: str) -> None:
        theory, _, fact = name.rpartition(".")
        if theory not in self.known or fact not in self.known[theory].oracles:
            self.errors.append(f'Undefined fact: "{name}"')
            return
        found = sorted(self.known[theory].oracles[fact])
        self.messages.append("\n".join(["oracles:", *(f"  \u2022 {oracle}:  1 = 2" for oracle in found)]))

    def node(self) -> dict:
        notes = [{"kind": "writeln", "message": text, "pos": {"line": 1}} for text in self.messages]
        notes += [{"kind": "error", "message": text, "pos": {"line": 1}} for text in self.errors]
        status = {
            "ok": not self.errors,
            "total": self.total,
            "unprocessed": 3 * self.running,
            "running": self.running,
            "warned": 0,
            "failed": len(self.errors),
            "finished": self.total - len(self.errors) - 4 * self.running,
            "canceled": False,
            "consolidated": not self.running,
            "percentage": 99 if self.running else 100,
        }
        name = {"theory_name": f"Draft.{self.name}", "node_name": f"{self.name}.thy"}
        return {**name, "status": status, "messages": notes, "exports": []}


class Client(threading.Thread):
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.file = connection.makefile("rb")

    def run(self) -> None:
        if self.file.readline().rstrip(b"\r\n").decode() != PASSWORD:
            self.connection.close()
            return
        self.reply("OK", {"isabelle_id": "0", "isabelle_name": "IsabelleFake"})
        while (line := self.file.readline()) != b"":
            body = self.file.read(int(line)) if line.strip().isdigit() else line
            name, _, argument = body.decode().strip().partition(" ")
            command = getattr(self, f"do_{name}", None)
            if command is None:
                self.reply("ERROR", f"Bad command '{name}'")
            else:
                command(json.loads(argument) if argument else None)

    def send(self, body: bytes) -> None:
        long = len(body) > 100 or b"\n" in body
        self.connection.sendall((b"%d\n" % (len(body) + 1) if long else b"") + body + b"\n")

    def reply(self, kind: str, argument: object = None) -> None:
        self.send(kind.encode() if argument is None else f"{kind} {json.dumps(argument, ensure_ascii=False)}".encode())

    def task(self) -> str:
        task = str(uuid.uuid4())
        self.reply("OK", {"task": task})
        return task

    def do_help(self, _: object) -> None:
        self.reply("OK", sorted(name.removeprefix("do_") for name in dir(self) if name.startswith("do_")))

    def do_echo(self, argument: object) -> None:
        self.reply("OK", argument)

    def do_cancel(self, _: object) -> None:
        self.reply("OK")

    def do_shutdown(self, _: object) -> None:
        self.reply("OK")
        self.connection.shutdown(socket.SHUT_RDWR)
        PROVER.kill()
        os._exit(0)

    def do_session_start(self, argument: dict) -> None:
        task = self.task()
        for line in ("Session Pure/Pure", "Session HOL/HOL (main)", f"Starting session {argument['session']} ..."):
            self.reply("NOTE", {"kind": "writeln", "message": line, "verbose": "true", "task": task})
        if argument["session"] == "Absent":
            self.reply("FAILED", {"kind": "error", "message": 'Undefined session(s): "Absent"', "task": task})
        else:
            self.reply("FINISHED", {"session_id": str(uuid.uuid4()), "tmp_dir": "/tmp/x", "task": task})

    do_session_build = do_session_start

    def do_session_stop(self, _: object) -> None:
        self.reply("FINISHED", {"ok": True, "return_code": 0, "task": self.task()})

    def do_purge_theories(self, argument: dict) -> None:
        purged = [{"node_name": f"{name}.thy", "theory_name": f"Draft.{name}"} for name in argument["theories"]]
        self.reply("OK", {"purged": purged, "retained": []})

    def do_use_theories(self, argument: dict) -> None:
        task = self.task()
        folder = Path(argument["master_dir"])
        texts = {name: (folder / f"{name}.thy").read_text() for name in argument["theories"]}
        for fault in set(re.findall(r"fault_(\w+)", " ".join(texts.values()))):
            if getattr(self, f"fault_{fault}")(task):
                return
        known: dict[str, Theory] = {}
        for name, text in texts.items():
            known[name] = Theory(text, known)
            self.reply("NOTE", {"kind": "writeln", "message": f"theory Draft.{name} 100%", "task": task})
        if any(theory.running for theory in known.values()):
            time.sleep(min(argument["check_limit"] * argument["check_delay"], argument["watchdog_timeout"]))
        nodes = [theory.node() for theory in known.values()]
        errors = [note for node in nodes for note in node["messages"] if note["kind"] == "error"]
        self.reply("FINISHED", {"ok": not errors, "errors": errors, "nodes": nodes, "task": task})

    def fault_stall(self, task: str) -> bool:
        time.sleep(3600)
        return True

    def fault_cut(self, task: str) -> bool:
        self.connection.sendall(b'5000\nFINISHED {"ok":true,"errors":[],"nodes"')
        self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def fault_crash(self, task: str) -> bool:
        os._exit(3)

    def fault_garbage(self, task: str) -> bool:
        self.connection.sendall(b"FINISHED {this is no JSON\n")
        return True

    def fault_huge(self, task: str) -> bool:
        self.connection.sendall(b"99999999999\nFINISHED ")
        return True

    def fault_line(self, task: str) -> bool:
        self.connection.sendall(b"x" * 200_000)
        return True

    def fault_shape(self, task: str) -> bool:
        self.reply("FINISHED", {"ok": True, "errors": 7, "nodes": "none", "task": task})
        return True

    def fault_missing(self, task: str) -> bool:
        self.reply("FINISHED", {"ok": True, "errors": [], "nodes": [], "task": task})
        return True

    def fault_failed(self, task: str) -> bool:
        self.reply("FAILED", {"kind": "error", "message": "No such file: Absent.thy", "task": task})
        return True

    def fault_flood(self, task: str) -> bool:
        for number in range(3000):
            self.reply("NOTE", {"kind": "writeln", "message": f"note {number} " + "x" * 200, "task": task})
        return False

    def fault_endless(self, task: str) -> bool:
        while True:
            self.reply("NOTE", {"kind": "writeln", "message": "and on", "task": task})

    def fault_piecewise(self, task: str) -> bool:
        whole = b"NOTE " + json.dumps({"message": "y" * 300, "task": task}).encode()
        for byte in b"%d\n" % (len(whole) + 1) + whole + b"\n":
            self.connection.sendall(bytes([byte]))
        return False


def serve(arguments: list[str]) -> None:
    """`server`: print where it listens, and listen."""
    global PROVER
    name = arguments[arguments.index("-n") + 1] if "-n" in arguments else "isabelle"
    if "-s" in arguments:
        print(Path(name).read_text(), flush=True)
        return
    home = os.environ.get("USER_HOME")
    if home and "ISABELLE_TMP_PREFIX" not in (Path(home) / ".isabelle/Fake/etc/settings").read_text():
        sys.exit("no settings: Isabelle would write outside of its scratch folder")
    if "silent" in name:
        time.sleep(3600)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        PROVER = subprocess.Popen(["sleep", os.environ.get("MARK", "864123")], start_new_session=True)
        password = PASSWORD if "wrong" not in name else "another"
        line = f'server "{name}" = 127.0.0.1:{listening.getsockname()[1]} (password "{password}")'
        print(line, flush=True)
        while True:
            Client(listening.accept()[0]).start()


if __name__ == "__main__":
    if sys.argv[1] == "getenv":
        user = f"{os.environ.get('USER_HOME', '')}/.isabelle/Fake"
        known = {"ISABELLE_HOME": str(Path(__file__).parent), "ISABELLE_HOME_USER": user}
        for variable in sys.argv[3:]:
            print(known.get(variable, ""))
    elif sys.argv[1] == "version":
        print("IsabelleFake")
    else:
        serve(sys.argv[2:])
