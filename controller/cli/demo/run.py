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

from controller.api import Response
from controller.cli.demo.panels import draw
from controller.cli.demo.report import About, write_report
from controller.cli.demo.samples import Dimension, Moment, Outlook, Verdict, seconds_text
from controller.cli.demo.stage import FASTER, LENGTH, PEAK, Stage, stage
from controller.cli.demo.view import view
from controller.simulation import PlantSettings, Second, Service, sustainable

__all__ = ["carries", "compare", "run"]

HEADING: Final = f"CompositeScaler: a flash crowd, {FASTER:g} times faster"
AXIS: Final = f"minutes:seconds of the run ({FASTER:g} s of the trace pass in each second)"
INTERRUPTED: Final = 130
#: How often the status is looked at for the decision behind a count that has just been seen.
ATTEMPTS: Final = 6
#: The picture of each response, in the folder of a comparison.
PICTURES: Final = {Response.CAPACITY: "demo.svg", Response.PROPORTIONAL: "demo-proportional.svg"}


def run(report: Path, picture: Path | None, seed: int, response: Response) -> int:
    """Play it; returns the exit status: 0 when the promise was held, 1 when not, 130 when interrupted."""
    console = Console()
    _mind_signals()
    try:
        moments = _record(console, seed, response)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has been stopped")
        return INTERRUPTED
    return _conclude(console, moments, report, picture, response)


def compare(folder: Path, seed: int) -> int:
    """Play it with each response, one after the other, and write both pictures into the folder, on the same axes.

    Returns the exit status: 0 when the default response held the promise, 1 when not, 130 when interrupted. Raises OSError where
    nothing can be written.
    """
    console = Console()
    _mind_signals()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        runs = {response: _record(console, seed, response) for response in PICTURES}
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has been stopped")
        return INTERRUPTED
    if not all(runs.values()):
        console.print("[red]nothing was recorded")
        return 1
    verdicts = {response: Verdict.of(moments) for response, moments in runs.items()}
    every = [moment for moments in runs.values() for moment in moments]
    for response, moments in runs.items():
        svg = draw(moments, _about(response).pod_rps, AXIS, _caption(response, verdicts[response]), every)
        (folder / PICTURES[response]).write_text(svg, encoding="utf-8")
        console.print(f"{folder / PICTURES[response]}: {_caption(response, verdicts[response])}", soft_wrap=True)
        console.print(_sentence(verdicts[response], seconds_text(moments[-1].slo_seconds)), soft_wrap=True)
    return 0 if verdicts[Response.CAPACITY].held else 1


def _mind_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What was told to be ignored (nohup) stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _record(console: Console, seed: int, response: Response) -> list[Moment]:
    """Play it once, with everything that it takes; returns what was seen."""
    moments: list[Moment] = []
    with tempfile.TemporaryDirectory(prefix="compositescaler-demo-") as folder:
        console.print("starting an API server, a metrics source and the operator, all here ...")
        with stage(Path(folder), seed, response) as live:
            console.print("look around while it runs:")
            console.print(f"  kubectl --kubeconfig {live.kubeconfig} -n shop describe csc", soft_wrap=True)
            with view(console, f"{HEADING}, response {response}", LENGTH) as screen:
                _play(live, moments, screen.show)
    return moments


def _play(live: Stage, moments: list[Moment], show: Callable[[Moment], None]) -> None:
    """Record one moment a second until the trace is over."""
    began = time.monotonic()
    seen = 0
    while live.plant.now < live.plant.duration:
        time.sleep(max(0.0, began + len(moments) + 1 - time.monotonic()))
        passed = live.plant.truth(seen)
        seen += len(passed)
        if passed:
            moments.append(_moment(live, passed, moments[-1] if moments else None))
            show(moments[-1])


