"""What is to be simulated, and whether it can be: everything that may be wrong with it is found before anything runs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from controller.api import KIND, CompositeScaler, CompositeScalerError, Dimension, Spec
from controller.simulation import InvalidTrace, Scenario, Trace, UnknownPolicy, a_day, scenario_of
from controller.simulation.fleet import Conditions, FleetSettings

__all__ = ["FAMILIES", "OFFERED", "REFERENCE", "BadRequest", "Request", "Stretch"]

DAY: Final = 86400.0
#: The first part of a trace is there to tune on, the rest to judge.
TUNED: Final = 0.7
#: So many pods can be simulated in a reasonable time and memory.
MOST_PODS: Final = 5000
#: What the simulated pods have metrics of.
FAMILIES: Final = ("cpu", "memory", "latency", "requests")

#: The policies that can be asked for, with what they do.
OFFERED: Final[dict[str, str]] = {
    "compositescaler": "This project's decision, as the operator would make it from the manifest.",
    "proportional": "The same with magnitude.response Proportional: HPA's shape on the magnitude.",
    "hpa": "A HorizontalPodAutoscaler with a metric for each dimension; the largest answer counts.",
    "hpa-cpu": "A HorizontalPodAutoscaler on the CPU dimension alone.",
    "keda": "KEDA's rule on the requests that arrive: so many a pod as keep its CPU at the target.",
    "constant": "maxReplicas pods at all times.",
}

#: The reference workload's manifest.
REFERENCE: Final[dict[str, Any]] = {
    "apiVersion": "compositescaler.io/v1alpha1",
    "kind": KIND,
    "metadata": {"name": "reference"},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "reference"},
        "minReplicas": 2,
        "maxReplicas": 100,
        "demand": {"metric": "requests"},
        "dimensions": [
            {"metric": "cpu", "target": "70%"},
            {"metric": "memory", "target": "100%"},
            {"metric": "latency", "target": "250ms"},
        ],
    },
}


class BadRequest(CompositeScalerError, ValueError):
    """What is asked for cannot be simulated; the text says why and what to write instead."""


#: A day takes 70 bytes a sync and about a second of CPU: more of them would fill the memory of a small machine.
MOST_DAYS: Final = 3000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a trace: from `start` to `stop` in the trace's own seconds, one `day` (the first is 0), or a `part` of 70 and 30 %."""

    start: float | None = None
    stop: float | None = None
    day: int | None = None
    part: str = "all"

    def of(self, trace: Trace, peak: float) -> Trace:
        """That part with this peak in requests per second; raises `BadRequest` and `InvalidTrace`.

        Of a `part` the peak is that of the whole trace, so that what was tuned on one part is judged on the same scale.
        """
        ways = [self.part != "all", self.day is not None, (self.start, self.stop) != (None, None)]
        if sum(ways) > 1:
            raise BadRequest("More than one of --part, --day and --start/--stop is given; write one of them.")
        first, last = trace.start, trace.stop
        if self.day is not None:
            days = math.ceil(trace.duration / DAY)
            if not 0 <= self.day < days:
                others = f"write a number from 0 to {days - 1}" if days > 1 else "its only day is 0"
                raise BadRequest(f"--day is {self.day}, and the trace lasts {trace.duration / DAY:.4g} days; {others}.")
            first, last = trace.start + self.day * DAY, min(trace.start + (self.day + 1) * DAY, trace.stop)
        elif self.part == "all":
            first, last = (first if self.start is None else self.start), (last if self.stop is None else self.stop)
        elif self.part in ("tune", "test"):
            middle = first + TUNED * trace.duration
            first, last = (first, middle) if self.part == "tune" else (middle, last)
        else:
            raise BadRequest(f"--part is {self.part!r}; write tune (the first 70 %), test (the last 30 %) or all.")
        _gapless(chosen := trace.segment(first, last), first)
        return chosen.scaled(peak=peak if self.part == "all" else peak * chosen.peak / trace.peak)


