"""The command that starts a server, with all the walls that stand before any program is known."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Literal

import msgspec

from llemma.core.errors import MissingError
from llemma.tools.config import SandboxConfig
from llemma.tools.inside import kernel, seccomp

Image = Literal["light", "full"]
INSIDE = Path(__file__).parent / "inside"
NOBODY = 65534
_WALLED = "/sandbox"  # where `INSIDE` lies behind the walls
_CAP_SYS_ADMIN = 21
# the linker and the C libraries; most are links into /usr today
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
# the same hashes in every server: the same program prints a set in the same order; one arena and one thread of BLAS
# because each further one would take its share of the address space
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Launch(msgspec.Struct, frozen=True):
    """How to start one server: its command (a control descriptor and the settings are put in), environment, user."""

    command: list[str]
    environment: dict[str, str]
    settings: dict[str, int | str]
    user: int | None = None
    """Whom to become before the command; None stays who we are."""

    def arguments(self, image: Image, control: int) -> list[str]:
        """The command for one image, whose control socket is descriptor `control`."""
        return [*self.command, str(control), json.dumps({**self.settings, "image": image})]


def plan(config: SandboxConfig) -> Launch:
    """How servers of this configuration start on this machine; a `MissingError` where it lacks something."""
    packages = _packages() if config.packages is None else [str(Path(folder).resolve()) for folder in config.packages]
    # behind the walls packages lie elsewhere, because the scratch folder covers what may be below /tmp
    walled = {f"{_WALLED}/packages/{number}": folder for number, folder in enumerate(packages)}
    settings: dict[str, int | str] = {
        "mode": config.mode,
        "memory_mb": config.memory_mb,
        "scratch_mb": config.scratch_mb,
        "packages": ":".join(walled if config.mode == "full" else packages),
        "drop": 0,
    }
    if config.mode != "rlimits" and kernel.MACHINE not in seccomp.AUDIT:
        raise MissingError(f"no table of system calls for {kernel.MACHINE}", mend="name the weaker mode 'rlimits'")
    if config.mode != "full":
        return Launch(_python(INSIDE.parent), _ENVIRONMENT, settings)
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise MissingError("bubblewrap is not installed", where="mode 'full'", mend=mend())
    privileged = may_mount() and has_nobody()
    walls = [bubblewrap, *namespaces(privileged), *_file_system(walled)]
    if privileged:
        return Launch([*walls, *_python(Path(_WALLED))], {}, {**settings, "drop": NOBODY})
    return Launch(
        [*walls, *_python(Path(_WALLED))], {}, settings, NOBODY if os.geteuid() == 0 and has_nobody() else None
    )


_WEAKER = "or name a weaker mode: 'seccomp' (no protection of files) or 'rlimits' (none of files, processes, network)"
# a file of the kernel, the value by which it forbids what the sandbox needs, and the command that allows it
_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def mend() -> str:
    """What to change on this machine so that the mode `full` holds, as far as can be seen, and what else to do."""
    if shutil.which("bwrap") is None:
        return f"apt-get install bubblewrap; {_WEAKER}"
    for switch, forbids, command in _SWITCHES:
        if Path(switch).exists() and Path(switch).read_text().strip() == forbids:
            return f"as root: {command}; {_WEAKER}"
    return f"allow user namespaces here (docs/sandbox.md says how, also in containers); {_WEAKER}"


def _python(folder: Path) -> list[str]:
    # -S: no .pth file of the packages runs; -s -P: nothing of a user or a working folder is imported
    find = f"import sys; sys.path.insert(0, {str(folder)!r}); from inside import server"
    start = f"{find}; del sys.path[0]; server.main(int(sys.argv[1]), sys.argv[2])"
    return [os.path.realpath(sys.executable), "-s", "-S", "-P", "-c", start]


def may_mount() -> bool:
    """Whether we are root with the right to make namespaces, not merely root of a container."""
    if os.geteuid() != 0:
        return False
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return bool(int(fields["CapEff"], 16) >> _CAP_SYS_ADMIN & 1)


def has_nobody() -> bool:
    """Whether the ordinary user exists here; a namespace may map its root alone."""
    ranges = [map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= NOBODY < first + count for first, _, count in ranges)


def namespaces(privileged: bool) -> list[str]:
    """All namespaces. As root the user namespace is left to the child, and the server drops root instead: inside one,
    the ordinary user would still be root to the files outside, and no limit on processes would bind."""
    ours = ["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    rights = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    kinds = [*ours, *rights] if privileged else ["--unshare-all"]
    # bubblewrap stays as the first process behind the walls: when it, the server or we die, the kernel kills the rest
    return [*kinds, "--die-with-parent", "--new-session", "--hostname", "sandbox"]


def _file_system(packages: dict[str, str]) -> list[str]:
    # an empty /etc but for the linker's cache; /proc is covered again in every child
    made = ["--proc", "/proc", "--perms", "0755", "--dir", "/empty", "--perms", "0777", "--dir", "/tmp"]
    binds = {path: path for path in _interpreter()} | packages | {f"{_WALLED}/inside": str(INSIDE)}
    for path, source in binds.items():
        for folder in reversed(Path(path).parents[:-1]):
            if not any(folder.is_relative_to(other) for other in binds):
                made += ["--perms", "0755", "--dir", str(folder)]  # else bubblewrap makes it for itself alone
        link = path == source and Path(path).is_symlink()
        made += ["--symlink", str(Path(path).readlink()), path] if link else ["--ro-bind", source, path]
    made += ["--perms", "0755", "--dir", "/dev"]
    for device in DEVICES:
        made += ["--dev-bind", device, device]
    made += ["--remount-ro", "/", "--chdir", "/", "--clearenv"]
    for name, value in _ENVIRONMENT.items():
        made += ["--setenv", name, value]
    return made


def _interpreter() -> list[str]:
    """The interpreter and the libraries it is linked with, and nothing else that may lie beside them."""
    prefix = os.path.realpath(sys.base_prefix)
    if Path(prefix).is_relative_to("/tmp"):
        what = "an interpreter below /tmp, which the sandbox covers"
        raise MissingError(what, where=prefix, mend="install it elsewhere")
    parts = [*LIBRARIES, f"{prefix}/lib", f"{prefix}/lib64", os.path.realpath(sys.executable)]
    return [path for path in dict.fromkeys(parts) if os.path.lexists(path)]


@functools.cache
def _packages() -> list[str]:
    """The folders of installed packages: this environment's, and those that hold sympy and numpy."""
    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    for name in ("sympy", "numpy", "mpmath"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise MissingError(f"{name} is not installed", mend=f"pip install {name}")
        found.append(str(Path(spec.origin).parents[1]))
    return list(dict.fromkeys(os.path.realpath(path) for path in found))
