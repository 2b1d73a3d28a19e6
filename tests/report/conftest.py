from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llemma.report import build


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"report_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The builder of run folders."""
    return _load("fixture")


@pytest.fixture(scope="session")
def run_folder(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; read it only."""
    return made.write_run(tmp_path_factory.mktemp("runs") / "mini")


@pytest.fixture(scope="session")
def report(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `run_folder`; read it only."""
    return build([run_folder], tmp_path_factory.mktemp("reports") / "mini").parent


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium: the system's own, driven by playwright."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with driver.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Visit:
    """A window of the browser that keeps what was requested, and what the page complained of."""

    def __init__(self, browser: Any, width: int = 1400, scheme: str = "light") -> None:
        self.context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def open(self, page: Path | str, fragment: str = "") -> Any:
        """Go to a file or an address, and wait for its scripts."""
        # a new fragment alone would not load the page again
        self.page.goto("about:blank")
        self.page.goto((page if isinstance(page, str) else page.as_uri()) + fragment, wait_until="load")
        if self.page.query_selector("#list"):
            self.settle("llemma.search.complete()")
        return self.page

    def settle(self, condition: str, seconds: float = 20.0) -> None:
        """Wait until an expression is true; the pages' policy forbids the driver's own way, which evaluates text."""
        end = time.monotonic() + seconds
        while not self._holds(condition):
            assert time.monotonic() < end, f"waited in vain for {condition}"
            time.sleep(0.02)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.page.evaluate(condition))
        except Exception as error:  # the page may be on its way to its next state
            assert "navigation" in str(error) or "null" in str(error), error
            return False


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open windows; they are closed at the end."""
    opened: list[Visit] = []

    def make(**options: Any) -> Visit:
        opened.append(Visit(chromium, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.context.close()