@dataclass(frozen=True, slots=True)
class Request:
    """What is simulated: a load in requests per second, the `settings` of the plant before a scenario, and who scales."""

    title: str
    trace: Trace
    spec: Spec
    policies: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    seeds: int
    peak_pods: float
    settings: FleetSettings

    @classmethod
    def of(
        cls,
        *,
        file: Path | None = None,
        manifest: Path | None = None,
        policies: Sequence[str] = ("compositescaler", "hpa", "hpa-cpu"),
        scenarios: Sequence[str] = ("none",),
        seeds: int = 3,
        peak_pods: float = 30.0,
        stretch: Stretch | None = None,
    ) -> Request:
        """Read and check everything; without a file it is the packaged day, without a manifest the reference workload's.

        Raises `BadRequest`, `InvalidTrace`, `InvalidManifest`, `UnknownPolicy` and `UnknownScenario`.
        """
        for name in policies:
            if name not in OFFERED:
                raise UnknownPolicy(f"There is no policy {name!r}; write one of {', '.join(OFFERED)}.")
        if seeds < 1:
            raise BadRequest(f"--seeds is {seeds}; write 1 or more.")
        if not 0 < peak_pods <= MOST_PODS:
            raise BadRequest(f"--peak is {peak_pods:g}; write a number of pods above 0 and up to {MOST_PODS}.")
        known = tuple(scenario_of(name) for name in dict.fromkeys(scenarios))
        spec = _spec(manifest)
        settings = FleetSettings()
        per_pod = float(Conditions.at(settings, 0.0).carries[0])
        trace = a_day() if file is None else Trace.read(file)
        try:
            load = (stretch or Stretch()).of(trace, peak_pods * per_pod)
        except InvalidTrace as error:
            raise InvalidTrace(f"{file}: {error}" if file else str(error)) from error
        for scenario in known:
            if load.duration <= scenario.needs:
                raise BadRequest(
                    f"--scenario {scenario.name}: {scenario.sentence} Times count from the start of what is simulated, which lasts only "
                    f"{load.duration / 3600.0:.3g} h; write a trace or a stretch of more than {scenario.needs / 3600.0:g} h."
                )
        days = load.duration / 86400.0 * seeds * len(set(policies)) * len(known)
        if not days <= MOST_DAYS:
            raise BadRequest(
                f"That is {days:,.0f} days to simulate ({load.duration / 86400.0:,.1f} of the trace for each seed, policy and scenario), "
                f"more than {MOST_DAYS:,}; write --day or --start and --stop, or fewer seeds."
            )
        return cls(
            title="a packaged day of a production application" if file is None else file.name,
            trace=load,
            spec=spec,
            policies=tuple(dict.fromkeys(policies)),
            scenarios=known,
            seeds=seeds,
            peak_pods=peak_pods,
            settings=settings,
        )


def _gapless(load: Trace, first: float) -> None:
    """Raise `InvalidTrace` where nothing is known for a while: a straight line across it would be taken for a load.

    `load` begins at `first` of the trace's own seconds.
    """
    if (gap := load.gap) is None:
        return
    usual = float(np.median(np.diff(load.seconds)))
    raise InvalidTrace(
        f"Nothing is known between {first + gap[0]:g} s and {first + gap[1]:g} s, and a row every {usual:g} s is usual; "
        "stay on one side with --start and --stop, or write rows with the load of that time."
    )


def writable(path: Path) -> None:
    """Raise `BadRequest` where a file cannot be written, before anybody has waited for what shall be in it."""
    if path.is_dir():
        raise BadRequest(f"{path} is a folder; write the name of a file, such as {path / 'simulation.html'}.")
    if not path.parent.is_dir():
        raise BadRequest(f"There is no folder {path.parent}; make it, or write another path.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadRequest(f"{path} cannot be written: permission denied; write another path.")


def _spec(file: Path | None) -> Spec:
    """The spec of the one CompositeScaler of a file of manifests."""
    if file is None:
        return CompositeScaler.parse(REFERENCE).spec
    documents = _documents(file)
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if len(found) != 1:
        raise BadRequest(f"{file} holds {len(found)} objects of kind {KIND}; write a file with exactly one.")
    try:
        spec = CompositeScaler.parse(found[0]).spec
        _fits(spec)
    except CompositeScalerError as error:
        raise type(error)(f"{file}: {error}") from error
    return spec


def _documents(file: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}; write the path of a manifest.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it is no text"
        raise BadRequest(f"{file}{where}: this is not YAML ({why}); write a CompositeScaler as for kubectl.") from error


def _fits(spec: Spec) -> None:
    """Whether the simulated pods have what the spec measures."""
    quantile = FleetSettings().plant.slo_quantile
    for dimension in spec.dimensions:
        if dimension.metric not in FAMILIES:
            raise BadRequest(
                f"{_source(dimension)} is not something that simulated pods have; "
                f"write a dimension of one of the metrics {', '.join(FAMILIES)}."
            )
        if dimension.metric == "latency" and dimension.quantile != quantile:
            raise BadRequest(
                f"The dimension {dimension.name} is of the quantile {dimension.quantile:g}, and simulated pods show that of "
                f"{quantile:g}; write quantile: {quantile:g}."
            )
    if spec.demand is not None and spec.demand.metric != "requests":
        asked = spec.demand.metric or spec.demand.query
        raise BadRequest(f"The demand {asked!r} is not simulated; write demand: {{metric: requests}}, or leave it out.")


def _source(dimension: Dimension) -> str:
    return f"The metric {dimension.metric}" if dimension.metric else f"The query of the dimension {dimension.name}"
