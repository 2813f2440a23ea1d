"""Who is compared, and the workloads: policies by name, each made cheaper or dearer by one factor on its targets.

The targets are those of the reference workload: 70 % CPU, 100 % memory, 250 ms; for the plant of a language model the same share of
its promise. Policies and their factors are those of `compositescaler simulate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from controller.api import Spec
from controller.engine import LoadKind
from controller.simulation import Fleet, FleetSettings, Policy
from controller.simulation.fleet.flow import Conditions
from controller.simulation.policies import CompositeScalerPolicy
from controller.simulation.rivals import RIVALS, HpaPolicy, metrics_of, scaled

__all__ = ["CONTENDERS", "GATEWAY", "OURS", "PEAK_PODS", "Contender", "carried", "plain_spec", "settings_of", "team"]

#: The peak of every trace needs so many pods of the oracle.
PEAK_PODS: Final = 30
LEAST, MOST = 2, 100
#: Seconds of CPU and of waiting of a request to a language model, the promise, and its histogram.
MODEL: Final[dict[str, Any]] = {
    "service_seconds": 0.5,
    "wait_seconds": 1.0,
    "slo_seconds": 8.0,
    "buckets": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 6.5, 7.0, 10.0, 15.0, 30.0),
}


#: The factors on every target that are run: of a metric's target, of those that are never below memory's floor, of the magnitude.
_METRIC: Final = (0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.05, 1.2, 1.4)
_FLOORED: Final = (0.72, 0.78, 0.84, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)
_MAGNITUDE: Final = (0.75, 0.9, 1.05, 1.2, 1.4, 1.65, 2.0, 2.5)


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy: `title` for tables, the `policy` of the simulator's registry, what its spec has otherwise, and its demand.

    `factors` on its targets make it dearer and cheaper, and all are times `nominal`; `metrics` are its dimensions; `floors` says
    that their floors are learned, `kind` what is measured as demand where the spec does not say it.
    """

    name: str
    title: str
    policy: str = "compositescaler"
    changes: dict[str, Any] = field(default_factory=dict)
    factors: tuple[float, ...] = _MAGNITUDE
    metrics: tuple[str, ...] = ("cpu", "memory", "latency")
    floors: bool = False
    kind: LoadKind | None = None
    nominal: float = 1.0

    @property
    def rival(self) -> bool:
        """Whether it is HPA or KEDA."""
        return self.policy in RIVALS


GATEWAY: Final = {"demand": {"metric": "requests"}}
OURS: Final = "law"
CONTENDERS: Final = (
    Contender("hpa-cpu", "HPA cpu", "hpa-cpu", factors=_METRIC),
    Contender("hpa", "HPA max", "hpa", factors=_FLOORED),
    Contender("keda", "KEDA rps", "keda", factors=_METRIC),
    Contender("proportional", "proportional", changes={"magnitude": {"response": "Proportional"}}),
    Contender(OURS, "law", changes=GATEWAY),
    Contender("law-histogram", "law, demand of the histogram", kind=LoadKind.REQUESTS),
    Contender("law-cores", "law, demand of the CPU", kind=LoadKind.CORES),
    Contender("law-floors", "law, floors Auto", changes=GATEWAY, floors=True),
)


def settings_of(slow: bool) -> FleetSettings:
    """The reference workload, or that of a language model."""
    settings = FleetSettings()
    return replace(settings, plant=replace(settings.plant, **MODEL)) if slow else settings


def carried(settings: FleetSettings) -> float:
    """Requests per second that a pod serves within the promise, as the oracle counts."""
    return float(Conditions.at(settings, 0.0).carries[0])


def plain_spec(contender: Contender, settings: FleetSettings) -> Spec:
    """The manifest of the reference workload for a contender, its floors known or to be learned."""
    plant = settings.plant
    target = plant.slo_seconds / 1.2
    idle = plant.wait_seconds + plant.service_seconds * math.log(1.0 / (1.0 - plant.slo_quantile))
    auto = "Auto" if contender.floors else None
    dimensions = {
        "cpu": {"target": "70%"},
        "memory": {"target": "100%", "floor": auto or "70%"},
        "latency": {"target": f"{1000 * target:.0f}ms", "floor": auto or f"{1000 * idle:.0f}ms"},
    }
    return Spec.model_validate(
        {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": LEAST,
            "maxReplicas": MOST,
            "dimensions": [{"metric": name, **dimensions[name]} for name in contender.metrics],
            **contender.changes,
        }
    )


class _Own(CompositeScalerPolicy):
    """This project's decision with another kind of demand than the simulator would find in the spec."""

    def __init__(self, specs: Sequence[Spec], settings: FleetSettings, kinds: Sequence[LoadKind | None]) -> None:
        super().__init__(specs, settings)
        told = np.array([-1 if kind is None else int(kind) for kind in kinds])
        self._kinds = np.where(told < 0, self._kinds, told)


def team(contenders: Sequence[Contender], fleet: Fleet, factors: Sequence[float]) -> Policy:
    """One policy for a fleet whose runs are these contenders, all rivals or none, with these factors on their targets."""
    plain = {each.name: plain_spec(each, fleet.settings) for each in contenders}
    specs = [
        scaled(each.policy, plain[each.name], factor * each.nominal)
        for each, factor in zip(contenders, factors, strict=True)
    ]
    if not contenders[0].rival:
        return _Own(specs, fleet.settings, [each.kind for each in contenders])
    metrics = [metrics_of(each.policy, spec, fleet) for each, spec in zip(contenders, specs, strict=True)]
    return HpaPolicy(specs, metrics, fleet.settings, "rivals")
