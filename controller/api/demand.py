"""What arrives at the target: the numerator of the replica count, where its load per pod is the denominator.

How the demand is measured and looked ahead is the business of the operator and of the engine.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from controller.api.amounts import Label, Text
from controller.api.rules import Model, Rule

__all__ = ["Demand", "DemandSignal"]


class DemandSignal(StrEnum):
    """What is measured as demand, the best first: a status shows one of these words."""

    ARRIVALS = "Arrivals"
    REQUESTS = "Requests"
    CORES = "Cores"


class Demand(Model):
    """A metric family of the source, or a PromQL query, that says what arrives at the target."""

    metric: Label | None = Field(
        None,
        description="A metric family of the source, e.g. requests (what a gateway sees arriving); where it has one value "
        "per pod, that of all pods together. Either this or query.",
    )
    query: Annotated[Text, Field(min_length=1, max_length=4096)] | None = Field(
        None,
        description="PromQL with one value for the whole target, e.g. a rate of requests, with $namespace, $name and $pods "
        "filled in; either this or metric.",
    )

    RULES: ClassVar[tuple[Rule[Any], ...]] = (
        Rule["Demand"](
            cel="has(self.metric) != has(self.query)",
            message="write either metric (a family of the source) or query (PromQL), exactly one of the two",
            check=lambda it: (it.metric is None) != (it.query is None),
            fields=("metric",),
        ),
    )
