"""What becomes of a load vector that is far from what is usual for it.

The score itself is the engine's; here are its settings.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from controller.api.amounts import DURATION, Number, PositiveDuration, is_duration
from controller.api.rules import Model, Rule
from controller.api.units import parse_duration

__all__ = ["Anomaly", "AnomalyAction", "AnomalySeason"]

#: The shortest and the longest window (seconds).
SHORTEST, LONGEST = 1800, 86400


class AnomalyAction(StrEnum):
    """What follows when an anomaly is detected."""

    OBSERVE = "Observe"
    HOLD = "Hold"


class AnomalySeason(StrEnum):
    """What the load of a dimension is compared with."""

    NONE = "None"
    HOUR_OF_DAY = "HourOfDay"


def _is_window(text: str) -> bool:
    # Text that is no duration is another rule's business.
    return not is_duration(text) or SHORTEST <= parse_duration(text) <= LONGEST


Window = Annotated[
    PositiveDuration,
    Rule[str](
        cel=f"!self.matches('^{DURATION}$') || (duration(self) >= duration('30m') && duration(self) <= duration('24h'))",
        message="must be 30m to 24h, write for example 1h",
        check=_is_window,
    ),
]


class Anomaly(Model):
    """When the load counts as far from usual, and what follows."""

    window: Window = Field(
        "1h",
        description="Over how long the usual value of a dimension (its median) and the usual scores are taken, 30m to 24h and sixty of "
        "the operator's cycles or more. No anomaly is detected before one and a half windows were seen.",
    )
    percentile: Annotated[Number, Field(ge=50, le=100)] = Field(
        99.9,
        description="A score above this percentile of the scores of the window breaches, 50 to 100. The window has sixty blocks, so "
        "above 98.3 it lies between the two highest; 95 lets two blocks with a spike not hide the next.",
    )
    season: AnomalySeason = Field(
        AnomalySeason.NONE,
        description="HourOfDay compares with the median of the same hour of the last seven days. It needs three days on which that hour "
        "was seen since the operator started; until then, and with None, the median of the window is taken.",
    )
    action: AnomalyAction = Field(
        AnomalyAction.OBSERVE,
        description="When an anomaly is detected: Hold lets nothing scale down while it lasts, Observe only says so.",
    )

    @property
    def window_seconds(self) -> float:
        """The window in seconds."""
        return float(parse_duration(self.window))
