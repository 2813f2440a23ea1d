"""Requests through the pods of all runs for one block of seconds: served, failed, late, and what stays in the backlog.

The plant's formulas (`controller.simulation.latency`) in the mean: the pods of one kind are all alike and share one backlog, which a
new pod helps to work off. The fluid decides what share of the requests inside is answered, fails or waits, so that arrivals = served +
failed + inside. Only runs with a backlog, or with more load than capacity, are stepped second by second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.settings import FleetSettings
from controller.simulation.latency import Service, Sojourn, sustainable
from controller.simulation.settings import value_at

__all__ = ["Conditions", "Flow", "Queues"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the pods are like for one block: `services` one a kind, CPU seconds a request of each kind (kinds,), waiting in seconds.

    `capacity` and `carries` (kinds,) are the requests per second that a pod of the kind serves at most, and at most within the promise.
    """

    services: tuple[Service, ...]
    cpu_seconds: Floats
    waiting: float
    capacity: Floats
    carries: Floats

    @staticmethod
    def constant(settings: FleetSettings) -> bool:
        """Whether the conditions are the same at all times."""
        plant, variant = settings.plant, settings.variant
        schedules = (plant.cost_factor, plant.workers, plant.dependency_seconds, variant.cost if variant else 1.0)
        return not any(callable(schedule) for schedule in schedules)

    @classmethod
    def at(cls, settings: FleetSettings, seconds: float) -> Conditions:
        """The conditions at a moment since the start."""
        plant = settings.plant
        waiting = plant.wait_seconds + value_at(plant.dependency_seconds, seconds)
        workers = None if plant.workers is None else value_at(plant.workers, seconds)
        costs = [plant.service_seconds * value_at(plant.cost_factor, seconds)]
        if settings.variant is not None:
            costs.append(costs[0] * value_at(settings.variant.cost, seconds))
        services = tuple(Service.of(cost, plant.cpu_limit, workers, waiting) for cost in costs)
        # As `demanded`: without a dependency's waiting, which pods cannot pay for.
        shares = [sustainable(each, plant.wait_seconds, plant.slo_quantile, plant.slo_seconds) for each in services]
        capacity = np.array([service.capacity for service in services])
        return cls(
            services=services,
            cpu_seconds=np.array(costs),
            waiting=waiting,
            capacity=capacity,
            carries=capacity * np.array([share or 1.0 for share in shares]),
        )

    def responses(self, utilisation: Floats, queued: Floats, times: Floats) -> tuple[Floats, Floats]:
        """P(T > t) for times (n,) in seconds, (..., kinds, n), and the mean response time, (..., kinds).

        `utilisation` and the backlog in front of a request, `queued` in seconds, are (..., kinds).
        """
        tails, means = [], []
        for kind, service in enumerate(self.services):
            shift = queued[..., kind].ravel() + self.waiting
            sojourn = Sojourn.of(service, utilisation[..., kind].ravel(), shift)
            tails.append(sojourn.tail(times))
            means.append(shift + sojourn.first / sojourn.fast + sojourn.second / sojourn.slow)
        if len(tails) == 1:
            return tails[0].reshape(*utilisation.shape, len(times)), means[0].reshape(utilisation.shape)
        return (
            np.stack(tails, axis=1).reshape(*utilisation.shape, len(times)),
            np.stack(means, axis=1).reshape(utilisation.shape),
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """One block, (R, 15, kinds) unless said: pods that serve, requests served, utilisation, seconds of backlog in front of a
    request; `failed` requests (R, 15); `busy` rows are those with a backlog.
    """

    pods: Floats
    served: Floats
    utilisation: Floats
    queued: Floats
    failed: Floats
    busy: NDArray[np.intp]


class Queues:
    """The backlog of R runs: the fluid, and the requests `inside` (R, kinds) that it stands for."""

    def __init__(self, settings: FleetSettings, runs: int) -> None:
        self._patience = settings.plant.patience_seconds
        self._fluid = np.zeros((runs, settings.kinds))
        self.inside = np.zeros((runs, settings.kinds))

    def block(self, conditions: Conditions, rates: Floats, arrivals: Floats, pods: Floats) -> Flow:
        """Let a block's load and requests (R, 15) pass through the pods (R, 15, kinds)."""
        total = pods.sum(axis=2) if pods.shape[2] > 1 else pods[..., 0]
        shared = np.maximum(total, 1.0)[..., None]
        share = pods / shared
        utilisation = rates[..., None] / shared / conditions.capacity
        served = arrivals[..., None] * share
        queued = np.zeros(pods.shape)
        failed = np.zeros(rates.shape)
        over = ((utilisation > 1.0) & (pods > 0.0)).any(axis=(1, 2)) | (self.inside > 0.0).any(axis=1)
        busy = np.flatnonzero(over | (total == 0.0).any(axis=1))
        if busy.size:
            share = np.where(total[busy, :, None] > 0.0, share[busy], np.arange(share.shape[2]) == 0)
            served[busy], queued[busy], failed[busy] = self._step(
                busy, rates[busy, :, None] * share, arrivals[busy, :, None] * share, pods[busy] * conditions.capacity
            )
        return Flow(pods, served, utilisation, queued, failed, busy)

    def _step(self, rows: NDArray[np.intp], offered: Floats, arrivals: Floats, capacity: Floats) -> tuple[Floats, ...]:
        """Second by second for some runs: served, seconds of backlog, failed."""
        served, queued, failed = np.zeros(offered.shape), np.zeros(offered.shape), np.zeros(offered.shape)
        fluid, inside = self._fluid[rows], self.inside[rows]
        for second in range(offered.shape[1]):
            limit = capacity[:, second]
            here = fluid + offered[:, second]
            done = np.minimum(here, limit)
            left = np.minimum(here - done, self._patience * limit)
            inside = inside + arrivals[:, second]
            per_fluid = inside / np.where(here > 0.0, here, 1.0)
            # Requests that the fluid does not know of are served where there is a pod.
            answered = np.where(here > 0.0, done * per_fluid, np.where(limit > 0.0, inside, 0.0))
            waiting = left * per_fluid
            served[:, second] = answered
            failed[:, second] = np.maximum(inside - answered - waiting, 0.0)
            queued[:, second] = (fluid + left) / 2.0 / np.where(limit > 0.0, limit, 1.0)
            fluid, inside = left, waiting
        self._fluid[rows], self.inside[rows] = fluid, inside
        return served, queued, failed.sum(axis=2)
