"""Finding Lean: what the settings, the environment and a project say, and what stands behind the walls."""

from __future__ import annotations

from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError
from llemma.prove.config import ProverConfig
from llemma.prove.lean.install import installation

LAKE = """#!/bin/sh
[ -f fail ] && { echo "error: no such package" >&2; exit 1; }
[ "$1 $2" = "env printenv" ] || exit 2
printf "%s\\n" "LEAN_PATH=$PWD/lib:$PWD/more" "LEAN_SYSROOT=$PWD/toolchain" SECRET=x
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for part in ("lib", "more", "toolchain/bin", ".lake/packages/repl/.lake/build/bin"):
        (folder / part).mkdir(parents=True)
    (folder / "lib" / "A.olean").write_bytes(bytes(3 << 20))
    (folder / "lean-toolchain").write_text("leanprover/lean4:v4.24.0\n")
    (folder / "lake-manifest.json").write_text('{"packages": []}')
    repl = folder / ".lake/packages/repl/.lake/build/bin/repl"
    repl.write_text("#!/bin/sh\n")
    repl.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "lake").write_text(LAKE)
    (tools / "lake").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.delenv("LLEMMA_LEAN_PROJECT", raising=False)
    return folder


@pytest.mark.parametrize("how", ["settings", "environment", "command"])
def test_a_project_brings_its_repl_and_its_libraries(how: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ProverConfig(project=str(project), memory_mb=1000)
    if how == "environment":
        monkeypatch.setenv("LLEMMA_LEAN_PROJECT", str(project))
        config = ProverConfig(memory_mb=1000)
    elif how == "command":
        config = ProverConfig(project=str(project), command=["lake", "env", "repl"], memory_mb=1000)
    found = installation(config)
    assert found.command == [str(project / ".lake/packages/repl/.lake/build/bin/repl")]
    environment = dict(found.walls.environment)
    assert environment["LEAN_PATH"] == f"{project}/lib:{project}/more" and "SECRET" not in environment
    assert list(found.walls.readable) == [str(project)]
    assert found.limit_mb == 1003 and found.walls.memory_mb > 2000
    assert found.identity.startswith("lean, v4.24.0, project ")


def test_other_libraries_are_another_identity(project: Path) -> None:
    config = ProverConfig(project=str(project))
    before = installation(config).identity
    (project / "lake-manifest.json").write_text('{"packages": [1]}')
    assert installation(config).identity != before


def test_a_project_that_lake_refuses_says_so(project: Path) -> None:
    (project / "fail").touch()
    with pytest.raises(LlemmaError, match="no such package"):
        installation(ProverConfig(project=str(project)))
