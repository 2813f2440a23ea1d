"""How much is asked of a target now, and how much will be when a pod created now would be Ready.

Load per pod is what the old pods served, and the target's demand that load times the pods that shared it in the same seconds: a pod
that has just come or gone has no full sample, and a sum over the pods that have one would dip at every change. Where a gateway sees
the arrivals, they are the demand. What is only served is blind in overload; in a queue that is served in order arrivals are served
(1 + dT/dt), T being the mean latency.

    ahead = mean + a (newest - mean),   level = mean + min(a, 1) (newest - mean)

The gain a is learned from the last hours: by how much did the newest value differ from the mean of one horizon ago, where it was already
rising then? 0 is pure noise (the mean is best), 1 that the newest value is best, more that ramps go on. Source:
the law's study, 1 and 5c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints
from controller.engine.grouping import all_of, any_of, count_by_scaler, sum_by_scaler
from controller.engine.learned import SLOTS, Learned, Singles
from controller.engine.samples import LoadKind, Samples

__all__ = ["GAIN_LIMIT", "NO_KIND", "Demand", "Forecast", "Moments", "forecast", "forgets", "observe"]

#: Of the window of the rates, the part that lies between two samples: administrators set four scrape intervals.
SCRAPE: Final = 0.25
#: Start-up (seconds) of a target that was never seen starting a pod.
UNKNOWN_STARTUP: Final = 30.0
#: Seconds after which what was learned of gain and noise counts 1/e.
REMEMBERED: Final = 2 * 3600.0
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
    """Demand (S,) now without noise (`level`) and when a pod created now would be Ready (`ahead`), the `gain` and the `startup` time
    in seconds that it was looked ahead with, and the state after it."""

    level: Floats
    ahead: Floats
    gain: Floats
    startup: Floats
    learned: Learned


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
    return -np.expm1(seconds / -memory)


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
    if not all_of(tellers > 0):
        # Where every pod is young, as after a rollout, their newest samples are all there is.
        told |= (tellers == 0)[of] & samples.ready & sound
        tellers = count_by_scaler(of, told, count)

    def over(which: Flags, column: Floats) -> Floats:
        return sum_by_scaler(of, np.where(which, column, 0.0), count)

    per_pod = over(served, load.served) / count_by_scaler(of, served, count)
    newest_sum = over(told, load.newest)
    newest_load = newest_sum / tellers
    wait = over(told & np.isfinite(load.waited), load.waited) / newest_sum
    grown = np.minimum(np.maximum(1.0 + (wait - learned.wait) / elapsed, BLIND_LIMIT[0]), BLIND_LIMIT[1])
    blind = np.where(np.isfinite(grown) & (load.kind == _REQUESTS), grown, 1.0)
    windows = _Windows.of(load.window)
    newest_seconds = windows.columns(moments, lambda window: (-1.0, window - SCRAPE * window - 1.0))
    shared = _sharing(learned, moments, windows, newest_seconds, ready)
    last = learned.newest[:, int(learned.at.argmax())].astype(np.float64)
    newest = _unchanged(last / blind, newest_load, *shared.newest) * blind
    lately = _mean(learned.newest, newest_seconds, newest)
    load_seen = np.where(np.isfinite(per_pod), per_pod, newest_load)
    mean = _unchanged((3 * lately + newest) / 4, load_seen, *shared.window)
    pods = (shared.window[0] + shared.window[1]) / 2

    arrives = _sound(load.arrivals)
    if any_of(arrives):
        newest = np.where(arrives, load.arrivals, newest)
        mean = np.where(arrives, (3 * lately + load.arrivals) / 4, mean)
        per_pod = np.where(arrives & ~np.isfinite(per_pod), mean / pods, per_pod)
    return Demand(per_pod, newest, mean, wait, pods, slot, old)


@dataclass(frozen=True, slots=True)
class _Sharing:
    """The fewest and the most pods (S,) that may have shared the newest sample's seconds, and those of the window."""

    newest: tuple[Floats, Floats]
    window: tuple[Floats, Floats]


def _sharing(learned: Learned, moments: Moments, windows: _Windows, newest: _Columns, ready: Ints) -> _Sharing:
    """How old a sample is, is not known to the second: its seconds may have ended now or two scrapes ago."""
    lately = windows.columns(moments, lambda window: (-np.inf, 2.5 * (SCRAPE * window)))
    before = windows.columns(moments, lambda window: (2 * (SCRAPE * window), window + 2 * (SCRAPE * window)))
    early, late = _mean(learned.ready, before, ready), _mean(learned.ready, newest, ready)
    late = (3 * late + ready) / 4
    return _Sharing(_extremes(learned.ready, lately, ready), (np.minimum(early, late), np.maximum(early, late)))


def _unchanged(before: Floats, per_pod: Floats, fewest: Floats, most: Floats) -> Floats:
    """The demand (S,) of so much `per_pod` and between `fewest` and `most` pods: what it was `before`, as far as that can be."""
    fewest, most = per_pod * fewest, per_pod * most
    return np.where(np.isfinite(before), np.minimum(np.maximum(before, fewest), most), (fewest + most) / 2)


