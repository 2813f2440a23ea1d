"""Charts of block characters for a terminal: columns of eighths, with the part above a mark in another colour.

Which series is drawn where is the view's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

__all__ = ["Bars", "bar", "chart", "columns"]

EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
LEFT_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Bars:
    """One column a value: filled to `value` in `style`, from there to `upper` in `upper_style` (None: nothing above)."""

    value: float
    style: str
    upper: float | None = None
    upper_style: str = ""


def columns(times: Sequence[float], values: Sequence[float], duration: float, width: int) -> list[float | None]:
    """The highest value of each of `width` equal parts of the duration; None where nothing was recorded yet.

    A part between two recorded ones that has no value of its own takes the one before it.
    """
    found: list[float | None] = [None] * width
    for time, value in zip(times, values, strict=True):
        column = min(int(time / duration * width), width - 1) if duration > 0 else 0
        known = found[column]
        found[column] = value if known is None else max(known, value)
    last = max((column for column, value in enumerate(found) if value is not None), default=-1)
    for column in range(1, last + 1):
        if found[column] is None:
            found[column] = found[column - 1]
    return found


def chart(bars: Sequence[Bars | None], height: int, top: float) -> list[Text]:
    """`height` lines, highest first; a value of `top` or more fills its column."""
    lines = []
    for row in reversed(range(height)):
        line = Text(no_wrap=True)
        for column in bars:
            if column is None:
                line.append(" ")
            else:
                line.append(*_cell(column, row, height, top))
        lines.append(line)
    return lines


def _cell(column: Bars, row: int, height: int, top: float) -> tuple[str, str]:
    filled = _eighths(column.value, row, height, top)
    upper = filled if column.upper is None else _eighths(column.upper, row, height, top)
    if filled == 8 or upper <= filled:
        return EIGHTHS[filled], column.style
    if filled == 0:
        return EIGHTHS[upper], column.upper_style
    # A cell has two colours at the most: where both parts meet the upper one fills the cell.
    return EIGHTHS[filled], f"{column.style} on {column.upper_style}"


def _eighths(value: float, row: int, height: int, top: float) -> int:
    level = 0.0 if top <= 0 or math.isnan(value) else min(max(value / top, 0.0), 1.0) * height * 8
    # Anything above zero is visible.
    whole = max(round(level), 1) if level > 0 else 0
    return min(max(whole - row * 8, 0), 8)


def bar(share: float, width: int) -> str:
    """A horizontal bar of `width` cells, filled to `share` (0..1)."""
    filled = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(filled, 8)
    text = "█" * whole + (LEFT_EIGHTHS[rest] if rest else "")
    return text.ljust(width)
