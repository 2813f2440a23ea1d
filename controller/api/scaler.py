"""The CompositeScaler: what the user writes.

Only fields that work are here; a field whose behaviour comes later is refused until then. Objects of Kubernetes come
in at `CompositeScaler.parse`, and errors go out as sentences (`controller.api.sentences`).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from controller.api.amounts import Count, Label, Switch, Text
from controller.api.anomaly import Anomaly
from controller.api.behavior import Behavior, Cooldown, Direction, DirectionRules
from controller.api.demand import Demand
from controller.api.dimensions import Dimension
from controller.api.efficacy import Efficacy
from controller.api.errors import InvalidManifest
from controller.api.magnitude import Magnitude, Quality
from controller.api.rules import Model, Rule
from controller.api.sentences import sentence

__all__ = ["GROUP", "KIND", "PLURAL", "VERSION", "CompositeScaler", "Metadata", "ScaleTargetRef", "Spec"]

GROUP: Final = "compositescaler.io"
VERSION: Final = "v1alpha1"
KIND: Final = "CompositeScaler"
PLURAL: Final = "compositescalers"

MinReplicas = Annotated[
    Count,
    Rule[int](
        cel="self >= 1",
        message="must be 1 or more, because scaling to zero is not possible yet, write 1",
        check=lambda value: value >= 1,
    ),
]
Name = Annotated[Text, Field(min_length=1, max_length=253)]
API_VERSION: Final = "([a-z0-9][-a-z0-9.]*/)?v[0-9][a-z0-9]*"
API_VERSION_PATTERN: Final = re.compile(API_VERSION, re.ASCII)
#: It becomes part of a path on the API server, so nothing else may be in it.
ApiVersion = Annotated[
    Text,
    Field(max_length=253),
    Rule[str](
        cel=f"self.matches('^{API_VERSION}$')",
        message="must be a group and a version, or a version alone, write for example apps/v1",
        check=lambda text: API_VERSION_PATTERN.fullmatch(text) is not None,
    ),
]


class ScaleTargetRef(Model):
    """The object whose `/scale` is written, in the scaler's own namespace."""

    api_version: ApiVersion = Field("apps/v1", description="Group and version of the target, e.g. apps/v1.")
    kind: Annotated[Text, Field(min_length=1, max_length=63)] = Field(
        description="Kind of the target, e.g. Deployment; any kind with a /scale subresource."
    )
    name: Name = Field(description="Name of the target in the same namespace.")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Spec(Model):
    """What to scale, between which bounds, on which dimensions, and how fast."""

    scale_target_ref: ScaleTargetRef = Field(description="The object to scale.")
    min_replicas: MinReplicas = Field(1, description="The fewest replicas, 1 or more.")
    max_replicas: Annotated[Count, Field(ge=1)] = Field(description="The most replicas, minReplicas or more.")
    source: Label = Field(
        "default", description="The metrics source, by the name that the operator's configuration gives it."
    )
    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=16)] = Field(
        description="The dimensions of the load vector, 1 to 16."
    )
    magnitude: Magnitude = Field(Magnitude(), description="How the dimensions become one number.")
    demand: Demand | None = Field(
        None,
        description="What arrives at the target, the demand that response Capacity serves. If absent (Auto) it is the "
        "count of the latency histogram, else the CPU cores in use.",
    )
    quality: Quality = Field(Quality(), description="Which data is good enough to act on.")
    behavior: Behavior = Field(
        Behavior(),
        description="How fast the count may move: the behavior of an autoscaling/v2 HorizontalPodAutoscaler.",
    )
    cooldown: Cooldown = Field(Cooldown(), description="How long nothing happens after a scale event.")
    efficacy: Efficacy = Field(Efficacy(), description="What becomes of a dimension that pods do not lower.")
    dry_run: Switch = Field(
        False, description="Decide, show and remember everything, and never write the target's replicas."
    )
    anomaly: Anomaly = Field(Anomaly(), description="What becomes of a load that is far from what is usual for it.")

    @property
    def adaptive_hold(self) -> bool:
        """Whether the hold adapts itself: `behavior.scaleDown` is not written, so there is no word to honour."""
        return "scale_down" not in self.behavior.model_fields_set

    def rules(self, direction: Direction) -> DirectionRules:
        """The scaling rules of one direction."""
        return self.behavior.rules(direction)

    RULES: ClassVar[tuple[Rule[Any], ...]] = (
        Rule["Spec"](
            cel="self.minReplicas <= self.maxReplicas",
            message="minReplicas must not be above maxReplicas, lower minReplicas or raise maxReplicas",
            check=lambda it: it.min_replicas <= it.max_replicas,
            fields=("minReplicas", "maxReplicas"),
        ),
        Rule["Spec"](
            cel="self.dimensions.all(a, self.dimensions.exists_one(b, "
            "(has(a.name) ? a.name : (has(a.metric) ? a.metric : '')) == "
            "(has(b.name) ? b.name : (has(b.metric) ? b.metric : ''))))",
            message="the names of dimensions must be unique, give each dimension of the same metric its own name",
            check=lambda it: len({each.name for each in it.dimensions}) == len(it.dimensions),
            fields=("dimensions",),
        ),
    )


class Metadata(BaseModel):
    """The part of an object's metadata that the operator uses."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""


class CompositeScaler(Model):
    """One CompositeScaler without its status (see `Status`)."""

    api_version: Literal["compositescaler.io/v1alpha1"]
    kind: Literal["CompositeScaler"]
    metadata: Metadata
    spec: Spec

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    @classmethod
    def parse(cls, manifest: Mapping[str, Any]) -> Self:
        """Read an object as the API server or a file holds it; its status is left out.

        Raises InvalidManifest with one sentence about every mistake.
        """
        try:
            return cls.model_validate({key: value for key, value in manifest.items() if key != "status"})
        except ValidationError as error:
            raise InvalidManifest(sentence(error)) from error
