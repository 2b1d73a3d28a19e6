"""Starts an Isabelle server and joins its loopback port to our standard input and output.

Behind the sandbox's walls there is no network but a loopback of its own, so nobody outside can connect: this program
runs behind the same walls and passes bytes on. It runs by itself (`python -I -S relay.py SETTINGS COMMAND...`) and
needs the standard library alone. Whatever it has to say of its own is a message of the server's protocol.

SETTINGS is JSON: `home`, a folder to make as the user's home, or empty to leave the environment alone; `settings`, the
lines of Isabelle's settings file there; `seconds`, how long the server may take to start.
"""

import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

# what `isabelle server` prints (isabelle system manual, section 4.1)
INFO = re.compile(rb'server "[^"]*" = (127\.0\.0\.1):([0-9]{1,5}) \(password "([^"]*)"\)')


_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


def main() -> None:
    """Start, connect, pass on until one side ends; nothing that was started outlives us."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # whoever loses its parent becomes our child
    try:
        work()
    finally:
        end_children()


def work() -> None:
    """Start, connect, pass on until one side ends."""
    settings, command = json.loads(sys.argv[1]), sys.argv[2:]
    if settings["home"]:
        make_home(settings["home"], settings["settings"], command)
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert server.stdout is not None
        found = INFO.search(first_line(server.stdout.fileno(), settings["seconds"]))
        if found is None:
            say("the command does not say where its server listens")
            return
        address, port, password = found.groups()
        connection = socket.create_connection((address.decode(), int(port)), timeout=settings["seconds"])
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(password + b"\n")
    except OSError as error:
        say(f"the server does not start: {error}")
        return
    join(connection, server.stdout.fileno())


def make_home(home: str, lines: str, command: list[str]) -> None:
    """The user's folder of Isabelle with its settings, where Isabelle itself says it belongs."""
    Path(home).mkdir(parents=True, exist_ok=True)
    program = command[: command.index("server")] if "server" in command else command
    ask = [*program, "getenv", "-b", "ISABELLE_HOME_USER"]
    said = subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout.strip()
    folder = Path(said if said.startswith(home) else f"{home}/.isabelle") / "etc"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings").write_text(lines)


def first_line(source: int, seconds: float) -> bytes:
    """The first line that speaks of a server, or what came before the end or the limit."""
    text = b""
    while not INFO.search(text) and len(text) < 65_536 and select.select([source], [], [], seconds)[0]:
        piece = os.read(source, 4096)
        if not piece:
            break
        text += piece
    return text


def say(what: str) -> None:
    """An error in the words of the protocol."""
    message = b"ERROR " + json.dumps({"kind": "error", "message": what}).encode()
    os.write(1, b"%d\n%s\n" % (len(message) + 1, message))


def join(connection: socket.socket, chatter: int) -> None:
    """Pass bytes both ways until either side ends; what the server still prints is read and dropped."""
    sources = {0, connection.fileno(), chatter}
    while True:
        for source in select.select(list(sources), [], [])[0]:
            piece = os.read(source, 65_536) if source != connection.fileno() else receive(connection)
            if source == chatter:
                if not piece:
                    sources.discard(chatter)
            elif not piece:
                return
            elif source == 0:
                connection.sendall(piece)
            else:
                write_all(piece)


def end_children() -> None:
    """Kill children until there are none: those of a killed child become ours."""
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
            os.waitpid(int(child), 0)


def receive(connection: socket.socket) -> bytes:
    """What the server sends next; nothing at its end, however it ends."""
    try:
        return connection.recv(65_536)
    except OSError:
        return b""


def write_all(piece: bytes) -> None:
    """Write to standard output, which may take part of it at a time."""
    while piece:
        piece = piece[os.write(1, piece) :]


if __name__ == "__main__":
    main()
