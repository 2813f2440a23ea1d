"""From one metric to replicas as the HorizontalPodAutoscaler does it, for any number of autoscalers at once.

Amounts are whole milli-units (thousandths of a core, of a byte, of a second), as in HPA. What it shares with our own
proportional rule is that rule's code: the tolerance, the rounding up, and the second look at pods whose part is not
known. Source: HPA's replica calculator.

Where HPA's doubles are off by one (ceil(1.1 * 10) can be 12), the exact number stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Ints
from controller.engine.grouping import Rows, sum_by_scaler
from controller.engine.proportional import Reading, beyond, ceil, in_doubt, weigh
from controller.simulation.hpa.pods import Group, Groups, count, total

__all__ = [
    "MOST",
    "Best",
    "Reported",
    "average_replicas",
    "best",
    "per_pod_replicas",
    "per_pod_usage",
    "utilization_replicas",
    "value_replicas",
]

#: Where sums and averages of milli-units end, as in HPA: 2^63 - 1.
MOST: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Reported:
    """The `replicas` (S,) that one metric asks for, and what of it would stand in status.

    `utilization` (S,) is in whole percent of the requests (0 for a metric without), `average` (S,) in milli-units a pod; both are
    cut off, not rounded. Where not `valid` (S,) no pod counts, or none has a request, and `replicas` is the current number.
    """

    replicas: Ints
    utilization: Ints
    average: Ints
    valid: Flags


@dataclass(frozen=True, slots=True)
class Best:
    """The largest of several proposals: `replicas` (S,), and which `metric` (S,) it is of.

    Where not `trusted` (S,) no metric is valid, or one is not and the others ask for fewer replicas: then nothing may change, and
    `replicas` is the current number.
    """

    replicas: Ints
    metric: Ints
    trusted: Flags


def utilization_replicas(
    of: Rows,
    groups: Groups,
    usage: Ints,
    requests: Ints,
    target_percent: Ints,
    current: Ints,
    up: Floats,
    down: Floats,
) -> Reported:
    """Replicas for a target in percent of the pods' requests.

    `of`, `groups`, `usage` and `requests` are (P,); `target_percent`, `current` and the tolerances `up` and `down` are (S,).
    """
    rows = len(current)
    used, requested = total(of, groups, usage, rows), total(of, groups, requests, rows)
    missing = np.flatnonzero(groups == Group.MISSING)
    # Going down, a silent pod is taken to use all of its request, or the target where that is more.
    full = requests[missing] * np.maximum(100, target_percent)[of[missing]] // 100
    assumed = sum_by_scaler(of[missing], full.astype(np.float64), rows).astype(np.int64)

    def percent(used: Ints, requested: Ints) -> Ints:
        return 100 * used // np.maximum(requested, 1)

    pods = count(of, groups, rows)
    seen, asked = used[:, Group.READY], requested[:, Group.READY]
    utilization = percent(seen, asked)
    ratio = utilization / target_percent
    rising, falling = ratio > 1, ratio < 1
    wider = asked + np.where(rising | falling, requested[:, Group.MISSING], 0)
    wider = wider + np.where(rising, requested[:, Group.UNREADY], 0)
    cautious = percent(seen + np.where(falling, assumed, 0), wider) / target_percent
    valid = (pods[:, Group.READY] > 0) & (asked > 0)
    average = seen // np.maximum(pods[:, Group.READY], 1)
    return Reported(_replicas(pods, ratio, cautious, valid, current, up, down), utilization, average, valid)


def average_replicas(
    of: Rows, groups: Groups, usage: Ints, target: Ints, current: Ints, up: Floats, down: Floats
) -> Reported:
    """Replicas for a target of so many milli-units a pod.

    `of`, `groups` and `usage` are (P,); `target`, `current` and the tolerances `up` and `down` are (S,).
    """
    pods = count(of, groups, len(current))
    seen = total(of, groups, usage, len(current))[:, Group.READY]
    average = seen // np.maximum(pods[:, Group.READY], 1)
    ratio = average / target
    rising, falling = ratio > 1, ratio < 1
    wider = pods[:, Group.READY] + np.where(rising | falling, pods[:, Group.MISSING], 0)
    wider = wider + np.where(rising, pods[:, Group.UNREADY], 0)
    # In doubles, which hold the largest target times the pods; whole numbers divide exactly below 2^53.
    assumed = np.where(falling, pods[:, Group.MISSING] * target.astype(np.float64), 0.0)
    cautious = (seen + assumed) // np.maximum(wider, 1) / target
    valid = pods[:, Group.READY] > 0
    return Reported(_replicas(pods, ratio, cautious, valid, current, up, down), np.zeros_like(average), average, valid)


def value_replicas(value: Ints, target: Ints, serving: Ints, current: Ints, up: Floats, down: Floats) -> Ints:
    """Replicas (S,) for one value of an object, or of something outside, and its target, both in milli-units (S,).

    `serving` (S,) counts the pods that run and are Ready, also those that are being deleted. From zero there is no tolerance.
    """
    ratio = value / target
    replicas = ceil(ratio * np.where(current == 0, 1, serving))
    return np.where((current == 0) | beyond(ratio, up, down), replicas, current)


def per_pod_replicas(total: Ints, target_average: Ints, status_replicas: Ints, up: Floats, down: Floats) -> Ints:
    """Replicas (S,) for a total that is to be `target_average` a pod, both in milli-units (S,).

    Within the tolerance it is the pods that there are, `status.replicas`. This is KEDA's rule for a rate of requests.
    """
    needed = total / target_average
    far = beyond(needed / np.maximum(status_replicas, 1), up, down) | (status_replicas == 0)
    return np.where(far, ceil(needed), status_replicas)


def per_pod_usage(total: Ints, status_replicas: Ints) -> Ints:
    """The milli-units a pod (S,) that status shows of a total, rounded up; a total that has reached its end stays there."""
    shared = -(-total // np.maximum(status_replicas, 1))
    return np.where(total == MOST, MOST, np.where(status_replicas == 0, 0, shared))


def best(proposals: Sequence[Ints], valid: Sequence[Flags], current: Ints) -> Best:
    """The largest of the valid proposals, one (S,) for each metric; the earlier metric where two ask for the same."""
    usable = np.stack(valid)
    candidates = np.where(usable, np.stack(proposals), -1)
    metric = candidates.argmax(axis=0)
    replicas = candidates.max(axis=0)
    trusted = usable.any(axis=0) & (usable.all(axis=0) | (replicas >= current))
    return Best(np.where(trusted, replicas, current), metric, trusted)


def _replicas(
    pods: Ints, ratio: Floats, cautious: Floats, valid: Flags, current: Ints, up: Floats, down: Floats
) -> Ints:
    """The replicas (S,) that the ratio of the pods seen asks for, or that of all pods where some are silent or not Ready.

    `pods` (S, 4) are those of each `Group`, `cautious` (S,) is the ratio with what is assumed of the pods that were not seen.
    """
    ready, unready, missing = pods[:, Group.READY], pods[:, Group.UNREADY], pods[:, Group.MISSING]
    rising = ratio > 1
    doubt = in_doubt(rising, missing > 0, unready > 0)
    everyone = ready + missing + np.where(rising, unready, 0)
    proposal = weigh(current, Reading(ratio, ready), Reading(cautious, everyone), doubt, doubt, up, down)
    return np.where(valid & proposal.beyond, proposal.replicas, current)
