"""What the pods request of a resource, which a utilization is a share of. Source: HPA's calculateRequests."""

from __future__ import annotations

from collections.abc import Sequence

from controller.simulation.hpa.objects import Container, Pod

__all__ = ["NoRequest", "requests_of"]


class NoRequest(Exception):
    """A pod without a request, which leaves all the pods of the target without a utilization."""


def requests_of(pods: Sequence[Pod], resource: str, container: str | None, pod_level: bool) -> list[int]:
    """The request of each pod in milli-units: of one `container`, or else of the whole pod.

    `pod_level` says whether requests of the pod as a whole count; where it has some, they go before those of its containers.
    Raises NoRequest.
    """
    return [_request(each, resource, container, pod_level) for each in pods]


def _request(pod: Pod, resource: str, container: str | None, pod_level: bool) -> int:
    if container is not None:
        named = [each for each in pod.containers if each.name == container]
        if not named:
            raise NoRequest(f"container {container} not found in Pod {pod.name}")
        return _sum(pod, named[:1], resource)
    if pod_level and pod.requests:
        if resource in pod.requests:
            return pod.requests[resource]
        requested = [each.requests[resource] for each in pod.containers if resource in each.requests]
        if not requested:
            raise NoRequest(f"missing pod-level request for {resource} in Pod {pod.name}")
        return sum(requested)
    return _sum(pod, pod.containers, resource)


def _sum(pod: Pod, containers: Sequence[Container], resource: str) -> int:
    for each in containers:
        if resource not in each.requests:
            raise NoRequest(f"missing request for {resource} in container {each.name} of Pod {pod.name}")
    return sum(each.requests[resource] for each in containers)
