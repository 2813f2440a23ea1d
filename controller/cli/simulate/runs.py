"""The runs of a request: every scenario is one fleet in which all policies and seeds run in lockstep."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from controller.cli.simulate.request import Request
from controller.simulation import Figures, Fleet, Record, Scenario, Spread
from controller.simulation import simulate as run
from controller.simulation.fleet import Conditions, Seen
from controller.simulation.fleet.loads import Loads
from controller.simulation.together import Together, side_by_side

__all__ = ["Outcome", "Progress", "Shown", "play"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the first seed's run of every policy looked like at each sync, (syncs, policies): for the page.

    `latency` in seconds is what the metrics show, the slowest pods' promised quantile; `magnitude` is NaN for a policy that has none.
    """

    latency: Floats
    magnitude: Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one scenario; run number `policy * seeds + seed` of the record is that policy's with that seed."""

    scenario: Scenario
    policies: tuple[str, ...]
    seeds: int
    record: Record
    figures: Figures
    shown: Shown

    def runs_of(self, policy: str) -> slice:
        """The runs of a policy, one a seed."""
        first = self.policies.index(policy) * self.seeds
        return slice(first, first + self.seeds)

    def spread(self, policy: str) -> dict[str, Spread]:
        """Every figure of a policy over the seeds."""
        return self.figures.spread(self.runs_of(policy))


class Progress:
    """Says on a console how far `total` syncs are, once they take longer than two seconds."""

    def __init__(self, total: int, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._console, self._clock = total, console, clock
        self._done, self._began = 0, clock()
        self._next = self._began + 2.0
        self._spoke = False

    def step(self) -> None:
        """One further sync is done."""
        self._done += 1
        now = self._clock()
        if now >= self._next:
            live = self._console.is_terminal
            self._next, self._spoke = now + (0.25 if live else 10.0), True
            left = (now - self._began) * (self._total / self._done - 1.0)
            text = f"simulated {self._done / self._total:.0%}, {left:.0f} s left"
            self._console.print(text.ljust(40) if live else text, end="\r" if live else "\n", highlight=False)

    def end(self) -> None:
        """Leave nothing behind on a terminal."""
        if self._spoke and self._console.is_terminal:
            self._console.print(" " * 40, end="\r")


class _Watched:
    """Lets policies decide, counts the syncs, and keeps what the first seed's runs show."""

    def __init__(self, policies: Together, seeds: int, syncs: int, runs: int, step: Callable[[], None]) -> None:
        self._policies, self._step, self._sync = policies, step, 0
        self._rows = np.arange(0, runs, seeds)
        self.shown = Shown(np.full((syncs, len(self._rows)), np.nan), np.full((syncs, len(self._rows)), np.nan))

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return self._policies.name

    def decide(self, seen: Seen) -> NDArray[np.int64]:
        """The replicas (R,) that the policies want."""
        desired = self._policies.decide(seen)
        first = np.searchsorted(seen.scaler, self._rows)
        last = np.searchsorted(seen.scaler, self._rows, side="right")
        for column, (start, stop) in enumerate(zip(first, last, strict=True)):
            self.shown.latency[self._sync, column] = np.fmax.reduce(seen.latency[start:stop], initial=np.nan)
        self.shown.magnitude[self._sync] = self._policies.magnitude[self._rows]
        self._sync += 1
        self._step()
        return desired


def play(request: Request, console: Console) -> list[Outcome]:
    """Simulate every scenario of a request; progress goes to the console. Raises `InvalidTrace` and `UnfitSpec`."""
    fleets = [_fleet(request, scenario) for scenario in request.scenarios]
    progress = Progress(sum(fleet.syncs for fleet in fleets), console)
    names = [name for name in request.policies for _ in range(request.seeds)]
    outcomes = []
    for scenario, fleet in zip(request.scenarios, fleets, strict=True):
        policies = side_by_side(names, fleet, [request.spec] * len(names))
        watched = _Watched(policies, request.seeds, fleet.syncs, fleet.runs, progress.step)
        record = run(fleet, watched)
        figures = Figures.of(record)
        outcomes.append(Outcome(scenario, request.policies, request.seeds, record, figures, watched.shown))
    progress.end()
    return outcomes


def _fleet(request: Request, scenario: Scenario) -> Fleet:
    """The runs of all policies and seeds under a scenario; each begins with as many pods as the load then needs."""
    settings = scenario.of(request.settings)
    spec, runs = request.spec, len(request.policies) * request.seeds
    load = float(Loads(settings, [request.trace], [1]).expected(0.0)[0])
    needed = int(np.ceil(load / float(Conditions.at(settings, 0.0).carries[0])))
    seeds = list(range(1, request.seeds + 1)) * len(request.policies)
    initial = min(max(needed, spec.min_replicas), spec.max_replicas)
    return Fleet(settings, [request.trace] * runs, seeds, initial)
