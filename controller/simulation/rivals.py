"""HPA and KEDA as rivals, for any number of runs at once: what they would make of the same spec, on the same metrics.

Every rule is that of `controller.simulation.hpa`; here is which metrics an autoscaler would be given instead of our dimensions, and what
the simulated pods show of them. KEDA is an HPA with an External metric: the requests of the whole target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.api import CompositeScalerError, Dimension, Direction, Spec, Unit
from controller.engine import History
from controller.simulation.fleet import SYNC_SECONDS, Fleet, FleetSettings, Seen
from controller.simulation.hpa import (
    Limits,
    Metric,
    MetricType,
    Pods,
    Reported,
    Target,
    TargetType,
    average_replicas,
    best,
    group,
    per_pod_replicas,
    remember,
    utilization_replicas,
    with_behavior,
)

__all__ = ["RIVALS", "HpaPolicy", "UnfitSpec", "metrics_of", "scaled"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: The rivals that are an HPA, by name.
RIVALS: Final = ("hpa", "hpa-cpu", "keda")
#: What HPA can be given of our dimensions.
_RESOURCES: Final = ("cpu", "memory")
MILLI: Final = 1000.0


class UnfitSpec(CompositeScalerError, ValueError):
    """A rival can make nothing of a spec; the text says what it needs."""


def metrics_of(name: str, spec: Spec, fleet: Fleet) -> tuple[Metric, ...]:
    """The metrics of the rival `name` for a spec; raises `UnfitSpec`.

    `hpa` has one for each dimension with the dimension's own target, `hpa-cpu` that of the CPU alone, and `keda` the requests: as many
    a pod as the spec's dimension `requests` says, else as many as keep a pod's CPU, or what it can serve, at the target of `cpu`. That
    is measured before anything is done to the workload.
    """
    chosen = spec.dimensions if name == "hpa" else [each for each in spec.dimensions if each.metric == "cpu"]
    if name == "keda":
        return (Metric(MetricType.EXTERNAL, "requests", _target(_requests_per_pod(spec, fleet))),)
    if not chosen:
        raise UnfitSpec(f"{name} needs a dimension of the metric cpu; add {{metric: cpu, target: 70%}}.")
    return tuple(_metric(each) for each in chosen)


def _metric(dimension: Dimension) -> Metric:
    amount, name = dimension.amount, dimension.metric or dimension.name
    if amount.unit is Unit.SHARE:
        return Metric(MetricType.RESOURCE, name, Target(TargetType.UTILIZATION, max(1, round(100.0 * amount.value))))
    return Metric(MetricType.RESOURCE if name in _RESOURCES else MetricType.PODS, name, _target(amount.value))


def _target(value: float) -> Target:
    return Target(TargetType.AVERAGE_VALUE, max(1, round(MILLI * value)))


def _requests_per_pod(spec: Spec, fleet: Fleet) -> float:
    named = {each.metric: each.amount for each in spec.dimensions}
    if "requests" in named:
        return named["requests"].value
    if "cpu" not in named:
        raise UnfitSpec(
            "keda needs to know how many requests a pod shall have; add a dimension of the metric requests or of the metric cpu."
        )
    plant, conditions, cpu = fleet.settings.plant, fleet.conditions(0.0), named["cpu"]
    cores = cpu.value * plant.cpu_request if cpu.unit is Unit.SHARE else cpu.value
    return min(cores / float(conditions.cpu_seconds[0]), cores / plant.cpu_limit * float(conditions.capacity[0]))


def scaled(name: str, spec: Spec, factor: float) -> Spec:
    """The spec with what the policy `name` aims at times a factor: a rival's metric targets, else the target magnitude.

    Below 1 it buys more pods. A rival knows no floor, so none is left that could be above a target. Raises ValueError for a factor
    that is not above zero.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"The factor is {factor:g}; write a number above zero.")
    if name not in RIVALS:
        target = f"{spec.magnitude.target_value * factor:.6g}"
        return spec.model_copy(update={"magnitude": spec.magnitude.model_copy(update={"target": target})})
    dimensions = tuple(
        each.model_copy(update={"target": _times(each, factor), "floor": "0"}) for each in spec.dimensions
    )
    return spec.model_copy(update={"dimensions": dimensions})


