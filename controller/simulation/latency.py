"""How long requests take in a pod: the distribution of the response time of a queue, for many pods at once.

A request waits for the backlog in front of it, waits in the queue with probability C, is served, and waits for what is
not CPU:

    T = shift + X + W,   X ~ Exp(mean service),   W = 0 with probability 1 - C, else Exp(mean 1/theta)

With one server this is the M/M/1 queue, first come first served: P(T > t) = exp(-(t - shift) (1 - rho)/s). With k
servers C is rho^(sqrt(2(k+1)) - 1), by Sakasegawa's approximation of the mean wait (Int. J. Systems Science, 1977), and
theta = capacity (1 - rho). Backlog, CPU and memory are the plant's business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SATURATION", "Service", "Sojourn", "sustainable"]

Floats = NDArray[np.float64]

# Near rho = 1 the stationary queue takes minutes to build, longer than any load stays there; from here on the fluid
# backlog of the plant tells what an overload costs.
SATURATION: Final = 0.95
SMALLEST: Final = 1e-6
ZOOMS: Final = 4
POINTS: Final = 33


@dataclass(frozen=True, slots=True)
class Service:
    """What one pod can do: `seconds` mean service time, `servers` at work at once, `capacity` requests per second."""

    seconds: float
    servers: float
    capacity: float

    @classmethod
    def of(cls, cpu_seconds: float, cpu_limit: float, workers: float | None, waiting: float) -> Service:
        """The tighter of two limits: the CPU (cores), or `workers` that hold a request through its waiting."""
        seconds = cpu_seconds / min(1.0, cpu_limit)  # one request runs on one core at the most
        bound_by_cpu = cls(seconds, max(1.0, cpu_limit), cpu_limit / cpu_seconds)
        if workers is None:
            return bound_by_cpu
        bound_by_workers = cls(seconds, workers, workers / (waiting + seconds))
        return min(bound_by_cpu, bound_by_workers, key=lambda service: service.capacity)


@dataclass(frozen=True, slots=True)
class Sojourn:
    """Response times of n pods: P(T > t) = first e^(-fast x) + second e^(-slow x), x = t - shift; all arrays (n,)."""

    shift: Floats
    first: Floats
    fast: Floats
    second: Floats
    slow: Floats

    @classmethod
    def of(cls, service: Service, utilisation: Floats, shift: Floats) -> Sojourn:
        """The distribution at a utilisation (n,); above `SATURATION` that of `SATURATION`. `shift` (n,) in seconds."""
        rho = np.minimum(np.maximum(utilisation, SMALLEST), SATURATION)
        fast = np.full(rho.shape, 1.0 / service.seconds)
        slow = service.capacity * (1.0 - rho)
        close = (
            np.abs(fast - slow) < SMALLEST * fast
        )  # the two exponentials coincide and the closed form divides by zero
        slow = np.where(close, fast * (1.0 - SMALLEST), slow)
        waits = rho ** (math.sqrt(2.0 * (service.servers + 1.0)) - 1.0)
        second = waits * fast / (fast - slow)
        return cls(shift, 1.0 - second, fast, second, slow)

    def tail(self, times: Floats) -> Floats:
        """P(T > t) for times (m,) in seconds: (n, m)."""
        x = np.maximum(times[None, :] - self.shift[:, None], 0.0)
        clipped: Floats = np.minimum(np.maximum(self._sum(self.first, self.second, x), 0.0), 1.0)
        return clipped

    def beyond(self, times: Floats) -> Floats:
        """E[T; T > t], the part of the mean that is slower than t, for times (m,) in seconds: (n, m)."""
        at = np.maximum(times[None, :], self.shift[:, None])
        x = at - self.shift[:, None]
        return at * self.tail(times) + self._sum(self.first / self.fast, self.second / self.slow, x)

    def _sum(self, first: Floats, second: Floats, x: Floats) -> Floats:
        return first[:, None] * np.exp(-self.fast[:, None] * x) + second[:, None] * np.exp(-self.slow[:, None] * x)

    def quantile(self, share: float, weights: Floats, lost: float = 0.0, patience: float = math.inf) -> float:
        """The quantile of all pods' requests together, in seconds.

        `weights` (n,) are the requests of each pod, `lost` further ones that were not answered within `patience`
        seconds; nobody waits longer. Without any request it is 0.
        """
        total = float(weights.sum()) + lost
        if total <= 0.0:
            return 0.0
        allowed = (1.0 - share) * total - lost
        if allowed <= 0.0:
            return patience
        low, high = 0.0, float((self.shift + (4.0 - math.log(1.0 - share)) / np.minimum(self.fast, self.slow)).max())
        for _ in range(ZOOMS):
            times = np.linspace(low, high, POINTS)
            above = weights @ self.tail(times) > allowed
            index = int(np.count_nonzero(above))
            low, high = float(times[max(index - 1, 0)]), float(times[min(index, POINTS - 1)])
        return min(high, patience)


@lru_cache(maxsize=1024)
def sustainable(service: Service, shift: float, share: float, bound: float) -> float:
    """The highest utilisation at which the quantile `share` is at most `bound` seconds, at most `SATURATION`.

    0 when even an idle pod is slower.
    """

    def holds(rho: float) -> bool:
        sojourn = Sojourn.of(service, np.array([rho]), np.array([shift]))
        return float(sojourn.tail(np.array([bound]))[0, 0]) <= 1.0 - share

    low, high = 0.0, SATURATION
    if holds(high):
        return high
    if not holds(low):
        return low
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
