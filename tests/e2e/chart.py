"""The story as a picture: what the journal and the plants saw, drawn like a run of the demo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from controller.cli.demo import Dimension, Moment, Outlook, Verdict
from controller.cli.demo.panels import draw
from controller.cli.demo.run import carries
from controller.simulation import PlantSettings, Second
from tests.e2e.journal import Entry

SECOND = 1.0


def moments_of(entries: Sequence[Entry], truth: Sequence[Second], settings: PlantSettings) -> list[Moment]:
    """A moment for each second of the journal; `truth` is on its clock."""
    return list(_moments(entries, truth, settings))


def _moments(entries: Sequence[Entry], truth: Sequence[Second], settings: PlantSettings) -> Iterator[Moment]:
    starting = False
    for end in range(1, int(entries[-1].at) + 1):
        seen = [each for each in entries if end - SECOND <= each.at < end]
        passed = [each for each in truth if end - SECOND <= each.at < end]
        if not (seen and passed):
            continue
        last, was_starting = seen[-1], starting
        starting = last.ready < last.replicas
        names = last.gauges.get("compositescaler_dimension_share", {})
        magnitude = last.gauge("magnitude")
        yield Moment(
            t=float(end),
            load_rps=passed[-1].load,
            replicas_spec=last.replicas,
            replicas_ready=last.ready,
            magnitude=magnitude,
            dimensions=tuple(
                Dimension(name, last.gauge("dimension_normalized", name) or 0.0, share) for name, share in names.items()
            ),
            p95_seconds=max(each.latency_seconds for each in passed),
            slo_seconds=settings.slo_seconds,
            decision=last.decision.get("message", ""),
            starting=starting or was_starting,
            outlook=None
            if magnitude is None
            else Outlook(last.gauge("demand"), last.gauge("demand_ahead"), last.gauge("load_per_pod_target")),
            requests=sum(each.arrivals for each in passed),
            late=sum(each.slow for each in passed),
            pod_seconds=SECOND * last.pods,
        )


def write_charts(runs: Mapping[Path, tuple[str, Sequence[Moment]]], settings: PlantSettings) -> None:
    """Draw each run (its name and moments) into its file, all on the same axes, with the figures to compare them by."""
    every = [moment for _, moments in runs.values() for moment in moments]
    axis = f"minutes:seconds of the story ({settings.compression:g} times faster than a real one)"
    for path, (name, moments) in runs.items():
        path.write_text(draw(moments, carries(settings), axis, caption(name, moments, settings), every))


def caption(name: str, moments: Sequence[Moment], settings: PlantSettings) -> str:
    """The figures of one run; pod-hours are of the time that is played."""
    verdict = Verdict.of(moments)
    hours = verdict.pod_seconds * settings.compression / 3600.0
    return (
        f"{name}: {verdict.late_share:.2%} of the requests late or failed, {hours:.1f} pod-hours, "
        f"{verdict.actions} changes of replicas"
    )
