"""What a Prometheus would show of a fleet: counters scraped every 15 s, rates and quantiles over a window, a little late.

The pods of one kind count alike, so what a rate needs of a pod is how many scrapes of the window have found it Ready. Rates are
spread over the window as Prometheus spreads them: that of a pod which is younger than the window is shown too low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.flow import Conditions, Flow
from controller.simulation.fleet.settings import SYNC_SECONDS, FleetSettings
from controller.simulation.fleet.slots import Slots

__all__ = ["Scrapes", "Seen", "quantile_of_histogram"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Rows = NDArray[np.intp]

#: Columns of the counters: three of a pod, all arrivals, and a pod's cumulative histogram from there on.
_CPU, _REQUESTS, _WAITED, _ARRIVALS, _HISTOGRAM = range(5)
#: Columns of what is shown: the four as rates over the window, then over the newest interval, then the quantile.
_NEWEST, _LATENCY, _SHOWN = 4, 8, 9
#: Prometheus takes a gap at the edge of a window for an absence when it is longer than so many scrape intervals.
_EDGE: Final = 1.1


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scaler can know at one sync: (R,) a run, (P,) a pod, pods sorted by run; NaN where there is no sample.

    Moments are in seconds since the start, rates per second; "newest" is between the last two scrapes, all else over the window.
    """

    now: float
    current: Ints
    """(R,) `spec.replicas`."""
    scaler: Rows
    """(P,) the run of each pod."""
    ready: Flags
    ready_since: Floats
    """(P,) NaN where not Ready."""
    created: Floats
    young: Flags
    """(P,) whether a Ready pod is younger than the window."""
    cpu: Floats
    """(P,) cores."""
    cpu_newest: Floats
    memory: Floats
    """(P,) bytes."""
    latency: Floats
    """(P,) the promised quantile in seconds; 0 without a request."""
    served_newest: Floats
    """(P,) requests per second that were answered."""
    served_window: Floats
    waited: Floats
    """(P,) seconds of response time per second."""
    waited_newest: Floats
    covered: Floats
    """(P,) the share of the window that a pod's rates are spread over: a rate divided by it is the mean of the scrapes there are."""
    arrivals_newest: Floats
    """(R,) requests per second that a gateway counted."""
    arrivals_window: Floats
    startup: Floats
    """(R,) the median seconds from creation to Ready of the pods that became Ready of late."""
    age: Floats
    """(R,) of the newest scrape, in seconds."""
    answered: Flags
    """(R,) whether the source gave any answer."""


def quantile_of_histogram(share: float, bounds: Floats, cumulative: Floats) -> Floats:
    """Prometheus' histogram_quantile of n histograms: `bounds` (k,) finite, `cumulative` (n, k + 1) with +Inf last; 0 without requests.

    Linear within a bucket, whose lower bound is 0 for the first; beyond the last finite bound it is that bound.
    """
    rank = share * cumulative[:, -1]
    bucket = np.minimum((cumulative < rank[:, None]).sum(axis=1), len(bounds))
    rows = np.arange(len(rank))
    first, beyond = bucket == 0, bucket == len(bounds)
    below = np.where(first, 0.0, cumulative[rows, bucket - 1])
    inside = cumulative[rows, bucket] - below
    low = np.where(first, 0.0, bounds[bucket - 1])
    high = bounds[np.where(beyond, bucket - 1, bucket)]
    value: Floats = np.where(rank > 0.0, low + (high - low) * (rank - below) / np.where(inside > 0.0, inside, 1.0), 0.0)
    return value


