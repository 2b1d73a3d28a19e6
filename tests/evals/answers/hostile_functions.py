"""What a worker may be asked to do in `test_workers.py`: some of it kills or hangs it."""

import os
import signal
import subprocess
import time
from pathlib import Path


def prepare():
    print("a library that prints")


def spin():
    while True:
        pass


def spin_with_child(note):
    Path(note).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
    spin()


def hog():
    return len(bytearray(1 << 40))


def fail():
    raise ValueError("no such thing")


ANSWERS = {
    "pid": os.getpid,
    "double": lambda number: 2 * number,
    "noise": lambda: print("noise", flush=True),
    "sleep": time.sleep,
    "spin": spin,
    "spin_with_child": spin_with_child,
    "huge_power": lambda: 7 ** (7**12),
    "hog": hog,
    "fail": fail,
    "exit": lambda: os._exit(3),
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
}
