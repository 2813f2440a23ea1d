"""Small plots as SVG text: panels one below the other on one time axis, drawn without any library.

A panel has layers (areas, lines, steps); what is plotted is the report's business. The SVG carries its own style, so that
it looks the same inside the report and as a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from controller.cli.demo.samples import clock_text

__all__ = ["Area", "Axis", "Dot", "Line", "Panel", "figure", "round_steps"]

WIDTH: Final = 960.0
LEFT: Final = 62.0
RIGHT: Final = 18.0
TITLE: Final = 34.0
GAP: Final = 22.0
FOOT: Final = 44.0
HEADING: Final = 32.0
NARROW: Final = frozenset("fijlrt.,:;'| ")
WIDE: Final = frozenset("mwMW%")

STYLE: Final = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#4a5058}"
    ".t{font-weight:600;fill:#1d2126}.g{stroke:#e6e8eb;stroke-width:1}.a{stroke:#9aa1a9;stroke-width:1}"
    ".h{font-size:15px;font-weight:600;fill:#1d2126}"
    ".b{fill:#eef0f2}.n{text-anchor:end}.m{text-anchor:middle}"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A vertical axis from `low` to `high` with `ticks` (value, text); values outside are drawn at its end."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value is between the bottom (0) and the top (1)."""
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(inside / self.low) / math.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through values; None is a gap. `stepped` lines keep a value until the next."""

    name: str
    colour: str
    values: Sequence[float | None]
    width: float = 2.0
    dashes: str = ""
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """What lies between two series of values; None is a gap."""

    name: str
    colour: str
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    opacity: float = 1.0
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with a text that shows when it is pointed at."""

    time: float
    value: float
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: its title with unit, its axis, and what is drawn, first at the back."""

    title: str
    axis: Axis
    areas: Sequence[Area] = ()
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    height: float = 130.0


def round_steps(high: float, count: int = 4) -> list[float]:
    """Round values from 0 to at least `high` in about `count` equal steps."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(high / step - 1e-9) + 1)]


def figure(
    times: Sequence[float],
    panels: Sequence[Panel],
    shaded: Iterable[tuple[float, float]] = (),
    shaded_name: str = "",
    axis_name: str = "",
    heading: str = "",
) -> str:
    """One SVG element of all panels, below a heading if there is one; `shaded` spans of time lie behind every panel and are named in
    the first legend."""
    shaded = list(shaded)
    begin, end = times[0], max(times[-1], times[0] + 1.0)

    def across(time: float) -> float:
        return LEFT + (time - begin) / (end - begin) * (WIDTH - LEFT - RIGHT)

    parts: list[str] = []
    top = 0.0
    if heading:
        parts.append(f'<text class="h" x="{LEFT:.1f}" y="20.0">{escape(heading)}</text>')
        top = HEADING
    for number, panel in enumerate(panels):
        top += TITLE
        bands = [(across(start), across(stop)) for start, stop in shaded]
        parts += _frame(panel, top, bands, shaded_name if number == 0 and shaded else "")
        parts += [_area(area, panel, times, across, top) for area in panel.areas]
        parts += [_line(line, panel, times, across, top) for line in panel.lines]
        parts += [_dot(dot, panel, across(dot.time), top) for dot in panel.dots]
        top += panel.height + GAP
    bottom = top - GAP
    for time in _time_ticks(begin, end):
        x = f"{across(time):.1f}"
        parts.append(f'<line class="a" x1="{x}" x2="{x}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>')
        parts.append(f'<text class="m" x="{x}" y="{bottom + 18:.1f}">{clock_text(time)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="m" x="{middle:.1f}" y="{bottom + 36:.1f}">{escape(axis_name)}</text>')
    height = bottom + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" width="100%" role="img">'
        f"<style>{STYLE}</style>" + "".join(parts) + "</svg>"
    )


