"""One dimension of the load vector: where its values come from, at which value it is full, and how much it counts."""

import math
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from controller.api.amounts import AUTO, AmountOrAuto, Label, Number, PositiveAmount, Switch, Text
from controller.api.rules import Model, Rule
from controller.api.units import Amount, Unit, parse_amount

__all__ = ["Dimension", "OnMissing", "Per"]

LATENCY: Final = "latency"
MEMORY: Final = "memory"
RESOURCES: Final = ("cpu", MEMORY)
LATENCY_CAP: Final = 3.0
QUANTILE: Final = 0.95


class Per(StrEnum):
    """What one value of a query stands for."""

    POD = "Pod"
    TARGET = "Target"


class OnMissing(StrEnum):
    """What a dimension without usable data means."""

    HOLD = "Hold"
    IGNORE = "Ignore"


def _floor(metric: str | None) -> str:
    """The floor of a dimension that names none: learned where a pod without load is far from zero."""
    return AUTO if metric is not None and (metric == MEMORY or metric.startswith(LATENCY)) else "0"


IS_LATENCY: Final = f"(has(self.metric) && self.metric.startsWith('{LATENCY}'))"
IS_RESOURCE: Final = f"(has(self.metric) && self.metric in {list(RESOURCES)})"
# What is not written has no default in the schema, because it depends on the metric.
HAS_NO_AMOUNT_AS_FLOOR: Final = f"!has(self.floor) || self.floor in ['0', '{AUTO}']"


def _is_share(field: str) -> str:
    return f"self.{field}.endsWith('%')"


def _is_quantity(field: str) -> str:
    # 5m is five minutes for a latency and five thousandths otherwise.
    return f"(isQuantity(self.{field}) && !({IS_LATENCY} && self.{field}.endsWith('m')))"


def _same_unit() -> str:
    return f"({_is_share('floor')} == {_is_share('target')} && {_is_quantity('floor')} == {_is_quantity('target')})"


def _below() -> str:
    shares, quantities, durations = (
        "double(self.floor.replace('%', '')) < double(self.target.replace('%', ''))",
        "quantity(self.floor).isLessThan(quantity(self.target))",
        "duration(self.floor) < duration(self.target)",
    )
    return f"({_is_share('target')} ? {shares} : ({_is_quantity('target')} ? {quantities} : {durations}))"


