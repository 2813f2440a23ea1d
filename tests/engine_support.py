"""Compact inputs for the engine: a `Case` is one scaler with what was seen of it, `decide` evaluates any number of them together.

Nothing here knows what the right answer is; that is each test's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from controller.api import Reason, Spec
from controller.engine import (
    NONE,
    Decisions,
    History,
    Load,
    LoadKind,
    Record,
    Samples,
    Scalers,
    code,
    evaluate,
    reason,
    record_of,
)

__all__ = [
    "NOW",
    "Case",
    "Pod",
    "Seen",
    "batch",
    "decide",
    "dimension",
    "even",
    "record",
    "rule",
    "rules",
    "spec",
    "wanting",
]

#: The moment of every evaluation, in seconds of the history's clock.
NOW = 1_000_000.0

#: What was seen of one dimension: nothing, a fresh value, or a value with its age in seconds.
Seen = float | None | tuple[float, float]


def dimension(name: str = "cpu", target: float | str = "1", **fields: object) -> dict[str, object]:
    """A dimension of the manifest whose values come from a query; `fields` are written as in the manifest."""
    return {"name": name, "query": name, "target": _text(target), **fields}


def spec(*dimensions: Mapping[str, object], maximum: int = 1000, **fields: Any) -> Spec:
    """A spec with these dimensions (one of target 1 if none); `fields` are written as in the manifest.

    Unlike the manifest's, its defaults hold nothing back: no cooldown, no windows, and any rate.
    """
    return Spec.model_validate(
        {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "maxReplicas": maximum,
            "dimensions": list(dimensions) or [dimension()],
            "behavior": {"scaleUp": rules(), "scaleDown": rules()},
            "cooldown": {"scaleUp": "0s", "scaleDown": "0s"},
            **fields,
        }
    )


def rules(
    *policies: tuple[str, int, int], window: int = 0, select: str = "Max", tolerance: str = "0.1"
) -> dict[str, object]:
    """The rules of one direction; a policy is (type, value, period in seconds), and without one any change is allowed."""
    return {
        "stabilizationWindowSeconds": window,
        "selectPolicy": select,
        "tolerance": tolerance,
        "policies": [
            {"type": kind, "value": value, "periodSeconds": period}
            for kind, value, period in policies or [("Pods", 2**31 - 1, 1)]
        ],
    }


@dataclass(frozen=True)
class Pod:
    """What was seen of one pod, dimension by dimension, in the order of the spec, and what it served: rates, NaN where not seen."""

    seen: tuple[Seen, ...]
    ready: bool = True
    young: bool = False
    unscheduled: bool = False
    newest: float = np.nan
    served: float = np.nan
    waited: float = np.nan

    @classmethod
    def of(cls, *seen: Seen, **fields: Any) -> Pod:
        """A pod with these samples; `fields` are the others of this class."""
        return cls(seen, **fields)


def even(count: int, *seen: Seen, **fields: Any) -> tuple[Pod, ...]:
    """`count` Ready pods that are all alike; `fields` are those of `Pod`."""
    return (Pod.of(*seen, **fields),) * count


@dataclass(frozen=True)
class Case:
    """One scaler and what was seen: `target` and `faults` by the name of the dimension, history as (number, seconds ago).

    Of its demand: what a gateway saw (`arrivals`, per second), the seconds that pods take to start, the range of the rates, and what
    is measured; nothing of it is known unless said.
    """

    spec: Spec
    pods: Sequence[Pod] = ()
    current: int | None = None
    target: Mapping[str, Seen] = field(default_factory=dict)
    faults: Mapping[str, Reason] = field(default_factory=dict)
    recommendations: Sequence[tuple[int, float]] = ()
    changes: Sequence[tuple[int, float]] = ()
    arrivals: float = np.nan
    startup: float = np.nan
    window: float = 60.0
    kind: LoadKind = LoadKind.NONE

    @property
    def replicas(self) -> int:
        """The replicas of the target; as many as there are pods unless said otherwise."""
        return len(self.pods) if self.current is None else self.current


def wanting(replicas: int, current: int, maximum: int = 1000, **fields: Any) -> Case:
    """A scaler with `current` Ready pods whose one dimension asks for `replicas`; `fields` are of the spec and of the case."""
    of_case = {name: fields.pop(name) for name in ("recommendations", "changes") if name in fields}
    exact = {"behavior": {"scaleUp": rules(tolerance="0"), "scaleDown": rules(tolerance="0")}}
    of_spec = spec(dimension("load", per="Target"), maximum=maximum, **(exact | fields))
    return Case(of_spec, even(current), target={"load": replicas / current}, **of_case)


def batch(*cases: Case) -> tuple[Scalers, Samples, History]:
    """The arrays of these cases, in this order."""
    scalers = Scalers.of([case.spec for case in cases])
    count, width = scalers.used.shape
    pods = [(row, pod) for row, case in enumerate(cases) for pod in case.pods]
    of_pods = _seen([pod.seen for _, pod in pods], width)
    of_targets = _seen(
        [[case.target.get(name) for name in scalers.names[row]] for row, case in enumerate(cases)], width
    )
    faults = np.full((count, width), NONE, np.int16)
    for row, case in enumerate(cases):
        for name, why in case.faults.items():
            faults[row, scalers.names[row].index(name)] = code(why)
    samples = Samples(
        current=np.array([case.replicas for case in cases], np.int64),
        scaler=np.array([row for row, _ in pods], np.intp),
        ready=np.array([pod.ready for _, pod in pods], np.bool_),
        young=np.array([pod.young for _, pod in pods], np.bool_),
        unscheduled=np.array([pod.unscheduled for _, pod in pods], np.bool_),
        values=of_pods[0],
        ages=of_pods[1],
        seen=of_pods[2],
        target_values=of_targets[0],
        target_ages=of_targets[1],
        target_seen=of_targets[2],
        faults=faults,
        load=Load(
            newest=np.array([pod.newest for _, pod in pods], np.float64),
            served=np.array([pod.served for _, pod in pods], np.float64),
            waited=np.array([pod.waited for _, pod in pods], np.float64),
            arrivals=np.array([case.arrivals for case in cases], np.float64),
            startup=np.array([case.startup for case in cases], np.float64),
            window=np.array([case.window for case in cases], np.float64),
            kind=np.array([case.kind for case in cases], np.int8),
        ),
    )
    recommendations, recommended_at = _remembered([case.recommendations for case in cases])
    changes, changed_at = _remembered([case.changes for case in cases])
    return scalers, samples, History(recommendations, recommended_at, changes, changed_at)


def decide(*cases: Case) -> Decisions:
    """Evaluate all cases together."""
    return evaluate(*batch(*cases), NOW)


def record(case: Case) -> Record:
    """The record of one case, decided alone."""
    return record_of(decide(case), 0)


def rule(case: Case) -> tuple[int, Reason]:
    """What was decided for one case and by which rule."""
    decisions = decide(case)
    return int(decisions.desired[0]), reason(int(decisions.rule[0]))


def _seen(rows: Sequence[Sequence[Seen]], width: int) -> tuple[Any, Any, Any]:
    values, ages = np.full((len(rows), width), np.nan), np.zeros((len(rows), width))
    seen = np.zeros((len(rows), width), np.bool_)
    for row, samples in enumerate(rows):
        for at, sample in enumerate(samples):
            if sample is not None:
                values[row, at], ages[row, at] = sample if isinstance(sample, tuple) else (sample, 0.0)
                seen[row, at] = True
    return values, ages, seen


def _remembered(rows: Sequence[Sequence[tuple[int, float]]]) -> tuple[Any, Any]:
    width = max((len(row) for row in rows), default=0) or 1
    numbers, times = np.zeros((len(rows), width), np.int64), np.full((len(rows), width), -np.inf)
    for row, entries in enumerate(rows):
        for at, (number, seconds_ago) in enumerate(entries):
            numbers[row, at], times[row, at] = number, NOW - seconds_ago
    return numbers, times


def _text(amount: float | str) -> str:
    return amount if isinstance(amount, str) else f"{amount:.12g}"
