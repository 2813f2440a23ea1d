"""Which pods count for a metric, as the HorizontalPodAutoscaler groups them, for any number of autoscalers at once.

Shapes: S autoscalers, P pods sorted by autoscaler, each with the row of its own. Source: groupPods of HPA's replica calculator.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints
from controller.engine.grouping import Rows, sum_by_scaler

__all__ = ["INITIALIZATION_SECONDS", "READINESS_SECONDS", "Group", "Groups", "Pods", "count", "group", "total"]

#: The controller's flags by default: for so long a pod's CPU is that of its start, and so soon after its start it cannot have been Ready.
INITIALIZATION_SECONDS: Final = 300.0
READINESS_SECONDS: Final = 30.0


class Group(IntEnum):
    """What becomes of a pod: it counts, it waits, its sample is missing, or it is no longer one of the pods."""

    READY = 0
    UNREADY = 1
    MISSING = 2
    IGNORED = 3


#: The `Group` of every pod, (P,).
Groups = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Pods:
    """What the API says of the pods (P,) that the selectors return.

    `of` is the row of each pod's autoscaler, ascending; `ended` whether the pod is being deleted, has failed or has succeeded;
    `pending` its phase; `judged` whether it has a start time and a Ready condition at all, `unready` whether that says
    False; `started_at` and `turned_at` (when the condition last changed) are seconds of the clock of `now`.
    """

    of: Rows
    ended: Flags
    pending: Flags
    judged: Flags
    unready: Flags
    started_at: Floats
    turned_at: Floats


def group(
    pods: Pods,
    seen: Flags,
    sampled_at: Floats,
    window: Floats | float,
    now: float,
    *,
    is_cpu: bool,
    initialization: float = INITIALIZATION_SECONDS,
    readiness: float = READINESS_SECONDS,
) -> Groups:
    """The group of every pod for one metric.

    `seen` (P,) says who has a sample, taken at `sampled_at` (P,) over the `window` seconds before. Readiness matters for CPU only.
    """
    waits = pods.pending
    if is_cpu:
        young = pods.started_at + initialization > now
        # A sample from before the last change of readiness, or partly so, shows the start and not the work.
        early = pods.unready | (sampled_at < pods.turned_at + window)
        never_ready = pods.unready & (pods.started_at + readiness > pods.turned_at)
        waits = waits | (seen & (~pods.judged | np.where(young, early, never_ready)))
    silent = np.where(seen, np.int8(Group.READY), np.int8(Group.MISSING))
    return np.where(pods.ended, np.int8(Group.IGNORED), np.where(waits, np.int8(Group.UNREADY), silent))


def count(of: Rows, groups: Groups, autoscalers: int) -> Ints:
    """How many pods of each autoscaler are in each group, (S, 4)."""
    width = len(Group)
    return np.bincount(of * width + groups, minlength=autoscalers * width).reshape(autoscalers, width)


def total(of: Rows, groups: Groups, amounts: Ints, autoscalers: int) -> Ints:
    """The sum of `amounts` (P,) over the pods of each autoscaler in each group, (S, 4); exact below 2^53."""
    width = len(Group)
    sums = sum_by_scaler(of * width + groups, amounts.astype(np.float64), autoscalers * width)
    return sums.reshape(autoscalers, width).astype(np.int64)
