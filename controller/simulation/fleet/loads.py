"""What arrives: the load of every run second by second, and the requests drawn from it.

Runs of the same trace and seed get the same requests, whatever their policies do. Everything is drawn an hour at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.settings import SYNC_SECONDS, FleetSettings
from controller.simulation.traces import Trace

__all__ = ["Loads", "Startups"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

CHUNK: Final = 3600
BLOCKS: Final = CHUNK // SYNC_SECONDS
_ARRIVALS, _NOISE, _STARTUPS = range(3)


def _generator(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, purpose)))


class Loads:
    """The load of R runs: `traces` and `seeds`, one of each a run; `block` must be asked for in ascending order."""

    def __init__(self, settings: FleetSettings, traces: Sequence[Trace], seeds: Sequence[int]) -> None:
        self._settings = settings
        keys = {
            (id(trace), seed): (trace, seed) for trace, seed in zip(traces, seeds, strict=True)
        }  # one stream for all runs that share it
        order = list(keys)
        self._streams = [_Stream(settings, *keys[key]) for key in order]
        self._of = np.array([order.index((id(t), s)) for t, s in zip(traces, seeds, strict=True)], np.intp)
        self._chunk = -1
        self._rates = self._arrivals = np.zeros((len(traces), CHUNK))

    def block(self, number: int) -> tuple[Floats, Floats]:
        """The load in requests per second, and the requests that come, (R, 15) each."""
        chunk, at = divmod(number, BLOCKS)
        while self._chunk < chunk:
            self._chunk += 1
            drawn = [stream.hour(self._chunk) for stream in self._streams]
            self._rates = np.stack([rates for rates, _ in drawn])[self._of]
            self._arrivals = np.stack([arrivals for _, arrivals in drawn])[self._of]
        seconds = slice(at * SYNC_SECONDS, (at + 1) * SYNC_SECONDS)
        return self._rates[:, seconds], self._arrivals[:, seconds]

    def expected(self, seconds: float) -> Floats:
        """The load (R,) at a moment since the start, in requests per second, without noise."""
        at = np.array([seconds])
        return np.array([float(stream.shape(at)[0]) for stream in self._streams])[self._of]


class _Stream:
    """The load of one trace and one seed."""

    def __init__(self, settings: FleetSettings, trace: Trace, seed: int) -> None:
        self._settings, self._trace = settings, trace
        self._arrivals, self._noise = (_generator(seed, purpose) for purpose in (_ARRIVALS, _NOISE))

    def shape(self, seconds: Floats) -> Floats:
        """The load (n,) at moments (n,) since the start."""
        rates = np.interp(self._trace.start + seconds, self._trace.seconds, self._trace.values)
        if self._settings.reshape is not None:
            rates = self._settings.reshape(seconds, rates, self._trace.peak)
        return rates

    def hour(self, number: int) -> tuple[Floats, Floats]:
        """The rates in the middle of every second of an hour, and the requests drawn from them, (3600,) each."""
        rates = self.shape(np.arange(number * CHUNK, (number + 1) * CHUNK, dtype=np.float64) + 0.5)
        noise = self._settings.noise
        if noise is not None:
            drawn = self._noise.standard_normal(CHUNK // noise.seconds)
            rates = rates * np.repeat(np.maximum(1.0 + noise.spread * drawn, 0.0), noise.seconds)
        return rates, self._arrivals.poisson(rates).astype(np.float64)


class Startups:
    """How long the k-th pod that a run starts takes to become Ready: a function of its seed alone."""

    def __init__(self, settings: FleetSettings, seeds: Sequence[int]) -> None:
        self._mean, self._spread = settings.startup_seconds, settings.startup_spread
        unique = sorted(set(seeds))
        self._of = np.array([unique.index(seed) for seed in seeds], np.intp)
        self._generators = [_generator(seed, _STARTUPS) for seed in unique]
        self._drawn = np.zeros((len(unique), 0))

    def __call__(self, rows: Rows, numbers: NDArray[np.int64]) -> Floats:
        """Seconds (n,) for the pods of these numbers (n,) that these runs (n,) start."""
        while numbers.size and int(numbers.max()) >= self._drawn.shape[1]:
            self._drawn = np.concatenate(
                (self._drawn, np.stack([self._truncated(generator) for generator in self._generators])), axis=1
            )
        return self._drawn[self._of[rows], numbers]

    def _truncated(self, generator: np.random.Generator) -> Floats:
        """256 numbers of the normal distribution, those beyond three deviations or below zero drawn anew."""
        kept = np.zeros(0)
        while len(kept) < 256:
            deviations = generator.standard_normal(512)
            seconds = self._mean + self._spread * deviations
            kept = np.concatenate((kept, seconds[(np.abs(deviations) <= 3.0) & (seconds >= 0.0)]))
        return kept[:256]
