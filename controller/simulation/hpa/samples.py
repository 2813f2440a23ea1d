"""What was measured of the pods of one HorizontalPodAutoscaler, as columns of pods: whose sample is there, and in which group he is.

Source: HPA's metrics client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from controller.engine.batch import Floats, Ints
from controller.simulation.hpa.objects import Phase, Pod, Sample, Settings
from controller.simulation.hpa.pods import Groups, Pods, group

__all__ = ["Seen", "amounts_of", "group_pods", "usage_by_pod"]

#: The one resource for which it matters whether a pod is Ready.
CPU: Final = "cpu"


class Seen(NamedTuple):
    """A pod's amount in milli-units, when it was taken, and over how many seconds."""

    amount: int
    taken_at: float = 0.0
    window: float = 0.0


def usage_by_pod(samples: Sequence[Sample], resource: str, container: str | None) -> dict[str, Seen]:
    """The usage of each pod that has a sample of the whole pod, or of one `container`; a part that is lacking makes it none."""
    usage = {}
    for sample in samples:
        wanted = [name for name in sample.containers if container in (None, name)]
        known = [sample.containers[name][resource] for name in wanted if resource in sample.containers[name]]
        if known and len(known) == len(wanted):
            usage[sample.pod] = Seen(sum(known), sample.taken_at, sample.window)
    return usage


def group_pods(
    pods: Sequence[Pod], seen: Mapping[str, Seen], resource: str | None, settings: Settings, now: float
) -> Groups:
    """The group of each pod, (P,); `resource` is None for a metric that is none."""
    nothing = Seen(0)
    samples = [seen.get(each.name, nothing) for each in pods]
    columns = Pods(
        of=np.zeros(len(pods), np.intp),
        ended=np.array([each.deleting or each.phase in (Phase.SUCCEEDED, Phase.FAILED) for each in pods], np.bool_),
        pending=np.array([each.phase is Phase.PENDING for each in pods], np.bool_),
        judged=np.array([each.ready is not None and each.started_at is not None for each in pods], np.bool_),
        unready=np.array([each.ready is False for each in pods], np.bool_),
        started_at=_times([each.started_at for each in pods]),
        turned_at=_times([each.turned_at for each in pods]),
    )
    return group(
        columns,
        seen=np.array([each.name in seen for each in pods], np.bool_),
        sampled_at=_times([each.taken_at for each in samples]),
        window=_times([each.window for each in samples]),
        now=now,
        is_cpu=resource == CPU,
        initialization=settings.initialization,
        readiness=settings.readiness,
    )


def amounts_of(pods: Sequence[Pod], seen: Mapping[str, Seen]) -> Ints:
    """The amount of each pod (P,) in milli-units, 0 where there is no sample."""
    nothing = Seen(0)
    return np.array([seen.get(each.name, nothing).amount for each in pods], np.int64)


def _times(moments: Sequence[float | None]) -> Floats:
    return np.array([np.nan if each is None else each for each in moments], np.float64)
