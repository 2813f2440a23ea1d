"""`sum`, `avg`, `min`, `max` and `count`, by or without labels."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from controller.embedded.promql.expressions import Aggregation
from controller.embedded.promql.sums import compensated_mean, compensated_sum
from controller.embedded.promql.values import NAME, Labels, Sample, Vector

__all__ = ["aggregated"]


def _smallest(values: Sequence[float]) -> float:
    return min([value for value in values if not math.isnan(value)], default=math.nan)


def _largest(values: Sequence[float]) -> float:
    return max([value for value in values if not math.isnan(value)], default=math.nan)


_OPERATORS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "sum": compensated_sum,
    "avg": compensated_mean,
    "count": lambda values: float(len(values)),
    "min": _smallest,
    "max": _largest,
}


def aggregated(node: Aggregation, vector: Vector) -> Vector:
    """One element a group; NaN counts for `sum`, `avg` and `count`, and for `min` and `max` only when alone."""
    combine = _OPERATORS[node.operator]
    names = node.labels
    groups: dict[Hashable, tuple[Labels, list[float]]] = {}
    if node.without:
        dropped = (*names, NAME)
        for labels, value in vector:
            kept = labels.without(dropped)
            if kept not in groups:
                groups[kept] = (kept, [])
            groups[kept][1].append(value)
    else:
        for labels, value in vector:
            key = tuple([labels.get(name, "") for name in names])
            group = groups.get(key)
            if group is None:
                group = groups[key] = (labels.only(names), [])
            group[1].append(value)
    return [Sample(labels, combine(values)) for labels, values in groups.values()]
