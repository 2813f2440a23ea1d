"""What HPA makes of a `behavior` in which not everything is written.

Its defaults are those of our own `behavior`, which is HPA's word for word; only the window downwards and the tolerance come from
the controller's flags. Source: HPA's API defaulting and maybeInitScaleDownStabilizationWindow.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from controller.api import Behavior, Direction
from controller.simulation.hpa.objects import Settings

__all__ = ["complete"]


def complete(written: Mapping[str, Any], settings: Settings) -> Behavior:
    """The behavior that counts, from one as a user writes it: a direction, or a field of it, may be absent or None.

    A tolerance may be a number or a quantity. Raises pydantic's ValidationError where HPA's API would refuse the block.
    """
    flags: dict[Direction, dict[str, Any]] = {
        Direction.UP: {"tolerance": settings.tolerance},
        Direction.DOWN: {
            "tolerance": settings.tolerance,
            "stabilizationWindowSeconds": round(settings.downscale_window),
        },
    }
    block = {}
    for direction, rules in flags.items():
        given = {name: value for name, value in (written.get(direction) or {}).items() if value is not None}
        if not settings.configurable_tolerance:
            given.pop("tolerance", None)
        filled = rules | given
        filled["tolerance"] = _quantity(filled["tolerance"])
        block[str(direction)] = filled
    return Behavior.model_validate(block)


def _quantity(number: float | str) -> str:
    """A number as the manifest has it, without an exponent."""
    return number if isinstance(number, str) else f"{Decimal(str(number)):f}"