def _times(dimension: Dimension, factor: float) -> str:
    """A dimension's target times a factor, as the manifest would have it."""
    amount = dimension.amount
    match amount.unit:
        case Unit.SHARE:
            return f"{100.0 * amount.value * factor:.6g}%"
        case Unit.SECONDS:
            return f"{1000.0 * amount.value * factor:.6f}ms"
        case _:
            return f"{amount.value * factor:.6g}"


class _Kind(NamedTuple):
    """Metrics of one type and with one type of target, N of them: which runs have each, and everything for all of them at once.

    `has` is (N, R); `targets` (N * R,) are whole percent for a utilization, else milli-units, and `up` and `down` (N * R,) tolerances.
    """

    names: tuple[str, ...]
    has: Flags
    targets: Ints
    up: Floats
    down: Floats

    @classmethod
    def of(cls, metrics: Sequence[Sequence[Metric]], type_: str, target: TargetType, limits: Limits) -> _Kind:
        """The metrics of all runs of this kind; of two of one name the lower target is the one that asks for more."""
        found: list[dict[str, int]] = []
        for run in metrics:
            targets: dict[str, int] = {}
            for each in run:
                if each.target is not None and (each.type, each.target.type) == (type_, target):
                    targets[each.name] = min(each.target.amount, targets.get(each.name, each.target.amount))
            found.append(targets)
        names = tuple(dict.fromkeys(name for run in found for name in run))
        return cls(
            names,
            np.array([[name in run for run in found] for name in names], np.bool_),
            np.array([run.get(name, 1) for name in names for run in found], np.int64),
            np.tile(limits.up.tolerance, len(names)),
            np.tile(limits.down.tolerance, len(names)),
        )


