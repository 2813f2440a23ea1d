"""How a fault is worded: the source, what happened, what to do. When there is one is decided elsewhere."""

from __future__ import annotations

from controller.api import Reason
from controller.prometheus.query import Fault

__all__ = ["excerpt", "fault"]

_LONGEST = 300


def fault(source: str, reason: Reason, what: str, remedy: str) -> Fault:
    """The fault with its one sentence."""
    return Fault(reason, f"source {source} {what}; {remedy}")


def excerpt(text: str) -> str:
    """Somebody else's words in one line that fits into a condition."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
