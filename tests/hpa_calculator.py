"""HPA's replica calculator once more, written as plainly as possible from its rules, to compare the batched one with.

One autoscaler at a time, Python integers and fractions, no code shared with the product. Amounts are milli-units, times seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

__all__ = ["PlainPod", "average", "group", "utilization"]


@dataclass(frozen=True)
class PlainPod:
    """One pod with its sample of one metric; `ready` is None without a Ready condition, `usage` None without a sample."""

    usage: int | None
    request: int = 0
    gone: bool = False
    pending: bool = False
    ready: bool | None = True
    started_at: int | None = 0
    turned_at: int | None = 0
    sampled_at: int = 0
    window: int = 0


def group(pod: PlainPod, now: int, is_cpu: bool, initialization: int, readiness: int) -> str:
    """ready, unready, missing or ignored."""
    if pod.gone:
        return "ignored"
    if pod.pending:
        return "unready"
    if pod.usage is None:
        return "missing"
    if not is_cpu:
        return "ready"
    if pod.ready is None or pod.started_at is None or pod.turned_at is None:
        return "unready"
    if pod.started_at + initialization > now:
        waits = not pod.ready or pod.sampled_at < pod.turned_at + pod.window
    else:
        waits = not pod.ready and pod.started_at + readiness > pod.turned_at
    return "unready" if waits else "ready"


def utilization(
    pods: Sequence[PlainPod], groups: Sequence[str], target: int, current: int, up: Fraction, down: Fraction
) -> int | None:
    """Replicas for a target in percent of the requests; None where nothing can be measured."""

    def ratio(shares: Sequence[Share]) -> Fraction | None:
        requests = sum(share.request for share in shares)
        return Fraction(100 * sum(share.usage for share in shares) // requests, target) if requests else None

    shares = [Share(pod.usage or 0, pod.request, pod.request * max(100, target) // 100) for pod in pods]
    return _replicas(shares, groups, ratio, current, up, down)


def average(
    pods: Sequence[PlainPod], groups: Sequence[str], target: int, current: int, up: Fraction, down: Fraction
) -> int | None:
    """Replicas for a target of so much a pod; None where nothing can be measured."""

    def ratio(shares: Sequence[Share]) -> Fraction | None:
        return Fraction(sum(share.usage for share in shares) // len(shares), target) if shares else None

    return _replicas([Share(pod.usage or 0, 0, target) for pod in pods], groups, ratio, current, up, down)


class Share(NamedTuple):
    """What a pod adds to a ratio: its usage and its request, and the usage that it is taken for when it is full."""

    usage: int
    request: int
    full: int


def _replicas(
    shares: Sequence[Share],
    groups: Sequence[str],
    ratio_of: Callable[[Sequence[Share]], Fraction | None],
    current: int,
    up: Fraction,
    down: Fraction,
) -> int | None:
    def those(which: str) -> list[Share]:
        return [share for share, its in zip(shares, groups, strict=True) if its == which]

    counted = those("ready")
    ratio = ratio_of(counted)
    if ratio is None:
        return None
    missing, unready = those("missing"), those("unready") if ratio > 1 else []
    if not missing and not unready:
        return current if 1 - down <= ratio <= 1 + up else ceil(ratio * len(counted))
    if ratio < 1:
        counted += [share._replace(usage=share.full) for share in missing]
    if ratio > 1:
        counted += [share._replace(usage=0) for share in missing + unready]
    second = ratio_of(counted)
    assert second is not None
    if 1 - down <= second <= 1 + up or (ratio < 1 < second) or (second < 1 < ratio):
        return current
    replicas = ceil(second * len(counted))
    if (second < 1 and replicas > current) or (second > 1 and replicas < current):
        return current
    return replicas
