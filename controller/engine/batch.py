"""The settings of all scalers as arrays, and what follows from them.

Shapes: S scalers, D dimensions (the most that any scaler has; the rest is unused), R policies of one direction. What was seen and what is
remembered is in `samples`; where the settings come from is not this module's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from controller.api import (
    Aggregation,
    AnomalyAction,
    AnomalySeason,
    Dimension,
    Direction,
    DirectionRules,
    EfficacyAction,
    OnMissing,
    Per,
    PolicyType,
    Response,
    SelectPolicy,
    Spec,
    Unit,
)

__all__ = ["LARGEST", "Fixed", "Rules", "Scalers", "Watched"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Order of the codes in `Scalers.aggregation` and `Rules.select`.
AGGREGATIONS: Final = (Aggregation.MEAN, Aggregation.P95, Aggregation.MAX)
SELECTIONS: Final = (SelectPolicy.MAX, SelectPolicy.MIN, SelectPolicy.DISABLED)

#: Neither y nor a weight counts for more, so that whatever is made of them stays far inside a double.
LARGEST: Final = 1e60


@dataclass(frozen=True, slots=True)
class Rules:
    """HPA's scaling rules of one direction, and our cooldown, for all scalers.

    `window`, `cooldown` and `tolerance` are (S,) in seconds, seconds and ratio; `select` (S,) indexes SELECTIONS; the policies
    are (S, R): `pods` and `percent` hold the value where the policy is of that type and -1 elsewhere, `period` is in seconds.
    """

    window: Floats
    tolerance: Floats
    cooldown: Floats
    select: NDArray[np.int8]
    pods: Ints
    percent: Ints
    period: Floats

    @classmethod
    def of(cls, rules: Sequence[DirectionRules], cooldown_seconds: Sequence[float]) -> Rules:
        """Stack the rules of all scalers; `cooldown_seconds` is one number a scaler."""
        width = max((len(each.policies) for each in rules), default=1)
        pods = np.full((len(rules), width), -1, np.int64)
        percent = np.full((len(rules), width), -1, np.int64)
        period = np.zeros((len(rules), width))
        for row, each in enumerate(rules):
            for column, policy in enumerate(each.policies):
                (pods if policy.type is PolicyType.PODS else percent)[row, column] = policy.value
                period[row, column] = policy.period_seconds
        return cls(
            window=np.array([each.window_seconds for each in rules], np.float64),
            tolerance=np.array([each.tolerance_value for each in rules], np.float64),
            cooldown=np.array(cooldown_seconds, np.float64),
            select=np.array([SELECTIONS.index(each.select_policy) for each in rules], np.int8),
            pods=pods,
            percent=percent,
            period=period,
        )


@dataclass(frozen=True, slots=True)
class Watched:
    """The settings of the anomaly for all scalers, (S,): `window` in seconds, `percentile` (50 to 100), `by_hour`, whether the median is
    that of the hour of day, and `holds`, whether nothing goes down while one lasts."""

    window: Floats
    percentile: Floats
    by_hour: Flags
    holds: Flags

    @classmethod
    def of(cls, specs: Sequence[Spec]) -> Self:
        """Stack the settings of all scalers."""
        return cls(
            window=np.array([spec.anomaly.window_seconds for spec in specs], np.float64),
            percentile=np.array([spec.anomaly.percentile for spec in specs], np.float64),
            by_hour=np.array([spec.anomaly.season is AnomalySeason.HOUR_OF_DAY for spec in specs], np.bool_),
            holds=np.array([spec.anomaly.action is AnomalyAction.HOLD for spec in specs], np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Fixed:
    """What follows from the settings alone and every cycle needs, worked out once.

    Of all scalers: `squares`, whether every norm is 2, `unweighted`, whether every weight is 1, `ranked`, whether any aggregation looks for
    the largest pods, and whether any dimension `learns_floor`, `queues`, `proves` or is `shared` by all pods. (S, D): `weight` and
    `cap` as far as they count; `alone`, the normalized value at which a dimension alone makes the magnitude 1; `certain`, 1 where there is
    a dimension, else NaN; `linear`, whether its value grows with the load and not as in a queue. `learning` are the columns in which any
    floor is learned. (S,): `proving_cap`, the lowest cap of
    the dimensions that must prove themselves, and `finite`, whether the norm is.
    """

    squares: bool
    unweighted: bool
    ranked: bool
    learns_floor: bool
    queues: bool
    proves: bool
    shared: bool
    weight: Floats
    cap: Floats
    alone: Floats
    certain: Floats
    linear: Flags
    learning: NDArray[np.intp]
    proving_cap: Floats
    finite: Flags

    @classmethod
    def of(cls, scalers: Scalers) -> Self:
        """What follows from these settings."""
        weight = np.minimum(scalers.weight, LARGEST)
        # A weight of next to nothing has no such value.
        with np.errstate(over="ignore"):
            alone = np.where(scalers.used, weight, 1.0) ** (-1.0 / scalers.norm[:, None])
        return cls(
            squares=bool((scalers.norm == 2).all()),
            unweighted=bool((scalers.weight[scalers.used] == 1).all()),
            ranked=bool((scalers.aggregation != AGGREGATIONS.index(Aggregation.MEAN)).any()),
            learns_floor=bool(scalers.learns_floor.any()),
            queues=bool(scalers.queues.any()),
            proves=bool(scalers.proves.any()),
            shared=bool((scalers.used & ~scalers.per_pod).any()),
            weight=weight,
            cap=np.minimum(scalers.cap, LARGEST),
            alone=alone,
            certain=np.where(scalers.used, 1.0, np.nan),
            linear=~scalers.queues,
            learning=np.flatnonzero(scalers.learns_floor.any(axis=0)),
            proving_cap=np.where(scalers.proves, scalers.cap, np.inf).min(axis=1, initial=np.inf),
            finite=np.isfinite(scalers.norm),
        )


@dataclass(frozen=True, slots=True)
class Scalers:
    """The settings of all scalers: (S,) and, for what a dimension has, (S, D).

    `target`, `floor` and `cap` are in the dimension's own unit (share, cores, bytes, seconds, plain); `used` says which
    columns a scaler has, `per_pod` whether a column's value is one per pod, `blocks` whether its absence forbids scaling down
    (`onMissing: Hold`), `may_lower` whether it may ask for fewer replicas. `learns_floor` says where the floor is `Auto`, `queues`
    where the value is a time, which grows as in a queue and not with the load, `memory` where it is a pod's memory, and `proves` where a
    dimension must show that more pods lower it. `by_capacity` (S,) is the response, `adaptive_hold` (S,) whether the law's own hold
    stands in for the window of `down`, `strict_up` (S,) whether the tolerance upwards was written, `authority` (S,) how far an
    unproved dimension may grow the target, and `limits` (S,) whether it is held to that. `anomaly` has settings of its own.
    `fixed` is what follows from all of it.
    """

    names: tuple[tuple[str, ...], ...]
    dimensions: tuple[tuple[Dimension, ...], ...]
    used: Flags
    per_pod: Flags
    blocks: Flags
    may_lower: Flags
    target: Floats
    floor: Floats
    weight: Floats
    cap: Floats
    norm: Floats
    target_magnitude: Floats
    aggregation: NDArray[np.int8]
    max_age: Floats
    min_coverage: Floats
    min_replicas: Ints
    max_replicas: Ints
    up: Rules
    down: Rules
    learns_floor: Flags
    queues: Flags
    memory: Flags
    proves: Flags
    by_capacity: Flags
    adaptive_hold: Flags
    strict_up: Flags
    authority: Floats
    limits: Flags
    anomaly: Watched
    fixed: Fixed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", Fixed.of(self))

    def __len__(self) -> int:
        return len(self.names)

    def rules(self, direction: Direction) -> Rules:
        """The rules of one direction."""
        return self.up if direction is Direction.UP else self.down

    @classmethod
    def of(cls, specs: Sequence[Spec]) -> Scalers:
        """Stack valid specs into arrays, in the given order."""
        rows = len(specs)
        width = max((len(spec.dimensions) for spec in specs), default=1)

        def column(value: float) -> Floats:
            return np.full((rows, width), value, np.float64)

        used, per_pod, blocks, may_lower = (np.zeros((rows, width), np.bool_) for _ in range(4))
        learns_floor, queues, memory, proves = (np.zeros((rows, width), np.bool_) for _ in range(4))
        target, floor, weight, cap = column(1.0), column(0.0), column(0.0), column(np.inf)
        for row, spec in enumerate(specs):
            for at, dimension in enumerate(spec.dimensions):
                used[row, at] = True
                per_pod[row, at] = dimension.per is Per.POD
                blocks[row, at] = dimension.on_missing is OnMissing.HOLD
                may_lower[row, at] = dimension.scale_down
                target[row, at] = dimension.amount.value
                floor[row, at] = dimension.floor_amount.value
                weight[row, at] = dimension.weight
                cap[row, at] = dimension.effective_cap
                learns_floor[row, at] = dimension.floor_is_auto
                queues[row, at] = dimension.amount.unit is Unit.SECONDS
                memory[row, at] = dimension.metric == "memory"
                # CPU and memory are used up by the work itself; anything else may have causes that pods do not mend.
                proves[row, at] = dimension.metric not in ("cpu", "memory")
        return cls(
            names=tuple(tuple(dimension.name for dimension in spec.dimensions) for spec in specs),
            dimensions=tuple(tuple(spec.dimensions) for spec in specs),
            used=used,
            per_pod=per_pod,
            blocks=blocks,
            may_lower=may_lower,
            target=target,
            floor=floor,
            weight=weight,
            cap=cap,
            norm=np.array([spec.magnitude.p for spec in specs], np.float64),
            target_magnitude=np.array([spec.magnitude.target_value for spec in specs], np.float64),
            aggregation=np.array([AGGREGATIONS.index(spec.magnitude.aggregation) for spec in specs], np.int8),
            max_age=np.array([spec.quality.max_age_seconds for spec in specs], np.float64),
            min_coverage=np.array([spec.quality.min_coverage_share for spec in specs], np.float64),
            min_replicas=np.array([spec.min_replicas for spec in specs], np.int64),
            max_replicas=np.array([spec.max_replicas for spec in specs], np.int64),
            up=Rules.of(
                [spec.rules(Direction.UP) for spec in specs], [spec.cooldown.scale_up_seconds for spec in specs]
            ),
            down=Rules.of(
                [spec.rules(Direction.DOWN) for spec in specs], [spec.cooldown.scale_down_seconds for spec in specs]
            ),
            learns_floor=learns_floor,
            queues=queues,
            memory=memory,
            proves=proves,
            by_capacity=np.array([spec.magnitude.response is Response.CAPACITY for spec in specs], np.bool_),
            adaptive_hold=np.array([spec.adaptive_hold for spec in specs], np.bool_),
            strict_up=np.array(["tolerance" in spec.behavior.scale_up.model_fields_set for spec in specs], np.bool_),
            authority=np.array([spec.efficacy.authority for spec in specs], np.float64),
            limits=np.array([spec.efficacy.action is EfficacyAction.HOLD for spec in specs], np.bool_),
            anomaly=Watched.of(specs),
        )
