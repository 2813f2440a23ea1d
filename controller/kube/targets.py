"""What is scaled: Deployments, StatefulSets and ReplicaSets by a watch each, any other kind by its `/scale`."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, NotRequired

from typing_extensions import TypedDict

from controller.api.errors import KubernetesError, NotFound, Unreachable
from controller.kube.client import Client
from controller.kube.discovery import Resource
from controller.kube.reflector import Key, Reflector
from controller.kube.scale import Target, read_scale, readable_selector
from controller.kube.selectors import LabelSelector, Selector

__all__ = ["CURRENT_SECONDS", "TargetCache", "TargetKey"]

TargetKey = tuple[Resource, str, str]
"""Resource, namespace and name."""

WATCHED: Final = frozenset({("apps", "deployments"), ("apps", "statefulsets"), ("apps", "replicasets")})
CURRENT_SECONDS: Final = 150.0  # two silent reconnects; an older copy is not better than asking
SYNC_SECONDS: Final = 10.0


class _Metadata(TypedDict):
    name: str
    namespace: str
    resourceVersion: str
    uid: NotRequired[str]
    generation: NotRequired[int]


class _Spec(TypedDict):
    replicas: NotRequired[int | None]
    selector: NotRequired[LabelSelector | None]


class _Status(TypedDict):
    replicas: NotRequired[int]


class _Workload(TypedDict):
    metadata: _Metadata
    spec: NotRequired[_Spec]
    status: NotRequired[_Status]


class _Watch:
    """All objects of one kind: the sink of its reflector."""

    def __init__(self, client: Client, resource: Resource, clock: Callable[[], float]) -> None:
        self.targets: dict[Key, Target] = {}
        self.reflector: Final = Reflector(
            client, resource.path(), _Workload, self, name=f"targets ({resource.plural})", clock=clock
        )
        self.task: Final = asyncio.create_task(self.reflector.run(), name=f"targets ({resource.plural})")

    def upsert(self, item: _Workload) -> None:
        metadata, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
        key = metadata["namespace"], metadata["name"]
        selector, fault = readable_selector(Selector.of, spec.get("selector"))
        self.targets[key] = Target(
            *key,
            metadata.get("uid", ""),
            spec.get("replicas"),
            status.get("replicas", 0),
            selector,
            metadata.get("generation"),
            metadata["resourceVersion"],
            fault,
        )

    def remove(self, key: Key) -> None:
        self.targets.pop(key, None)

    def keys(self) -> Collection[Key]:
        return self.targets.keys()


class TargetCache:
    """The targets of all scalers; `close` ends its watches."""

    def __init__(self, client: Client, *, concurrency: int = 50, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._watches: dict[Resource, _Watch] = {}

    async def ensure(self, resource: Resource) -> None:
        """Start the watch of a kind that is watched, on first use, and give it a moment to list; never raises.

        Until the list is there, `snapshot` reads each target by itself.
        """
        if (resource.group, resource.plural) not in WATCHED or resource in self._watches:
            return
        watch = self._watches[resource] = _Watch(self._client, resource, self._clock)
        with suppress(TimeoutError):
            await asyncio.wait_for(watch.reflector.synced.wait(), SYNC_SECONDS)

    async def snapshot(self, wanted: Collection[TargetKey]) -> dict[TargetKey, Target | KubernetesError]:
        """Each wanted target as it is now, or why it cannot be had.

        What is watched costs nothing; every other target is one request.
        """
        found: dict[TargetKey, Target | KubernetesError] = {}
        unknown: list[TargetKey] = []
        for key in wanted:
            watch = self._watches.get(key[0])
            if watch is None or watch.reflector.age(self._clock()) > CURRENT_SECONDS:
                unknown.append(key)
            else:
                found[key] = watch.targets.get(key[1:]) or _missing(key)
        silent: list[Unreachable] = []
        reads = await asyncio.gather(*(self._read(key, silent) for key in unknown))
        found.update(zip(unknown, reads, strict=True))
        return found

    def ages(self, now: float) -> dict[str, float]:
        """Seconds since each watched kind was last known to be current, by the plural name."""
        return {resource.plural: watch.reflector.age(now) for resource, watch in self._watches.items()}

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, key: TargetKey, silent: list[Unreachable]) -> Target | KubernetesError:
        async with self._slots:
            if silent:
                # The server does not answer: to ask it for every target in turn would take for ever.
                return silent[0]
            try:
                return await read_scale(self._client, *key)
            except Unreachable as error:
                silent.append(error)
                return error
            except KubernetesError as error:
                return error


def _missing(key: TargetKey) -> NotFound:
    resource, namespace, name = key
    return NotFound(f'{resource.plural}.{resource.group} "{name}" not found in namespace {namespace}', 404)
