"""Programs that mean harm: (name, program, outcomes that are right). `PROOF` is a file name no program may leave behind.

Grouped by what they attack. An outcome `ok` is right where the program only looks, and prints what it finds: then the
test reads its output.
"""

from __future__ import annotations

from typing import NamedTuple

PROOF = "llemma-hostile-proof"


class Hostile(NamedTuple):
    """A program and the outcomes that show it was held."""

    name: str
    program: str
    outcomes: set[str]
    shows: str | None = None
    """What standard output must be, where the program reports what it could see."""


def _c(*lines: str) -> str:
    """A program that calls libc."""
    return "\n".join(["import ctypes, os, sys", "libc = ctypes.CDLL(None, use_errno=True)", *lines])


def _refused(call: str) -> str:
    """A raw system call that must fail with EPERM."""
    return _c(f"result = libc.syscall({call})", "print(result, ctypes.get_errno())")


TIME = [
    Hostile("loop", "while True: pass", {"timeout"}),
    Hostile("loop that swallows everything", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", {"timeout"}),
    Hostile("loop in C", "sum(range(10**12))", {"timeout"}),
    Hostile("power", "x = 7 ** (10 ** 9)", {"timeout", "memory"}),
    Hostile("factorial", "import math\nmath.factorial(10**8)", {"timeout", "memory"}),
    Hostile("decimal", "from decimal import *\ngetcontext().prec = 10**7\nDecimal(2).sqrt().ln()", {"timeout", "memory"}),
    Hostile("regex", "import re\nre.match(r'(a+)+$', 'a' * 64 + 'b')", {"timeout"}),
    Hostile("sleep", "import time\ntime.sleep(1000)", {"timeout"}),
    Hostile("every signal ignored", "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass", {"timeout"}),
    Hostile("every signal blocked", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", {"timeout"}),
    Hostile("timers cancelled", "import signal\nsignal.alarm(0)\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass", {"timeout"}),
    Hostile("lock", "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()", {"timeout"}),
    Hostile("thread that never ends", "import threading\nthreading.Thread(target=lambda: sum(iter(lambda: 1, 0))).start()", {"timeout"}),
    Hostile("value whose text never ends", "class A:\n    def __str__(self):\n        while True: pass\nA()", {"timeout"}),
    Hostile("exit handler that never ends", "import atexit, time\natexit.register(time.sleep, 1000)", {"timeout"}),
    Hostile("error whose text never ends", "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E", {"timeout"}),
    Hostile("exit that is refused", "import sys\nwhile True:\n    try: sys.exit()\n    except SystemExit: pass", {"timeout"}),
    Hostile("reading a pipe", "import os\nr, w = os.pipe()\nos.read(r, 1)", {"timeout"}),
    Hostile("symbolic work", "from sympy import *\nx = symbols('x')\nfactor(expand((x**2 + x + 1)**1500))", {"timeout", "memory"}),
]  # fmt: skip

MEMORY = [
    Hostile("one block", "x = bytearray(10**11)", {"memory"}),
    Hostile("list", "x = [0] * 10**10", {"memory"}),
    Hostile("growing", "x = []\nwhile True: x.append(' ' * 10**6)", {"memory"}),
    Hostile("doubling", "x = [1]\nwhile True: x += x", {"memory"}),
    Hostile("hog that swallows the error", "x = []\nwhile True:\n    try: x.append(bytearray(10**7))\n    except MemoryError: pass", {"memory"}),
    Hostile("numpy", "import numpy as np\nx = np.ones((10**6, 10**5))", {"memory"}),
    Hostile("map", "import mmap\nm = mmap.mmap(-1, 1 << 40)", {"memory", "error"}),
    Hostile("format", "'%.' + '9' * 9 + 'd'\nx = '%.999999999f' % 1.5", {"memory", "error", "timeout"}),
    Hostile("huge value", "' ' * 10**8", {"ok"}),
    Hostile("limits raised", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nx = bytearray(10**10)", {"error", "denied"}),
    Hostile("threads of memory", "import threading\n[threading.Thread(target=lambda: bytearray(10**8)).start() for _ in range(1000)]", {"error", "memory", "killed", "timeout"}),
    Hostile("hash table", "x = {}\ni = 0\nwhile True:\n    x[i] = i\n    i += 1", {"memory", "timeout"}),
    Hostile("pipes", "import os, fcntl\nfor _ in range(10**5):\n    r, w = os.pipe()\n    os.set_blocking(w, False)\n    os.write(w, b'x' * 65536)", {"error"}),
]  # fmt: skip

PROCESSES = [
    Hostile("fork", "import os\nos.fork()", {"denied"}),
    Hostile("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout"}),
    Hostile("vfork", _c("print(libc.vfork(), ctypes.get_errno())"), {"ok"}, "-1 1\n"),
    Hostile("clone as fork", _refused("56, 17, 0, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("clone into a new user namespace", _refused("56, 0x10000000 | 17, 0, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("clone of a thread into new namespaces", _refused("56, 0x10000000 | 0x10000 | 0x800 | 0x100, 0, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("clone with high bits", _refused("56, (1 << 40) | 17, 0, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("clone3", _refused("435, 0, 0"), {"ok"}, "-1 38\n"),
    Hostile("sleeping grandchild", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(1000)", {"denied"}),
    Hostile("daemon", "import multiprocessing, time\nmultiprocessing.Process(target=time.sleep, args=(1000,)).start()", {"denied", "error"}),
    Hostile("shell", "import os\nprint(os.system('sleep 1000') != 0)", {"ok", "denied"}, "True\n"),
    Hostile("subprocess", "import subprocess\nsubprocess.Popen(['sleep', '1000'])", {"denied"}),
    Hostile("posix_spawn", "import os\nos.posix_spawn('/usr/lib/x', ['x'], {})", {"denied", "error"}),
    Hostile("exec", "import os, sys\nos.execv(sys.executable, ['python'])", {"denied"}),
    Hostile("popen in C", _c("print(libc.popen(b'id', b'r'))"), {"ok"}, "0\n"),
    Hostile("execveat of memory", _c("fd = libc.memfd_create(b'x', 0)", "print(fd, ctypes.get_errno())"), {"ok"}, "-1 1\n"),
    Hostile("execveat", _refused("322, 0, b'', 0, 0, 0x1000"), {"ok"}, "-1 1\n"),
    Hostile("thread bomb", "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1000,)).start()", {"timeout"}),
    Hostile("kill everyone", "import os\nos.kill(-1, 9)\nwhile True: pass", {"killed"}),
    Hostile("kill itself", "import os\nos.kill(os.getpid(), 9)\nwhile True: pass", {"killed"}),
    Hostile("terminate itself", "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nwhile True: pass", {"killed"}),
    Hostile("alarm unheard", "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\nwhile True: pass", {"killed"}),
    Hostile("kill the parent", "import os\nprint(os.getppid())\nos.kill(os.getppid() or -1, 9)", {"killed"}),
    Hostile("signal by number", "import os\nfor pid in range(2, 500):\n    try: os.kill(pid, 15)\n    except ProcessLookupError: continue\n    print('found', pid)", {"ok"}, ""),
    Hostile("ptrace", _refused("101, 16, 1, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("memory of others", _refused("310, 2, 0, 0, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("pidfd", _refused("434, 1, 0"), {"ok"}, "-1 1\n"),
    Hostile("other processes", "import os\nprint(os.listdir('/proc'))", {"ok"}, "[]\n"),
    Hostile("memory of itself through /proc", "open('/proc/self/mem', 'rb')", {"error"}),
    Hostile("niceness", "import os\nos.nice(-10)", {"denied"}),
    Hostile("scheduler", "import os\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))", {"denied"}),
]  # fmt: skip

FILES = [
    Hostile("secrets", "import os\nfor path in ('/etc/passwd', '/etc/shadow', '/root/.ssh', '/home', '/var', '/run', '/sys', '/work', '/boot'):\n    if os.path.exists(path): print(path)", {"ok"}, ""),
    Hostile("environment", "import os\nprint(dict(os.environ))", {"ok"}, "{}\n"),
    Hostile("home", "import os\nprint(os.path.expanduser('~'))", {"ok"}, "~\n"),
    Hostile("write to the root", f"open('/{PROOF}', 'w')", {"denied"}),
    Hostile("write to the interpreter", f"import os\nopen(os.path.dirname(os.__file__) + '/{PROOF}', 'w')", {"denied"}),
    Hostile("write to the packages", f"import sympy, os\nopen(os.path.dirname(sympy.__file__) + '/{PROOF}', 'w')", {"denied"}),
    Hostile("write to the server's code", f"open('/sandbox/inside/{PROOF}', 'w')", {"denied"}),
    Hostile("write to /dev", f"open('/dev/{PROOF}', 'w')", {"denied"}),
    Hostile("write to /proc", f"open('/proc/{PROOF}', 'w')", {"denied"}),
    Hostile("write to shared memory", f"open('/dev/shm/{PROOF}', 'w')", {"error", "denied"}),
    Hostile("scratch", f"open('/tmp/{PROOF}', 'w').write('x')\nprint(open('/tmp/{PROOF}').read())", {"ok"}, "x\n"),
    Hostile("scratch of the one before", "import os\nprint(os.listdir('/tmp'))", {"ok"}, "[]\n"),
    Hostile("scratch filled", "for i in range(100):\n    with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(10**6))", {"error"}),
    Hostile("inodes", "for i in range(10**5): open(f'/tmp/{i}', 'w').close()", {"error"}),
    Hostile("large file", "with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(10**6))", {"error", "killed"}),
    Hostile("descriptors", "f = [open('/dev/null') for _ in range(10**4)]", {"error"}),
    Hostile("deep folders", "import os\nfor _ in range(10**4):\n    os.mkdir('d')\n    os.chdir('d')", {"error"}),
    Hostile("link to a secret", "import os\nos.symlink('/etc/passwd', '/tmp/a')\nopen('/tmp/a')", {"error"}),
    Hostile("link race", "import os\nos.symlink('/proc/1/root/etc/passwd', 'a')\nos.symlink('a', 'b')\nos.replace('b', 'a')\nopen('a')", {"error", "denied"}),
    Hostile("rename out", f"import os\nopen('{PROOF}', 'w').close()\nos.rename('{PROOF}', '/{PROOF}')", {"error", "denied"}),
    Hostile("device node", "import os, stat\nos.mknod('/tmp/sda', stat.S_IFBLK | 0o600, os.makedev(8, 0))", {"denied"}),
    Hostile("set-user-id file", "import os\nopen('x', 'w').close()\nos.chmod('x', 0o4755)\nos.chown('x', 0, 0)", {"denied", "error"}),
    Hostile("open by handle", _refused("304, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("break out of the root", "import os\nos.chroot('/tmp')", {"denied"}),
    Hostile("pivot_root", _refused("155, b'/tmp', b'/tmp'"), {"ok"}, "-1 1\n"),
    Hostile("mount", _refused("165, b'none', b'/tmp', b'proc', 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("unmount the cover of /proc", _refused("166, b'/proc', 2"), {"ok"}, "-1 1\n"),
    Hostile("new mounts", _refused("428, -100, b'/', 1"), {"ok"}, "-1 1\n"),
    Hostile("terminal", "open('/dev/tty', 'w').write('x')", {"error", "denied"}),
]  # fmt: skip

KERNEL = [
    Hostile("unshare", _refused("272, 0x10000000"), {"ok"}, "-1 1\n"),
    Hostile("setns", _refused("308, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("keyctl", _refused("250, 0, -3, 1"), {"ok"}, "-1 1\n"),
    Hostile("bpf", _refused("321, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("io_uring", _refused("425, 8, 0"), {"ok"}, "-1 1\n"),
    Hostile("perf", _refused("298, 0, 0, -1, -1, 0"), {"ok"}, "-1 1\n"),
    Hostile("userfaultfd", _refused("323, 0"), {"ok"}, "-1 1\n"),
    Hostile("a call of tomorrow", _refused("470, 0"), {"ok"}, "-1 38\n"),
    Hostile("the x32 table", _refused("0x40000000 + 39"), {"killed"}),
    Hostile("shared memory", _refused("29, 0, 4096, 0o1666"), {"ok"}, "-1 1\n"),
    Hostile("message queue", _refused("68, 0, 0o1666"), {"ok"}, "-1 1\n"),
    Hostile("personality", _refused("135, 0x0040000"), {"ok"}, "-1 1\n"),
    Hostile("become root", "import os\nos.setuid(0)", {"denied"}),
    Hostile("groups", "import os\nos.setgroups([0])", {"denied"}),
    Hostile("clock", "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)", {"denied"}),
    Hostile("host name", "import socket\nsocket.sethostname('x')", {"denied"}),
    Hostile("reboot", _refused("169, 0xfee1dead, 672274793, 0x1234567"), {"ok"}, "-1 1\n"),
    Hostile("module", _refused("175, 0, 0, 0"), {"ok"}, "-1 1\n"),
    Hostile("privileges back", _c("print(libc.prctl(38, 0, 0, 0, 0), libc.prctl(39, 0, 0, 0, 0))"), {"ok"}, "-1 1\n"),
    Hostile("capabilities", _c("print([libc.prctl(23, c, 0, 0, 0) for c in range(41)] == [0] * 41)"), {"ok"}, "True\n"),
    Hostile("core dump", "import ctypes\nctypes.string_at(0)", {"killed"}),
]  # fmt: skip

NETWORK = [
    Hostile("TCP", "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)", {"denied"}),
    Hostile("UDP", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)", {"denied"}),
    Hostile("UNIX", "import socket\nsocket.socket(socket.AF_UNIX)", {"denied"}),
    Hostile("socket pair", "import socket\nsocket.socketpair()", {"denied"}),
    Hostile("netlink", "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", {"denied"}),
    Hostile("packets", "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)", {"denied"}),
    Hostile("names", "import socket\nsocket.getaddrinfo('example.org', 80)", {"error", "denied"}),
    Hostile("web", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1/')", {"error", "denied"}),
    Hostile("server", "import http.server\nhttp.server.HTTPServer(('', 8000), None)", {"denied"}),
    Hostile("event loop", "import asyncio\nasyncio.run(asyncio.sleep(0))", {"denied"}),
]  # fmt: skip

OUTPUT = [
    Hostile("flood", "while True: print('x' * 1000)", {"output_capped"}),
    Hostile("one long line", "print('x' * 10**7)", {"output_capped"}),
    Hostile("flood past Python", "import os\nwhile True: os.write(1, b'x' * 65536)", {"output_capped"}),
    Hostile("flood on standard error", "import os, sys\nfor _ in range(1000): os.write(2, b'x' * 65536)", {"ok"}, ""),
    Hostile("flood of answers", "import os\nwhile True: os.write(4, b'x' * 65536)", {"output_capped"}),
    Hostile("no text", "import os\nos.write(1, bytes(range(256)))", {"ok"}),
    Hostile("half a character", "print('\\ud800')", {"error"}),
    Hostile("output closed", "import os\nos.close(1)\nprint('x')", {"ok", "error"}),
    Hostile("output replaced", "import sys\nsys.stdout = None", {"ok"}),
    Hostile("escape codes", "print('\\x1b[2J\\x1b]0;owned\\x07')", {"ok"}),
    Hostile("input", "input()", {"error"}),
]  # fmt: skip

SERVER = [
    Hostile("server's pipes", "import os\nfound = []\nfor fd in range(3, 1024):\n    try: os.fstat(fd)\n    except OSError: continue\n    found.append(fd)\nprint(found)", {"ok"}, "[3, 4]\n"),
    Hostile("all pipes closed", "import os\nos.closerange(0, 1024)", {"error"}),
    Hostile("a forged answer", "import os\nos.write(4, b'{\"outcome\": \"ok\", \"value\": \"forged\", \"srepr\": null, \"error\": null}\\n')\nos._exit(0)", {"ok"}),
    Hostile("a senseless answer", "import os\nos.write(4, b'\\xff\\x00[' * 1000)\nos._exit(0)", {"error"}),
    Hostile("an answer too deep", "import os\nos.write(4, b'[' * 60000)\nos._exit(0)", {"error"}),
    Hostile("an answer of another type", "import os\nos.write(4, b'{\"outcome\": [], \"value\": 7}\\n')\nos._exit(0)", {"error"}),
    Hostile("a forged failure of the sandbox", "import os\nos.write(4, b'{\"outcome\": \"setup\", \"error\": \"x\"}\\n')\nos._exit(113)", {"error"}),
    Hostile("frames", "import sys\nf = sys._getframe()\nnames = set()\nwhile f:\n    names |= set(f.f_locals)\n    f = f.f_back\nprint('secret' in names, 'gold' in names)", {"ok"}, "False False\n"),
    Hostile("objects of the server", "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Server': o.control.send(b'kill 0')", {"ok", "error"}),
    Hostile("server's socket in memory", "import socket\nsocket.socket(fileno=5)", {"error", "denied"}),
    Hostile("answer function replaced", "import sys\np = sys.modules['inside.program']\np._send = lambda a: None", {"ok"}),
    Hostile("runner replaced", "import sys\np = sys.modules['inside.program']\np.json.dumps = lambda a: '{}'", {"error"}),
    Hostile("request pipe", "import os\nos.set_blocking(3, False)\nprint(os.read(3, 100))", {"error"}),
]  # fmt: skip

INTERPRETER = [
    Hostile("null", "import ctypes\nctypes.string_at(0)", {"killed"}),
    Hostile("abort", "import os\nos.abort()", {"killed"}),
    Hostile("raised fault", "import faulthandler\nfaulthandler._sigsegv()\nwhile True: pass", {"killed"}),
    Hostile("bytecode", "import types\nf = lambda: 0\nf.__code__ = f.__code__.replace(co_code=b'\\x64\\xff' * 50)\nf()", {"killed", "error"}),
    Hostile("recursion", "def f(): return f()\nf()", {"error"}),
    Hostile("recursion without limit", "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())", {"killed", "memory", "error"}),
    Hostile("deep source", "(" * 100000, {"error", "memory"}),
    Hostile("deep expression", "-" * 100000 + "1", {"error", "memory", "killed"}),
    Hostile("null bytes", "x = 1\x00", {"error"}),
    Hostile("surrogates", "x = '\ud800'", {"error"}),
    Hostile("many digits", "print(len(str(10 ** 5000)))", {"ok"}, "5001\n"),
    Hostile("exit", "import sys\nsys.exit(3)", {"error"}),
    Hostile("quiet exit", "import os\nos._exit(0)", {"ok"}),
    Hostile("hard exit", "import os\nos._exit(7)", {"error"}),
    Hostile("exit in a handler", "import atexit, os\natexit.register(os._exit, 9)", {"error"}),
    Hostile("builtins", "import builtins\nfor n in ('print', 'len', 'str', 'repr', 'open', 'isinstance', 'type', 'eval', 'exec'): setattr(builtins, n, None)", {"ok", "error"}),
    Hostile("print", "import builtins\nbuiltins.print = lambda *a: None", {"ok"}),
    Hostile("modules", "import sys\nsys.modules.clear()", {"ok", "error"}),
    Hostile("json", "import json\njson.dumps = json.loads = None", {"error"}),
    Hostile("sympy", "import sympy\nsympy.Integer.__add__ = lambda a, b: 41\nsympy.srepr = None\nsympy.Integer(1)", {"error"}),
    Hostile("collector", "import gc, ctypes\ngc.unfreeze()\ngc.collect()\nfor o in gc.get_objects():\n    try: o.clear()\n    except Exception: pass", {"ok", "error", "killed"}),
    Hostile("interned integers", "import ctypes\nctypes.memset(id(7) + 24, 9, 1)\n7 + 0", {"ok", "error", "killed"}),
    Hostile("codecs", "import codecs\ncodecs.register(lambda name: 1 / 0)\n'x'.encode('nonsense')", {"error"}),
    Hostile("trace", "import sys\nsys.settrace(lambda *a: 1 / 0)\ndef f(): pass\nf()", {"error"}),
    Hostile("type of type", "class M(type):\n    def __instancecheck__(s, o): raise SystemExit(1)\nclass A(metaclass=M): pass\nA()", {"ok"}),
    Hostile("value that lies", "class A(str):\n    def __getitem__(s, k): return 7\n    def __str__(s): return s\nA('x')", {"ok", "error"}),
    Hostile("value that kills", "class A:\n    def __str__(s):\n        import os\n        os.kill(1, 9)\nA()", {"killed"}),
    Hostile("pickle", "import pickle, os\nclass A:\n    def __reduce__(s): return os.system, ('id',)\nA()", {"ok"}),
    Hostile("interrupt", "raise KeyboardInterrupt", {"error"}),
    Hostile("base exception", "class E(BaseException): pass\nraise E('x')", {"error"}),
]  # fmt: skip

HOSTILE = [*TIME, *MEMORY, *PROCESSES, *FILES, *KERNEL, *NETWORK, *OUTPUT, *SERVER, *INTERPRETER]
