"""The command itself: from what was written on the command line to what is printed."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controller.cli.simulate.page import write
from controller.cli.simulate.request import OFFERED, Request, writable
from controller.cli.simulate.runs import play
from controller.cli.simulate.table import WIDE, as_json, show
from controller.simulation import SCENARIOS

__all__ = ["known", "simulate"]


def simulate(request: Request, *, machine_readable: bool = False, page: Path | None = None) -> None:
    """Run a request and print a table, or JSON; `page` is where the HTML goes. Raises `CompositeScalerError` and OSError."""
    if page is not None:
        writable(page)
    progress = Console(stderr=True)
    if request.spec.max_replicas < request.peak_pods:
        progress.print(
            f"maxReplicas is {request.spec.max_replicas}, and the load is scaled to a peak of {request.peak_pods:g} pods: no policy can "
            "serve it; write a higher maxReplicas or a lower --peak",
            soft_wrap=True,
            highlight=False,
        )
    outcomes = play(request, progress)
    if page is not None:
        write(page, request, outcomes)
    console = _console()
    if machine_readable:
        print(json.dumps(as_json(request, outcomes), indent=2))
    else:
        show(console, request, outcomes)
    if page is not None:
        progress.print(f"page: {escape(str(page.resolve()))}", soft_wrap=True, highlight=False)


def known() -> None:
    """Print the policies and the scenarios that there are."""
    console = _console()
    for title, names in (
        ("policy", OFFERED),
        ("scenario", {name: scenario.sentence for name, scenario in SCENARIOS.items()}),
    ):
        table = Table(show_edge=False, pad_edge=False, box=None)
        table.add_column(title, no_wrap=True)
        table.add_column()
        for name, sentence in names.items():
            table.add_row(name, escape(sentence))
        console.print(table)
        console.print()


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
