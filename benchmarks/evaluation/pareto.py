"""Every policy at several prices on every trace: what it breaks for the pod-hours that it buys.

All contenders, factors and seeds run in lockstep. Violations at equal pod-hours are read off between two prices, linearly in the
logarithms of both; outside of what a policy can be made to cost there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.contenders import PEAK_PODS, Contender, carried, settings_of, team
from benchmarks.evaluation.loads import Load, Part, cut
from controller.simulation import Figures, Fleet, FleetSettings, Policy, Trace, simulate
from controller.simulation.policies import Clairvoyant

__all__ = ["BOUND", "SEEDS", "At", "at_cost", "begin", "clairvoyant", "pooled", "run_contenders"]

Floats = NDArray[np.float64]

SEEDS: Final = (1, 2, 3)
#: The clairvoyant schedule's name among the results.
BOUND: Final = "clairvoyant"
#: A load that takes more than so many times the oracle's pods has its targets lowered by this.
DEAR: Final = 3.0
DEARER: Final = 0.35
#: Utilisations of the clairvoyant schedule.
UTILISATIONS: Final = (0.07, 0.1, 0.15, 0.25, 0.35, 0.42, 0.48, 0.54, 0.6, 0.66, 0.72)
#: Below this share of requests (per cent) one figure is as good as another.
LEAST_SHARE: Final = 1e-3
#: The load per pod that a run begins with, relative to what a pod carries.
FIRST: Final = 0.7


#: Stands between a policy and its fleet, given the contender's name of every run.
Around = Callable[[Policy, Sequence[str]], AbstractContextManager[Policy]]


def plainly(policy: Policy, names: Sequence[str]) -> AbstractContextManager[Policy]:
    """The policy as it is."""
    return nullcontext(policy)


@dataclass(frozen=True, slots=True)
class At:
    """Figures at one price, over the seeds: violations and those far beyond the promise in per cent, with the spread; flips."""

    violations: float
    spread: float
    far: float
    flips: float
    seeds: int = 1

    @property
    def known(self) -> bool:
        """Whether the policy can be made to cost so much."""
        return math.isfinite(self.violations)


def run_contenders(
    loads: Sequence[Load],
    folder: Path | None,
    contenders: Sequence[Contender],
    *,
    seeds: Sequence[int] = SEEDS,
    prices: slice = slice(None),
    tuning: bool = False,
    pieces: int | None = None,
    around: Around = plainly,
) -> dict[str, dict[str, Any]]:
    """Results by load and contender, see `pooled`; the contenders are all rivals or none, the loads equally long and of one plant.

    `prices` chooses among their factors, `pieces` limits the segments, `tuning` takes the first 70 %, and `around` stands between a policy
    and its fleet.
    """
    settings = settings_of(loads[0].slow)
    peak = PEAK_PODS * carried(settings)
    parts = [cut(load, folder, peak, tuning=tuning) for load in loads]
    parts = [replace(part, segments=part.segments[:pieces]) for part in parts]
    factors = {
        (load.name, each.name): [factor * (DEARER if load.marks[0] > DEAR else 1.0) for factor in each.factors[prices]]
        for load in loads
        for each in contenders
    }
    cells = [
        (load, contender, factor, seed, segment)
        for load, part in zip(loads, parts, strict=True)
        for contender in contenders
        for factor in factors[load.name, contender.name]
        for seed in seeds
        for segment in part.segments
    ]
    fleet = begin(settings, [cell[4] for cell in cells], [cell[3] for cell in cells])
    policy = team([cell[1] for cell in cells], fleet, [cell[2] for cell in cells])
    with around(policy, [cell[1].name for cell in cells]) as changed:
        record = simulate(fleet, changed)
    results: dict[str, dict[str, Any]] = {}
    for load, part in zip(loads, parts, strict=True):
        rows = np.array([number for number, cell in enumerate(cells) if cell[0] is load], np.intp)
        figures = Figures.of(record.runs(rows), part.warmup)
        shape = (len(contenders), -1, len(seeds), len(part.segments))
        runs = np.arange(len(rows)).reshape(shape)
        results[load.name] = {
            contender.name: pooled(figures, part, factors[load.name, contender.name], runs[number])
            for number, contender in enumerate(contenders)
        }
    return results


def clairvoyant(load: Load, folder: Path | None, *, seeds: Sequence[int] = SEEDS, pieces: int | None = None) -> Any:
    """The bound: constant utilisation, known from the load to come, without start-up times."""
    settings = replace(settings_of(load.slow), startup_seconds=0.0, startup_spread=0.0)
    part = cut(load, folder, PEAK_PODS * carried(settings))
    part = replace(part, segments=part.segments[:pieces])
    cells = [(use, seed, segment) for use in UTILISATIONS for seed in seeds for segment in part.segments]
    fleet = begin(settings, [cell[2] for cell in cells], [cell[1] for cell in cells])
    policy = Clairvoyant(fleet, np.array([cell[0] for cell in cells]), most=1000)
    figures = Figures.of(simulate(fleet, policy), part.warmup)
    shape = (len(UTILISATIONS), len(seeds), len(part.segments))
    return pooled(figures, part, UTILISATIONS, np.arange(len(cells)).reshape(shape))


def begin(settings: FleetSettings, traces: Sequence[Trace], seeds: Sequence[int]) -> Fleet:
    """A fleet whose runs begin with the pods that their load needs."""
    carries = carried(settings)
    return Fleet(settings, traces, seeds, [max(2, math.ceil(trace.at(0.0) / (FIRST * carries))) for trace in traces])


def pooled(figures: Figures, part: Part, factors: Sequence[float], runs: NDArray[np.int64]) -> dict[str, Any]:
    """Results of one policy: `runs` (factors, seeds, segments) index the figures; the segments of a seed are one run.

    Shares are of all requests, pod-hours over all the oracle's; each list has a row a factor and a column a seed.
    """
    requests = figures.requests[runs]

    def share(name: str) -> list[list[float]]:
        return _rounded((getattr(figures, name)[runs] * requests).sum(axis=2) / requests.sum(axis=2))

    hours, oracle = figures.pod_hours[runs].sum(axis=2), figures.oracle_pod_hours[runs].sum(axis=2)
    return {
        "factors": list(factors),
        "days": round(part.counted / 86400.0, 3),
        "violations": share("violations"),
        "far": share("far_violations"),
        "cost": _rounded(hours / oracle),
        "pod_hours": _rounded(hours),
        "flips": _rounded(figures.flips[runs].sum(axis=2)),
        "actions": _rounded(figures.actions[runs].sum(axis=2)),
        "most": _rounded(figures.most_pods[runs].max(axis=2)),
    }


def at_cost(result: dict[str, Any], mark: float) -> At:
    """The figures at pod-hours of `mark` times the oracle's: mean over the seeds, and half of what lies between the extremes."""
    cost = np.array(result["cost"])
    seeds = []
    for seed in range(cost.shape[1]):
        order = np.argsort(cost[:, seed], kind="stable")
        prices = np.log(cost[order, seed])
        if not prices[0] <= math.log(mark) <= prices[-1]:
            seeds.append((math.nan, math.nan, math.nan))
            continue

        def read(name: str, *, least: float, order: Any = order, prices: Any = prices, seed: int = seed) -> float:
            values = np.log(np.maximum(np.array(result[name])[order, seed], least))
            return float(np.exp(np.interp(math.log(mark), prices, values)))

        flips = np.interp(math.log(mark), prices, np.array(result["flips"])[order, seed])
        seeds.append((read("violations", least=LEAST_SHARE), read("far", least=LEAST_SHARE), float(flips)))
    violations, far, flips = np.array(seeds).T
    return At(
        violations=float(violations.mean()),
        spread=float(violations.max() - violations.min()) / 2.0,
        far=float(far.mean()),
        flips=float(flips.mean()),
        seeds=len(seeds),
    )


def _rounded(values: Floats) -> list[list[float]]:
    return [[float(f"{value:.5g}") for value in row] for row in values]
