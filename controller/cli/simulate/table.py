"""The figures of a simulation for people, as tables, and for programs, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controller.cli.demo.samples import seconds_text
from controller.cli.simulate.request import Request
from controller.cli.simulate.runs import Outcome
from controller.simulation import Spread

__all__ = ["ADVICE", "COLUMNS", "WIDE", "as_json", "cells", "duration_text", "heading", "oracle_cells", "show"]

ADVICE: Final = (
    "How to read it: violations are requests later than promised or failed. Pods buy fewer of them, so compare policies at like "
    "pod-hours (move a target), and trust no difference smaller than the spread over the seeds. The oracle is the fewest pods that "
    "hold the promise, known in advance and there at once. Actions are changes of replicas, flips those against the one before; overshoot "
    "is by how much the most pods exceed the oracle's; a slow spell is a time with the 95th percentile above the promise."
)


#: So many columns of a terminal a row with every figure takes.
WIDE: Final = 130


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of the table: its title, and how its number is written; `times` is what it is multiplied by."""

    title: str
    figure: str
    form: str
    times: float = 1.0

    def text(self, spread: Spread) -> str:
        """The mean, and half of the range over the seeds where there is one."""
        mean, half = self.times * spread.mean, self.times * (spread.most - spread.least) / 2.0
        text = format(mean, self.form)
        return text if half == 0.0 else f"{text} ±{format(half, self.form)}"


COLUMNS: Final = (
    Column("violations %", "violations", ".2f"),
    Column("pod-hours", "pod_hours", ".1f"),
    Column("x oracle's", "cost", ".2f"),
    Column("actions", "actions", ".0f"),
    Column("flips", "flips", ".0f"),
    Column("overshoot %", "overshoot", ".0f", 100.0),
    Column("longest slow spell s", "longest_spell", ".0f"),
    Column("most pods", "most_pods", ".0f"),
)


def heading(request: Request) -> str:
    """One sentence on what was run."""
    plant, seeds = request.settings.plant, request.seeds
    return (
        f"{request.title}: {duration_text(request.trace.duration)}, at most {request.trace.peak:.0f} requests per second "
        f"(scaled to a peak of {request.peak_pods:g} pods); the promise is {seconds_text(plant.slo_seconds)} for "
        f"{plant.slo_quantile:.0%} of the requests; {seeds} {'seed' if seeds == 1 else 'seeds, the mean ± half of their range'}."
    )


def duration_text(seconds: float) -> str:
    """A length of time for people: `28 min`, `24 h`, `26.1 days`."""
    for unit, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit or (name == "h" and seconds >= unit):
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.0f} s"


def cells(outcome: Outcome, policy: str) -> list[str]:
    """A policy's row: the name and the text of every column."""
    spread = outcome.spread(policy)
    return [policy, *(column.text(spread[column.figure]) for column in COLUMNS)]


def oracle_cells(outcome: Outcome) -> list[str]:
    """The oracle's row: what it costs, and nothing that it could do wrong."""
    figures = outcome.figures
    hours = format(float(figures.oracle_pod_hours.mean()), ".1f")
    most = format(float(outcome.record.most_demand.max()), ".0f")
    known = {"pod_hours": hours, "cost": "1.00", "most_pods": most}
    return ["oracle", *(known.get(column.figure, "") for column in COLUMNS)]


def show(console: Console, request: Request, outcomes: Sequence[Outcome]) -> None:
    """Print a table for each scenario, and how to read it."""
    console.print(escape(heading(request)), soft_wrap=True, highlight=False)
    for outcome in outcomes:
        title = "" if outcome.scenario.name == "none" else f"{outcome.scenario.name}: {outcome.scenario.sentence}"
        rows = [["policy", *(column.title for column in COLUMNS)]]
        rows += [cells(outcome, policy) for policy in outcome.policies]
        rows.append(oracle_cells(outcome))
        if console.width < WIDE:
            # A row for each figure is longer than wide, as a narrow terminal is.
            rows = [list(row) for row in zip(*rows, strict=True)]
        table = Table(*rows[0], title=escape(title), title_justify="left", title_style="bold", show_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        table.columns[0].no_wrap = True
        for row in rows[1:]:
            table.add_row(*row)
        console.print()
        console.print(table)
    console.print()
    console.print(ADVICE, soft_wrap=True, highlight=False)


def as_json(request: Request, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything as JSON holds it: per scenario and policy each figure's mean, least and most, and its number for every seed."""
    return {
        "trace": request.title,
        "seconds": request.trace.duration,
        "peakRequestsPerSecond": request.trace.peak,
        "peakPods": request.peak_pods,
        "seeds": request.seeds,
        "promise": {
            "seconds": request.settings.plant.slo_seconds,
            "quantile": request.settings.plant.slo_quantile,
        },
        "scenarios": [
            {
                "name": outcome.scenario.name,
                "sentence": outcome.scenario.sentence,
                "policies": [{"name": each, "figures": _figures(outcome, each)} for each in outcome.policies],
            }
            for outcome in outcomes
        ],
    }


def _figures(outcome: Outcome, policy: str) -> dict[str, Any]:
    runs = outcome.runs_of(policy)
    return {
        to_camel(name): {
            "mean": spread.mean,
            "least": spread.least,
            "most": spread.most,
            "seeds": getattr(outcome.figures, name)[runs].tolist(),
        }
        for name, spread in outcome.spread(policy).items()
    }
