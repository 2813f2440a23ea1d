"""A small world for the law: one Deployment whose pods share its traffic evenly, in a loop with the engine and without a clock.

Seconds go by one at a time. What is seen of a pod is what a Prometheus would see: samples of counters at the moments of each pod, rates
between the last two of them and over the whole window. What a dimension shows is each test's business (`shows`); the right answer is, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason, Spec
from controller.engine import Decisions, Learned, LoadKind, Scalers, evaluate, reason
from controller.engine.capacity import alone, flat, solve
from tests.engine_support import NOW, Case, Pod, batch, dimension, spec

__all__ = [
    "CPU",
    "FULL",
    "LATENCY",
    "MEMORY",
    "Seen",
    "World",
    "at_work",
    "columns",
    "late",
    "normalized_at",
    "queueing",
    "solved",
    "web",
]

#: What a pod of the world serves at most, and the seconds that a request takes in an idle one.
MOST, IDLE = 50.0, 0.06
SCRAPES = 4

#: The load per pod at which a pod of the world has 70 % of its core busy.
FULL = 35.0

CPU: dict[str, object] = {"metric": "cpu", "target": "70%"}
MEMORY: dict[str, object] = {"metric": "memory", "target": "80%", "floor": "40%"}
LATENCY: dict[str, object] = {"metric": "latency", "target": "300ms", "floor": "60ms"}


def web(*dimensions: Mapping[str, object], maximum: int = 100, minimum: int = 1, **fields: Any) -> Spec:
    """A spec as users write it, with the law and its own hold; CPU alone unless said otherwise."""
    written = {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "minReplicas": minimum,
        "maxReplicas": maximum,
        "dimensions": [*(dimensions or (CPU,))],
        **fields,
    }
    return Spec.model_validate(written)


def columns(*dimensions: Mapping[str, object], **fields: Any) -> Scalers:
    """The settings of one scaler with these dimensions, for the modules of the law by themselves."""
    return Scalers.of([spec(*dimensions or (dimension(),), **fields)])


def queueing(load: float, floor: float, target: float, capacity: float) -> float:
    """The seconds of a queue that grows from its floor without load to infinity, and is at its target at `capacity`."""
    use = (1 - floor / target) * load / capacity
    return floor / (1 - use) if use < 1 else np.inf


def solved(scalers: Scalers, capacity: Any, target: float = 1.0) -> float:
    """The load per pod that the engine finds for dimensions of these capacities, those of one scaler."""
    known, f, targets = np.array([capacity], np.float64), flat(scalers, scalers.floor), np.array([target])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return float(solve(scalers, known * alone(scalers, f, targets), f, known, targets)[0])


def normalized_at(scalers: Scalers, capacity: Any, floor: Any, load: Any) -> NDArray[np.float64]:
    """The normalized values (S, D) to expect of capacities (S, D) at a load per pod (S,), NaN where the capacity is not known."""
    f = flat(scalers, floor)
    v = load[:, None] / capacity
    r = np.minimum((1 - f) * v, 1 - 1e-9)
    y = np.where(scalers.queues, f / (1 - f) * r / (1 - r), v)
    return np.where(np.isfinite(capacity), np.minimum(y, scalers.cap), np.nan)


@dataclass(frozen=True)
class Seen:
    """What a pod did over a window: the load in requests per second, the seconds a request took, and when it was."""

    load: float
    seconds: float
    at: float


Shows = Callable[[Seen], float]


def at_work(full: float = MOST) -> Shows:
    """The share of a core that the load takes: all of it at `full` requests per second."""
    return lambda seen: seen.load / full


def late(seen: Seen) -> float:
    """The seconds that requests took, as far as a histogram tells."""
    return min(seen.seconds, 10.0)


@dataclass
class World:
    """One scaler and its Deployment: `asked` is the traffic in requests per second, `serves` what a pod can do, both by the second.

    `idle` is what a request takes without load. With `obeys` the target has what was decided; `gateway` says whether arrivals are seen,
    `counts` whether anything of the demand is. `noise` is the relative spread of all that is measured.
    """

    spec: Spec
    asked: Callable[[float], float]
    shows: Mapping[str, Shows] = field(default_factory=lambda: {"cpu": at_work()})
    serves: Callable[[float], float] = lambda _: MOST
    idle: Callable[[float], float] = lambda _: IDLE
    replicas: int = 4
    startup: float = 30.0
    startup_known: bool = True
    interval: float = 15.0
    window: float = 60.0
    obeys: bool = True
    gateway: bool = False
    counts: bool = True
    kind: LoadKind = LoadKind.REQUESTS
    noise: float = 0.0
    seed: int = 1
    #: Seconds that a cycle takes longer than the interval.
    late: float = 0.0
    #: What becomes of all that is seen on its way to the engine.
    sees: Callable[[Case], Case] = lambda case: case

    def __post_init__(self) -> None:
        self.seconds = 0
        self.now = 0.0
        self._born = self.replicas
        self._pods = [(-1e6, float(at)) for at in range(self.replicas)]
        self._backlog = 0.0
        self._chance = np.random.default_rng(self.seed)
        # Work and seconds of latency of an ever-ready pod since the beginning, and arrivals at the whole target.
        self._served, self._waited, self._arrived = [0.0], [0.0], [0.0]
        self.learned: Learned | None = None
        # As the operator does: what is not remembered is that the present count was wanted.
        self.recommendations: list[tuple[int, float]] = [(self.replicas, 0.0)]
        self.changes: list[tuple[int, float]] = []

    @property
    def ready(self) -> int:
        """Pods that serve now."""
        return sum(since <= self.now for since, _ in self._pods)

    def case(self, **changed: Any) -> Case:
        """What is seen now, with `changed` fields of the case."""
        pods = [self._seen(*pod) for pod in self._pods]
        arrivals = np.nan
        if self.gateway:
            arrivals = self._between(self._arrived, self.now - self.window / SCRAPES, self.now) * self._error()
        case = Case(
            self.spec,
            pods,
            current=self.replicas,
            recommendations=[(number, NOW - at) for number, at in self.recommendations],
            changes=[(number, NOW - at) for number, at in self.changes],
            arrivals=arrivals,
            startup=self.startup if self.startup_known else np.nan,
            window=self.window,
            kind=(LoadKind.ARRIVALS if self.gateway else self.kind) if self.counts else LoadKind.NONE,
        )
        return replace(self.sees(case), **changed)

    def decide(self, **changed: Any) -> Decisions:
        """Evaluate what is seen now; what was learned is kept."""
        decisions = evaluate(*batch(self.case(**changed)), self.now, self.learned)
        self.learned = decisions.learned
        return decisions

    def cycles(self, seconds: float) -> Iterator[Decisions]:
        """So many seconds of the loop; each decision is handed out before the target has it."""
        for _ in range(round(seconds / self.interval)):
            self._pass(self.interval + self.late)
            decisions = self.decide()
            yield decisions
            self.recommendations = [*self.recommendations, (int(decisions.recommendation[0]), self.now)][-40:]
            if self.obeys:
                self.scale(int(decisions.desired[0]))

    def run(self, seconds: float) -> Decisions:
        """The last decision of so many seconds."""
        *_, last = self.cycles(seconds)
        return last

    def scale(self, replicas: int) -> None:
        """Set the replicas, by whatever hand."""
        if replicas != self.replicas:
            self.changes = [*self.changes, (replicas - self.replicas, self.now)][-40:]
        # The newest go first, as a ReplicaSet does with those that do not serve yet.
        self._pods = sorted(self._pods)[:replicas]
        while len(self._pods) < replicas:
            self._pods.append((self.now + self.startup, float(self._born)))
            self._born += 1
        self.replicas = replicas

    @staticmethod
    def rule(decisions: Decisions) -> Reason:
        """Which rule decided."""
        return reason(int(decisions.rule[0]))

    def _pass(self, seconds: float) -> None:
        until = self.now + seconds
        while self.seconds < until:
            pods = max(sum(since <= self.seconds for since, _ in self._pods), 1)
            arrive, most = self.asked(self.seconds), pods * self.serves(self.seconds)
            served = min(arrive + self._backlog, most)
            self._backlog = max(self._backlog + arrive - most, 0.0)
            use = min(served / most, 0.97)
            took = self.idle(self.seconds) / (1 - use) + self._backlog / most
            self._served.append(self._served[-1] + served / pods)
            self._waited.append(self._waited[-1] + served / pods * took)
            self._arrived.append(self._arrived[-1] + arrive)
            self.seconds += 1
        self.now = until

    def _error(self) -> float:
        return float(np.exp(self._chance.normal(0.0, self.noise))) if self.noise else 1.0

    def _between(self, counter: list[float], start: float, end: float) -> float:
        """The rate of a counter between two moments; before the beginning everything was as in its first seconds."""
        return (self._count(counter, end) - self._count(counter, start)) / (end - start)

    def _count(self, counter: list[float], moment: float) -> float:
        last = len(counter) - 1
        if moment < 0:
            early = min(60, last)
            return moment * counter[early] / early
        whole = min(int(moment), last - 1)
        return counter[whole] + (moment - whole) * (counter[whole + 1] - counter[whole])

    def _seen(self, since: float, number: float) -> Pod:
        every = self.window / SCRAPES
        if since > self.now:
            return Pod.of(*(None for _ in self.spec.dimensions), ready=False)
        young = self.now - since < self.window
        phase = every * (number * 0.618 % 1.0)
        last = np.floor((self.now - phase) / every) * every + phase
        if last - every < since:
            return Pod.of(*(None for _ in self.spec.dimensions), young=True)
        first = max(last - self.window, since)
        load = self._between(self._served, first, last) * (last - first) / self.window
        lateness = self._between(self._waited, first, last) / max(self._between(self._served, first, last), 1e-9)
        seen = Seen(load, lateness if load > 0 else 0.0, self.now)
        newest = self._between(self._served, last - every, last)
        waited = self._between(self._waited, last - every, last)
        error = self._error()
        shown = (self.shows[each.name](seen) * error * self._error() for each in self.spec.dimensions)
        if not self.counts:
            return Pod.of(*shown, young=young)
        return Pod.of(*shown, young=young, newest=newest * error * self._error(), served=load * error, waited=waited)
