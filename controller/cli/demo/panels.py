"""The four plots of a run: load and capacity, replicas, magnitude by dimension, latency against the promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.cli.demo.plots import Area, Axis, Dot, Line, Panel, figure, round_steps
from controller.cli.demo.samples import Moment, clock_text, decisions, seconds_text, spans

__all__ = ["DIMENSION_COLOURS", "draw"]

# Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE: Final = "#0072b2"
SKY: Final = "#56b4e9"
ORANGE: Final = "#e69f00"
GREEN: Final = "#009e73"
VERMILLION: Final = "#d55e00"
PURPLE: Final = "#cc79a7"
DARK: Final = "#1d2126"
GREY: Final = "#9aa1a9"
DIMENSION_COLOURS: Final = (SKY, ORANGE, GREEN, PURPLE, VERMILLION, BLUE)

LATENCY_TICKS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def draw(
    moments: Sequence[Moment], pod_rps: float, seconds_name: str, heading: str = "", beside: Sequence[Moment] = ()
) -> str:
    """The SVG of a run; `pod_rps` is what one pod carries within the promise, `seconds_name` names the time axis.

    A run that is shown `beside` another shares its axes.
    """
    both = [*moments, *beside]
    panels = [
        _load(moments, both, pod_rps),
        _replicas(moments, both),
        _magnitude(moments, both),
        _latency(moments, both),
    ]
    return figure([m.t for m in moments], panels, spans(moments), "pods starting", seconds_name, heading)


def _linear(high: float, form: str = "{:g}") -> Axis:
    steps = round_steps(high)
    return Axis(0.0, steps[-1], [(step, form.format(step)) for step in steps])


def _load(moments: Sequence[Moment], both: Sequence[Moment], pod_rps: float) -> Panel:
    load = [m.load_rps for m in moments]
    carried = [m.replicas_ready * pod_rps for m in moments]
    ahead = [m.outlook.ahead if m.outlook is not None and m.outlook.per_pod is not None else None for m in moments]
    known = any(each is not None for each in ahead)
    return Panel(
        "Load, requests per second",
        _linear(max(max(m.load_rps, m.replicas_ready * pod_rps) for m in both)),
        areas=[Area("load", GREY, [0.0] * len(load), load, opacity=0.45)],
        lines=[
            Line("", "#6b737c", load, width=1.5),
            *([Line("demand ahead", VERMILLION, ahead, width=1.25)] if known else []),
            Line("what the ready pods carry within the promise", GREEN, carried, width=1.75, stepped=True),
        ],
    )


def _replicas(moments: Sequence[Moment], both: Sequence[Moment]) -> Panel:
    ready = [float(m.replicas_ready) for m in moments]
    wanted = [float(m.replicas_spec) for m in moments]
    return Panel(
        "Replicas",
        _linear(float(max(max(m.replicas_ready, m.replicas_spec) for m in both))),
        areas=[Area("ready", BLUE, [0.0] * len(ready), ready, opacity=0.35, stepped=True)],
        lines=[
            Line("", BLUE, ready, width=1.25, stepped=True),
            Line("wanted", DARK, wanted, width=1.75, stepped=True),
        ],
        dots=[
            Dot(d.t, float(d.after), DARK, f"{clock_text(d.t)}  {d.before} → {d.after}: {d.sentence}")
            for d in decisions(moments)
        ],
    )


def _magnitude(moments: Sequence[Moment], both: Sequence[Moment]) -> Panel:
    """Each dimension's part of the magnitude, one on the other; what they add up to is the magnitude itself."""
    names = list(dict.fromkeys(dimension.name for m in moments for dimension in m.dimensions))
    areas = []
    lower: list[float | None] = [None if m.magnitude is None else 0.0 for m in moments]
    for number, name in enumerate(names):
        shares = [sum(d.share for d in m.dimensions if d.name == name) for m in moments]
        upper = [
            None if below is None or m.magnitude is None else below + m.magnitude * share
            for below, m, share in zip(lower, moments, shares, strict=True)
        ]
        colour = DIMENSION_COLOURS[number % len(DIMENSION_COLOURS)]
        areas.append(Area(name, colour, lower, upper, opacity=0.85, stepped=True))
        lower = upper
    known = [m.magnitude for m in both if m.magnitude is not None]
    return Panel(
        "Magnitude, by dimension",
        _linear(max(1.0, *known) if known else 1.0),
        areas=areas,
        lines=[Line("target", DARK, [1.0] * len(moments), width=1.25, dashes="5 4")],
    )


def _latency(moments: Sequence[Moment], both: Sequence[Moment]) -> Panel:
    latency = [m.p95_seconds for m in moments]
    promise = [m.slo_seconds for m in moments]
    low = min(0.5 * min(promise), max(0.7 * min(m.p95_seconds for m in both), 0.001))
    high = max(1.5 * max(promise), 1.15 * max(m.p95_seconds for m in both))
    ticks = [(tick, seconds_text(tick).replace(".0 ", " ")) for tick in LATENCY_TICKS if low <= tick <= high]
    beyond = [max(measured, promised) for measured, promised in zip(latency, promise, strict=True)]

    excused = any(m.slow and m.starting for m in moments)
    broken = any(m.slow and not m.starting for m in moments)

    def only(values: list[float], starting: bool) -> list[float | None]:
        return [v if m.starting is starting else None for v, m in zip(values, moments, strict=True)]

    return Panel(
        "Latency, 95th percentile (logarithmic)",
        Axis(low, high, ticks, logarithmic=True),
        areas=[
            Area(
                "above it while pods start" if excused else "",
                ORANGE,
                only(promise, True),
                only(beyond, True),
                opacity=0.55,
            ),
            Area("broken" if broken else "", VERMILLION, only(promise, False), only(beyond, False), opacity=0.9),
        ],
        lines=[
            Line("p95", BLUE, latency),
            Line(f"promise, {seconds_text(promise[-1])}", DARK, promise, width=1.25, dashes="5 4"),
        ],
    )
