"""What the demo records, one row a second, and the verdict on it; plain data for the view and the report.

Where the numbers come from (plant, status of the scaler) is the business of whoever runs the demo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

__all__ = [
    "DecisionMade",
    "Dimension",
    "Moment",
    "Outlook",
    "Verdict",
    "clock_text",
    "decisions",
    "seconds_text",
    "spans",
]


class Dimension(NamedTuple):
    """One dimension of a decision: its normalized excess `y` (1 = at its own target) and its share of the magnitude."""

    name: str
    y: float
    share: float


class Outlook(NamedTuple):
    """What decided, and what it knew: the demand now and ahead, in requests per second, and how much of it one pod takes at the target.

    None where it is not known; `per_pod` is known exactly where the law proposed the number.
    """

    demand: float | None = None
    ahead: float | None = None
    per_pod: float | None = None

    @property
    def response(self) -> str:
        """The response that decided, as the manifest calls it."""
        return "Proportional" if self.per_pod is None else "Capacity"


@dataclass(frozen=True, slots=True)
class Moment:
    """One second of the demo. `starting`: pods are on their way, so the promise is not judged."""

    t: float
    """Seconds since the load began."""
    load_rps: float
    replicas_spec: int
    replicas_ready: int
    magnitude: float | None
    """None before the first decision."""
    dimensions: tuple[Dimension, ...]
    p95_seconds: float
    slo_seconds: float
    decision: str
    """The last decision in words; empty before the first."""
    starting: bool
    outlook: Outlook | None = None
    """None before the first decision."""
    requests: int = 0
    """Requests that came in this second."""
    late: int = 0
    """Requests that broke the promise: answered too late, or failed."""
    pod_seconds: float = 0.0
    """Pods that were there, whether or not they served yet, times the time they were."""

    @property
    def slow(self) -> bool:
        """The latency is above the promise."""
        return self.p95_seconds > self.slo_seconds


class DecisionMade(NamedTuple):
    """A change of the wanted replicas, with its sentence."""

    t: float
    load_rps: float
    before: int
    after: int
    sentence: str


def decisions(moments: Sequence[Moment]) -> list[DecisionMade]:
    """Every change of the wanted replicas, in order."""
    return [
        DecisionMade(now.t, now.load_rps, before.replicas_spec, now.replicas_spec, now.decision)
        for before, now in pairwise(moments)
        if now.replicas_spec != before.replicas_spec
    ]


def spans(moments: Sequence[Moment]) -> Iterator[tuple[float, float]]:
    """From when to when pods were starting, in seconds."""
    began: float | None = None
    for moment in moments:
        if moment.starting and began is None:
            began = moment.t
        elif not moment.starting and began is not None:
            yield began, moment.t
            began = None
    if began is not None:
        yield began, moments[-1].t


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the promised latency was held in every second in which no pod was starting, and the figures around it."""

    seconds: int
    slow_seconds: int
    """Over the promise while nothing was starting: none is allowed."""
    starting_seconds: int
    slow_starting_seconds: int
    worst_starting_p95_seconds: float
    worst_p95_seconds: float
    """While nothing was starting."""
    median_p95_seconds: float
    peak_load_rps: float
    most_ready: int
    fewest_ready: int
    actions: int
    flips: int
    """Changes of direction, up to down or down to up, between successive actions."""
    requests: int
    late: int
    """Requests that broke the promise, also while pods were starting."""
    pod_seconds: float

    @property
    def late_share(self) -> float:
        """Requests that broke the promise, of all that came."""
        return self.late / max(self.requests, 1)

    @property
    def held(self) -> bool:
        """The promise was kept; a demo that recorded nothing to judge kept none."""
        return self.slow_seconds == 0 and self.seconds > self.starting_seconds

    @classmethod
    def of(cls, moments: Sequence[Moment]) -> Verdict:
        """Judge these moments; raises ValueError when there are none."""
        if not moments:
            raise ValueError("There is nothing to judge: no moment was recorded.")
        judged = [moment for moment in moments if not moment.starting]
        starting = [moment for moment in moments if moment.starting]
        made = decisions(moments)
        ready = [moment.replicas_ready for moment in moments]
        latencies = sorted(moment.p95_seconds for moment in moments)
        return cls(
            seconds=len(moments),
            slow_seconds=sum(moment.slow for moment in judged),
            starting_seconds=len(starting),
            slow_starting_seconds=sum(moment.slow for moment in starting),
            worst_starting_p95_seconds=max((moment.p95_seconds for moment in starting), default=0.0),
            worst_p95_seconds=max((moment.p95_seconds for moment in judged), default=0.0),
            median_p95_seconds=latencies[len(latencies) // 2],
            peak_load_rps=max(moment.load_rps for moment in moments),
            most_ready=max(ready),
            fewest_ready=min(ready),
            actions=len(made),
            flips=sum((a.after > a.before) != (b.after > b.before) for a, b in pairwise(made)),
            requests=sum(moment.requests for moment in moments),
            late=sum(moment.late for moment in moments),
            pod_seconds=sum(moment.pod_seconds for moment in moments),
        )


def seconds_text(seconds: float) -> str:
    """A duration for people: `180 ms`, `2.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def clock_text(seconds: float) -> str:
    """A moment for people: `01:05`."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
