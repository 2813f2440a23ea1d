"""Figures of merit of simulated runs (the plant's study, B.1 and B.3), all runs at once, and their spread over seeds."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet import SYNC_SECONDS, Record

__all__ = ["Figures", "Spread", "directions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the seeds of one setting."""

    mean: float
    least: float
    most: float

    def __str__(self) -> str:
        half = (self.most - self.least) / 2.0
        return f"{self.mean:.3g}" if half == 0.0 else f"{self.mean:.3g} +-{half:.2g}"


@dataclass(frozen=True, slots=True)
class Figures:
    """One number a run, (R,); shares are in per cent."""

    violations: Floats
    """Requests later than promised or failed, of all requests."""
    far_violations: Floats
    """Requests later than 10/3 of the promise or failed, of all requests."""
    slow_time: Floats
    """Seconds in which the promise was broken, of all seconds."""
    longest_spell: Floats
    """The longest run of such seconds."""
    pod_hours: Floats
    """Pods that are there, whether or not they serve yet."""
    oracle_pod_hours: Floats
    """The fewest pods that hold the promise."""
    cost: Floats
    """Pod-hours over the oracle's."""
    actions: Floats
    """Changes of spec.replicas."""
    flips: Floats
    """Reversals of direction between successive actions."""
    most_pods: Floats
    """The most replicas that were asked for."""
    overshoot: Floats
    """The most pods that served, over the most that were needed, less 1."""
    under: Floats
    """theta_U: pods lacking relative to the demand, mean over time."""
    over: Floats
    """theta_O: pods too many relative to the demand, mean over time."""
    under_time: Floats
    """tau_U: time with too few pods."""
    over_time: Floats
    """tau_O: time with too many pods."""
    requests: Floats
    """How many requests came."""

    @classmethod
    def of(cls, record: Record, warmup_seconds: float = 0.0) -> Figures:
        """Judge a record, from the first whole sync after the warm-up on; raises ValueError when nothing is left."""
        skipped = int(np.ceil(warmup_seconds / SYNC_SECONDS))
        if skipped >= len(record):
            raise ValueError(
                f"The warm-up of {warmup_seconds:g} s is not shorter than the run of {len(record) * SYNC_SECONDS} s; "
                "write fewer seconds."
            )
        counted = record.part(skipped)
        total = {field.name: getattr(counted, field.name).sum(axis=0, dtype=np.float64) for field in fields(Record)}
        seconds = float(len(counted) * SYNC_SECONDS)
        per_request = 100.0 / np.maximum(total["arrivals"], 1.0)
        per_second = 100.0 / seconds
        pod_hours = (total["ready"] + total["starting"]) / 3600.0
        oracle = total["demand"] / 3600.0
        actions, flips = directions(counted.replicas)
        # A spell that began in the warm-up is counted from its end on.
        since = (np.arange(len(counted)) + 1.0)[:, None] * SYNC_SECONDS
        return cls(
            violations=per_request * (total["late"] + total["failed"]),
            far_violations=per_request * (total["very_late"] + total["failed"]),
            slow_time=per_second * total["slow_seconds"],
            longest_spell=np.minimum(counted.slow_spell, since).max(axis=0).astype(np.float64),
            pod_hours=pod_hours,
            oracle_pod_hours=oracle,
            cost=pod_hours / oracle,
            actions=actions.astype(np.float64),
            flips=flips.astype(np.float64),
            most_pods=counted.replicas.max(axis=0).astype(np.float64),
            overshoot=counted.most_ready.max(axis=0) / counted.most_demand.max(axis=0).astype(np.float64) - 1.0,
            under=per_second * total["under"],
            over=per_second * total["over"],
            under_time=per_second * total["under_seconds"],
            over_time=per_second * total["over_seconds"],
            requests=total["arrivals"],
        )

    def __len__(self) -> int:
        return len(self.violations)

    def spread(self, runs: NDArray[np.intp] | slice = slice(None)) -> dict[str, Spread]:
        """Every figure by name over some of the runs: the seeds of one setting."""
        result = {}
        for field in fields(self):
            numbers = getattr(self, field.name)[runs]
            result[field.name] = Spread(float(numbers.mean()), float(numbers.min()), float(numbers.max()))
        return result


def directions(replicas: NDArray[np.floating]) -> tuple[Ints, Ints]:
    """Actions and flips (R,) of replicas (syncs, R): changes, and changes against the direction of the change before."""
    sign = np.sign(np.diff(replicas, axis=0)).astype(np.int64)
    acted = sign != 0
    # The sign of the last action, carried along: a flip is where it changes from one to the other.
    last = np.maximum.accumulate(np.where(acted, np.arange(1, len(sign) + 1)[:, None], 0), axis=0)
    carried = np.where(last > 0, np.take_along_axis(sign, np.maximum(last - 1, 0), axis=0), 0)
    flips = (carried[1:] * carried[:-1] < 0).sum(axis=0)
    return acted.sum(axis=0), flips
