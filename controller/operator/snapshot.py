"""The join: answers of the sources, pods of the cache and replicas of the targets become the arrays of one evaluation.

Rows are pods sorted by scaler. The layout (which pod is which row) is rebuilt only when a pod or a scaler came, changed or went; every
cycle then only scatters columns into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason
from controller.engine import NONE, Samples, Scalers, code
from controller.kube import Pod
from controller.operator.plan import Divisor, Plan
from controller.prometheus import Answer, Column, Fault, Query, Scalar

__all__ = ["Layout", "join"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which pod is which row: `scaler` (P,) ascending, `ready` (P,), `ready_since` (P,) unix seconds, the requests
    (P,) in cores and bytes (NaN: not set),
    and the rows of a pod.

    A pod that two scalers select has two rows.
    """

    scaler: NDArray[np.intp]
    ready: NDArray[np.bool_]
    ready_since: Floats
    requests: Floats
    rows: Mapping[tuple[str, str], tuple[int, ...]]

    @classmethod
    def of(cls, members: Sequence[Sequence[Pod]]) -> Layout:
        """The layout of the pods of each scaler; pods that are going or are done do not count at all."""
        scaler: list[int] = []
        ready: list[bool] = []
        ready_since: list[float] = []
        requests: list[tuple[float, float]] = []
        rows: dict[tuple[str, str], tuple[int, ...]] = {}
        for at, pods in enumerate(members):
            for pod in pods:
                if pod.deleting or pod.phase in ("Failed", "Succeeded"):
                    continue
                key = (pod.namespace, pod.name)
                row = len(scaler)
                rows[key] = (*rows[key], row) if key in rows else (row,)
                scaler.append(at)
                ready.append(pod.ready)
                ready_since.append(_or_nan(pod.ready_since))
                requests.append((_or_nan(pod.cpu_request), _or_nan(pod.memory_request)))
        return cls(
            scaler=np.array(scaler, np.intp),
            ready=np.array(ready, np.bool_),
            ready_since=np.array(ready_since, np.float64),
            requests=np.array(requests, np.float64).reshape(len(scaler), 2),
            rows=rows,
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
    answer cannot be trusted, by name."""
    count, width = scalers.used.shape
    pods = len(layout.scaler)
    values, ages, seen = np.full((pods, width), np.nan), np.zeros((pods, width)), np.zeros((pods, width), np.bool_)
    target_values, target_ages = np.full((count, width), np.nan), np.zeros((count, width))
    target_seen = np.zeros((count, width), np.bool_)
    faults = np.full((count, width), NONE, np.int16)
    said: list[dict[str, str]] = [{} for _ in range(count)]

    for query, cells in zip(plan.queries, plan.cells(), strict=True):
        match answers[query]:
            case Fault(reason=reason, message=message):
                faults[cells] = code(reason)
                for row, at in zip(*cells, strict=True):
                    said[row][scalers.names[row][at]] = message
            case Scalar(value=value, age=age):
                target_values[cells], target_ages[cells], target_seen[cells] = value, age, True
            case Column() as column:
                found, source = _rows(layout, column)
                for at in np.unique(cells[1]):
                    asks = np.zeros(count, np.bool_)
                    asks[cells[0][cells[1] == at]] = True
                    mine = asks[layout.scaler[found]]
                    into = found[mine]
                    values[into, at] = column.values[source[mine]]
                    ages[into, at] = column.ages[source[mine]]
                    seen[into, at] = True
    _divide_by_requests(scalers, layout, plan, values, faults)
    return (
        Samples(
            current=np.array(current, np.int64),
            scaler=layout.scaler,
            ready=layout.ready,
            young=wall - layout.ready_since < plan.window[layout.scaler],
            values=values,
            ages=ages,
            seen=seen,
            target_values=target_values,
            target_ages=target_ages,
            target_seen=target_seen,
            faults=faults,
        ),
        said,
    )


def _rows(layout: Layout, column: Column) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the layout and the places in the column that belong to them."""
    found: list[int] = []
    source: list[int] = []
    rows = layout.rows
    for place, key in enumerate(column.keys):
        for row in rows.get(key, ()):
            found.append(row)
            source.append(place)
    return np.array(found, np.intp), np.array(source, np.intp)


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


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
