"""How much is asked of a target now, and how much will be when a pod created now would be Ready.

Load per pod is what the old pods served, and the target's demand that load times the pods that shared it in the same seconds: a pod
that has just come or gone has no full sample, and a sum over the pods that have one would dip at every change. Where a gateway sees
the arrivals, they are the demand. What is only served is blind in overload; in a queue that is served in order arrivals are served
(1 + dT/dt), T being the mean latency.

    ahead = mean + a (newest - mean),   level = mean + min(a, 1) (newest - mean)

The gain a is learned from the last hours: by how much did the newest value differ from the mean of one horizon ago, where it was already
rising then? 0 is pure noise (the mean is best), 1 that the newest value is best, more that ramps go on. Source:
reference/control_law.md, 1 and 5c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints, LoadKind, Samples
from controller.engine.grouping import count_by_scaler, sum_by_scaler
from controller.engine.learned import SLOTS, Learned, Singles

__all__ = ["GAIN_LIMIT", "NO_KIND", "Demand", "Forecast", "Moments", "forecast", "forgets", "observe"]

#: Of the window of the rates, the part that lies between two samples: administrators set four scrape intervals.
SCRAPE: Final = 0.25
#: Start-up (seconds) of a target that was never seen starting a pod.
UNKNOWN_STARTUP: Final = 30.0
#: Seconds after which what was learned of gain and noise counts 1/e.
REMEMBERED: Final = 3 * 3600.0
#: The most that a rise is extrapolated.
GAIN_LIMIT: Final = 4.0
#: How much evidence (in squared relative rises) it takes to leave a gain of 1.
PRIOR: Final = 0.05
#: No pod serves so many requests per second.
ABSURD: Final = 1e12
#: Growing latency tells of arrivals that were not served; what a few slow requests tell is bounded.
BLIND_LIMIT: Final = (0.5, 3.0)
#: Kinds as numpy compares them fastest.
NO_KIND, _REQUESTS = int(LoadKind.NONE), int(LoadKind.REQUESTS)
#: How far back "what is needed" may be raised for noise.
NOISE_LIMIT: Final = 0.25


@dataclass(frozen=True, slots=True)
class Demand:
    """What was asked, (S,), NaN where unknown: `load` per pod over the window of the rates, `newest` and `mean` of the whole target.

    `pods` is how many shared it in the window. `slot` is where the rings of the next state hold this evaluation; `old` (P,) which pods
    were old enough to tell.
    """

    load: Floats
    newest: Floats
    mean: Floats
    wait: Floats
    pods: Floats
    slot: int
    old: Flags


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand (S,) now without noise (`level`) and when a pod created now would be Ready (`ahead`); `gain` and `noise` as learned."""

    level: Floats
    ahead: Floats
    gain: Floats
    noise: Floats
    covariance: Floats
    variance: Floats
    startup: Floats


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of the rings' slots (K,): how many seconds `ago`; their `order` from the oldest, and the `times` in it; and the
    `step`, the seconds between two evaluations lately, 0 where there were not two."""

    ago: Floats
    order: NDArray[np.intp]
    times: Floats
    step: float

    @classmethod
    def of(cls, learned: Learned, now: float) -> Self:
        """The moments that are remembered."""
        order = learned.at.argsort(kind="stable")
        times = learned.at[order]
        known = times[np.isfinite(times)]
        step = float((known[-1] - known[0]) / (len(known) - 1)) if len(known) > 1 else 0.0
        return cls(now - learned.at, order, times, step)


def forgets(seconds: Floats | float, memory: Floats | float) -> Floats:
    """The weight of what is new after so many seconds, if what is old fades with this time constant."""
    return -np.expm1(-np.asarray(seconds, np.float64) / memory)


def observe(
    samples: Samples, complete: Flags, ready: Ints, learned: Learned, moments: Moments, elapsed: Floats
) -> Demand:
    """The demand of every scaler; `complete` (P,) are pods with a full set of samples, `ready` (S,) counts, `elapsed` (S,) seconds."""
    load, of, count = samples.load, samples.scaler, len(ready)
    slot = int(moments.order[0])
    old = complete & samples.ready & ~samples.young
    # A pod that claims more than any can do has a broken counter; NaN compares false.
    served = old & _sound(load.served)
    sound = _sound(load.newest)
    told = served & sound
    tellers = count_by_scaler(of, told, count)
    if not tellers.all():
        # Where every pod is young, as after a rollout, their newest samples are all there is.
        told |= (tellers == 0)[of] & samples.ready & sound
        tellers = count_by_scaler(of, told, count)

    def over(which: Flags, column: Floats) -> Floats:
        return sum_by_scaler(of, np.where(which, column, 0.0), count)

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        per_pod = over(served, load.served) / count_by_scaler(of, served, count)
        newest_sum = over(told, load.newest)
        newest_load = newest_sum / tellers
        wait = over(told & np.isfinite(load.waited), load.waited) / newest_sum
        grown = np.minimum(np.maximum(1.0 + (wait - learned.wait) / elapsed, BLIND_LIMIT[0]), BLIND_LIMIT[1])
    blind = np.where(np.isfinite(grown) & (load.kind == _REQUESTS), grown, 1.0)
    windows = _Windows.of(load.window)
    shared = _sharing(learned, moments, windows, ready)
    last = learned.newest[:, int(learned.at.argmax())].astype(np.float64)
    newest = _unchanged(last / blind, newest_load, *shared.newest) * blind
    lately = windows.mean(moments, learned.newest, lambda window: window - SCRAPE * window, lambda _: -1.0, newest)
    load_seen = np.where(np.isfinite(per_pod), per_pod, newest_load)
    mean = _unchanged((3 * lately + newest) / 4, load_seen, *shared.window)
    pods = (shared.window[0] + shared.window[1]) / 2

    arrives = _sound(load.arrivals)
    if arrives.any():
        newest = np.where(arrives, load.arrivals, newest)
        mean = np.where(arrives, (3 * lately + load.arrivals) / 4, mean)
        with np.errstate(divide="ignore", invalid="ignore"):
            per_pod = np.where(arrives & ~np.isfinite(per_pod), mean / pods, per_pod)
    return Demand(per_pod, newest, mean, wait, pods, slot, old)


@dataclass(frozen=True, slots=True)
class _Sharing:
    """The fewest and the most pods (S,) that may have shared the newest sample's seconds, and those of the window."""

    newest: tuple[Floats, Floats]
    window: tuple[Floats, Floats]


