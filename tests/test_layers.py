"""Who may import whom, and how large things may grow."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "llemma"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = {
    "core": set(),
    "corpus": {"core", "tools"},
    "tokens": {"core"},
    "model": {"core"},
    "train": {"core", "tokens", "model"},
    "backends": {"core", "model", "tokens"},
    "tools": {"core"},
    "evals": {"core", "backends.base", "tools"},
    "prove": {"core", "backends.base", "tools"},
    "overlap": {"core"},
    "report": {"core"},
    "reproduce": {
        "core",
        "corpus",
        "tokens",
        "model",
        "train",
        "backends",
        "tools",
        "evals",
        "prove",
        "report",
        "overlap",
    },
}
ROOMS["cli"] = ROOMS["reproduce"] | {"reproduce"}
TORCH = {"model", "train", "backends", "reproduce"}


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", [p for p in FILES if p.parent != SOURCE], ids=lambda p: str(p.relative_to(SOURCE)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    for name in imports(path):
        if name.startswith("llemma."):
            inside = name.removeprefix("llemma.")
            other = inside.split(".")[0]
            allowed = other == room or any(inside == may or inside.startswith(f"{may}.") for may in ROOMS[room])
            assert allowed, f"{path} imports {name}"
        if name.split(".")[0] in ("torch", "safetensors"):
            assert room in TORCH, f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "config.py"], ids=lambda p: p.parent.name)
def test_settings_are_light(path: Path) -> None:
    allowed = ("llemma.core.", "llemma.tools.config.", "msgspec", "typing.", "__future__.")
    assert all(name.startswith(allowed) for name in imports(path))


def functions() -> list[tuple[str, int]]:
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                found.append((f"{path.relative_to(SOURCE)}:{node.name}", node.end_lineno - node.lineno + 1))
    return found


@pytest.mark.slow
def test_functions_fit_a_screen() -> None:
    sizes = functions()
    too_long = [item for item in sizes if item[1] > 80]
    assert not too_long
    lengths = sorted(size for _, size in sizes)
    assert statistics.median(lengths) <= 10
    assert lengths[int(0.95 * len(lengths))] <= 45


def test_files_stay_short() -> None:
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in FILES}
    assert not {name: size for name, size in lengths.items() if size > 400}


def test_public_things_are_documented() -> None:
    bare = []
    for path in FILES:
        tree = ast.parse(path.read_text())
        for node in tree.body:
            if (
                isinstance(node, (ast.FunctionDef, ast.ClassDef))
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                bare.append(f"{path.relative_to(SOURCE)}:{node.name}")
    assert not bare
