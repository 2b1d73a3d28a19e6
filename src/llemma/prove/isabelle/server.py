"""An Isabelle server behind the sandbox's walls, with one session in which theories are checked."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from llemma.core.errors import LlemmaError, MissingError
from llemma.prove.config import ProverConfig
from llemma.prove.isabelle.config import IsabelleConfig
from llemma.prove.isabelle.wire import Message, Wire, WireError
from llemma.tools.confined import SCRATCH, Confined, Walls

_HERE = Path(__file__).parent
_RELAY = "/relay.py"  # where the relay lies behind the walls
_THEORIES = "/theories"  # and the theories
_START = 120.0  # seconds for a server's greeting: a Java machine on a cold disk
_ANSWER = 30.0  # seconds for commands that the server answers at once
_GRACE = 15.0  # seconds beyond a limit that the server itself keeps
_DELAY = 0.25  # seconds between two looks of the server at its theories
_MEND = "build the session once outside: `isabelle build -b -o system_heaps SESSION` (docs/proving.md)"
_ADDRESSES = 4  # Java and Poly/ML reserve several times the addresses of the memory they use


class Note(msgspec.Struct, frozen=True):
    """A message that a theory's command produced: `kind` is `writeln`, `warning`, `error` and the like."""

    kind: str = ""
    message: str = ""


class Status(msgspec.Struct, frozen=True):
    """How far a theory got: commands by state. `ok` says no more than that none failed so far."""

    ok: bool = False
    total: int = 0
    unprocessed: int = 0
    running: int = 0
    failed: int = 0
    canceled: bool = False
    consolidated: bool = False


class Node(msgspec.Struct, frozen=True):
    """A theory as `use_theories` reports it."""

    theory_name: str
    status: Status = Status()
    messages: list[Note] = []

    @property
    def errors(self) -> list[str]:
        """The texts of its errors."""
        return [note.message for note in self.messages if note.kind == "error"]

    @property
    def finished(self) -> bool:
        """Whether every command ran to its end, the theory's `end` among them."""
        left = self.status.unprocessed or self.status.running
        return self.status.consolidated and not left and not self.status.canceled

    @property
    def clean(self) -> bool:
        """Whether it finished without any failure or error."""
        return self.finished and self.status.ok and not self.status.failed and not self.errors


class Results(msgspec.Struct, frozen=True):
    """The answer of `use_theories`."""

    ok: bool = False
    errors: list[Note] = []
    nodes: list[Node] = []


class RefusedError(Exception):
    """The server works but will not do what it was asked; the message is its own."""


class Installed(msgspec.Struct, frozen=True):
    """Where Isabelle is: what to run before `server`, and the folders it reads (None where it did not say)."""

    command: list[str]
    home: str | None = None
    heaps: str | None = None


def installed(config: ProverConfig) -> Installed:
    """Isabelle as `config.command`, `LLEMMA_ISABELLE` or the search path have it. Raises `MissingError`."""
    command = config.command or [os.environ.get("LLEMMA_ISABELLE") or "isabelle"]
    program = shutil.which(command[0])
    if program is None:
        mend = "get it from https://isabelle.in.tum.de, unpack it and put its bin/ on the PATH (docs/proving.md)"
        raise MissingError(f"'{command[0]}' is not there", where="prover 'isabelle'", mend=mend)
    command = [program, *command[1:]]
    if "server" in command:
        return Installed(command)
    ask = [*command, "getenv", "-b", "ISABELLE_HOME", "ISABELLE_HEAPS"]
    try:
        said = subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"'{command[0]}' does not run: {error}", where="prover 'isabelle'") from None
    home, heaps = [line if Path(line).is_dir() else None for line in [*said.stdout.splitlines(), "", ""][:2]]
    inner = Path(home or "/") / "bin" / "isabelle"
    return Installed([str(inner)] if inner.is_file() else command, home, heaps)


def version(isabelle: Installed) -> str:
    """`Isabelle2025-2` and the like, as the program says; empty where it is given as a whole server command."""
    if "server" in isabelle.command:
        return ""
    ask = [*isabelle.command, "version"]
    said = subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return said.stdout.strip()


