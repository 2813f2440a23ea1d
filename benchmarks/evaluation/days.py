"""Single days with something done to them on purpose: blind signals, adversarial cases, and what else goes wrong.

The day of the blind signals is 30 June 1998 in Greenwich time, run at the targets as they are written. The adversarial cases are run on
day 64 of the same trace, every policy with the factor that costs 1.35 times the oracle's pod-hours on the undisturbed day; HPA's
max rule, which may not reach that, as written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.evaluation.contenders import (
    CONTENDERS,
    GATEWAY,
    PEAK_PODS,
    Contender,
    carried,
    settings_of,
    team,
)
from benchmarks.evaluation.loads import DAY, HOUR, open_trace
from benchmarks.evaluation.pareto import SEEDS, Around, begin, plainly
from controller.simulation import Figures, Trace, scenario_of, simulate
from controller.simulation.fleet import FleetSettings

__all__ = ["ADVERSARIAL", "BLIND", "BLIND_TEAM", "FURTHER", "HARD_TEAM", "MARK", "adversarial", "blind", "day"]

WC98: Final = "wc98_requests"
#: The trace begins on 30 April 1998 at 21:30 in Greenwich.
BLIND_DAY: Final = 60 * DAY + 2.5 * HOUR
HARD_DAY: Final = 64 * DAY
#: What every policy may cost on the undisturbed day, relative to the oracle.
MARK: Final = 1.35

BLIND: Final = ("none", "cost-x1.6", "workers", "slow-dependency")
ADVERSARIAL: Final = (
    "none",
    "rollout-x1.5",
    "slow-pod",
    "fast-start",
    "slow-start",
    "scrape-30s",
    "rough",
    "noise-5s",
    "noise-2m",
    "step-x50",
    "zero-at-night",
    "zero-at-night-then-slow-dependency",
)
FURTHER: Final = ("metric-gaps", "memory-leak")

_OBSERVES: Final = {"efficacy": {"action": "Observe"}}
BLIND_TEAM: Final = (
    *CONTENDERS,
    Contender("no-efficacy", "law, no efficacy test", changes=GATEWAY | _OBSERVES),
    Contender("no-memory", "law, no memory", changes=GATEWAY, metrics=("cpu", "latency")),
    Contender("target-1.2", "law, target 1.2", changes=GATEWAY, nominal=1.2),
    Contender("cpu-only", "law, cpu only", changes=GATEWAY, metrics=("cpu",)),
)
HARD_TEAM: Final = tuple(each for each in CONTENDERS if each.name in ("hpa-cpu", "hpa", "keda", "law", "law-histogram"))
#: This one is run as written.
_AS_WRITTEN: Final = "hpa"
_SHOWN: Final = ("violations", "far_violations", "pod_hours", "cost", "flips", "most_pods", "longest_spell")


def day(folder: Path | None, begins: float, seconds: float = DAY) -> Trace:
    """A day of wc98 in requests per second, its peak worth thirty pods; `begins` in seconds of the trace."""
    trace = open_trace(WC98, folder).segment(begins, begins + DAY)
    return trace.scaled(peak=PEAK_PODS * carried(FleetSettings())).segment(0.0, seconds)


def blind(
    folder: Path | None,
    scenario: str,
    contenders: Sequence[Contender],
    *,
    seconds: float = DAY,
    around: Around = plainly,
) -> Any:
    """Figures by contender of one scenario on the day of the blind signals, at the targets as written."""
    return _run(day(folder, BLIND_DAY, seconds), scenario, contenders, {}, around)


def adversarial(folder: Path | None, contenders: Sequence[Contender], cases: Sequence[str] = ADVERSARIAL) -> Any:
    """Figures by case and contender, at equal pod-hours on the undisturbed day; `factors` by contender under that name."""
    trace = day(folder, HARD_DAY)
    chosen = [each for each in contenders if each.name != _AS_WRITTEN]
    factors = {_AS_WRITTEN: 1.0} | _calibrated(trace, chosen)
    return {"factors": factors} | {case: _run(trace, case, contenders, factors) for case in cases}


def _calibrated(trace: Trace, contenders: Sequence[Contender]) -> dict[str, float]:
    """The factor of each contender that costs `MARK`, by interpolation between the factors that are run everywhere."""
    cells = [(each, factor) for each in contenders for factor in each.factors]
    fleet = begin(settings_of(False), [trace] * len(cells), [SEEDS[0]] * len(cells))
    policy = team([each for each, _ in cells], fleet, [factor for _, factor in cells])
    cost = Figures.of(simulate(fleet, policy)).cost.reshape(len(contenders), -1)
    found = {}
    for each, prices in zip(contenders, cost, strict=True):
        order = np.argsort(prices)
        factors = np.log(np.array(each.factors)[order])
        found[each.name] = float(np.exp(np.interp(math.log(MARK), np.log(prices[order]), factors)))
    return found


def _run(
    trace: Trace,
    scenario: str,
    contenders: Sequence[Contender],
    factors: Mapping[str, float],
    around: Around = plainly,
) -> dict[str, Any]:
    settings = scenario_of(scenario).of(settings_of(False))
    cells = [(each, seed) for each in contenders for seed in SEEDS]
    fleet = begin(settings, [trace] * len(cells), [seed for _, seed in cells])
    policy = team([each for each, _ in cells], fleet, [factors.get(each.name, 1.0) for each, _ in cells])
    with around(policy, [each.name for each, _ in cells]) as changed:
        figures = Figures.of(simulate(fleet, changed))
    return {
        each.name: {
            name: [float(f"{value:.5g}") for value in getattr(figures, name)[at * len(SEEDS) : (at + 1) * len(SEEDS)]]
            for name in _SHOWN
        }
        for at, each in enumerate(contenders)
    }
