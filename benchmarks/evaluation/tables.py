"""Numbers and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["NOTHING", "case", "mean", "share", "table", "verdict"]

#: Where there is no number.
NOTHING = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> list[str]:
    """A table; its first columns, `words` of them, hold text, the others numbers."""
    rule = ["---"] * words + ["--:"] * (len(header) - words)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def share(value: float) -> str:
    """A share in per cent: two digits behind the point, fewer above ten."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def mean(values: Sequence[float]) -> float:
    """The mean over the seeds."""
    return float(np.mean(values))


def case(result: dict[str, Any]) -> str:
    """Violations with their spread, pod-hours, flips and the most pods of a day."""
    violations = result["violations"]
    spread = (max(violations) - min(violations)) / 2
    about = f" +-{share(spread)}" if spread >= max(0.005, 0.05 * mean(violations)) else ""
    hours, flips = mean(result["pod_hours"]), mean(result["flips"])
    return f"{share(mean(violations))}{about} / {hours:.0f} / {flips:.0f} / {max(result['most_pods']):.0f}"


def verdict(met: bool) -> str:
    """Whether a goal is met."""
    return "met" if met else "**not met**"
