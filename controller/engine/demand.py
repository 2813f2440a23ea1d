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

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Ints, LoadKind, Samples
from controller.engine.grouping import sum_by_scaler
from controller.engine.learned import SLOTS, Learned, Singles

__all__ = ["GAIN_LIMIT", "Demand", "Forecast", "cycle", "forecast", "forgets", "observe"]

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


def cycle(learned: Learned) -> float:
    """Seconds between two evaluations lately; 0 where there were not two."""
    return _step(np.sort(learned.at))


def forgets(seconds: Floats | float, memory: Floats | float) -> Floats:
    """The weight of what is new after so many seconds, if what is old fades with this time constant."""
    return -np.expm1(-np.asarray(seconds, np.float64) / memory)


def observe(samples: Samples, complete: Flags, ready: Ints, learned: Learned, now: float, elapsed: Floats) -> Demand:
    """The demand of every scaler; `complete` (P,) are pods with a full set of samples, `ready` (S,) counts, `elapsed` (S,) seconds."""
    load, of, count = samples.load, samples.scaler, len(ready)
    slot = int(learned.at.argmin())
    old = complete & samples.ready & ~samples.young
    # A pod that claims more than any can do has a broken counter; NaN compares false.
    served = old & _sound(load.served)
    told = served & _sound(load.newest)
    alone = np.bincount(of[told], minlength=count) == 0
    if alone.any():
        # Where every pod is young, as after a rollout, their newest samples are all there is.
        told |= alone[of] & samples.ready & _sound(load.newest)

    def over(which: Flags, column: Floats) -> Floats:
        return sum_by_scaler(of, np.where(which, column, 0.0), count)

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        per_pod = over(served, load.served) / np.bincount(of[served], minlength=count)
        tellers = np.bincount(of[told], minlength=count)
        newest_sum = over(told, load.newest)
        newest_load = newest_sum / tellers
        wait = over(told & np.isfinite(load.waited), load.waited) / newest_sum
        grown = np.clip(1.0 + (wait - learned.wait) / elapsed, *BLIND_LIMIT)
    blind = np.where(np.isfinite(grown) & (load.kind == LoadKind.REQUESTS), grown, 1.0)
    shared = _sharing(learned, now, load.window, ready)
    last = learned.newest[:, int(learned.at.argmax())].astype(np.float64)
    newest = _unchanged(last / blind, newest_load, shared.newest) * blind
    lately = _mean_over(learned.at, learned.newest, now, load.window - SCRAPE * load.window, -1.0, newest)
    mean = _unchanged((3 * lately + newest) / 4, np.where(np.isfinite(per_pod), per_pod, newest_load), shared.window)

    arrives = _sound(load.arrivals)
    newest = np.where(arrives, load.arrivals, newest)
    mean = np.where(arrives, (3 * lately + load.arrivals) / 4, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_pod = np.where(arrives & ~np.isfinite(per_pod), mean / shared.window.mean(axis=0), per_pod)
    return Demand(per_pod, newest, mean, wait, shared.window.mean(axis=0), slot, old)


@dataclass(frozen=True, slots=True)
class _Sharing:
    """The fewest and the most pods (2, S) that may have shared the newest sample's seconds, and those of the window."""

    newest: Floats
    window: Floats


def _sharing(learned: Learned, now: float, window: Floats, ready: Ints) -> _Sharing:
    """How old a sample is, is not known to the second: its seconds may have ended now or two scrapes ago."""
    scrape = SCRAPE * window
    lately = _over(learned.at, learned.ready, now, 2.5 * scrape, ready)
    early = _mean_over(learned.at, learned.ready, now, window, 2 * scrape, ready)
    late = (3 * _mean_over(learned.at, learned.ready, now, window - scrape, -1.0, ready) + ready) / 4
    return _Sharing(lately, np.stack((np.minimum(early, late), np.maximum(early, late))))


def _unchanged(before: Floats, per_pod: Floats, pods: Floats) -> Floats:
    """The demand (S,) of so much `per_pod` and somewhere between `pods` (2, S): what it was `before`, as far as that can be."""
    fewest, most = per_pod * pods[0], per_pod * pods[1]
    return np.where(np.isfinite(before), np.clip(before, fewest, most), (fewest + most) / 2)


def forecast(
    demand: Demand, samples: Samples, per_pod: Floats, learned: Learned, now: float, elapsed: Floats
) -> Forecast:
    """Look ahead, and learn from how well that went; `per_pod` (S,) is the load per pod at the target, `elapsed` (S,) seconds."""
    startup = samples.load.startup
    known = np.where(np.isnan(learned.startup), UNKNOWN_STARTUP, learned.startup)
    startup = np.where(np.isnan(startup), known, startup)
    cycle = np.where(np.isfinite(elapsed), elapsed, 15.0)
    horizon = SCRAPE * samples.load.window / 2 + cycle / 2 + startup

    then, present = _slots(learned.at, now - horizon)
    rows = np.arange(len(startup))
    mean_then = np.where(present, learned.mean[rows, then], np.nan)
    newest_then = learned.newest[rows, then]
    expected_then = np.where(present, learned.expected[rows, then], np.nan)
    fades = 1.0 - forgets(cycle, REMEMBERED)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (newest_then - mean_then) / mean_then
        came = (demand.newest - mean_then) / mean_then
        half_a_pod = per_pod / 2
        missed = np.maximum(0.0, np.log((demand.newest + half_a_pod) / (expected_then + half_a_pod)))
    rose = np.isfinite(rise) & np.isfinite(came) & (rise > 0)
    # A start from next to nothing is a rise without measure; one pod's worth is as much as it can teach.
    rise, came = np.where(rose, np.minimum(rise, 1.0), 0.0), np.where(rose, np.clip(came, -1.0, GAIN_LIMIT), 0.0)
    variance = fades * learned.variance + rise * rise
    covariance = fades * learned.covariance + rise * came
    noise = np.where(np.isfinite(missed), fades * learned.noise + (1 - fades) * 2 * missed * missed, learned.noise)

    gain = np.clip((covariance + PRIOR) / (variance + PRIOR), 0.0, GAIN_LIMIT)
    newest, mean = demand.newest, demand.mean
    level = mean + np.minimum(gain, 1.0) * (newest - mean)
    ahead = np.where(newest > mean, mean + gain * (newest - mean), level)
    return Forecast(level, ahead, gain, noise, covariance, variance, startup)


def _slots(at: Floats, moments: Floats) -> tuple[Ints, Flags]:
    """The slot nearest to each moment (S,), and whether it is near enough to stand for it."""
    order = np.argsort(at, kind="stable")
    times = at[order]
    right = np.clip(np.searchsorted(times, moments), 1, SLOTS - 1)
    left = right - 1
    nearer = np.where(moments - times[left] < times[right] - moments, left, right)
    off = np.abs(times[nearer] - moments)
    return order[nearer], off <= max(_step(times), 1.0)


def _step(times: Floats) -> float:
    known = times[np.isfinite(times)]
    return float((known[-1] - known[0]) / (len(known) - 1)) if len(known) > 1 else 0.0


def _sound(rate: Floats) -> Flags:
    """Whether a rate can be one at all; NaN can not."""
    return (rate >= 0) & (rate < ABSURD)


def _over(at: Floats, ring: Singles, now: float, oldest: Floats, current: Ints) -> Floats:
    """The least and the greatest (2, S) of what a ring holds that is at most so old (S,), the current value among them."""
    least, greatest = current.astype(np.float64), current.astype(np.float64)
    ages = now - at
    for column in np.flatnonzero(ages <= oldest.max(initial=0.0)):
        held = np.where(ages[column] <= oldest, ring[:, column], np.nan)
        least, greatest = np.fmin(least, held), np.fmax(greatest, held)
    return np.stack((least, greatest))


def _mean_over(
    at: Floats, ring: Singles, now: float, windows: Floats, lag: Floats | float, otherwise: Ints | Floats
) -> Floats:
    """The mean of a ring over the window (S,) that ended `lag` seconds ago; `otherwise` where it holds nothing."""
    ages = now - at
    mean = np.array(otherwise, np.float64)
    lags = np.broadcast_to(lag, windows.shape)
    # Nearly all scalers share one window: the columns are chosen once for each that there is.
    for window, behind in {
        (float(window), float(behind)) for window, behind in zip(*_unique(windows, lags), strict=True)
    }:
        rows = (windows == window) & (lags == behind)
        columns = np.flatnonzero((ages > behind) & (ages <= window + behind))
        if not len(columns):
            continue
        some = ring[:, columns] if rows.all() else ring[np.ix_(rows, columns)]
        known = np.isfinite(some)
        counts = known.sum(axis=1)
        sums = np.where(known, some, 0.0).sum(axis=1, dtype=np.float64)
        mean[rows] = np.where(counts > 0, sums / np.maximum(counts, 1), mean[rows])
    return mean


def _unique(windows: Floats, lags: Floats) -> tuple[Floats, Floats]:
    if len(windows) and (windows == windows[0]).all() and (lags == lags[0]).all():
        return windows[:1], lags[:1]
    return windows, lags