class Scrapes:
    """The counters of R runs as the scrapes found them; `phases` (R,) are whole seconds, 1 up to the scrape interval.

    A pod's counters are CPU seconds, requests, seconds of response time and the cumulative histogram, one row for each kind of
    pods; the gateway's counter of arrivals stands among them. All are kept as they were at the last scrape of each of the last blocks.
    """

    def __init__(self, settings: FleetSettings, phases: Ints) -> None:
        self._settings, self._phases = settings, phases
        self._bounds = np.array(settings.plant.buckets)
        self._runs, self._kinds = len(phases), settings.kinds
        self._step = settings.scrape_seconds // SYNC_SECONDS
        reach = settings.window_seconds + settings.delay_seconds + 2 * settings.scrape_seconds
        self._kept = math.ceil(reach / SYNC_SECONDS) + 2
        self._counters = np.zeros((self._runs, self._kinds, _HISTOGRAM + len(self._bounds) + 1))
        self._ring = np.zeros((self._kept, *self._counters.shape))
        self._block = (phases - 1) // SYNC_SECONDS
        halves = np.arange(SYNC_SECONDS) < ((phases - 1) % SYNC_SECONDS + 1)[:, None]
        self._halves = np.stack((halves, ~halves), axis=1).astype(np.float64)
        # What is added up of every second: the counters but the histogram, and requests times utilisation.
        self._seconds = np.zeros((self._runs, SYNC_SECONDS, self._kinds, _HISTOGRAM + 1))
        self._run, self._kind = (part.ravel() for part in np.indices((self._runs, self._kinds)))

    def block(self, number: int, conditions: Conditions, flow: Flow, means: Floats, arrivals: Floats) -> Floats:
        """Count what happened in a block; returns the utilisation (R, kinds) that the pods' memory follows.

        `means` (R, 15, kinds) are mean response times in seconds, `arrivals` (R, 15) requests.
        """
        grown = self._count(conditions, flow, means, arrivals)
        at_scrape = self._counters + grown[:, 0]
        self._counters = at_scrape + grown[:, 1]
        if self._step > 1:
            # Between scrapes the last one stands.
            scraped = (number - self._block) % self._step == 0
            before = self._ring[(number - 1) % self._kept]
            at_scrape = np.where(scraped[:, None, None], at_scrape, before)
        self._ring[number % self._kept] = at_scrape
        requests = grown[:, 0, :, _REQUESTS] + grown[:, 1, :, _REQUESTS]
        utilisation: Floats = np.minimum(requests / (SYNC_SECONDS * conditions.capacity), 1.0)
        return utilisation

    def _count(self, conditions: Conditions, flow: Flow, means: Floats, arrivals: Floats) -> Floats:
        """What the counters grow by before and after the block's scrape, (R, 2, kinds, counters)."""
        runs, kinds = self._runs, self._kinds
        each = self._seconds
        served = np.divide(flow.served, np.maximum(flow.pods, 1.0), out=each[..., _REQUESTS])
        np.minimum(served * conditions.cpu_seconds, self._settings.plant.cpu_limit, out=each[..., _CPU])
        np.multiply(served, means, out=each[..., _WAITED])
        each[..., _ARRIVALS] = arrivals[..., None]
        np.multiply(served, flow.utilisation, out=each[..., _HISTOGRAM])
        parts = (self._halves @ each.reshape(runs, SYNC_SECONDS, -1)).reshape(runs, 2, kinds, -1)
        requests = parts[..., _REQUESTS]
        # While there is no backlog, one histogram at the mean utilisation of each part is exact enough.
        utilisation = parts[..., _HISTOGRAM] / np.maximum(requests, 1e-9)
        tail, _ = conditions.responses(utilisation, np.zeros(utilisation.shape), self._bounds)
        grown = np.empty((runs, 2, kinds, self._counters.shape[2]))
        grown[..., :_HISTOGRAM] = parts[..., :_HISTOGRAM]
        np.multiply(requests[..., None], 1.0 - tail, out=grown[..., _HISTOGRAM:-1])
        grown[..., -1] = requests
        if flow.busy.size:
            busy = flow.busy
            tail, _ = conditions.responses(flow.utilisation[busy], flow.queued[busy], self._bounds)
            within = (served[busy][..., None] * (1.0 - tail)).reshape(len(busy), SYNC_SECONDS, -1)
            grown[busy, ..., _HISTOGRAM:-1] = (self._halves[busy] @ within).reshape(len(busy), 2, kinds, -1)
        return grown

    def seen(self, now: float, slots: Slots) -> Seen:
        """What a query at `now`, the end of a block, shows of the pods."""
        settings, every, kinds = self._settings, float(self._settings.scrape_seconds), self._kinds
        asked = now - settings.delay_seconds
        answered = settings.gaps is None or not settings.gaps(now)
        # Scrape k of a run is at its phase + k intervals; those that fit into the window count.
        newest = np.floor((asked - self._phases) / every)
        last = self._phases + newest * every
        scrapes = np.minimum(np.ceil((last - asked + settings.window_seconds) / every), newest + 1.0)
        scrapes = np.maximum(scrapes, 0.0) if answered else np.zeros(self._runs)
        block = (self._block + newest * self._step).astype(np.int64)

        run = self._run
        table = self._shown(run, self._kind, block[run], scrapes[run])
        of, column = np.nonzero(slots.ready_at < np.inf)
        ready_at = slots.ready_at[of, column]
        kind = slots.kind[of, column].astype(np.intp) if kinds > 1 else np.zeros(len(of), np.intp)
        ready = ready_at <= now
        found = np.where(ready, np.floor((last[of] - ready_at) / every) + 1.0, 0.0)
        full = scrapes[of]
        found = np.maximum(np.minimum(found, full), 0.0)
        shown = table[of * kinds + kind]
        covered = np.ones(len(of))
        partial = np.flatnonzero((found < full) | (found < 2.0))
        if partial.size:
            few, rows = found[partial], of[partial]
            covered[partial] = self._covered(asked, last[rows], few, ready_at[partial])
            shown[partial] = self._shown(rows, kind[partial], block[rows], few)
            shown[partial, :_NEWEST] *= covered[partial, None]
        return Seen(
            now=now,
            current=slots.total.copy(),
            scaler=of,
            ready=ready,
            ready_since=np.where(ready, ready_at, np.nan),
            created=slots.created[of, column],
            young=ready & (now - ready_at < settings.window_seconds),
            cpu=shown[:, _CPU],
            cpu_newest=shown[:, _NEWEST + _CPU],
            memory=np.where(found >= 1.0, slots.shown[of, column], np.nan),
            latency=shown[:, _LATENCY],
            served_newest=shown[:, _NEWEST + _REQUESTS],
            served_window=shown[:, _REQUESTS],
            waited=shown[:, _WAITED],
            waited_newest=shown[:, _NEWEST + _WAITED],
            covered=covered,
            arrivals_newest=table[::kinds, _NEWEST + _ARRIVALS],
            arrivals_window=table[::kinds, _ARRIVALS],
            startup=slots.startup.copy(),
            age=now - last,
            answered=np.full(self._runs, answered),
        )

    def _shown(self, rows: Rows, kinds: Rows, block: Ints, scrapes: Floats) -> Floats:
        """What is shown (n, columns) of pods of these runs and kinds (n,), from the last `scrapes` (n,) up to that of `block` (n,).

        NaN with fewer than two scrapes.
        """
        every = float(self._settings.scrape_seconds)
        intervals = np.maximum(scrapes - 1.0, 0.0)
        oldest = block - (intervals * self._step).astype(np.int64)
        new = self._ring[block % self._kept, rows, kinds]
        grown = new - self._ring[oldest % self._kept, rows, kinds]
        before = self._ring[(block - self._step) % self._kept, rows, kinds]
        shown = np.empty((len(rows), _SHOWN))
        shown[:, :_NEWEST] = grown[:, :_HISTOGRAM] / np.maximum(intervals * every, every)[:, None]
        shown[:, _NEWEST:_LATENCY] = (new[:, :_HISTOGRAM] - before[:, :_HISTOGRAM]) / every
        shown[:, _LATENCY] = quantile_of_histogram(
            self._settings.plant.slo_quantile, self._bounds, grown[:, _HISTOGRAM:]
        )
        shown[intervals < 1.0] = np.nan
        return shown

    def _covered(self, asked: float, last: Floats, found: Floats, ready_at: Floats) -> Floats:
        """The share of the window that Prometheus spreads the rates of these pods (n,) over, NaN without a rate."""
        every, window = float(self._settings.scrape_seconds), self._settings.window_seconds
        sampled = (found - 1.0) * every
        first = last - sampled
        start = first - (asked - window)
        start = np.where(start >= _EDGE * every, every / 2.0, start)
        # A counter that would have been below zero before the pod was there is not followed back further.
        start = np.minimum(start, np.maximum(first - ready_at, 0.0))
        end = asked - last
        end = np.where(end >= _EDGE * every, every / 2.0, end)
        return np.where(found >= 2.0, (sampled + start + end) / window, np.nan)