def _sharing(learned: Learned, moments: Moments, windows: _Windows, ready: Ints) -> _Sharing:
    """How old a sample is, is not known to the second: its seconds may have ended now or two scrapes ago."""
    lately = windows.extremes(moments, learned.ready, lambda window: 2.5 * (SCRAPE * window), ready)
    early = windows.mean(moments, learned.ready, lambda window: window, lambda window: 2 * (SCRAPE * window), ready)
    late = windows.mean(moments, learned.ready, lambda window: window - SCRAPE * window, lambda _: -1.0, ready)
    late = (3 * late + ready) / 4
    return _Sharing(lately, (np.minimum(early, late), np.maximum(early, late)))


def _unchanged(before: Floats, per_pod: Floats, fewest: Floats, most: Floats) -> Floats:
    """The demand (S,) of so much `per_pod` and between `fewest` and `most` pods: what it was `before`, as far as that can be."""
    fewest, most = per_pod * fewest, per_pod * most
    return np.where(np.isfinite(before), np.minimum(np.maximum(before, fewest), most), (fewest + most) / 2)


def forecast(
    demand: Demand, samples: Samples, per_pod: Floats, learned: Learned, moments: Moments, now: float, elapsed: Floats
) -> Forecast:
    """Look ahead, and learn from how well that went; `per_pod` (S,) is the load per pod at the target, `elapsed` (S,) seconds."""
    startup = samples.load.startup
    unknown = np.isnan(startup)
    if unknown.any():
        known = np.where(np.isnan(learned.startup), UNKNOWN_STARTUP, learned.startup)
        startup = np.where(unknown, known, startup)
    cycle = np.where(np.isfinite(elapsed), elapsed, 15.0)
    horizon = SCRAPE * samples.load.window / 2 + cycle / 2 + startup

    then, present = _slots(moments, now - horizon)
    rows = np.arange(len(startup))
    mean_then = np.where(present, learned.mean[rows, then], np.nan)
    newest_then = learned.newest[rows, then]
    expected_then = np.where(present, learned.expected[rows, then], np.nan)
    fades = 1.0 - forgets(cycle, REMEMBERED)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rise = (newest_then - mean_then) / mean_then
        came = (demand.newest - mean_then) / mean_then
        half_a_pod = per_pod / 2
        missed = np.maximum(0.0, np.log((demand.newest + half_a_pod) / (expected_then + half_a_pod)))
    rose = np.isfinite(rise) & np.isfinite(came) & (rise > 0)
    # A start from next to nothing is a rise without measure; one pod's worth is as much as it can teach.
    rise = np.where(rose, np.minimum(rise, 1.0), 0.0)
    came = np.where(rose, np.minimum(np.maximum(came, -1.0), GAIN_LIMIT), 0.0)
    variance = fades * learned.variance + rise * rise
    covariance = fades * learned.covariance + rise * came
    noise = np.where(np.isfinite(missed), fades * learned.noise + (1 - fades) * 2 * missed * missed, learned.noise)

    gain = np.minimum(np.maximum((covariance + PRIOR) / (variance + PRIOR), 0.0), GAIN_LIMIT)
    newest, mean = demand.newest, demand.mean
    level = mean + np.minimum(gain, 1.0) * (newest - mean)
    ahead = np.where(newest > mean, mean + gain * (newest - mean), level)
    return Forecast(level, ahead, gain, noise, covariance, variance, startup)


