"""The page of a simulation: one HTML file that needs nothing else, with the load, the pods, the latency and the magnitude."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.cli.demo.plots import Area, Axis, Line, Panel, figure, round_steps
from controller.cli.demo.samples import seconds_text
from controller.cli.simulate.request import Request
from controller.cli.simulate.runs import Outcome
from controller.cli.simulate.table import ADVICE, COLUMNS, cells, heading, oracle_cells
from controller.simulation.fleet import SYNC_SECONDS

__all__ = ["render", "write"]

Floats = NDArray[np.float64]

# Okabe and Ito's palette: told apart with every kind of colour vision.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DARK: Final = "#1d2126"
GREY: Final = "#9aa1a9"
LATENCY_TICKS: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: More points than that a plot cannot show.
POINTS: Final = 960

STYLE: Final = """
:root{--ink:#1d2126;--soft:#4a5058;--line:#dfe2e6}
*{box-sizing:border-box}
body{margin:0;background:#f5f6f7;color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:17px;margin:36px 0 4px}
p{margin:0 0 12px;max-width:86ch;color:var(--soft)}
figure,.table{margin:0 0 14px;background:#fff;border:1px solid var(--line);border-radius:6px;padding:14px;overflow-x:auto}
svg{display:block;min-width:720px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-size:13px;color:var(--soft);font-weight:600;white-space:normal;vertical-align:bottom}
th:first-child,td:first-child{text-align:left}
tr:last-child td{border-bottom:0;color:var(--soft)}
i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px}
@media print{body{background:#fff}main{padding:0}}
"""


def write(path: Path, request: Request, outcomes: Sequence[Outcome]) -> None:
    """Write the page as UTF-8; raises OSError."""
    path.write_text(render(request, outcomes), encoding="utf-8")


def render(request: Request, outcomes: Sequence[Outcome]) -> str:
    """The HTML of a simulation: a table and plots of the first seed's runs for each scenario."""
    parts = "".join(_section(request, outcome) for outcome in outcomes)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Simulation: {escape(request.title)}</title><style>{STYLE}</style></head>
<body><main>
<h1>Simulation: {escape(request.title)}</h1>
<p>{escape(heading(request))}</p>
{parts}
<h2>How to read this</h2>
<p>{escape(ADVICE)}</p>
<p>The plots are of the first seed. Where several moments share a point, it is the largest number of pods, latency and magnitude
of them, and the mean load. The latency is what the metrics show, a minute's percentile and a little late.</p>
</main></body></html>
"""


def _section(request: Request, outcome: Outcome) -> str:
    scenario = outcome.scenario
    title = "What became of it" if scenario.name == "none" else scenario.name
    return (
        f"<h2>{escape(title)}</h2><p>{escape(scenario.sentence)}</p>"
        f'{_table(outcome)}<figure aria-label="Load, pods, latency and magnitude over time">{_plots(request, outcome)}</figure>'
    )


def _table(outcome: Outcome) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in ("policy", *(column.title for column in COLUMNS)))
    rows = [(cells(outcome, policy), colour) for policy, colour in zip(outcome.policies, COLOURS, strict=False)]
    rows.append((oracle_cells(outcome), GREY))
    body = "".join(
        f'<tr><td><i style="background:{colour}"></i>{escape(row[0])}</td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row, colour in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _plots(request: Request, outcome: Outcome) -> str:
    record, seeds = outcome.record, outcome.seeds
    runs = np.arange(0, len(outcome.policies) * seeds, seeds)
    together = math.ceil(len(record) / POINTS)
    load = _thinned(record.arrivals[:, :1] / SYNC_SECONDS, together, np.nanmean)[:, 0].tolist()
    oracle = _thinned(record.demand[:, :1] / SYNC_SECONDS, together, np.nanmax)[:, 0]
    pods = _thinned(record.replicas[:, runs].astype(np.float64), together, np.nanmax)
    latency = _thinned(outcome.shown.latency, together, np.nanmax)
    magnitude = _thinned(outcome.shown.magnitude, together, np.nanmax)
    panels = [
        Panel(
            "Load, requests per second",
            _linear(max(load)),
            areas=[Area("", GREY, [0.0] * len(load), load, opacity=0.45)],
        ),
        Panel(
            "Pods that are wanted",
            _linear(float(max(pods.max(), oracle.max()))),
            areas=[Area("oracle", GREY, [0.0] * len(load), oracle.tolist(), opacity=0.45, stepped=True)],
            lines=_lines(outcome, pods, stepped=True),
            height=190.0,
        ),
        _latency(request, outcome, latency),
    ]
    if np.isfinite(magnitude).any():
        panels.append(
            Panel(
                "Magnitude, our policies alone",
                _linear(min(4.0, max(1.2, float(np.nanmax(magnitude))))),
                lines=[
                    *_lines(outcome, magnitude),
                    Line("target", DARK, [request.spec.magnitude.target_value] * len(load), 1.25, dashes="5 4"),
                ],
            )
        )
    # A clock of minutes and seconds reads as one of hours and minutes when it is given minutes.
    long = len(record) * SYNC_SECONDS >= 7200
    unit = 60.0 if long else 1.0
    times = [(point + 1) * together * SYNC_SECONDS / unit for point in range(len(load))]
    return figure(times, panels, axis_name=f"{'hours:minutes' if long else 'minutes:seconds'} of the run")


def _latency(request: Request, outcome: Outcome, latency: Floats) -> Panel:
    promise = request.settings.plant.slo_seconds
    known = latency[np.isfinite(latency) & (latency > 0.0)]
    low = 0.7 * min(promise, float(known.min(initial=promise)))
    high = 1.4 * max(promise, float(known.max(initial=promise)))
    ticks = [(tick, seconds_text(tick).replace(".0 ", " ")) for tick in LATENCY_TICKS if low <= tick <= high]
    return Panel(
        f"Latency, {request.settings.plant.slo_quantile:.0%} of requests are faster (logarithmic)",
        Axis(low, high, ticks, logarithmic=True),
        lines=[
            *_lines(outcome, latency),
            Line(f"promise, {seconds_text(promise)}", DARK, [promise] * len(latency), 1.25, dashes="5 4"),
        ],
    )


def _lines(outcome: Outcome, values: Floats, *, stepped: bool = False) -> list[Line]:
    """A line for every policy that has values (points, policies), the first in front; NaN is a gap."""
    lines = [
        Line(name, colour, [None if math.isnan(each) else each for each in column.tolist()], 1.5, stepped=stepped)
        for name, colour, column in zip(outcome.policies, COLOURS, values.T, strict=False)
        if np.isfinite(column).any()
    ]
    return lines[::-1]


def _linear(high: float) -> Axis:
    steps = round_steps(high)
    return Axis(0.0, steps[-1], [(step, f"{step:g}") for step in steps])


def _thinned(values: Floats, together: int, by: Callable[..., Floats]) -> Floats:
    """So many rows (n, columns) made one, (ceil(n / together), columns); NaN where none of them is known."""
    rows = -(-len(values) // together)
    padded = np.full((rows * together, values.shape[1]), np.nan)
    padded[: len(values)] = values
    blocks = padded.reshape(rows, together, -1)
    unknown = np.isnan(blocks).all(axis=1)
    # What is unknown throughout would be warned of.
    blocks = np.where(unknown[:, None], 0.0, blocks)
    return np.where(unknown, np.nan, by(blocks, axis=1))