def forecast(
    demand: Demand,
    samples: Samples,
    ready: Ints,
    per_pod: Floats,
    learned: Learned,
    moments: Moments,
    now: float,
    elapsed: Floats,
) -> Forecast:
    """Look ahead, and learn from how well that went; `ready` (S,) counts pods, `per_pod` (S,) is the load per pod at the target."""
    startup = measured = samples.load.startup
    unknown = np.isnan(measured)
    if any_of(unknown):
        measured = np.where(unknown, learned.startup, measured)
        startup = np.where(np.isnan(measured), UNKNOWN_STARTUP, measured)
    cycle = np.where(np.isfinite(elapsed), elapsed, 15.0)
    horizon = SCRAPE * samples.load.window / 2 + cycle / 2 + startup

    then, present = _slots(moments, now - horizon)
    rows = np.arange(len(startup))
    mean_then = np.where(present, learned.mean[rows, then], np.nan)
    newest_then = learned.newest[rows, then]
    expected_then = np.where(present, learned.expected[rows, then], np.nan)
    fades = 1.0 - forgets(cycle, REMEMBERED)
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
    at = learned.at.copy()
    at[demand.slot] = now
    state = learned.copy()
    state.at = at
    state.newest = _noted(learned.newest, demand.slot, newest)
    state.mean = _noted(learned.mean, demand.slot, mean)
    state.expected = _noted(learned.expected, demand.slot, ahead)
    state.ready = _noted(learned.ready, demand.slot, ready)
    state.covariance = covariance
    state.variance = variance
    state.noise = noise
    state.startup = measured
    state.wait = demand.wait
    return Forecast(level, ahead, gain, startup, state)


def _noted(ring: Singles, slot: int, column: Floats | Ints) -> Singles:
    """The ring with this cycle's column in it."""
    noted = ring.copy()
    noted[:, slot] = column
    return noted


def _slots(moments: Moments, wanted: Floats) -> tuple[Ints, Flags]:
    """The slot nearest to each moment `wanted` (S,), and whether it is near enough to stand for it."""
    times = moments.times
    right = np.minimum(np.maximum(times.searchsorted(wanted), 1), SLOTS - 1)
    left = right - 1
    nearer = np.where(wanted - times[left] < times[right] - wanted, left, right)
    off = np.abs(times[nearer] - wanted)
    return moments.order[nearer], off <= max(moments.step, 1.0)


_Rows = Flags | slice
#: Some slots of the rings, which may be others for other scalers.
_Columns = tuple[tuple[_Rows, NDArray[np.intp]], ...]


@dataclass(frozen=True, slots=True)
class _Windows:
    """Which scalers have each range of the rates, in seconds, that there is: nearly always all of them one."""

    rows: tuple[tuple[float, _Rows], ...]

    @classmethod
    def of(cls, windows: Floats) -> Self:
        """Group the scalers by their windows."""
        if not len(windows):
            return cls(())
        if all_of(windows == windows[0]):
            return cls(((float(windows[0]), slice(None)),))
        return cls(tuple((float(each), windows == each) for each in np.unique(windows)))

    def columns(self, moments: Moments, between: Callable[[float], tuple[float, float]]) -> _Columns:
        """The slots that are more than the first and at most the second of these seconds ago, which follow from the window."""
        found = []
        for window, rows in self.rows:
            behind, oldest = between(window)
            found.append((rows, ((moments.ago > behind) & (moments.ago <= oldest)).nonzero()[0]))
        return tuple(found)


def _mean(ring: Singles, columns: _Columns, otherwise: Ints | Floats) -> Floats:
    """The mean (S,) of what a ring holds in these columns; `otherwise` where that is nothing."""
    mean = otherwise.astype(np.float64)
    for rows, slots in columns:
        if not len(slots):
            continue
        some = ring[:, slots][rows]
        known = np.isfinite(some)
        if all_of(known):
            mean[rows] = np.add.reduce(some, axis=1, dtype=np.float64) / len(slots)
            continue
        counts = np.add.reduce(known, axis=1)
        sums = np.add.reduce(np.where(known, some, 0.0), axis=1, dtype=np.float64)
        mean[rows] = np.where(counts > 0, sums / counts, mean[rows])
    return mean


def _extremes(ring: Singles, columns: _Columns, current: Ints) -> tuple[Floats, Floats]:
    """The least and the greatest (S,) of what a ring holds in these columns, the current value among them."""
    least, greatest = current.astype(np.float64), current.astype(np.float64)
    for rows, slots in columns:
        some = ring[:, slots][rows]
        least[rows] = np.fmin(least[rows], np.fmin.reduce(some, axis=1, initial=np.nan))
        greatest[rows] = np.fmax(greatest[rows], np.fmax.reduce(some, axis=1, initial=np.nan))
    return least, greatest


def _sound(rate: Floats) -> Flags:
    """Whether a rate can be one at all; NaN can not."""
    return (rate >= 0) & (rate < ABSURD)
