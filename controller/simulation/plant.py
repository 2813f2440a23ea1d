"""The plant: one Deployment under the load of a trace, seen through counters, judged by what it really did.

In a step, each pod gets its share of the load; what exceeds its capacity becomes a fluid backlog, of which the oldest
part is given up; the rest waits as in a queue (`latency`). The fluid decides what share of the requests inside is
answered, waits or fails; the requests themselves are whole numbers, drawn at random, and none is lost: arrivals =
served + failed + backlog.

The plant knows neither Kubernetes nor a clock: it is told which pods are Ready and how late it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.simulation.latency import Service, Sojourn
from controller.simulation.pods import Floats, PodRef, PodRows
from controller.simulation.settings import PlantSettings, value_at
from controller.simulation.traces import Trace
from controller.simulation.truth import Second, demanded

__all__ = ["Plant", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the pods' series say at one moment: arrays (n,), `buckets` (n, bounds + 1) cumulative, the last is +Inf."""

    at: float
    settings: PlantSettings
    pods: tuple[PodRef, ...]
    cpu_seconds: Floats
    memory_bytes: Floats
    requests: NDArray[np.int64]
    latency_seconds: Floats
    buckets: NDArray[np.int64]


class Plant:
    """A Deployment under load; the same seed, trace and pods at the same moments give the same run.

    Safe to read from other threads while one thread advances it.
    """

    def __init__(self, settings: PlantSettings, trace: Trace, seed: int = 0) -> None:
        self._settings = settings
        self._trace = trace
        self._load = trace.compressed(settings.compression)
        self._dt = settings.step_seconds / settings.compression
        self._bounds = np.array(settings.buckets)
        self._slo = settings.buckets.index(settings.slo_seconds)
        self._shares, self._requests = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        self._pods = PodRows.empty(len(settings.buckets))
        self._abandoned = 0
        self._steps = 0
        self._truth: list[Second] = []
        self._lock = threading.Lock()

    @property
    def settings(self) -> PlantSettings:
        """What the Deployment is like."""
        return self._settings

    @property
    def now(self) -> float:
        """Real seconds since the plant began, up to which everything has happened."""
        return self._steps * self._dt

    @property
    def duration(self) -> float:
        """Real seconds that the trace lasts."""
        return self._load.duration

    def set_pods(self, ready: Iterable[tuple[str, str]]) -> None:
        """From now on these pods (namespace, name) serve; requests inside a pod that is gone have failed."""
        refs = frozenset(starmap(PodRef, ready))
        with self._lock:
            if refs == frozenset(self._pods.refs):
                return
            before = self._pods
            gone = np.array([ref not in refs for ref in before.refs], dtype=bool)
            self._abandoned += int(before.inside[gone].sum())
            self._pods = before.followed_by(refs, self._settings.memory_floor, self._draw_shares)

    def advance(self, now: float) -> None:
        """Let everything happen up to `now`, real seconds since the plant began, in whole steps."""
        steps = int((now + 1e-9) / self._dt)
        while self._steps < steps:
            with self._lock:
                self._step()

    def snapshot(self) -> Snapshot:
        """The series of the pods as they stand."""
        with self._lock:
            rows, at = self._pods.copy(), self.now
        return Snapshot(
            at=at,
            settings=self._settings,
            pods=rows.refs,
            cpu_seconds=rows.cpu_seconds,
            memory_bytes=rows.memory,
            requests=rows.requests,
            latency_seconds=rows.latency_seconds,
            buckets=np.cumsum(rows.buckets, axis=1),
        )

    def truth(self, since: int = 0) -> list[Second]:
        """What really happened, one entry a step, from entry number `since` on."""
        with self._lock:
            return self._truth[since:]

    def _draw_shares(self, pods: int) -> Floats:
        return 1.0 + self._settings.imbalance * np.clip(self._shares.standard_normal(pods), -2.0, 2.0)

    def _step(self) -> None:
        settings, pods, dt = self._settings, self._pods, self._dt
        middle = self._load.start + self.now + dt / 2.0
        trace_seconds = middle * settings.compression
        load = self._load.at(middle)
        cpu_seconds = settings.service_seconds * value_at(settings.cost_factor, trace_seconds)
        waiting = settings.wait_seconds + value_at(settings.dependency_seconds, trace_seconds)
        workers = None if settings.workers is None else value_at(settings.workers, trace_seconds)
        service = Service.of(cpu_seconds, settings.cpu_limit, workers, waiting)

        offered = load * pods.weight / pods.weight.sum() if len(pods) else np.zeros(0)
        flow = self._flow(offered, service.capacity)
        arrived = self._requests.poisson(offered * dt)
        turned_away = int(self._requests.poisson(load * dt)) if not len(pods) else 0
        served, lost, pods.inside = self._share_out(pods.inside + arrived, flow)
        mean_backlog = (pods.backlog + flow.left) / 2.0
        pods.backlog = flow.left

        # A second of backlog here stands for `compression` seconds of the plant that the compressed one is a sample of.
        queued = settings.compression * mean_backlog / service.capacity
        sojourn = Sojourn.of(service, offered / service.capacity, waiting + queued)
        slow = self._observe(served, sojourn)
        self._burn(served * cpu_seconds)
        self._remember(flow.done / (service.capacity * dt))

        failed = int(lost.sum()) + turned_away + self._abandoned
        self._abandoned = 0
        given_up = float(flow.lost.sum()) if len(pods) else load * dt
        self._steps += 1
        self._truth.append(
            Second(
                at=self.now,
                trace_seconds=trace_seconds + settings.step_seconds / 2.0,
                load=load,
                arrivals=int(arrived.sum()) + turned_away,
                served=int(served.sum()),
                failed=failed,
                slow=slow + failed,
                backlog=int(pods.inside.sum()),
                latency_seconds=sojourn.quantile(
                    settings.slo_quantile, flow.done, lost=given_up, patience=settings.patience_seconds
                ),
                demand_pods=demanded(load, settings, service),
                ready_pods=len(pods),
            )
        )

    def _flow(self, offered: Floats, capacity: float) -> _Flow:
        """The fluid's step: what is done, what is too old to stay, what is left in the backlog; in requests (n,)."""
        total = self._pods.backlog + offered * self._dt
        done = np.minimum(total, capacity * self._dt)
        patient = self._settings.patience_seconds / self._settings.compression * capacity
        left = np.minimum(total - done, patient)
        return _Flow(done, total - done - left, left)

    def _share_out(self, inside: NDArray[np.int64], flow: _Flow) -> tuple[NDArray[np.int64], ...]:
        """Served, lost and remaining requests, drawn in the fluid's proportions; an empty fluid serves all."""
        parts = np.stack((flow.done, flow.lost, flow.left), axis=1)
        total = parts.sum(axis=1, keepdims=True)
        parts = np.divide(parts, total, out=np.tile((1.0, 0.0, 0.0), (len(parts), 1)), where=total > 0)
        outcome = self._requests.multinomial(inside, parts)
        return outcome[:, 0], outcome[:, 1], outcome[:, 2]

    def _observe(self, served: NDArray[np.int64], sojourn: Sojourn) -> int:
        """Count the served requests into the histogram; return how many of them broke the promise."""
        tails = np.pad(sojourn.tail(self._bounds), ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
        chances = np.maximum(-np.diff(tails, axis=1), 0.0)
        drawn = self._requests.multinomial(served, chances / chances.sum(axis=1, keepdims=True))
        edges = np.concatenate(([0.0], self._bounds))
        slower = np.pad(sojourn.beyond(edges), ((0, 0), (0, 1)))
        # The mean within a bucket keeps the sum between the buckets' bounds whatever was drawn.
        means = np.clip(-np.diff(slower, axis=1) / np.maximum(chances, 1e-12), edges, np.append(self._bounds, np.inf))
        self._pods.buckets += drawn
        self._pods.requests += served
        self._pods.latency_seconds += (drawn * means).sum(axis=1)
        return int(drawn[:, self._slo + 1 :].sum())

    def _burn(self, work: NDArray[np.floating[Any]]) -> None:
        """Use CPU for the work (n,) in CPU seconds, at most the limit; the rest is used later."""
        self._pods.work += work
        used = np.minimum(self._pods.work, self._settings.cpu_limit * self._dt)
        self._pods.work -= used
        self._pods.cpu_seconds += used

    def _remember(self, utilisation: Floats) -> None:
        """Let memory (n,) follow the utilisation, quickly up and slowly down."""
        settings = self._settings
        aim = settings.memory_floor + settings.memory_load * utilisation
        lag = np.where(aim > self._pods.memory, settings.memory_rise_seconds, settings.memory_fall_seconds)
        self._pods.memory += (aim - self._pods.memory) * -np.expm1(-settings.step_seconds / lag)


@dataclass(frozen=True, slots=True)
class _Flow:
    done: Floats
    lost: Floats
    left: Floats
