"""The law with one part changed at a time: what each part is worth, and how much each constant matters.

A part is switched off by the constant that carries it, by the spec, or by what stands between the policy and its fleet. All variants run
in one lockstep: a constant of the engine is a column for that while, with the changed value in the rows of the variant, in a process
that does nothing else meanwhile; then it is put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.contenders import GATEWAY, Contender
from benchmarks.evaluation.pareto import Around
from controller.engine import LoadKind
from controller.simulation import Policy, Seen

__all__ = ["ABLATION", "AS_IT_IS", "EFFICACY", "SENSITIVITY", "Variant", "around", "sensitivity", "value_of"]

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Constant = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One change: `constants` by module and name (`hold.REGRET`), `changes` of the spec, its `metrics`, the `kind` of the demand.

    All targets are times `nominal`, for a variant that would be too cheap. `slower` shows it no newer demand than the mean of the
    window, `reversals` has it keep its band against reversals only.
    """

    name: str
    constants: dict[str, Constant] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("cpu", "memory", "latency")
    kind: LoadKind = LoadKind.ARRIVALS
    nominal: float = 1.0
    slower: bool = False
    reversals: bool = False

    @property
    def contender(self) -> Contender:
        """What is run."""
        gateway = GATEWAY if self.kind is LoadKind.ARRIVALS else {}
        return Contender(
            self.name,
            self.name,
            changes=gateway | self.changes,
            metrics=self.metrics,
            kind=self.kind,
            nominal=self.nominal,
        )


def value_of(name: str) -> Constant:
    """A constant of the engine as it is; raises KeyError where there is none of this name."""
    module, constant = name.split(".")
    value: Constant = vars(import_module(f"controller.engine.{module}"))[constant]
    return value


def around(variants: Sequence[Variant]) -> Around:
    """Has every run be its variant, by the contender's name."""
    by_name = {variant.name: variant for variant in variants}

    @contextmanager
    def standing(policy: Policy, names: Sequence[str]) -> Iterator[Policy]:
        runs = [by_name[name] for name in names]
        constants = {name: value_of(name) for variant in variants for name in variant.constants}
        try:
            for name, value in constants.items():
                _set(name, _column(name, [variant.constants.get(name, value) for variant in runs]))
            slower, reversals = (
                np.array([getattr(variant, part) for variant in runs], np.bool_) for part in ("slower", "reversals")
            )
            yield _Changed(policy, slower, reversals)
        finally:
            for name, value in constants.items():
                _set(name, value)

    return standing


def _set(name: str, value: Any) -> None:
    module, constant = name.split(".")
    setattr(import_module(f"controller.engine.{module}"), constant, value)


def _column(name: str, values: Sequence[Constant]) -> Any:
    """One value a run: (R,), or (R, 1) where the module reckons with a column a dimension; a pair is a pair of those."""
    columns = np.array(values, np.float64)
    if columns.ndim == 2:
        return tuple(columns.T)
    return columns[:, None] if name.startswith("capacity.") else columns


class _Changed:
    """A policy that is shown less than there is in the runs `slower` (R,), or that has less of a band in the runs `reversals` (R,)."""

    def __init__(self, policy: Any, slower: Flags, reversals: Flags) -> None:
        self._policy, self._slower, self._reversals = policy, slower, reversals
        self._before: Ints | None = None
        self._direction = np.zeros(len(slower), np.int64)

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return str(self._policy.name)

    def decide(self, seen: Seen) -> Ints:
        """The replicas (R,) that the policy decides on what it is shown."""
        if self._reversals.any():
            self._band(seen.current)
        if self._slower.any():
            pods = self._slower[seen.scaler]
            seen = replace(
                seen,
                cpu_newest=np.where(pods, seen.cpu, seen.cpu_newest),
                served_newest=np.where(pods, seen.served_window, seen.served_newest),
                waited_newest=np.where(pods, seen.waited, seen.waited_newest),
                arrivals_newest=np.where(self._slower, seen.arrivals_window, seen.arrivals_newest),
            )
        decided: Ints = self._policy.decide(seen)
        return decided

    def _band(self, current: Ints) -> None:
        """Take the tolerance away but against the direction of the last change."""
        if self._before is not None:
            change = np.sign(current - self._before)
            self._direction = np.where(change != 0, change, self._direction)
        self._before = current
        rules = self._policy._scalers
        rules.up.tolerance[:] = np.where(self._reversals & (self._direction >= 0), 0.0, BAND)
        rules.down.tolerance[:] = np.where(self._reversals & (self._direction <= 0), 0.0, BAND)


BAND: Final = 0.1
_HPA_WINDOW: Final = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}}
_FAST: Final = {"behavior": {"scaleUp": {"policies": [{"type": "Percent", "value": 300, "periodSeconds": 15}]}}}
_OBSERVE: Final = {"efficacy": {"action": "Observe"}}
AS_IT_IS: Final = "law"

ABLATION: Final = (
    Variant(AS_IT_IS),
    Variant("newest demand of 60 s", slower=True),
    Variant("gain at most 1 (no extrapolation)", {"demand.GAIN_LIMIT": 1.0}),
    Variant("gain 1, not learned", {"demand.PRIOR": 1e9}),
    Variant("band on reversals only", reversals=True),
    Variant("hold not adaptive", {"hold.MOST_PATIENCE": 1.0}),
    Variant("hold 300 s, not adaptive", {"hold.MOST_PATIENCE": 1.0, "hold.AFTER_DOWN": 300.0, "hold.OTHERWISE": 300.0}),
    Variant("HPA's window of 300 s", changes=_HPA_WINDOW),
    Variant("no noise margin", {"demand.NOISE_LIMIT": 0.0}),
    Variant("no efficacy test", changes=_OBSERVE),
    Variant("no latency, no memory", metrics=("cpu",), nominal=0.8),
    Variant("up limit x4", changes=_FAST),
    Variant("demand of the histogram", kind=LoadKind.REQUESTS),
    Variant("demand of the histogram, not corrected", {"demand.BLIND_LIMIT": (1.0, 1.0)}, kind=LoadKind.REQUESTS),
    Variant("demand of the CPU", kind=LoadKind.CORES),
)

#: Constants that were chosen for the law, each run at half and at twice its value on the first 70 %.
SENSITIVITY: Final = (
    "demand.GAIN_LIMIT",
    "demand.PRIOR",
    "demand.NOISE_LIMIT",
    "demand.REMEMBERED",
    "hold.AFTER_DOWN",
    "hold.OTHERWISE",
    "hold.MOST_PATIENCE",
    "hold.REGRET",
    "law.EXPERIENCE",
    "law.FIRST_WINDOWS",
    "capacity.LINEAR",
    "capacity.FALLING",
    "capacity.RISING",
)
#: Those of the test of efficacy, which the day with a slow dependency judges.
EFFICACY: Final = ("efficacy.HELPS", "efficacy.LEAVES", "efficacy.LONGEST", "efficacy.ESTABLISHED")


def sensitivity(names: Sequence[str]) -> tuple[Variant, ...]:
    """The law as it is, and with each constant halved and doubled."""
    found = [Variant(AS_IT_IS)]
    for name in names:
        value = value_of(name)
        assert isinstance(value, float)
        found += [Variant(f"{name} {value * factor:g}", {name: value * factor}) for factor in (0.5, 2.0)]
    return tuple(found)
