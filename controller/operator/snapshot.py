"""The join: answers of the sources, pods of the cache and replicas of the targets become the arrays of one evaluation.

Rows are pods sorted by scaler. The layout (which pod is which row) is rebuilt only when a pod or a scaler came, changed or went; every
cycle then only scatters columns into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason
from controller.engine import NONE, Load, Samples, Scalers, code
from controller.kube import Pod
from controller.operator.plan import Divisor, Plan, Signal
from controller.operator.startup import startup_times
from controller.prometheus import Answer, Column, Fault, Query, Scalar

__all__ = ["DEMAND", "Layout", "join"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

#: (namespace, name) of a pod.
PodKey = tuple[str, str]

#: Under this name stands what a source said about the demand, among what it said about dimensions.
DEMAND: Final = "demand"


@dataclass(frozen=True, slots=True)
class Layout:
    """Which pod is which row: `scaler` (P,) ascending, `ready` and `unscheduled` (P,), `created`, `ready_since` and `first_ready` (P,) in
    Unix seconds, the requests (P,) in cores and bytes (NaN: not known, not set), and the row of a pod.

    A pod that two scalers select has two rows: the first in `rows`, the others in `more_rows`.
    """

    scaler: Rows
    ready: NDArray[np.bool_]
    unscheduled: NDArray[np.bool_]
    created: Floats
    ready_since: Floats
    first_ready: Floats
    requests: Floats
    rows: Mapping[PodKey, int]
    more_rows: Mapping[PodKey, tuple[int, ...]]

    @classmethod
    def of(cls, members: Sequence[Sequence[Pod]]) -> Layout:
        """The layout of the pods of each scaler; pods that are going or are done do not count at all."""
        scaler: list[int] = []
        pods: list[Pod] = []
        for at, of_scaler in enumerate(members):
            counting = [pod for pod in of_scaler if not pod.deleting and pod.phase not in ("Failed", "Succeeded")]
            scaler += repeat(at, len(counting))
            pods += counting
        rows: dict[PodKey, int] = {}
        more_rows: dict[PodKey, tuple[int, ...]] = {}
        for row, pod in enumerate(pods):
            key = (pod.namespace, pod.name)
            if rows.setdefault(key, row) != row:
                more_rows[key] = (*more_rows.get(key, ()), row)
        return cls(
            scaler=np.array(scaler, np.intp),
            ready=np.array([pod.ready for pod in pods], np.bool_),
            unscheduled=np.array([pod.unscheduled for pod in pods], np.bool_),
            created=_numbers([pod.created for pod in pods]),
            ready_since=_numbers([pod.ready_since for pod in pods]),
            first_ready=_numbers([pod.first_ready for pod in pods]),
            requests=np.stack(
                (_numbers([pod.cpu_request for pod in pods]), _numbers([pod.memory_request for pod in pods])), axis=1
            ),
            rows=rows,
            more_rows=more_rows,
        )


def join(
    scalers: Scalers,
    layout: Layout,
    plan: Plan,
    answers: Mapping[Query, Answer],
    current: Sequence[int],
    wall: float,
) -> tuple[Samples, list[dict[str, str]]]:
    """The samples of the cycle at `wall` (unix seconds), and per scaler what a source said about a dimension whose
    answer cannot be trusted, by name, and about the demand."""
    count, width = scalers.used.shape
    pods = len(layout.scaler)
    values, ages, seen = np.full((pods, width), np.nan), np.zeros((pods, width)), np.zeros((pods, width), np.bool_)
    target_values, target_ages = np.full((count, width), np.nan), np.zeros((count, width))
    target_seen = np.zeros((count, width), np.bool_)
    faults = np.full((count, width), NONE, np.int16)
    said: list[dict[str, str]] = [{} for _ in range(count)]
    places = _Places(layout)

    for query, cells in zip(plan.queries, plan.cells(), strict=True):
        match answers[query]:
            case Fault(reason=reason, message=message):
                faults[cells] = code(reason)
                for row, at in zip(*cells, strict=True):
                    said[row][scalers.names[row][at]] = message
            case Scalar(value=value, age=age):
                target_values[cells], target_ages[cells], target_seen[cells] = value, age, True
            case Column() as column:
                for at in np.unique(cells[1]):
                    into, source = places.of(column, cells[0][cells[1] == at], count)
                    values[into, at] = column.values[source]
                    ages[into, at] = column.ages[source]
                    seen[into, at] = True
    _divide_by_requests(scalers, layout, plan, values, faults)
    return (
        Samples(
            current=np.array(current, np.int64),
            scaler=layout.scaler,
            ready=layout.ready,
            young=wall - layout.ready_since < plan.window[layout.scaler],
            unscheduled=layout.unscheduled,
            values=values,
            ages=ages,
            seen=seen,
            target_values=target_values,
            target_ages=target_ages,
            target_seen=target_seen,
            faults=faults,
            load=_load(scalers, layout, plan, answers, places, said, wall),
        ),
        said,
    )


def _load(
    scalers: Scalers,
    layout: Layout,
    plan: Plan,
    answers: Mapping[Query, Answer],
    places: _Places,
    said: Sequence[dict[str, str]],
    wall: float,
) -> Load:
    """What was asked of each target; a sample that is stale, negative or no number is none, and a demand that fails is told in `said`."""
    count = len(scalers)
    of_pods = np.full((len(Signal) - 1, len(layout.scaler)), np.nan)
    arrivals = np.full(count, np.nan)
    for query, (rows, signals) in zip(plan.queries, plan.signals(), strict=True):
        if not len(rows):
            continue
        match answers[query]:
            case Fault(message=message):
                for row in rows:
                    # A dimension may have that name; what is said under it is about the dimension.
                    if DEMAND not in scalers.names[row]:
                        said[row].setdefault(DEMAND, message)
            case Scalar(value=value, age=age):
                arrivals[rows] = np.where(_usable(np.array(value), age, scalers.max_age[rows]), value, np.nan)
            case Column() as column:
                for signal in np.unique(signals):
                    into, source = places.of(column, rows[signals == signal], count)
                    found, max_age = column.values[source], scalers.max_age[layout.scaler[into]]
                    of_pods[signal, into] = np.where(_usable(found, column.ages[source], max_age), found, np.nan)
    # What is seen of a pod without a node is its namesake's, which was there before.
    of_pods[:, layout.unscheduled] = np.nan
    return Load(
        newest=of_pods[Signal.NEWEST],
        served=of_pods[Signal.SERVED],
        waited=of_pods[Signal.WAITED],
        arrivals=arrivals,
        startup=startup_times(layout.scaler, layout.created, layout.first_ready, count, wall),
        window=plan.window,
        kind=plan.kind,
    )


def _usable(values: Floats, ages: Floats | float, max_age: Floats) -> NDArray[np.bool_]:
    return (ages <= max_age) & (values >= 0) & (values < np.inf)


class _Places:
    """Finds the rows that a column's values belong to; columns of the same pods are looked up once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: dict[tuple[int, PodKey, PodKey], tuple[list[PodKey], Rows, Rows]] = {}

    def of(self, column: Column, scalers: Rows, count: int) -> tuple[Rows, Rows]:
        """Rows of the pods of these of the `count` scalers, and the places in the column that belong to them."""
        found, source = self._found(column.keys)
        if len(scalers) == count:
            return found, source
        asks = np.zeros(count, np.bool_)
        asks[scalers] = True
        mine = asks[self._layout.scaler[found]]
        return found[mine], source[mine]

    def _found(self, keys: list[PodKey]) -> tuple[Rows, Rows]:
        if not keys:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        # Comparing two lists takes a quarter of the time of looking one up, but not with thousands of other lists.
        ends = (len(keys), keys[0], keys[-1])
        if ends in self._known:
            known, found, source = self._known[ends]
            if known is keys or known == keys:
                return found, source
        rows = np.fromiter(map(self._layout.rows.get, keys, repeat(-1)), np.intp, len(keys))
        source = np.flatnonzero(rows >= 0)
        found = rows[source]
        shared = self._layout.more_rows
        if shared:
            more = [(row, place) for place, key in enumerate(keys) for row in shared.get(key, ())]
            found = np.append(found, [row for row, _ in more]).astype(np.intp)
            source = np.append(source, [place for _, place in more]).astype(np.intp)
        self._known[ends] = (keys, found, source)
        return found, source


def _divide_by_requests(
    scalers: Scalers, layout: Layout, plan: Plan, values: Floats, faults: NDArray[np.int16]
) -> None:
    """Turn cores and bytes into shares of the pods' requests where the target is a share.

    One Ready pod without the request makes the whole dimension invalid, as for HPA: its share has no meaning, and leaving the pod out
    would flatter the rest.
    """
    for resource, divisor in enumerate((Divisor.CPU_REQUEST, Divisor.MEMORY_REQUEST)):
        of_pods = plan.divisor[layout.scaler] == divisor
        requests = layout.requests[:, resource]
        lacking = layout.ready & ~(requests > 0)
        for at in np.flatnonzero((plan.divisor == divisor).any(axis=0)):
            rows = of_pods[:, at]
            with np.errstate(divide="ignore", invalid="ignore"):
                values[rows, at] = values[rows, at] / requests[rows]
            without = np.bincount(layout.scaler[rows & lacking], minlength=len(scalers)) > 0
            faults[without & (faults[:, at] == NONE), at] = code(Reason.MISSING_REQUEST)


def _numbers(values: Sequence[float | None]) -> Floats:
    """None becomes NaN."""
    return np.array(values, np.float64)
