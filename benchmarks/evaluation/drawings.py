"""One day in pictures: load, pods and late requests of a few policies, minute by minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.evaluation.contenders import CONTENDERS, OURS, settings_of, team
from benchmarks.evaluation.days import BLIND, BLIND_DAY, day
from benchmarks.evaluation.pareto import begin
from controller.simulation import Record, scenario_of, simulate
from controller.simulation.fleet import SYNC_SECONDS

__all__ = ["DRAWN", "example"]

#: Whose days are drawn.
DRAWN: Final = ("hpa-cpu", "hpa", "keda", OURS)
#: A point of a curve is the mean of so many syncs.
POINT: Final = 16


def example(folder: Path | None) -> dict[str, Any]:
    """By scenario and policy, one value every four minutes: `pods`, `late` in per cent of the requests; and the oracle's `needed`."""
    trace = day(folder, BLIND_DAY)
    found: dict[str, Any] = {}
    for scenario in BLIND:
        settings = scenario_of(scenario).of(settings_of(False))
        drawn: dict[str, Any] = {}
        for rival in (True, False):
            contenders = [each for each in CONTENDERS if each.name in DRAWN and each.rival is rival]
            fleet = begin(settings, [trace] * len(contenders), [1] * len(contenders))
            record = simulate(fleet, team(contenders, fleet, [1.0] * len(contenders)))
            drawn |= {each.name: _curves(record, run) for run, each in enumerate(contenders)}
            drawn["needed"] = _means(record.demand[:, 0] / SYNC_SECONDS)
        found[scenario] = drawn
    return found


def _curves(record: Record, run: int) -> dict[str, list[float]]:
    late = (record.late + record.failed)[:, run].astype(np.float64)
    arrived = np.maximum(_sums(record.arrivals[:, run].astype(np.float64)), 1.0)
    return {
        "pods": _means(record.replicas[:, run]),
        "late": [float(f"{share:.4g}") for share in 100.0 * _sums(late) / arrived],
    }


def _sums(values: Any) -> Any:
    return values[: len(values) // POINT * POINT].reshape(-1, POINT).sum(axis=1)


def _means(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in _sums(values.astype(np.float64)) / POINT]
