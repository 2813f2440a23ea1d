"""What scales a fleet: this project's decision, and the constant and all-knowing schedules that it is measured against.

A policy is looked up by name; each gets the fleet that it is to scale and the specs of the runs. HPA and KEDA as rivals
(`controller.simulation.rivals`) register here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import CompositeScalerError, Dimension, Direction, Response, Spec, Unit
from controller.engine import NONE, History, Load, LoadKind, Samples, Scalers, evaluate
from controller.engine.learned import Learned
from controller.simulation.fleet import SYNC_SECONDS, Fleet, FleetSettings, Seen
from controller.simulation.rivals import RIVALS, HpaPolicy, metrics_of
from controller.simulation.run import Policy
from controller.simulation.settings import PlantSettings

__all__ = [
    "POLICIES",
    "Clairvoyant",
    "CompositeScalerPolicy",
    "Constant",
    "UnknownPolicy",
    "demand_of",
    "policy_of",
    "samples_of",
    "specs_of",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


#: Kinds of demand as numpy compares them fastest.
_NONE, _ARRIVALS, _REQUESTS, _CORES = map(int, LoadKind)


class UnknownPolicy(CompositeScalerError, ValueError):
    """There is no policy of this name; the text names those that there are."""


class Constant:
    """The same number of pods (R,) at all times."""

    def __init__(self, replicas: Sequence[int] | Ints) -> None:
        self._replicas = np.asarray(replicas, np.int64)

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return "constant"

    def decide(self, seen: Seen) -> Ints:
        """The same replicas (R,)."""
        return self._replicas


class Clairvoyant:
    """The pods that keep every pod at one utilisation (R,), known from the load that is to come.

    It knows the load in the middle of the next sync, or `ahead` seconds later, to allow for a start-up. Without start-up times it is the
    bound of the law's study, section 2: a constant utilisation is the best use of pod-hours.
    """

    def __init__(
        self, fleet: Fleet, utilisation: float | Floats, *, least: int = 1, most: int = 100, ahead: float = 0.0
    ) -> None:
        self._fleet, self._least, self._most, self._ahead = fleet, least, most, ahead
        self._utilisation = utilisation

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return "clairvoyant"

    def decide(self, seen: Seen) -> Ints:
        """The replicas (R,) for what comes next."""
        at = seen.now + SYNC_SECONDS / 2.0 + self._ahead
        capacity = float(self._fleet.conditions(at).capacity[0])
        wanted = np.ceil(self._fleet.loads.expected(at) / (capacity * self._utilisation) - 1e-9)
        return np.clip(wanted, self._least, self._most).astype(np.int64)


def demand_of(spec: Spec) -> LoadKind:
    """What is measured as demand: a gateway where the spec names the family requests, else the latency histogram, else cores."""
    if spec.demand is not None and spec.demand.metric == "requests":
        return LoadKind.ARRIVALS
    metrics = {dimension.metric for dimension in spec.dimensions}
    if "latency" in metrics:
        return LoadKind.REQUESTS
    return LoadKind.CORES if "cpu" in metrics else LoadKind.NONE


def samples_of(seen: Seen, specs: Sequence[Spec], kinds: Ints, settings: FleetSettings) -> Samples:
    """What a sync showed, as the engine takes it: shares of the pods' requests, seconds, cores and bytes; `kinds` (R,) of demand.

    The families are cpu, memory and latency, and `requests` for what a pod was sent; a query is not answered.
    """
    runs, width = len(specs), max(len(spec.dimensions) for spec in specs)
    values = np.full((len(seen.scaler), width), np.nan)
    for column in range(width):
        # Runs whose dimension in this column is alike are filled in together.
        alike: dict[tuple[str | None, bool], list[int]] = {}
        for row, spec in enumerate(specs):
            if column < len(spec.dimensions):
                alike.setdefault(_source(spec.dimensions[column]), []).append(row)
        for (metric, share), rows in alike.items():
            shown = _shown(seen, metric, share, settings.plant)
            if shown is None:
                continue
            if len(rows) == runs:
                values[:, column] = shown
            else:
                mine = np.isin(seen.scaler, rows)
                values[mine, column] = shown[mine]
    return Samples(
        current=seen.current,
        scaler=seen.scaler,
        ready=seen.ready,
        young=seen.young,
        unscheduled=np.zeros(len(seen.scaler), np.bool_),
        values=values,
        ages=seen.age[seen.scaler].repeat(width).reshape(values.shape),
        seen=~np.isnan(values),
        target_values=np.full((runs, width), np.nan),
        target_ages=np.zeros((runs, width)),
        target_seen=np.zeros((runs, width), np.bool_),
        faults=np.full((runs, width), NONE, np.int16),
        load=_load(seen, kinds, settings.window_seconds),
    )


def _load(seen: Seen, kinds: Ints, window: float) -> Load:
    """What was asked of each run, by what each measures."""
    of = kinds[seen.scaler]
    counted, cores = of != _NONE, of == _CORES
    return Load(
        newest=np.where(counted, np.where(cores, seen.cpu_newest, seen.served_newest), np.nan),
        served=np.where(counted, np.where(cores, seen.cpu, seen.served_window), np.nan),
        waited=np.where(of == _REQUESTS, seen.waited_newest, np.nan),
        arrivals=np.where(kinds == _ARRIVALS, seen.arrivals_newest, np.nan),
        startup=seen.startup,
        window=np.full(len(kinds), window),
        kind=kinds.astype(np.int8),
    )


def _source(dimension: Dimension) -> tuple[str | None, bool]:
    return dimension.metric, dimension.amount.unit is Unit.SHARE


def _shown(seen: Seen, metric: str | None, share: bool, plant: PlantSettings) -> Floats | None:
    """The values (P,) of a family, None where the plant has no such thing."""
    match metric:
        case "cpu":
            return seen.cpu / plant.cpu_request if share else seen.cpu
        case "memory":
            return seen.memory / plant.memory_request if share else seen.memory
        case "latency":
            return seen.latency
        case "requests":
            return seen.served_window
        case _:
            return None


class CompositeScalerPolicy:
    """This project's own decision: one spec a run, and the memory that the operator keeps of each.

    The first recommendation is the present count, so nothing scales down for one whole window after the start.
    """

    def __init__(self, specs: Sequence[Spec], settings: FleetSettings, name: str = "compositescaler") -> None:
        self._specs, self._settings, self._name = tuple(specs), settings, name
        self._scalers = Scalers.of(specs)
        self._kinds = np.array([demand_of(spec) for spec in specs], np.int64)
        self._learned = Learned.empty(*self._scalers.used.shape)
        runs = len(specs)
        window = max(self._scalers.rules(direction).window.max() for direction in Direction)
        looks_back = max(
            *(self._scalers.rules(direction).period.max() for direction in Direction),
            *(self._scalers.rules(direction).cooldown.max() for direction in Direction),
        )
        kept, remembered = (math.ceil(seconds / SYNC_SECONDS) + 1 for seconds in (window, looks_back))
        self._recommendations = np.zeros((runs, kept), np.int64)
        self._recommended_at = np.full((runs, kept), -np.inf)
        self._changes = np.zeros((runs, remembered), np.int64)
        self._changed_at = np.full((runs, remembered), -np.inf)
        self._sync = 0
        self._magnitude = np.full(runs, np.nan)

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return self._name

    @property
    def magnitude(self) -> Floats:
        """The magnitude (R,) that the last decision measured, NaN where it could not."""
        return self._magnitude

    def decide(self, seen: Seen) -> Ints:
        """The replicas (R,) that the engine decides."""
        if self._sync == 0:
            self._recommendations[:, -1], self._recommended_at[:, -1] = seen.current, seen.now
        history = History(self._recommendations, self._recommended_at, self._changes, self._changed_at)
        samples = samples_of(seen, self._specs, self._kinds, self._settings)
        decisions = evaluate(self._scalers, samples, history, seen.now, self._learned)
        self._learned, self._magnitude = decisions.learned, decisions.magnitude.total
        at = self._sync % self._recommendations.shape[1]
        self._recommendations[:, at], self._recommended_at[:, at] = decisions.recommendation, seen.now
        change = decisions.desired - seen.current
        at = self._sync % self._changes.shape[1]
        self._changes[:, at] = change
        self._changed_at[:, at] = np.where(change != 0, seen.now, -np.inf)
        self._sync += 1
        return decisions.desired


def specs_of(name: str, specs: Sequence[Spec]) -> list[Spec]:
    """What a policy makes of the specs: `proportional` is our own decision in HPA's shape."""
    if name != "proportional":
        return list(specs)
    return [
        spec.model_copy(update={"magnitude": spec.magnitude.model_copy(update={"response": Response.PROPORTIONAL})})
        for spec in specs
    ]


