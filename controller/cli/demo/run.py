"""Plays the demo: looks at the stage once a second, shows it, judges it, and writes the report.

The promise is judged in the seconds in which no ordered pod is on its way: no scaler can make a pod start sooner.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from controller.cli.demo.panels import draw
from controller.cli.demo.report import About, write_report
from controller.cli.demo.samples import Dimension, Moment, Verdict, seconds_text
from controller.cli.demo.stage import FASTER, LENGTH, PEAK, Stage, stage
from controller.cli.demo.view import view
from controller.simulation import PlantSettings, Second, Service, sustainable

__all__ = ["run"]

HEADING: Final = f"CompositeScaler: a flash crowd, {FASTER:g} times faster"
AXIS: Final = f"minutes:seconds of the run ({FASTER:g} s of the trace pass in each second)"
INTERRUPTED: Final = 130


def run(report: Path, picture: Path | None, seed: int) -> int:
    """Play it; returns the exit status: 0 when the promise was held, 1 when not, 130 when interrupted."""
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What was told to be ignored (nohup) stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    moments: list[Moment] = []
    try:
        with tempfile.TemporaryDirectory(prefix="compositescaler-demo-") as folder:
            console.print("starting an API server, a metrics source and the operator, all here ...")
            with stage(Path(folder), seed) as live:
                console.print("look around while it runs:")
                console.print(f"  kubectl --kubeconfig {live.kubeconfig} -n shop describe csc", soft_wrap=True)
                with view(console, HEADING, LENGTH) as screen:
                    _play(live, moments, screen.show)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has been stopped")
        return INTERRUPTED
    return _conclude(console, moments, report, picture)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _play(live: Stage, moments: list[Moment], show: Callable[[Moment], None]) -> None:
    """Record one moment a second until the trace is over."""
    began = time.monotonic()
    seen = 0
    while live.plant.now < live.plant.duration:
        time.sleep(max(0.0, began + len(moments) + 1 - time.monotonic()))
        passed = live.plant.truth(seen)
        seen += len(passed)
        if passed:
            moments.append(_moment(live, passed))
            show(moments[-1])


def _moment(live: Stage, passed: Sequence[Second]) -> Moment:
    """What this second was like: the truth from the plant, the view of the operator from its metrics and the status."""
    deployment, scaler, gauges = live.deployment(), live.scaler(), live.gauges()
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    wanted = deployment["spec"]["replicas"]
    decision = scaler.get("status", {}).get("lastDecision", {})
    shares = gauges.get("compositescaler_dimension_share", {})
    excess = gauges.get("compositescaler_dimension_normalized", {})
    last = passed[-1]
    return Moment(
        t=last.at,
        load_rps=last.load,
        replicas_spec=wanted,
        replicas_ready=ready,
        magnitude=gauges.get("compositescaler_magnitude", {}).get(""),
        dimensions=tuple(Dimension(name, excess[name], share) for name, share in shares.items() if name in excess),
        p95_seconds=_over_second(passed),
        slo_seconds=live.plant.settings.slo_seconds,
        decision=decision.get("message", ""),
        starting=ready < wanted,
    )


def carries(settings: PlantSettings) -> float:
    """Requests per second that one pod serves within the promise."""
    service = Service.of(settings.service_seconds, settings.cpu_limit, None, settings.wait_seconds)
    rho = sustainable(service, settings.wait_seconds, settings.slo_quantile, settings.slo_seconds)
    return service.capacity * rho


def _over_second(passed: Sequence[Second]) -> float:
    """An upper bound of the second's 95th percentile: the worst of its steps."""
    return max(step.latency_seconds for step in passed)


def _conclude(console: Console, moments: Sequence[Moment], report: Path, picture: Path | None) -> int:
    if not moments:
        console.print("[red]nothing was recorded")
        return 1
    verdict = Verdict.of(moments)
    about = About(
        title="CompositeScaler demo: a flash crowd",
        load=(
            f"{LENGTH * FASTER / 60:.0f} minutes of a production application's load with a spike to five times as much within two minutes, "
            f"scaled to {PEAK:g} requests a second at its peak."
        ),
        compression=FASTER,
        pod_rps=carries(PlantSettings()),
    )
    write_report(report, moments, about)
    if picture is not None:
        picture.write_text(draw(moments, about.pod_rps, AXIS), encoding="utf-8")
    promise = seconds_text(moments[-1].slo_seconds)
    judged = verdict.seconds - verdict.starting_seconds
    outside = f"{judged} seconds in which no pod was starting"
    if verdict.held:
        console.print(
            f"[green]held:[/] the 95th percentile stayed at or below {promise} in all {outside}", soft_wrap=True
        )
    else:
        console.print(
            f"[red]broken:[/] the 95th percentile was above {promise} in {verdict.slow_seconds} of the {outside}"
        )
    console.print(
        f"while pods were starting it was above in {verdict.slow_starting_seconds} of {verdict.starting_seconds} seconds, "
        f"{seconds_text(verdict.worst_starting_p95_seconds)} at its worst",
        soft_wrap=True,
    )
    console.print(f"report: {report.resolve()}", soft_wrap=True)
    return 0 if verdict.held else 1
