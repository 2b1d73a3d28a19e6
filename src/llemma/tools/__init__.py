"""Untrusted Python under lock: programs that a model wrote, run fast and to an end that is always told."""

from llemma.tools.config import SandboxConfig
from llemma.tools.execution import ENDINGS, Ending, Execution
from llemma.tools.sandbox import Sandbox, Session

__all__ = ["ENDINGS", "Ending", "Execution", "Sandbox", "SandboxConfig", "Session"]
