"""Which questions the cycle has to ask: the distinct queries of all scalers, and which scaler's dimension each answers.

Equal queries are one request. A family's query is asked with the smallest `maxAge` that any of its users wants, so that all of
them share it. A scaler that names a source or a family that does not exist gets a `Problem` and asks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from controller.api import Dimension, InvalidManifest, Per, Reason, Unit
from controller.operator.scalers import Problem, Scaler
from controller.prometheus import Family, Kind, Query, custom_text

__all__ = ["Divisor", "Plan", "Planner", "SourceCatalogue"]


class Divisor:
    """By what a pod's value is divided before the engine sees it: nothing, or the pod's request of a resource."""

    NONE = 0
    CPU_REQUEST = 1
    MEMORY_REQUEST = 2


@dataclass(frozen=True, slots=True)
class SourceCatalogue:
    """What a scaler may ask of one source: its families, and the range of their rates in seconds."""

    families: Mapping[str, Family]
    window: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The queries of one set of scalers.

    `query_of` (S, D) is the index in `queries` that answers a scaler's dimension, -1 where it has none; `divisor` (S, D) holds
    `Divisor` codes; `per_pod` (S, D) says where the answer has one value a pod; `window` (S,) is the range of the
    source's rates in seconds.
    """

    queries: tuple[Query, ...]
    query_of: NDArray[np.int32]
    divisor: NDArray[np.int8]
    per_pod: NDArray[np.bool_]
    window: NDArray[np.float64]

    def cells(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """For each query the rows and the columns of `query_of` that it answers."""
        flat = self.query_of.ravel()
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], np.arange(len(self.queries) + 1))
        width = self.query_of.shape[1]
        return [divmod(order[start:stop], width) for start, stop in pairwise(bounds)]

    def by_source(self) -> dict[str, list[Query]]:
        """The queries grouped by the source that answers them, those that most scalers wait for first.

        A source answers a few at a time: one tenant's own queries must not keep everybody's families waiting.
        """
        asked = np.bincount(self.query_of[self.query_of >= 0], minlength=len(self.queries))
        grouped: dict[str, list[Query]] = {}
        for at in np.argsort(-asked, kind="stable"):
            grouped.setdefault(self.queries[at].source, []).append(self.queries[at])
        return grouped


class Planner:
    """Turns scalers into a plan; knows the administrators' sources."""

    def __init__(self, catalogues: Mapping[str, SourceCatalogue]) -> None:
        self._catalogues = catalogues

    def problem(self, scaler: Scaler) -> Problem | None:
        """What keeps a scaler from being asked about at all; None when all is well."""
        if scaler.spec is None:
            return scaler.problem
        source = scaler.spec.source
        catalogue = self._catalogues.get(source)
        if catalogue is None:
            known = ", ".join(sorted(self._catalogues)) or "none"
            return Problem(
                Reason.UNKNOWN_SOURCE,
                f"spec.source: {source!r} is no source of this operator; write one of: {known}, or ask the administrator to name it",
            )
        for dimension in scaler.spec.dimensions:
            text = dimension.query
            if dimension.metric is not None:
                family = catalogue.families.get(dimension.metric)
                if family is None:
                    return Problem(
                        Reason.UNKNOWN_FAMILY,
                        f"dimension {dimension.name}: source {source!r} has no metric family {dimension.metric!r}; "
                        f"write one of: {', '.join(sorted(catalogue.families))}, or a query",
                    )
                if family.per is Per.TARGET and _divisor(dimension, family) != Divisor.NONE:
                    return Problem(
                        Reason.INVALID_SPEC,
                        f"dimension {dimension.name}: source {source!r} gives {dimension.metric!r} per target, which is no "
                        f"share of the pods' requests (got {dimension.target!r}); write an amount",
                    )
                # Only what names the target can be wrong for one scaler, and building every text in every cycle is dear.
                text = None if family.per is Per.POD else ",".join(family.selectors)
            try:
                if text is not None:
                    custom_text(text, namespace=scaler.key[0], name=scaler.spec.scale_target_ref.name)
            except InvalidManifest as error:
                return Problem(Reason.INVALID_SPEC, f"dimension {dimension.name}: {error}")
        return None

    def plan(self, scalers: Sequence[Scaler], width: int) -> Plan:
        """The plan for scalers without a problem, in their order; `width` is the number of columns D."""
        ages = self._smallest_ages(scalers)
        queries: dict[Query, int] = {}
        query_of = np.full((len(scalers), width), -1, np.int32)
        divisor = np.zeros((len(scalers), width), np.int8)
        per_pod = np.zeros((len(scalers), width), np.bool_)
        for row, scaler in enumerate(scalers):
            assert scaler.spec is not None
            source, target = scaler.spec.source, scaler.spec.scale_target_ref.name
            for at, dimension in enumerate(scaler.spec.dimensions):
                per, text = dimension.per, dimension.query
                if dimension.metric is not None:
                    catalogue = self._catalogues[source]
                    family = catalogue.families[dimension.metric]
                    per = family.per
                    age = ages[source, dimension.metric, dimension.quantile]
                    text = family.text(dimension.quantile, catalogue.window, age)
                    divisor[row, at] = _divisor(dimension, family)
                assert text is not None
                if dimension.metric is None or per is Per.TARGET:
                    text = custom_text(text, namespace=scaler.key[0], name=target)
                query_of[row, at] = queries.setdefault(Query(source, text, per), len(queries))
                per_pod[row, at] = per is Per.POD
        window = np.array(
            [self._catalogues[each.spec.source].window for each in scalers if each.spec is not None], np.float64
        )
        return Plan(tuple(queries), query_of, divisor, per_pod, window)

    @staticmethod
    def _smallest_ages(scalers: Sequence[Scaler]) -> dict[tuple[str, str, float], float]:
        """The smallest maxAge that any user of a family wants, in seconds, by source, family and quantile."""
        ages: dict[tuple[str, str, float], float] = {}
        for scaler in scalers:
            assert scaler.spec is not None
            for dimension in scaler.spec.dimensions:
                if dimension.metric is not None:
                    family = (scaler.spec.source, dimension.metric, dimension.quantile)
                    ages[family] = min(ages.get(family, float("inf")), scaler.spec.quality.max_age_seconds)
        return ages


def _divisor(dimension: Dimension, family: Family) -> int:
    """Which request of the pod turns the value into the target's unit."""
    if dimension.amount.unit is not Unit.SHARE:
        return Divisor.NONE
    return {Kind.CPU: Divisor.CPU_REQUEST, Kind.MEMORY: Divisor.MEMORY_REQUEST}.get(family.kind, Divisor.NONE)