class Server:
    """One server with one session, started at the first use and anew after a crash or a lost answer."""

    def __init__(self, config: ProverConfig, options: IsabelleConfig) -> None:
        """Raises `MissingError` where Isabelle is not there, `LlemmaError` where it may not be used this way."""
        self._config, self._options = config, options
        self.isabelle = installed(config)
        self.attached = "-s" in self.isabelle.command
        if self.attached and config.isolation == "full":
            mend = "start it by llemma, or name the weaker isolation 'rlimits'"
            raise LlemmaError("a running server is not behind the walls", where="prover 'isabelle'", mend=mend)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._program: Confined | None = None
        self._errors: IO[bytes] | None = None
        self._wire: Wire | None = None
        self._session = ""
        self.version = ""
        """`Isabelle2025-2` and the like; empty before the start."""

    def start(self) -> None:
        """The server and its session, unless they run. Raises `LlemmaError` where they cannot be had."""
        if self._session and self._program is not None and self._program.alive():
            return
        self.stop()
        try:
            self._open()
        except (WireError, RefusedError) as error:
            what = f"Isabelle does not start: {error}; {self._chatter()}".rstrip("; ")
            self.stop()
            raise LlemmaError(what, where=f"session '{self._options.session}'", mend=_MEND) from None
        except BaseException:
            self.stop()
            raise

    def use(self, theories: Mapping[str, str], seconds: float) -> dict[str, Node]:
        """Check theories (name to text) together and forget them; what is not done after `seconds` is reported so.

        Raises `WireError`, after which the server has been ended, and `RefusedError`.
        """
        self.start()
        folder = self._files()
        for name, text in theories.items():
            (folder / f"{name}.thy").write_text(text, encoding="utf-8")
            (folder / f"{name}.thy").chmod(0o644)
        try:
            return self._use(list(theories), seconds)
        except WireError:
            self._wire = None  # it does not listen any more
            self.stop()
            raise
        finally:
            for name in theories:
                (folder / f"{name}.thy").unlink(missing_ok=True)

    def stop(self) -> None:
        """End the session and the server, every process of it; may be called at any time."""
        program, self._program = self._program, None
        if program is not None:
            self._say_goodbye()
            pids = [] if program.walled else _descendants(program.process.pid)
            program.kill()
            for pid in pids:  # Isabelle puts its own processes into sessions of their own
                _end(pid)
        self._wire, self._session = None, ""
        if self._errors is not None:
            self._errors.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._errors = self._folder = None

    def _open(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="llemma-isabelle-")
        Path(self._folder.name).chmod(0o755)
        self._program = self._started(self._folder.name)
        self._wire = Wire(self._program.stdin, self._program.stdout)
        greeting = self._wire.receive(time.monotonic() + _START)
        if greeting.name != "OK":
            raise WireError("crash", _text(greeting.argument) or "the server does not greet")
        self.version = str(_field(greeting.argument, "isabelle_name"))
        options = self._options
        arguments: dict[str, Any] = {"session": options.session, "options": [f"threads={options.threads}"]}
        if options.include_sessions:
            arguments["include_sessions"] = options.include_sessions
        if self._directories():
            arguments["dirs"] = self._directories()
        self._session = str(_field(self._task("session_start", arguments, options.build_seconds), "session_id"))

    def _chatter(self) -> str:
        """The end of what the server wrote to its standard error."""
        if self._errors is None:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 1000))
        return self._errors.read().decode(errors="replace").strip()

    def _started(self, folder: str) -> Confined:
        full = self._config.isolation == "full"
        command = self.isabelle.command
        if "server" not in command:
            command = [*command, "server", "-n", f"llemma-{os.getpid()}-{Path(folder).name[-8:]}"]
        home = f"{SCRATCH}/home" if full else ""
        settings = {"home": home, "settings": self._settings(), "seconds": _START}
        relay = _RELAY if full else str(_HERE / "relay.py")
        python = [os.path.realpath(sys.executable), "-I", "-S", relay, json.dumps(settings)]
        self._errors = tempfile.TemporaryFile()
        return Confined([*python, *command], self._walls(folder, home), stderr=self._errors.fileno())

    def _settings(self) -> str:
        """Isabelle's settings behind the walls: what it writes goes to scratch, heaps are where they were."""
        memory = self._config.memory_mb
        java = f"-Djava.awt.headless=true -Djava.io.tmpdir={SCRATCH} -Xms64m -Xmx{max(512, memory // 3)}m -Xss16m"
        lines = [
            f'ISABELLE_TMP_PREFIX="{SCRATCH}/tmp"',
            f'ISABELLE_TOOL_JAVA_OPTIONS="{java}"',
            f'ML_OPTIONS="--minheap 300 --maxheap {memory}"',
        ]
        if self.isabelle.heaps is not None:
            lines.append(f'ISABELLE_HEAPS="{self.isabelle.heaps}"')
        return "\n".join(lines) + "\n"

    def _walls(self, folder: str, home: str) -> Walls:
        memory = self._config.memory_mb * _ADDRESSES
        if not home:
            return Walls(environment=dict(os.environ), memory_mb=memory, isolation="rlimits")
        library = f"{os.path.realpath(sys.base_prefix)}/lib"
        places = [library, "/usr/bin", "/bin", self.isabelle.home, self.isabelle.heaps, *self._directories()]
        given = [part for part in self.isabelle.command[1:] if part.startswith("/")]
        seen = {place: place for place in [*places, *given] if place is not None and os.path.lexists(place)}
        environment = {"HOME": home, "USER_HOME": home, "USER": "isabelle", "LANG": "C.UTF-8", "TMPDIR": SCRATCH}
        return Walls(
            readable={**seen, _RELAY: str(_HERE / "relay.py"), _THEORIES: folder},
            environment={**environment, "PATH": "/usr/local/bin:/usr/bin:/bin"},
            memory_mb=memory,
            scratch_mb=512,
        )

    def _directories(self) -> list[str]:
        named = [*self._options.directories, *([self._config.project] if self._config.project else [])]
        return [str(Path(folder).resolve()) for folder in named]

    def _files(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name)

    def _use(self, names: list[str], seconds: float) -> dict[str, Node]:
        master = _THEORIES if self._config.isolation == "full" else self._files().as_posix()
        where = {"session_id": self._session, "theories": names, "master_dir": master}
        limits = {
            "check_delay": _DELAY,
            "check_limit": math.ceil(seconds / _DELAY),
            "watchdog_timeout": seconds,
            "pretty_margin": 1e6,  # one line a message's item
        }
        said = self._task("use_theories", {**where, **limits}, seconds + _GRACE)
        try:
            results = msgspec.convert(said, Results)
        except msgspec.ValidationError as error:
            raise WireError("crash", f"not results of theories: {error}") from None
        with contextlib.suppress(RefusedError):
            self._ask("purge_theories", where)
        return {node.theory_name.rpartition(".")[2]: node for node in results.nodes}

    def _ask(self, command: str, argument: Any = None) -> Any:
        """What the server answers at once; notes that were on their way are passed over."""
        assert self._wire is not None
        deadline = time.monotonic() + _ANSWER
        self._wire.send(Message(command, argument), deadline)
        while (answer := self._wire.receive(deadline)).name not in ("OK", "ERROR"):
            pass
        if answer.name == "ERROR":
            raise RefusedError(_text(answer.argument))
        return answer.argument

    def _task(self, command: str, argument: Any, seconds: float) -> Any:
        """What a task ends with."""
        assert self._wire is not None
        deadline = time.monotonic() + seconds
        task = _field(self._ask(command, argument), "task")
        while True:
            answer = self._wire.receive(deadline)
            if answer.name in ("FINISHED", "FAILED") and _field(answer.argument, "task") == task:
                if answer.name == "FAILED":
                    raise RefusedError(_text(answer.argument))
                return answer.argument

    def _say_goodbye(self) -> None:
        """Let a server that still listens end by itself, so that nothing of it is left even without walls."""
        if self._wire is None or not self._session:
            return
        deadline = time.monotonic() + 5.0
        try:
            stop = Message("session_stop", {"session_id": self._session})
            self._wire.send(stop if self.attached else Message("shutdown"), deadline)
            while self._wire.receive(deadline).name not in ("FINISHED", "FAILED", "ERROR"):
                pass
        except WireError:
            pass


def _field(argument: Any, name: str) -> Any:
    if not isinstance(argument, dict) or name not in argument:
        raise WireError("crash", f"an answer without '{name}'")
    return argument[name]


def _text(argument: Any) -> str:
    return str(argument.get("message", argument)) if isinstance(argument, dict) else str(argument or "")


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