class Dimension(Model):
    """A metric family of the source, or a PromQL query, with its target."""

    metric: Label | None = Field(
        None, description="A metric family of the source, e.g. cpu, memory or latency; either this or query."
    )
    query: Annotated[Text, Field(min_length=1, max_length=4096)] | None = Field(
        None,
        description="PromQL run against the source, with $namespace, $name and $pods filled in; either this or metric. "
        "The age of samples inside a query is bounded by Prometheus' lookback (5m), not by quality.maxAge.",
    )
    name: Label = Field(
        # pydantic hands over the fields validated so far.
        default_factory=lambda fields: fields.get("metric") or "",
        description="The name in status, Events and metrics; the metric's name if absent, required with a query.",
    )
    per: Per = Field(
        default_factory=lambda: Per.POD,
        description="What one value of the query is of: a Pod (labels namespace and pod; the default) or the whole Target.",
    )
    target: PositiveAmount = Field(
        description="The value at which this dimension alone is full: a share of the pods' requests (70%), a quantity "
        '(350m cores, 1Gi bytes, "300") or a duration (250ms); text, so plain numbers stand in quotes. 5m is five minutes '
        "for a latency metric and 0.005 otherwise."
    )
    floor: AmountOrAuto = Field(
        default_factory=lambda fields: _floor(fields.get("metric")),
        description="The value without load, in the target's unit and below the target, or Auto: learned while the "
        "scaler runs, from a part of the first value on, for dimensions with one value per pod. Auto if absent for "
        "memory and latency metrics, 0 for others.",
    )
    quantile: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default_factory=lambda: QUANTILE,
        description="The quantile of a latency metric that is held to the target, above 0 and below 1; 0.95 if absent.",
    )
    weight: Annotated[Number, Field(gt=0)] = Field(
        1.0, description="How much this dimension counts in the norm; a number above 0."
    )
    cap: Annotated[Number, Field(ge=1)] | None = Field(
        None,
        description="The most this dimension may count, in multiples of its target, 1 or more; if absent, 3 for latency "
        "metrics and none for others.",
    )
    on_missing: OnMissing = Field(
        OnMissing.HOLD,
        description="Without usable data: Hold forbids scaling down, Ignore leaves the dimension out of the norm.",
    )
    scale_down: Switch = Field(
        True, description="Whether this dimension may ask for fewer replicas; if false it may only ask for more."
    )

    @property
    def is_latency(self) -> bool:
        """Whether the metric is a latency family."""
        return self.metric is not None and self.metric.startswith(LATENCY)

    @property
    def amount(self) -> Amount:
        """The target with its unit."""
        return parse_amount(self.target, minutes=self.is_latency)

    @property
    def floor_is_auto(self) -> bool:
        """Whether the floor is learned."""
        return self.floor == AUTO

    @property
    def floor_amount(self) -> Amount:
        """The floor in the target's unit; 0 where it is learned."""
        if self.floor_is_auto:
            return Amount(0.0, self.amount.unit)
        floor = parse_amount(self.floor, minutes=self.is_latency)
        return floor if floor.value else Amount(0.0, self.amount.unit)

    @property
    def effective_cap(self) -> float:
        """The cap in multiples of the target; infinite if there is none."""
        if self.cap is not None:
            return self.cap
        return LATENCY_CAP if self.is_latency else math.inf

    def _floor_has_the_targets_unit(self) -> bool:
        return self.floor in ("0", AUTO) or parse_amount(self.floor, self.is_latency).unit is self.amount.unit

    def _floor_is_below_the_target(self) -> bool:
        return not self._floor_has_the_targets_unit() or self.floor_amount.value < self.amount.value

    RULES: ClassVar[tuple[Rule[Any], ...]] = (
        Rule["Dimension"](
            cel="has(self.metric) != has(self.query)",
            message="write either metric (a family of the source) or query (PromQL), exactly one of the two",
            check=lambda it: (it.metric is None) != (it.query is None),
            fields=("metric",),
        ),
        Rule["Dimension"](
            cel="has(self.name) || has(self.metric)",
            message="a dimension with a query needs a name, write for example name: queue",
            check=lambda it: it.name != "",
            fields=("name",),
        ),
        Rule["Dimension"](
            cel="!has(self.per) || has(self.query)",
            message="per goes only with query, remove per or replace metric by query",
            check=lambda it: "per" not in it.model_fields_set or it.query is not None,
            fields=("per",),
        ),
        Rule["Dimension"](
            cel=f"!has(self.floor) || self.floor != '{AUTO}' || !has(self.per) || self.per != '{Per.TARGET}'",
            message="floor: Auto needs one value per pod, remove floor or write the value without load",
            check=lambda it: not it.floor_is_auto or it.per is not Per.TARGET,
            fields=("floor",),
            quotes=True,
        ),
        Rule["Dimension"](
            cel=f"!has(self.quantile) || {IS_LATENCY}",
            message="quantile goes only with a latency metric, remove it or write the quantile into the query",
            check=lambda it: "quantile" not in it.model_fields_set or it.is_latency,
            fields=("quantile",),
        ),
        Rule["Dimension"](
            cel=f"!{IS_LATENCY} || (!{_is_share('target')} && !{_is_quantity('target')})",
            message="the target of a latency metric must be a duration, write for example 250ms",
            check=lambda it: not it.is_latency or it.amount.unit is Unit.SECONDS,
            fields=("target",),
            quotes=True,
        ),
        Rule["Dimension"](
            cel=f"!{IS_RESOURCE} || {_is_share('target')} || {_is_quantity('target')}",
            message="the target of cpu and memory must be a share of the requests (70%) or a quantity (350m, 1Gi)",
            check=lambda it: it.metric not in RESOURCES or it.amount.unit is not Unit.SECONDS,
            fields=("target",),
            quotes=True,
        ),
        Rule["Dimension"](
            cel=f"{HAS_NO_AMOUNT_AS_FLOOR} || {_same_unit()}",
            message="floor must have the unit of target, write both as shares, both as quantities or both as durations",
            check=_floor_has_the_targets_unit,
            fields=("floor", "target"),
            quotes=True,
        ),
        Rule["Dimension"](
            cel=f"{HAS_NO_AMOUNT_AS_FLOOR} || !{_same_unit()} || {_below()}",
            message="floor must be below target, lower floor or raise target",
            check=_floor_is_below_the_target,
            fields=("floor", "target"),
            quotes=True,
        ),
    )
