"""How dimensions become one number, how that becomes replicas, and which data is good enough for it.

The arithmetic is the engine's; here are its settings.
"""

import math
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from controller.api.amounts import IntOrText, PositiveDuration, PositiveQuantity, Share, is_quantity
from controller.api.rules import Model, Rule
from controller.api.units import parse_duration, parse_quantity, parse_share

__all__ = ["Aggregation", "Magnitude", "Quality", "Response"]

INFINITY: Final = "Infinity"


class Aggregation(StrEnum):
    """How the magnitudes of the pods become that of the target."""

    MEAN = "Mean"
    P95 = "P95"
    MAX = "Max"


class Response(StrEnum):
    """How the magnitude becomes a number of replicas."""

    CAPACITY = "Capacity"
    PROPORTIONAL = "Proportional"


def _is_norm(value: int | str) -> bool:
    return value == INFINITY or (is_quantity(value) and parse_quantity(value) >= 1 and str(value)[-1].isdigit())


Norm = Annotated[
    int | str,
    IntOrText(),
    Rule[int | str](
        cel=f"type(self) == int ? self >= 1 : self == '{INFINITY}' || self.matches('^[0-9]*[1-9][0-9]*([.][0-9]+)?$')",
        message="must be 1 or more or Infinity, write for example 2, or 1.5 in quotes",
        check=_is_norm,
    ),
]


class Magnitude(Model):
    """The weighted p-norm of the normalized dimensions."""

    norm: Norm = Field(2, description="p of the p-norm: 1 or more, or Infinity for the largest dimension alone.")
    target: PositiveQuantity = Field("1", description="The magnitude to hold, above 0; 1 is every pod exactly full.")
    aggregation: Aggregation = Field(
        Aggregation.MEAN, description="How the magnitudes of the Ready pods become one: Mean, P95 or Max."
    )
    response: Response = Field(
        Response.CAPACITY,
        description="How it becomes replicas. Capacity: the demand over the learned load per pod at which the magnitude "
        "is its target. Proportional: the pods times the magnitude over its target, as an HPA.",
    )

    @property
    def p(self) -> float:
        """The norm's p; infinite for `Infinity`."""
        return math.inf if self.norm == INFINITY else float(parse_quantity(self.norm))

    @property
    def target_value(self) -> float:
        """The magnitude to hold."""
        return float(parse_quantity(self.target))


class Quality(Model):
    """Which data is good enough to act on."""

    max_age: PositiveDuration = Field("90s", description="A sample older than this counts as missing, e.g. 90s.")
    min_coverage: Share = Field(
        "80%",
        description="With samples of fewer of the Ready pods than this share a dimension is invalid for the cycle.",
    )

    @property
    def max_age_seconds(self) -> float:
        """The age in seconds beyond which a sample counts as missing."""
        return float(parse_duration(self.max_age))

    @property
    def min_coverage_share(self) -> float:
        """The least share of Ready pods with a usable sample, above 0 and up to 1."""
        return float(parse_share(self.min_coverage))
