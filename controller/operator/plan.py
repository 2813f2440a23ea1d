"""Which questions the cycle has to ask: the distinct queries of all scalers, and which scaler's dimension or demand each answers.

Equal queries are one request. A family's query is asked with the smallest `maxAge` that any of its users wants, so that all of
them share it. The demand is what the manifest names, else what the first latency histogram counts, else CPU cores. A scaler that
names a source or a family that does not exist gets a `Problem` and asks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from controller.api import Dimension, FamilyKind, InvalidManifest, Per, Reason, Spec, Unit
from controller.engine import LoadKind
from controller.operator.scalers import Problem, Scaler
from controller.prometheus import Family, Kind, Query, custom_text

__all__ = ["Divisor", "Plan", "Planner", "Signal", "SourceCatalogue"]

#: The rows and the columns of a table of queries that one query answers.
Cells = tuple[NDArray[np.intp], NDArray[np.intp]]


class Divisor:
    """By what a pod's value is divided before the engine sees it: nothing, or the pod's request of a resource."""

    NONE = 0
    CPU_REQUEST = 1
    MEMORY_REQUEST = 2


class Signal(IntEnum):
    """What a query tells of a demand, by the names of `Load`: of each pod, or (ARRIVALS) of the whole target."""

    NEWEST = 0
    SERVED = 1
    WAITED = 2
    ARRIVALS = 3


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
    source's rates in seconds. `signal_of` (S, 4) is the index of the query that gives each `Signal` of a scaler's demand, -1 where
    none does, and `kind` (S,) holds the `LoadKind` code of that demand.
    """

    queries: tuple[Query, ...]
    query_of: NDArray[np.int32]
    divisor: NDArray[np.int8]
    per_pod: NDArray[np.bool_]
    window: NDArray[np.float64]
    signal_of: NDArray[np.int32]
    kind: NDArray[np.int8]

    def cells(self) -> list[Cells]:
        """For each query the rows and the columns of `query_of` that it answers."""
        return _cells(self.query_of, len(self.queries))

    def signals(self) -> list[Cells]:
        """For each query the rows and the columns of `signal_of` that it answers."""
        return _cells(self.signal_of, len(self.queries))

    def by_source(self) -> dict[str, list[Query]]:
        """The queries grouped by the source that answers them, those that most scalers wait for first.

        A source answers a few at a time: one tenant's own queries must not keep everybody's families waiting.
        """
        every = np.concatenate((self.query_of.ravel(), self.signal_of.ravel()))
        asked = np.bincount(every[every >= 0], minlength=len(self.queries))
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
        if scaler.spec is None or scaler.problem is not None:
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
        return self._problem_of_demand(scaler, scaler.spec)

    def _problem_of_demand(self, scaler: Scaler, spec: Spec) -> Problem | None:
        if spec.demand is None:
            return None
        text = spec.demand.query
        if text is None:
            families = self._catalogues[spec.source].families
            name = spec.demand.metric or ""
            family = families.get(name)
            if family is None:
                return Problem(
                    Reason.UNKNOWN_FAMILY,
                    f"spec.demand: source {spec.source!r} has no metric family {name!r}; "
                    f"write one of: {', '.join(sorted(each for each in families if families[each].kind is not Kind.MEMORY))}, or a query",
                )
            if family.kind is Kind.MEMORY:
                return Problem(
                    Reason.INVALID_SPEC,
                    f"spec.demand: {name!r} does not measure what arrives; write requests, cpu, a family that counts requests, or "
                    "a query",
                )
            text = None if family.per is Per.POD else ",".join(family.selectors)
        try:
            if text is not None:
                custom_text(text, namespace=scaler.key[0], name=spec.scale_target_ref.name)
        except InvalidManifest as error:
            return Problem(Reason.INVALID_SPEC, f"spec.demand: {error}")
        return None

    def plan(self, scalers: Sequence[Scaler], width: int) -> Plan:
        """The plan for scalers without a problem, in their order; `width` is the number of columns D."""
        ages = self._smallest_ages(scalers)
        queries: dict[Query, int] = {}
        query_of = np.full((len(scalers), width), -1, np.int32)
        divisor = np.zeros((len(scalers), width), np.int8)
        per_pod = np.zeros((len(scalers), width), np.bool_)
        window = np.zeros(len(scalers))
        signal_of = np.full((len(scalers), len(Signal)), -1, np.int32)
        kind = np.zeros(len(scalers), np.int8)

        @cache  # the same for every scaler that asks, and dear to build
        def family_text(source: str, metric: str, quantile: float) -> str:
            catalogue = self._catalogues[source]
            return catalogue.families[metric].text(quantile, catalogue.window, ages[source, metric, quantile])

        @cache
        def family_signals(source: str, metric: str) -> dict[Signal, str]:
            catalogue = self._catalogues[source]
            return _signals(catalogue.families[metric], catalogue.window)

        def ask(scaler: Scaler, text: str, per: Per, *, filled: bool) -> int:
            assert scaler.spec is not None
            if not filled:
                text = custom_text(text, namespace=scaler.key[0], name=scaler.spec.scale_target_ref.name)
            return queries.setdefault(Query(scaler.spec.source, text, per), len(queries))

        for row, scaler in enumerate(scalers):
            spec = scaler.spec
            assert spec is not None
            window[row] = self._catalogues[spec.source].window
            families = self._catalogues[spec.source].families
            for at, dimension in enumerate(spec.dimensions):
                if dimension.metric is None:
                    assert dimension.query is not None
                    per, text, filled = dimension.per, dimension.query, False
                else:
                    family = families[dimension.metric]
                    per, filled = family.per, family.per is Per.POD
                    text = family_text(spec.source, dimension.metric, dimension.quantile)
                    divisor[row, at] = _divisor(dimension, family)
                query_of[row, at] = ask(scaler, text, per, filled=filled)
                per_pod[row, at] = per is Per.POD
            kind[row], measure = _demand(spec, families)
            signals = {} if measure is None else family_signals(spec.source, measure.name)
            if spec.demand is not None and spec.demand.query is not None:
                signals = {Signal.ARRIVALS: spec.demand.query}
            for signal, text in signals.items():
                of_target = signal is Signal.ARRIVALS
                per = Per.TARGET if of_target else Per.POD
                signal_of[row, signal] = ask(scaler, text, per, filled=not of_target)
        return Plan(tuple(queries), query_of, divisor, per_pod, window, signal_of, kind)

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