def _moment(live: Stage, passed: Sequence[Second], before: Moment | None) -> Moment:
    """What this second was like: the truth from the plant, the view of the operator from its metrics and the status."""
    deployment = live.deployment()
    wanted = deployment["spec"]["replicas"]
    changed = before is not None and before.replicas_spec != wanted
    gauges, why = live.gauges(), _why(live, wanted if changed else None)
    status = deployment.get("status", {})
    ready = status.get("readyReplicas", 0)
    shares = gauges.get("compositescaler_dimension_share", {})
    excess = gauges.get("compositescaler_dimension_normalized", {})
    magnitude = gauges.get("compositescaler_magnitude", {}).get("")
    last = passed[-1]
    # What was seen of latency is the whole second's, so pods were starting in it if they were at its beginning.
    began_starting = before is not None and before.replicas_ready < before.replicas_spec
    return Moment(
        t=last.at,
        load_rps=last.load,
        replicas_spec=wanted,
        replicas_ready=ready,
        magnitude=magnitude,
        dimensions=tuple(Dimension(name, excess[name], share) for name, share in shares.items() if name in excess),
        p95_seconds=_over_second(passed),
        slo_seconds=live.plant.settings.slo_seconds,
        decision=why,
        starting=ready < wanted or began_starting,
        outlook=None if magnitude is None else _outlook(gauges),
        requests=sum(step.arrivals for step in passed),
        late=sum(step.slow for step in passed),
        pod_seconds=status.get("replicas", ready) * (last.at - (before.t if before is not None else 0.0)),
    )


def _why(live: Stage, written: int | None) -> str:
    """The last decision in words, or that which wrote this count: the one after it has other things to say."""
    for _ in range(ATTEMPTS):
        status = live.scaler().get("status", {})
        if written is None:
            break
        # The count is written first and the status after it.
        for event in reversed(status.get("scaleEvents", [])):
            if event["to"] == written:
                return str(event["message"])
        time.sleep(0.05)
    return str(status.get("lastDecision", {}).get("message", ""))


def _outlook(gauges: dict[str, dict[str, float]]) -> Outlook:
    """What decided in the operator's last cycle: what it did not reckon with has no series."""
    return Outlook(
        demand=gauges.get("compositescaler_demand", {}).get(""),
        ahead=gauges.get("compositescaler_demand_ahead", {}).get(""),
        per_pod=gauges.get("compositescaler_load_per_pod_target", {}).get(""),
    )


def carries(settings: PlantSettings) -> float:
    """Requests per second that one pod serves within the promise."""
    service = Service.of(settings.service_seconds, settings.cpu_limit, None, settings.wait_seconds)
    rho = sustainable(service, settings.wait_seconds, settings.slo_quantile, settings.slo_seconds)
    return service.capacity * rho


def _over_second(passed: Sequence[Second]) -> float:
    """An upper bound of the second's 95th percentile: the worst of its steps."""
    return max(step.latency_seconds for step in passed)


def _about(response: Response) -> About:
    return About(
        title=f"CompositeScaler demo: a flash crowd, response {response}",
        load=(
            f"{LENGTH * FASTER / 60:.0f} minutes of a production application's load with a spike to five times as much within two minutes, "
            f"scaled to {PEAK:g} requests a second at its peak."
        ),
        compression=FASTER,
        pod_rps=carries(PlantSettings()),
    )


def _caption(response: Response, verdict: Verdict) -> str:
    """The figures to compare a run by."""
    return (
        f"response {response}: {verdict.late_share:.2%} of the requests late or failed, "
        f"{_about(response).pod_hours(verdict):.1f} pod-hours, {verdict.actions} changes of replicas"
    )


def _sentence(verdict: Verdict, promise: str) -> str:
    """Whether the promise was held, and by how much not where it need not be."""
    outside = f"{verdict.seconds - verdict.starting_seconds} seconds in which no pod was starting"
    judged = (
        f"[green]held:[/] the 95th percentile stayed at or below {promise} in all {outside}"
        if verdict.held
        else f"[red]broken:[/] the 95th percentile was above {promise} in {verdict.slow_seconds} of the {outside}"
    )
    return (
        f"{judged}\nwhile pods were starting it was above in {verdict.slow_starting_seconds} of "
        f"{verdict.starting_seconds} seconds, {seconds_text(verdict.worst_starting_p95_seconds)} at its worst"
    )


def _conclude(
    console: Console, moments: Sequence[Moment], report: Path, picture: Path | None, response: Response
) -> int:
    if not moments:
        console.print("[red]nothing was recorded")
        return 1
    verdict, about = Verdict.of(moments), _about(response)
    write_report(report, moments, about)
    if picture is not None:
        svg = draw(moments, about.pod_rps, AXIS, _caption(response, verdict))
        picture.write_text(svg, encoding="utf-8")
    console.print(_sentence(verdict, seconds_text(moments[-1].slo_seconds)), soft_wrap=True)
    console.print(_caption(response, verdict), soft_wrap=True)
    console.print(f"report: {report.resolve()}", soft_wrap=True)
    return 0 if verdict.held else 1