def _slots(moments: Moments, wanted: Floats) -> tuple[Ints, Flags]:
    """The slot nearest to each moment `wanted` (S,), and whether it is near enough to stand for it."""
    times = moments.times
    right = np.minimum(np.maximum(times.searchsorted(wanted), 1), SLOTS - 1)
    left = right - 1
    nearer = np.where(wanted - times[left] < times[right] - wanted, left, right)
    off = np.abs(times[nearer] - wanted)
    return moments.order[nearer], off <= max(moments.step, 1.0)


@dataclass(frozen=True, slots=True)
class _Windows:
    """The ranges of the rates (S,) in seconds, and which scalers have each that there is: nearly always all of them one."""

    each: Floats
    rows: tuple[tuple[float, Flags | slice], ...]

    @classmethod
    def of(cls, windows: Floats) -> Self:
        """Group the scalers by their windows."""
        if not len(windows):
            return cls(windows, ())
        if (windows == windows[0]).all():
            return cls(windows, ((float(windows[0]), slice(None)),))
        return cls(windows, tuple((float(each), windows == each) for each in np.unique(windows)))

    def mean(
        self,
        moments: Moments,
        ring: Singles,
        length: Callable[[float], float],
        lag: Callable[[float], float],
        otherwise: Ints | Floats,
    ) -> Floats:
        """The mean (S,) of a ring over so long a time that ended a `lag` ago, both of the window; `otherwise` where it holds nothing."""
        mean = otherwise.astype(np.float64)
        for window, rows in self.rows:
            behind = lag(window)
            columns = ((moments.ago > behind) & (moments.ago <= length(window) + behind)).nonzero()[0]
            if not len(columns):
                continue
            some = ring[:, columns][rows]
            known = np.isfinite(some)
            counts = np.add.reduce(known, axis=1)
            sums = np.add.reduce(np.where(known, some, 0.0), axis=1, dtype=np.float64)
            mean[rows] = np.where(counts > 0, sums / np.maximum(counts, 1), mean[rows])
        return mean

    def extremes(
        self, moments: Moments, ring: Singles, oldest: Callable[[float], float], current: Ints
    ) -> tuple[Floats, Floats]:
        """The least and the greatest (S,) of what a ring holds that is at most so old, the current value among them."""
        least, greatest = current.astype(np.float64), current.astype(np.float64)
        for window, rows in self.rows:
            columns = (moments.ago <= oldest(window)).nonzero()[0]
            some = ring[:, columns][rows]
            least[rows] = np.fmin(least[rows], np.fmin.reduce(some, axis=1, initial=np.nan))
            greatest[rows] = np.fmax(greatest[rows], np.fmax.reduce(some, axis=1, initial=np.nan))
        return least, greatest


def _sound(rate: Floats) -> Flags:
    """Whether a rate can be one at all; NaN can not."""
    return (rate >= 0) & (rate < ABSURD)
