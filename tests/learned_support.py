"""A web server under load for tests of what is learned: what its pods show follows from the load per pod, evaluation after evaluation.

The arithmetic of the pods is as plain as can be: CPU and memory grow with the load, latency as in a queue, or not at all with the load
where a dependency is slow. The world in `law_support` has seconds, scrapes and start-ups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from controller.api import Spec
from controller.engine import Decisions, Learned, LoadKind, Record, evaluate, record_of
from tests.engine_support import NOW, Case, batch, dimension, even, spec

__all__ = ["WEB_SPEC", "Run", "far_from_usual", "queue", "slow_dependency", "web"]

#: CPU, memory and latency with their default floors, and nothing written about scaling down: the law's own hold.
WEB_SPEC: Spec = spec(
    {"metric": "cpu", "target": "70%"},
    {"metric": "memory", "target": "100%"},
    {"metric": "latency", "target": "250ms"},
    behavior={},
)

Latency = Callable[[float], float]


def queue(load: float) -> float:
    """Seconds of latency at a load per pod: 60 ms in no hurry, a queue that is full at 60 requests/s."""
    return 0.06 / max(1 - load / 60, 0.02)


def slow_dependency(load: float) -> float:
    """Seconds of latency that pods do not lower."""
    return 0.5 + 0 * load


def web(demand: float, pods: int, latency: Latency = queue, of: Spec = WEB_SPEC, memory: float = 0.6) -> Case:
    """A web server whose `pods` share a demand in requests/s; `memory` is its share of the request without load."""
    load = demand / pods
    seen = (load / 50, memory + load / 250, latency(load))
    served = {"newest": load, "served": load, "waited": load * seen[2] / 2}
    return Case(of, even(pods, *seen, **served), kind=LoadKind.REQUESTS, startup=28.0)


@dataclass
class Run:
    """Evaluations one after the other, 15 s apart, each with the state that the last one left."""

    learned: Learned | None = None
    now: float = NOW
    decisions: Decisions | None = field(default=None, repr=False)

    def see(self, *cases: Case, times: int = 1) -> Decisions:
        """Evaluate these cases together, so many times."""
        for _ in range(times):
            self.now += 15.0
            self.decisions = evaluate(*batch(*cases), self.now, self.learned)
            self.learned = self.decisions.learned
        assert self.decisions is not None
        return self.decisions

    def in_vain(self, of: Spec = WEB_SPEC) -> Decisions:
        """Let latency be tried, and pods not lower it: 10 pods with a queue, then with a slow dependency, then 16 pods of those."""
        self.see(web(300, 10, of=of), times=40)
        for _ in range(80):
            if self.see(web(300, 10, slow_dependency, of)).law.tested[0]:
                break
        for _ in range(20):
            if self.see(web(300, 16, slow_dependency, of)).law.dropped[0]:
                break
        assert self.decisions is not None
        assert self.decisions.law.dropped[0]
        return self.decisions

    @property
    def record(self) -> Record:
        """The record of the first case of the last evaluation."""
        assert self.decisions is not None
        return record_of(self.decisions, 0)


@cache
def far_from_usual(action: str = "Observe", cycles: int = 40) -> tuple[Record, float]:
    """The record, and its moment, of four pods that were at 0.75 for two hours and are at 0.15 and 0.55 for so many cycles of 15 s."""
    of, run = spec(dimension("cpu"), dimension("queue"), anomaly={"action": action}), Run()
    run.see(Case(of, even(4, 0.75, 0.75)), times=480)
    if cycles:
        run.see(Case(of, even(4, 0.15, 0.55)), times=cycles)
    return run.record, run.now