def _cells(table: NDArray[np.int32], queries: int) -> list[Cells]:
    flat = table.ravel()
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], np.arange(queries + 1))
    return [divmod(order[start:stop], table.shape[1]) for start, stop in pairwise(bounds)]


def _demand(spec: Spec, families: Mapping[str, Family]) -> tuple[LoadKind, Family | None]:
    """What is measured as the demand, and the family that tells it: none where it is a query, or nothing tells it."""
    if spec.demand is not None:
        family = None if spec.demand.metric is None else families[spec.demand.metric]
        if family is not None and family.kind is Kind.CPU:
            return LoadKind.CORES, family
        return (LoadKind.REQUESTS if family is not None and family.per is Per.POD else LoadKind.ARRIVALS), family
    named = [families[each.metric] for each in spec.dimensions if each.metric is not None]
    for family in named:
        # What a gateway counts before the pods is the better demand: it goes on counting when they are overloaded.
        if family.per is Per.TARGET and family.form is not FamilyKind.GAUGE:
            return LoadKind.ARRIVALS, family
    for family in named:
        if family.kind is Kind.LATENCY and family.per is Per.POD:
            return LoadKind.REQUESTS, family
    cpu = families.get("cpu")
    # What an administrator measures per target may need words that this target does not have; nobody asked for it.
    return (LoadKind.NONE, None) if cpu is None or cpu.per is Per.TARGET else (LoadKind.CORES, cpu)


def _signals(family: Family, window: float) -> dict[Signal, str]:
    """The texts that tell a family's demand; those per target are still to be filled in."""
    newest = family.newest(window)
    if family.per is Per.TARGET:
        return {Signal.ARRIVALS: newest}
    if family.form is FamilyKind.GAUGE:
        # It has no rate over the window, and itself is as calm as whoever made it wanted it to be.
        return {Signal.NEWEST: newest, Signal.SERVED: newest}
    signals = {Signal.NEWEST: newest, Signal.SERVED: family.served(window)}
    if family.form is FamilyKind.HISTOGRAM:
        signals[Signal.WAITED] = family.waited(window)
    return signals


def _divisor(dimension: Dimension, family: Family) -> int:
    """Which request of the pod turns the value into the target's unit."""
    if dimension.amount.unit is not Unit.SHARE:
        return Divisor.NONE
    return {Kind.CPU: Divisor.CPU_REQUEST, Kind.MEMORY: Divisor.MEMORY_REQUEST}.get(family.kind, Divisor.NONE)