class HpaPolicy:
    """HorizontalPodAutoscalers with a spec and metrics of their own each run, (R,); the behavior and the bounds are the spec's.

    A pod that is not Ready yet counts as Pending. CPU is that between the last two scrapes, as metrics-server has it: over a longer
    window HPA would leave out every new pod until the window is full. The first recommendation is the present count.
    """

    def __init__(
        self, specs: Sequence[Spec], metrics: Sequence[Sequence[Metric]], settings: FleetSettings, name: str = "hpa"
    ) -> None:
        self._settings, self._name = settings, name
        plant = settings.plant
        self._requests = {"cpu": round(MILLI * plant.cpu_request), "memory": round(MILLI * plant.memory_request)}
        self._limits = Limits.of(
            [spec.behavior for spec in specs],
            [spec.min_replicas for spec in specs],
            [spec.max_replicas for spec in specs],
        )
        per_pod = TargetType.AVERAGE_VALUE
        self._utilizations = _Kind.of(metrics, MetricType.RESOURCE, TargetType.UTILIZATION, self._limits)
        self._usages = _Kind.of(metrics, MetricType.RESOURCE, per_pod, self._limits)
        self._numbers = _Kind.of(metrics, MetricType.PODS, per_pod, self._limits)
        self._totals = _Kind.of(metrics, MetricType.EXTERNAL, per_pod, self._limits)
        windows, periods = (
            [getattr(self._limits.rules(direction), each).max() for direction in Direction]
            for each in ("window", "period")
        )
        kept, remembered = (math.ceil(max(each) / SYNC_SECONDS) + 1 for each in (windows, periods))
        runs = len(specs)
        self._history = History(
            np.zeros((runs, kept), np.int64),
            np.full((runs, kept), -np.inf),
            np.zeros((runs, remembered), np.int64),
            np.full((runs, remembered), -np.inf),
        )
        self._begun = False

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return self._name

    def decide(self, seen: Seen) -> Ints:
        """The replicas (R,) that the autoscalers write."""
        current, limits = seen.current, self._limits
        if not self._begun:
            self._begun = True
            self._history.recommendations[:, -1], self._history.recommended_at[:, -1] = current, seen.now
        proposals, valid = self._propose(seen)
        wanted = best(proposals, valid, current)
        low, high = current < limits.min_replicas, current > limits.max_replicas
        trusted = wanted.trusted & ~low & ~high
        restrained = with_behavior(limits, self._history, seen.now, current, wanted.replicas).replicas
        # Without a metric nothing is written; outside of the bounds no metric is looked at.
        desired = np.where(trusted, restrained, np.clip(current, limits.min_replicas, limits.max_replicas))
        self._history = remember(self._history, seen.now, wanted.replicas, trusted, desired - current)
        return desired

    def _propose(self, seen: Seen) -> tuple[list[Ints], list[Flags]]:
        """What each metric asks for (R,), and whether it says anything; a metric that a run has not got asks for nothing."""
        proposals: list[Ints] = []
        valid: list[Flags] = []
        pods = _pods(seen)
        for kind in (self._utilizations, self._usages, self._numbers):
            if kind.names:
                reported = self._of_pods(kind, pods, seen)
                proposals += list(np.where(kind.has, reported.replicas.reshape(kind.has.shape), 0))
                valid += list(reported.valid.reshape(kind.has.shape) | ~kind.has)
        if self._totals.names:
            kind, known = self._totals, np.isfinite(seen.arrivals_window)
            total = np.rint(MILLI * np.where(known, seen.arrivals_window, 0.0)).astype(np.int64)
            replicas = per_pod_replicas(total, kind.targets, seen.current, kind.up, kind.down)
            proposals.append(np.where(kind.has[0], replicas, 0))
            valid.append(known | ~kind.has[0])
        return proposals, valid

    def _of_pods(self, kind: _Kind, pods: Pods, seen: Seen) -> Reported:
        """What metrics of one kind ask for, (N * R,): each metric of each run is an autoscaler of its own."""
        resources = kind is not self._numbers
        groups, usage, requests = [], [], []
        sampled_at = seen.now - seen.age[seen.scaler]
        for name in kind.names:
            amounts = _amounts(name, seen)
            there = np.isfinite(amounts)
            is_cpu = resources and name == "cpu"
            groups.append(group(pods, there, sampled_at, float(self._settings.scrape_seconds), seen.now, is_cpu=is_cpu))
            usage.append(np.ceil(MILLI * np.where(there, amounts, 0.0)).astype(np.int64))
            requests.append(np.full(len(amounts), self._requests.get(name, 1)))
        runs, count = len(seen.current), len(kind.names)
        of = np.concatenate([seen.scaler + at * runs for at in range(count)])
        current = np.tile(seen.current, count)
        grouped, used = np.concatenate(groups), np.concatenate(usage)
        if kind is self._utilizations:
            requested = np.concatenate(requests)
            return utilization_replicas(of, grouped, used, requested, kind.targets, current, kind.up, kind.down)
        return average_replicas(of, grouped, used, kind.targets, current, kind.up, kind.down)


def _pods(seen: Seen) -> Pods:
    """The pods as the API shows them."""
    waits = ~seen.ready
    return Pods(
        of=seen.scaler,
        ended=np.zeros(len(waits), np.bool_),
        pending=waits,
        judged=np.ones(len(waits), np.bool_),
        unready=waits,
        started_at=seen.created,
        turned_at=np.where(waits, seen.created, seen.ready_since),
    )


def _amounts(name: str, seen: Seen) -> Floats:
    """What the pods (P,) show of a metric, NaN where nothing."""
    match name:
        case "cpu":
            return seen.cpu_newest
        case "memory":
            return seen.memory
        case "latency":
            return seen.latency
        case "requests":
            return seen.served_window
        case _:
            return np.full(len(seen.scaler), np.nan)
