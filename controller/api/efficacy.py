"""What becomes of a dimension that asks for pods which do not lower it.

The test itself is the engine's; here are its settings.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controller.api.amounts import Number
from controller.api.rules import Model

__all__ = ["Efficacy", "EfficacyAction"]


class EfficacyAction(StrEnum):
    """What follows when more pods do not lower a dimension."""

    HOLD = "Hold"
    OBSERVE = "Observe"


class Efficacy(Model):
    """How much a dimension may ask for before it has proved that pods lower it."""

    authority: Annotated[Number, Field(ge=1)] = Field(
        1.5,
        description="How far a latency may grow the target beyond its established size before it has proved that pods "
        "lower it, as a multiple of that size, 1 or more.",
    )
    action: EfficacyAction = Field(
        EfficacyAction.HOLD,
        description="When pods do not lower a dimension: Hold lets it ask for no more until it is tried again, Observe only "
        "says so.",
    )
