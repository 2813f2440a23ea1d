"""The annotations with which a person takes a CompositeScaler's number out of its hands, and gives it back.

    compositescaler.io/paused: "true"            nothing moves; "false" wins over all others
    compositescaler.io/paused-replicas: "12"     go there and stay, whatever minReplicas and maxReplicas say
    compositescaler.io/paused-scale-in: "true"   never fewer
    compositescaler.io/paused-scale-out: "true"  never more
    compositescaler.io/paused-until: "2026-12-24T18:00:00Z"   when the others end; alone: paused until then

They are annotations and not fields because whoever pauses at night need not edit what is in Git. The verbs are KEDA's. What comes of
them is not this module's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from controller.api.errors import InvalidManifest

__all__ = ["PAUSED", "PAUSED_REPLICAS", "PAUSED_SCALE_IN", "PAUSED_SCALE_OUT", "PAUSED_UNTIL", "Overrides"]

PAUSED: Final = "compositescaler.io/paused"
PAUSED_UNTIL: Final = "compositescaler.io/paused-until"
PAUSED_REPLICAS: Final = "compositescaler.io/paused-replicas"
PAUSED_SCALE_IN: Final = "compositescaler.io/paused-scale-in"
PAUSED_SCALE_OUT: Final = "compositescaler.io/paused-scale-out"
KNOWN: Final = (PAUSED, PAUSED_UNTIL, PAUSED_REPLICAS, PAUSED_SCALE_IN, PAUSED_SCALE_OUT)

#: RFC 3339 with its zone, which alone says when it is.
TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
COUNT: Final = re.compile(r"[0-9]{1,10}")
MOST_REPLICAS: Final = 2**31 - 1
LONGEST_VALUE: Final = 80


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the annotations of one CompositeScaler say: `until` is in Unix seconds; None is not written."""

    paused: bool | None = None
    until: float | None = None
    replicas: int | None = None
    scale_in: bool = False
    scale_out: bool = False

    @classmethod
    def parse(cls, annotations: Mapping[str, Any] | Any) -> Self:
        """Read an object's annotations; those of others are passed over.

        Raises InvalidManifest with one sentence about every mistake, also where `paused: "false"` would win over it.
        """
        found, mistakes = {}, []
        if not isinstance(annotations or {}, Mapping):
            raise InvalidManifest(f"metadata.annotations: must be of type object (got {_short(annotations)})")
        for name, value in (annotations or {}).items():
            if str(name).startswith(PAUSED):
                try:
                    found[name] = _read(name, value)
                except ValueError as error:
                    mistakes.append(f"metadata.annotations[{name}]: {error}")
        if mistakes:
            raise InvalidManifest("; ".join(mistakes))
        return cls(
            paused=found.get(PAUSED),
            until=found.get(PAUSED_UNTIL),
            replicas=found.get(PAUSED_REPLICAS),
            scale_in=found.get(PAUSED_SCALE_IN, False),
            scale_out=found.get(PAUSED_SCALE_OUT, False),
        )

    def at(self, wall: float) -> Self | None:
        """What is in force at a moment (Unix seconds), a time alone being a pause; None where nothing is."""
        if self.paused is False or (self.until is not None and wall >= self.until):
            return None
        if self.paused or self.replicas is not None or self.scale_in or self.scale_out:
            return self
        return None if self.until is None else type(self)(paused=True, until=self.until)


def _read(name: str, value: Any) -> Any:
    """The value of one annotation; raises ValueError with what to write instead."""
    if name not in KNOWN:
        raise ValueError(f"unknown annotation, remove it or write one of {', '.join(KNOWN)}")
    if not isinstance(value, str):
        raise ValueError(f"must be text, write it in quotes (got {_short(value)})")
    if name == PAUSED_UNTIL:
        return _time(value)
    if name == PAUSED_REPLICAS:
        if COUNT.fullmatch(value) is None or int(value) > MOST_REPLICAS:
            raise ValueError(f'must be a number of replicas, 0 or more, write for example "12" (got {_short(value)})')
        return int(value)
    if value not in ("true", "false"):
        raise ValueError(f'must be "true" or "false" (got {_short(value)})')
    return value == "true"


def _time(text: str) -> float:
    try:
        # In UTC, for a time at the very end of the calendar has none there.
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC) if TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise ValueError(
            f"must be a time with its zone (RFC 3339), write for example 2026-12-24T18:00:00Z (got {_short(text)})"
        )
    return moment.replace(microsecond=0).timestamp()


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
