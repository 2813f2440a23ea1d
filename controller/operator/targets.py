"""Where scalers point: kind -> resource, resource -> target with its replicas, selector -> pods. A target that cannot be
had is a `Problem`.

Pod groups are registered with the cache while a scaler needs them, so that membership is kept current by the watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from controller.api import Forbidden, KubernetesError, NotFound, Reason
from controller.kube import Discovery, Group, PodCache, Resource, Selector, Target, TargetCache
from controller.operator.scalers import Key, Problem, Scaler

__all__ = ["Aimed", "Targets"]

#: (apiVersion, kind)
Kind = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Aimed:
    """A scaler whose target was found: the resource, the target as it is now, and the group of its pods."""

    scaler: Scaler
    resource: Resource
    target: Target
    group: Group

    @property
    def title(self) -> str:
        """Deployment/checkout."""
        return f"{self.resource.kind}/{self.target.name}"


class Targets:
    """Finds the target of each scaler, and holds the pod groups that are in use."""

    def __init__(self, discovery: Discovery, cache: TargetCache, pods: PodCache) -> None:
        self._discovery = discovery
        self._cache = cache
        self._pods = pods
        self._groups: dict[Key, Group] = {}
        self._written: dict[Key, tuple[str, int]] = {}

    async def aim(self, scalers: Sequence[Scaler]) -> tuple[list[Aimed], dict[Key, Problem]]:
        """The scalers whose target is there, in their order, and the problem of each other one."""
        problems: dict[Key, Problem] = {}
        resources: dict[Key, Resource] = {}
        kinds = await self._resolve({_kind(scaler) for scaler in scalers})
        for scaler in scalers:
            resource = kinds[_kind(scaler)]
            if isinstance(resource, Problem):
                problems[scaler.key] = resource
            else:
                resources[scaler.key] = resource
        wanted = {
            scaler.key: (resources[scaler.key], scaler.key[0], _target_name(scaler))
            for scaler in scalers
            if scaler.key in resources
        }
        for resource in set(resources.values()):
            await self._cache.ensure(resource)
        found = await self._cache.snapshot(set(wanted.values()))
        aimed = []
        for scaler in scalers:
            if scaler.key not in wanted:
                continue
            resource = resources[scaler.key]
            target = found[wanted[scaler.key]]
            title = f"{resource.kind} {scaler.key[0]}/{_target_name(scaler)}"
            if isinstance(target, KubernetesError):
                problems[scaler.key] = _failure(title, target)
            elif target.selector is None:
                why = target.selector_fault or "its /scale reports no selector, so its pods cannot be found"
                problems[scaler.key] = Problem(Reason.INVALID_SELECTOR, f"{title}: {why}")
            else:
                group = self._group(scaler, target.selector)
                aimed.append(Aimed(scaler, resource, self._as_written(scaler.key, target), group))
        self._release({each.scaler.key for each in aimed})
        return aimed, problems

    def wrote(self, aimed: Aimed, replicas: int) -> None:
        """Take note of our own write, which the watch may not have seen by the next cycle."""
        self._written[aimed.scaler.key] = (aimed.target.resource_version, replicas)

    async def _resolve(self, kinds: Collection[Kind]) -> dict[Kind, Resource | Problem]:
        """Every kind that some scaler points at, all at once: one that does not answer must not hold up the others."""
        asked = list(kinds)
        return dict(zip(asked, await asyncio.gather(*(self._resource(*kind) for kind in asked)), strict=True))

    async def _resource(self, api_version: str, kind: str) -> Resource | Problem:
        try:
            resource = await self._discovery.resolve(api_version, kind)
        except NotFound as error:
            return Problem(Reason.TARGET_NOT_FOUND, f"spec.scaleTargetRef: {error}")
        except KubernetesError as error:
            return Problem(Reason.FAILED_GET_SCALE, f"spec.scaleTargetRef: {error}")
        if not resource.scalable:
            return Problem(
                Reason.NOT_SCALABLE,
                f"spec.scaleTargetRef: {kind} of {api_version} has no /scale; "
                "point at a kind that has one, such as Deployment or StatefulSet",
            )
        return resource

    def _as_written(self, key: Key, target: Target) -> Target:
        """The target with the count that we wrote, as long as the cache shows what was there before."""
        version, replicas = self._written.get(key, ("", 0))
        if version and version == target.resource_version:
            return target._replace(spec_replicas=replicas)
        self._written.pop(key, None)
        return target

    def _group(self, scaler: Scaler, selector: Selector) -> Group:
        held = self._groups.get(scaler.key)
        if held is not None:
            if held.selector == selector:
                return held
            self._pods.release(held)
        group = self._groups[scaler.key] = self._pods.group(scaler.key[0], selector)
        return group

    def _release(self, used: set[Key]) -> None:
        for key in self._groups.keys() - used:
            self._pods.release(self._groups.pop(key))
            self._written.pop(key, None)


def _kind(scaler: Scaler) -> Kind:
    assert scaler.spec is not None
    return scaler.spec.scale_target_ref.api_version, scaler.spec.scale_target_ref.kind


def _target_name(scaler: Scaler) -> str:
    assert scaler.spec is not None
    return scaler.spec.scale_target_ref.name


def _failure(title: str, error: KubernetesError) -> Problem:
    """Why the target cannot be had, and what to do about it."""
    match error:
        case NotFound():
            return Problem(
                Reason.TARGET_NOT_FOUND,
                f"spec.scaleTargetRef: there is no {title}; create it, or correct kind and name",
            )
        case Forbidden():
            return Problem(
                Reason.FAILED_GET_SCALE, f"{title}: {error}; grant the operator's role this resource and its /scale"
            )
    return Problem(Reason.FAILED_GET_SCALE, f"{title}: {error}")