def _rival(name: str) -> Maker:
    return lambda fleet, specs: HpaPolicy(
        specs, [metrics_of(name, spec, fleet) for spec in specs], fleet.settings, name
    )


Maker = Callable[[Fleet, Sequence[Spec]], Policy]

#: Makes each policy for a fleet, from one spec a run.
POLICIES: Final[dict[str, Maker]] = {
    "compositescaler": lambda fleet, specs: CompositeScalerPolicy(specs, fleet.settings),
    "clairvoyant": lambda fleet, specs: Clairvoyant(
        fleet,
        np.array([spec.dimensions[0].amount.value for spec in specs]),
        least=min(spec.min_replicas for spec in specs),
        most=max(spec.max_replicas for spec in specs),
    ),
    "constant": lambda _, specs: Constant([spec.max_replicas for spec in specs]),
    "proportional": lambda fleet, specs: CompositeScalerPolicy(
        specs_of("proportional", specs), fleet.settings, "proportional"
    ),
    **{name: _rival(name) for name in RIVALS},
}


def policy_of(name: str, fleet: Fleet, specs: Sequence[Spec]) -> Policy:
    """The policy of this name, made for a fleet; raises `UnknownPolicy`."""
    if name not in POLICIES:
        raise UnknownPolicy(f"There is no policy {name!r}; write one of {', '.join(sorted(POLICIES))}.")
    return POLICIES[name](fleet, specs)
