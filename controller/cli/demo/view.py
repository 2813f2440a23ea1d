"""The demo in the terminal: a live table and a small chart, or a plain line every few seconds where it is no terminal.

It shows moments and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from controller.cli.demo.chart import Bars, bar, chart, columns
from controller.cli.demo.samples import Moment, Outlook, clock_text, seconds_text

__all__ = ["LiveView", "PlainView", "View", "line", "screen", "view"]

# Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE: Final = "#56b4e9"
ORANGE: Final = "#e69f00"
GREEN: Final = "#009e73"
VERMILLION: Final = "#d55e00"
PURPLE: Final = "#cc79a7"
DIMENSIONS: Final = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION)
LOAD: Final = "grey62"
COMING: Final = "grey35"

LABEL: Final = 11
SCALE: Final = 9
CHART_HEIGHT: Final = 4
BAR: Final = 16
WIDEST: Final = 110
HIGHEST_Y: Final = 2.0


Series = Callable[[list[float]], list[float | None]]


class View(Protocol):
    """Shows each moment as it comes; use it as a context manager."""

    def show(self, moment: Moment) -> None:
        """Show one further moment."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def view(console: Console, heading: str, duration: float) -> View:
    """The view that fits: live on a terminal, plain lines anywhere else. `duration` in seconds."""
    return LiveView(console, heading, duration) if console.is_terminal else PlainView(console, heading)


