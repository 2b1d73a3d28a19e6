"""A REPL that says what was recorded, and misbehaves as it is told: `replay_server.py FILE SUITE/SESSION [FAULT [AT]]`.

FAULT happens at request number AT (from 0; default: at each). It runs behind the walls, so it needs nothing but the
standard library.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def requests() -> Iterator[dict]:
    lines: list[str] = []
    for raw in sys.stdin.buffer:
        line = raw.decode().rstrip()
        if line:
            lines.append(line)
        elif lines:
            yield json.loads("".join(lines))
            lines = []


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def shifted(value: object, move) -> object:
    """`value` with every number of an environment or a proof state moved."""
    if isinstance(value, dict):
        ids = ("env", "proofState")
        return {key: move(item) if key in ids else shifted(item, move) for key, item in value.items()}
    return [shifted(item, move) for item in value] if isinstance(value, list) else value


def answer(reply: bytes, fault: str) -> None:
    if fault == "delay":
        time.sleep(0.05)
    elif fault == "dribble":
        for at in range(0, len(reply), 7):  # cuts lines and letters
            write(reply[at : at + 7])
            if at < 140:
                time.sleep(0.0005)
        return
    elif fault == "noise":
        write("info: [1/3] Building «Foo» {not json}\nwarning: {\n\n".encode() + b"\xff\xfe trailing\n")
        os.write(2, b"stderr noise\n" * 20_000)
    elif fault == "late-noise":
        write(reply + b"some more noise\n\n\n")
        return
    elif fault in ("crash", "half-stall"):
        write(reply[: len(reply) // 2])
        if fault == "crash":
            os.write(2, b"uncaught exception: the roof came down\n")
            os._exit(3)
        time.sleep(1000)
    elif fault == "eof":
        os._exit(0)
    elif fault == "closed":
        os.close(1)
        time.sleep(1000)
    elif fault == "stall":
        time.sleep(1000)
    elif fault in ("flood", "flood-blocks", "flood-open"):
        lump = {"flood": b"x" * 63 + b"\n", "flood-blocks": b"noise, noise\n\n", "flood-open": b'{"env": [ \n'}[fault]
        for _ in range(100):
            write(lump * ((1 << 20) // len(lump)))
    elif fault == "damaged":
        reply = reply[: len(reply) // 2] + b"\n\n"
    elif fault == "list":
        reply = b'{\n "env": "nought"}\n\n'
    elif fault == "twice":
        reply += reply
    elif fault == "stale":
        reply = b'{"env": 0}\n\n' if b"goals" not in reply else b'{"proofState": 0, "goals": []}\n\n'
    elif fault == "oom":
        os.write(2, b"INTERNAL PANIC: out of memory\n")
        os._exit(1)
    elif fault == "hog":
        held = []
        while True:
            held.append(bytearray(os.urandom(1 << 20)))
            time.sleep(0.005)
    write(reply)


def main(file: str, session: str, fault: str = "", at: str = "-1") -> None:
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    rows = [row for row in rows if f"{row['suite']}/{row['session']}" == session]
    if fault == "deaf":
        time.sleep(1000)
    if fault == "unasked":
        write(b'{"env": 0}\n\n')
    out, back = (lambda n: n * 7 + 3, lambda n: (n - 3) // 7) if fault == "jump" else (lambda n: n, lambda n: n)
    for number, (row, asked) in enumerate(zip(rows, requests(), strict=False)):
        if shifted(asked, back) != row["request"]:
            sys.exit(f"asked {asked}, recorded {row['request']}")
        text = json.dumps(shifted(row["response"], out), ensure_ascii=False, indent=1 if number % 2 else None)
        answer(text.encode() + b"\n\n", fault if int(at) in (-1, number) else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
