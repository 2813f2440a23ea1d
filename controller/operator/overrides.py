"""Who may not scale now, and why: annotations, `spec.dryRun` and the operator-wide stop become the engine's arrays, cycle by cycle.

A time that has passed ends a pause in the next cycle, by the wall clock and without an event. The stop comes before a dry run, and that
before the annotations: the widest is named first. A target that a pin had brought to 0 gets back what it had before when the pin ends, for
0 replicas would else mean that somebody had switched it off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.api import Overrides as Annotations
from controller.api import Reason
from controller.api.overrides import PAUSED, PAUSED_REPLICAS, PAUSED_SCALE_IN, PAUSED_SCALE_OUT, PAUSED_UNTIL
from controller.engine import NONE, Override, Overrides, code
from controller.operator.clock import rfc3339
from controller.operator.memory import ScaleEvent
from controller.operator.scalers import Key, Scaler
from controller.operator.targets import Aimed

__all__ = ["Authority", "Ruling"]

NOTHING: Final = Annotations()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What stands above the decisions of one cycle: the engine's arrays, None where nothing does, and each row's override for people."""

    arrays: Overrides | None
    rows: Mapping[int, Override]


@dataclass
class Authority:
    """Rules once a cycle, and knows who was held by the last ruling; `stopped` says whether nothing may be written at all."""

    stopped: Callable[[], bool] = lambda: False
    _held: set[Key] = field(default_factory=set)

    def rule(self, aimed: Sequence[Aimed], events: Mapping[Key, Sequence[ScaleEvent]], wall: float) -> Ruling:
        """The ruling for these scalers at a moment (Unix seconds); `events` are what was done to them, oldest first."""
        rows, stopped = {}, self.stopped()
        for row, each in enumerate(aimed):
            held = _holds(each.scaler, stopped, wall)
            asleep = _before_zero(each, events.get(each.scaler.key, ()))
            if held or asleep:
                rows[row] = _Row(tuple(held), asleep)
        arrays = Overrides.none(len(aimed)) if rows or self._held else None
        if arrays is not None:
            for row, each in enumerate(aimed):
                key = each.scaler.key
                holds = row in rows and rows[row].put_into(arrays, row)
                arrays.resumes[row] = key in self._held and not holds
                (self._held.add if holds else self._held.discard)(key)
        return Ruling(arrays, {row: each.told for row, each in rows.items()})

    def keep_only(self, present: Collection[Key]) -> None:
        """Forget scalers that are gone."""
        self._held.intersection_update(present)


@dataclass(frozen=True, slots=True)
class _Hold:
    """One thing that holds a scaler, until a moment (Unix seconds); `pinned` is its number, if it has one."""

    reason: Reason
    note: str
    up: bool = True
    down: bool = True
    pinned: int | None = None
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class _Row:
    """Everything that holds one scaler, the widest first, and the replicas that it shall wake with, if a pin to 0 has ended."""

    holds: tuple[_Hold, ...]
    asleep: int | None

    @property
    def told(self) -> Override:
        """The same for people."""
        woken = () if self.asleep is None or self._pin is not None else (_waking(self.asleep),)
        return Override(
            reasons=tuple(each.reason for each in self.holds),
            notes=(*(each.note for each in self.holds), *woken),
            until=min((each.until for each in self.holds), default=math.inf),
        )

    @property
    def _pin(self) -> _Hold | None:
        return next((each for each in self.holds if each.pinned is not None), None)

    def put_into(self, arrays: Overrides, row: int) -> bool:
        """Write the row of the engine's arrays; returns whether it keeps the number from falling, or sets it."""
        pin = self._pin
        if pin is not None and pin.pinned is not None:
            arrays.pinned[row], arrays.why[row] = pin.pinned, code(pin.reason)
        elif self.asleep is not None:
            arrays.pinned[row], arrays.why[row] = self.asleep, code(Reason.RESUMED)
        # From the narrowest to the widest, so that the widest has the last word.
        for each in reversed(self.holds):
            if each.up:
                arrays.no_up[row] = code(each.reason)
            if each.down:
                arrays.no_down[row] = code(each.reason)
        return bool(arrays.pinned[row] >= 0 or arrays.no_down[row] != NONE)


def _holds(scaler: Scaler, stopped: bool, wall: float) -> list[_Hold]:
    """What holds a scaler now, the widest first."""
    held = []
    if stopped:
        held.append(_Hold(Reason.STOPPED, "the operator is stopped (stop: true in its configuration)"))
    if scaler.spec is not None and scaler.spec.dry_run:
        held.append(_Hold(Reason.DRY_RUN, "a dry run (spec.dryRun: true)"))
    said = None if scaler.overrides == NOTHING else scaler.overrides.at(wall)
    return held if said is None else [*held, *_annotated(scaler, said)]


def _annotated(scaler: Scaler, said: Annotations) -> list[_Hold]:
    """What the annotations ask for: a pin before a pause, and a pause before one direction."""
    until, when = (math.inf, "") if said.until is None else (said.until, f" until {rfc3339(said.until)}")
    if said.replicas is not None:
        note = f"pinned to {said.replicas} by the annotation {PAUSED_REPLICAS}{when}"
        return [_Hold(Reason.PAUSED_REPLICAS, note, up=False, down=False, pinned=said.replicas, until=until)]
    if said.paused:
        by = PAUSED if scaler.overrides.paused else PAUSED_UNTIL
        return [_Hold(Reason.PAUSED, f"paused by the annotation {by}{when}", until=until)]
    found = []
    if said.scale_in:
        note = f"scaling down is paused by the annotation {PAUSED_SCALE_IN}{when}"
        found.append(_Hold(Reason.PAUSED_SCALE_IN, note, up=False, until=until))
    if said.scale_out:
        note = f"scaling up is paused by the annotation {PAUSED_SCALE_OUT}{when}"
        found.append(_Hold(Reason.PAUSED_SCALE_OUT, note, down=False, until=until))
    return found


def _before_zero(aimed: Aimed, events: Sequence[ScaleEvent]) -> int | None:
    """What a target that a pin brought to 0 had before, within its bounds; None where it is not at 0, or somebody else put it there."""
    spec = aimed.scaler.spec
    if (
        spec is None
        or aimed.target.spec_replicas != 0
        or not events
        or not (events[-1].pinned and events[-1].after == 0)
    ):
        return None
    return min(max(events[-1].before, spec.min_replicas), spec.max_replicas)


def _waking(replicas: int) -> str:
    return f"the pin to 0 has ended, so the target gets back {replicas}, what it had before within its bounds"