class LiveView:
    """Repaints one screen; what scrolled by before it stays, and the last state stays at the end."""

    def __init__(self, console: Console, heading: str, duration: float) -> None:
        self._console = console
        self._heading = heading
        self._duration = duration
        self._moments: list[Moment] = []
        self._live = Live(console=console, auto_refresh=False, transient=False, vertical_overflow="crop")

    def show(self, moment: Moment) -> None:
        """Show one further moment."""
        self._moments.append(moment)
        self._live.update(screen(self._moments, self._heading, self._duration, self._console.width), refresh=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()


class PlainView:
    """Writes a line every `every` seconds of the demo and one for each decision."""

    def __init__(self, console: Console, heading: str, every: float = 5.0) -> None:
        self._console = console
        self._heading = heading
        self._every = every
        self._next = 0.0
        self._decision = ""

    def show(self, moment: Moment) -> None:
        """Show one further moment."""
        if moment.decision and moment.decision != self._decision:
            self._decision = moment.decision
            self._write(f"{clock_text(moment.t)}  {moment.decision}")
        if moment.t >= self._next:
            self._next = moment.t + self._every
            self._write(line(moment))

    def __enter__(self) -> Self:
        self._write(self._heading)
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is held."""

    def _write(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def line(moment: Moment) -> str:
    """One moment in one line of text."""
    shares = ", ".join(f"{dimension.name} {dimension.share:.0%}" for dimension in moment.dimensions)
    magnitude = (
        "unknown" if moment.magnitude is None else f"{moment.magnitude:.2f}" + (f" ({shares})" if shares else "")
    )
    latency = f"{seconds_text(moment.p95_seconds)} of {seconds_text(moment.slo_seconds)}"
    return (
        f"{clock_text(moment.t)}  load {moment.load_rps:4.0f} rps  ready {moment.replicas_ready:2d} of"
        f" {moment.replicas_spec:2d}  p95 {latency} ({_state(moment)})  magnitude {magnitude}"
        + (f"  {_response(moment.outlook)}" if moment.outlook is not None else "")
    )


def screen(moments: Sequence[Moment], heading: str, duration: float, width: int) -> RenderableType:
    """The whole screen of the last moment with the history of all; `width` in characters, at least one moment."""
    now = moments[-1]
    width = min(width, WIDEST)
    clock = f"{clock_text(now.t)} / {clock_text(duration)}"
    title = Table.grid(expand=False, padding=0)
    title.add_column(width=max(width - len(clock) - 1, 1), no_wrap=True, overflow="ellipsis")
    title.add_column(no_wrap=True, justify="right")
    title.add_row(Text(heading, style="bold"), Text(f" {clock}", style="dim"))
    plot = max(width - LABEL - SCALE - 2, 10)
    sentence = f"last recorded decision: {now.decision}" if now.decision else "No decision yet."
    return Group(
        title,
        Rule(style="grey30"),
        *_charts(moments, duration, plot),
        Rule(style="grey30"),
        _vector(now),
        Rule(style="grey30"),
        _outlook(now),
        Rule(style="grey30"),
        Text(sentence, overflow="fold"),
    )


def _charts(moments: Sequence[Moment], duration: float, width: int) -> list[RenderableType]:
    times = [moment.t for moment in moments]

    def series(values: list[float]) -> list[float | None]:
        return columns(times, values, duration, width)

    return [_load(moments, series), Text(), _replicas(moments, series), Text(), _latency(moments, series)]


def _load(moments: Sequence[Moment], series: Series) -> RenderableType:
    load = [moment.load_rps for moment in moments]
    bars = [None if value is None else Bars(value, LOAD) for value in series(load)]
    labels = [Text("load", "bold"), Text(f"{load[-1]:.0f} rps")]
    return _panel(labels, chart(bars, CHART_HEIGHT, max(load)), [f"{max(load):.0f} rps", "", "", "0"])


def _replicas(moments: Sequence[Moment], series: Series) -> RenderableType:
    ready = [float(moment.replicas_ready) for moment in moments]
    wanted = [float(moment.replicas_spec) for moment in moments]
    most = max(ready + wanted)
    bars = [
        None if there is None or asked is None else Bars(there, BLUE, upper=asked, upper_style=COMING)
        for there, asked in zip(series(ready), series(wanted), strict=True)
    ]
    labels = [Text("replicas", "bold"), Text(f"{ready[-1]:.0f} ready", BLUE), Text(f"{wanted[-1]:.0f} wanted", "dim")]
    return _panel(labels, chart(bars, CHART_HEIGHT, most), [f"{most:.0f}", "", "", "0"])


def _latency(moments: Sequence[Moment], series: Series) -> RenderableType:
    now = moments[-1]
    promise = now.slo_seconds
    broken = series([float(moment.slow and not moment.starting) for moment in moments])
    bars = [
        None if value is None else Bars(min(value, promise), GREEN, value, VERMILLION if wrong else ORANGE)
        for value, wrong in zip(series([moment.p95_seconds for moment in moments]), broken, strict=True)
    ]
    colour = GREEN if not now.slow else ORANGE if now.starting else VERMILLION
    labels = [Text("p95 latency", "bold"), Text(seconds_text(now.p95_seconds)), Text(_state(now), f"bold {colour}")]
    scale = [f"≥ {seconds_text(2 * promise)}", "", f"◂ {seconds_text(promise)}", "0"]
    return _panel(labels, chart(bars, CHART_HEIGHT, 2 * promise), scale)


def _panel(labels: list[Text], rows: list[Text], scale: list[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(width=SCALE, no_wrap=True)
    for number, row in enumerate(rows):
        label = labels[number] if number < len(labels) else Text()
        grid.add_row(label, row, Text(scale[number], style="dim"))
    return grid


def _vector(now: Moment) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, no_wrap=True)
    for _ in range(4):
        grid.add_column(no_wrap=True)
    if now.magnitude is None:
        grid.add_row(Text("magnitude", "bold"), Text("not known yet", "dim"))
        return grid
    grid.add_row(
        Text("magnitude", "bold"),
        Text(f"{now.magnitude:5.2f}", "bold"),
        Text("target ▾".rjust(BAR // 2 + 1), "dim"),
        Text("share", "dim"),
        Text(),
    )
    for number, (name, y, share) in enumerate(now.dimensions):
        colour = DIMENSIONS[number % len(DIMENSIONS)]
        grid.add_row(
            Text(f"  {name}", colour),
            Text(f"{y:5.2f}", f"bold {VERMILLION}" if y > 1 else ""),
            Text(bar(y / HIGHEST_Y, BAR), f"{colour} on grey15"),
            Text(f"{share:5.0%}"),
            Text(bar(share, BAR), f"{colour} on grey15"),
        )
    return grid


def _outlook(now: Moment) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    said = Text("no decision yet", "dim") if now.outlook is None else Text(_response(now.outlook))
    grid.add_row(Text("response", "bold"), said)
    return grid


def _response(outlook: Outlook) -> str:
    """The response that decided and what it went by."""
    if outlook.per_pod is None:
        return f"{outlook.response} (by the magnitude)"
    demand, ahead = (f"{each or 0.0:.0f}" for each in (outlook.demand, outlook.ahead))
    return f"{outlook.response} (demand {demand} rps, {ahead} ahead, {outlook.per_pod:.1f} a pod at the target)"


def _state(moment: Moment) -> str:
    if not moment.slow:
        return "held"
    return "starting" if moment.starting else "too slow"