def _frame(panel: Panel, top: float, bands: list[tuple[float, float]], shaded_name: str) -> list[str]:
    bottom, right = top + panel.height, WIDTH - RIGHT
    parts = [
        f'<rect class="b" x="{x:.1f}" y="{top:.1f}" width="{max(stop - x, 1.0):.1f}" height="{panel.height:.1f}"/>'
        for x, stop in bands
    ]
    for value, text in panel.axis.ticks:
        y = bottom - panel.axis.place(value) * panel.height
        parts.append(f'<line class="g" x1="{LEFT:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="n" x="{LEFT - 8:.1f}" y="{y + 4:.1f}">{escape(text)}</text>')
    parts.append(f'<line class="a" x1="{LEFT:.1f}" x2="{right:.1f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
    parts.append(f'<text class="t" x="{LEFT:.1f}" y="{top - 12:.1f}">{escape(panel.title)}</text>')
    return parts + _legend(panel, top, shaded_name)


def _legend(panel: Panel, top: float, shaded_name: str) -> list[str]:
    """The names of what is drawn, from the right edge to the left above the panel."""
    keys = [_area_key(area) for area in panel.areas if area.name]
    keys += [_line_key(line) for line in panel.lines if line.name]
    if shaded_name:
        keys.append((shaded_name, '<rect class="b" x="{x}" y="{y}" width="18" height="11"/>'))
    parts = []
    x = WIDTH - RIGHT
    for name, mark in reversed(keys):
        x -= _width(name)
        parts.append(f'<text x="{x:.1f}" y="{top - 12:.1f}">{escape(name)}</text>')
        x -= 24.0
        parts.append(mark.format(x=f"{x:.1f}", y=f"{top - 22:.1f}", middle=f"{top - 16:.1f}", right=f"{x + 18:.1f}"))
        x -= 16.0
    return parts


def _width(text: str) -> float:
    """About how wide a text is drawn; fonts differ, and a legend needs no more."""
    return sum(4.0 if letter in NARROW else 10.5 if letter in WIDE else 7.2 for letter in text)


def _area_key(area: Area) -> tuple[str, str]:
    return area.name, (
        f'<rect x="{{x}}" y="{{y}}" width="18" height="11" fill="{area.colour}" fill-opacity="{area.opacity:g}"/>'
    )


def _line_key(line: Line) -> tuple[str, str]:
    return line.name, f'<line x1="{{x}}" x2="{{right}}" y1="{{middle}}" y2="{{middle}}" {_stroke(line)}/>'


def _stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'fill="none" stroke="{line.colour}" stroke-width="{line.width:g}" stroke-linejoin="round"{dashes}'


def _area(area: Area, panel: Panel, times: Sequence[float], across: Callable[[float], float], top: float) -> str:
    lower, upper = _runs(area.lower, times, area.stepped), _runs(area.upper, times, area.stepped)
    paths = [
        _path([*above, *reversed(below)], panel, across, top) + "Z" for below, above in zip(lower, upper, strict=True)
    ]
    return f'<path d="{"".join(paths)}" fill="{area.colour}" fill-opacity="{area.opacity:g}"/>'


def _line(line: Line, panel: Panel, times: Sequence[float], across: Callable[[float], float], top: float) -> str:
    paths = [_path(run, panel, across, top) for run in _runs(line.values, times, line.stepped)]
    return f'<path d="{"".join(paths)}" {_stroke(line)}/>'


def _dot(dot: Dot, panel: Panel, x: float, top: float) -> str:
    y = top + (1.0 - panel.axis.place(dot.value)) * panel.height
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{dot.colour}" stroke="#fff" stroke-width="1">'
        f"<title>{escape(dot.text)}</title></circle>"
    )


def _runs(values: Sequence[float | None], times: Sequence[float], stepped: bool) -> list[list[tuple[float, float]]]:
    """The points of each stretch without a gap."""
    runs: list[list[tuple[float, float]]] = []
    run: list[tuple[float, float]] = []
    for time, value in zip(times, values, strict=True):
        if value is None:
            run = []
            continue
        if not run:
            runs.append(run)
        elif stepped:
            run.append((time, run[-1][1]))
        run.append((time, value))
    return runs


def _path(points: Sequence[tuple[float, float]], panel: Panel, across: Callable[[float], float], top: float) -> str:
    placed = (
        f"{across(time):.1f},{top + (1.0 - panel.axis.place(value)) * panel.height:.1f}" for time, value in points
    )
    return "M" + "L".join(placed)


def _time_ticks(begin: float, end: float) -> list[float]:
    step = next((s for s in (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600) if (end - begin) / s <= 12), 7200)
    first = math.ceil(begin / step)
    return [float(step * number) for number in range(first, int(end // step) + 1)]
