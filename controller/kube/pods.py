"""All pods, and groups of them by selector that are kept while events arrive.

A group is matched when a pod changes, never when it is asked for: asking for ten thousand groups each cycle costs
nothing where nothing changed. Which pods count for a decision is the business of the engine.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from controller.kube.pod import POD_ADAPTER, Owner, Pod, PodObject, pod_of
from controller.kube.reflector import Key
from controller.kube.selectors import Selector

__all__ = ["POD_ADAPTER", "Group", "Owner", "Pod", "PodCache", "PodObject", "pod_of"]


class Group:
    """The pods of one namespace that one selector selects, now."""

    __slots__ = ("_members", "_sorted", "_versions", "anchor", "holders", "namespace", "selector", "version")

    def __init__(self, namespace: str, selector: Selector, members: Iterable[Pod], versions: Iterator[int]) -> None:
        self.namespace: Final = namespace
        self.selector: Final = selector
        self.version = next(versions)
        self.holders = 0
        self.anchor: tuple[str, str] | None = None
        self._versions = versions
        self._members = {pod.name: pod for pod in members}
        self._sorted: list[Pod] | None = None

    @property
    def pods(self) -> list[Pod]:
        """All pods by name; the same list until `version` changes, so do not change it."""
        if self._sorted is None:
            self._sorted = [self._members[name] for name in sorted(self._members)]
        return self._sorted

    def put(self, pod: Pod) -> None:
        """For the cache: a member is new or has changed."""
        self._members[pod.name] = pod
        self._changed()

    def drop(self, name: str) -> None:
        """For the cache: a member has gone or is not selected any more."""
        if self._members.pop(name, None) is not None:
            self._changed()

    def _changed(self) -> None:
        self._sorted = None
        self.version = next(self._versions)


class _Namespace:
    """The pods and groups of one namespace, and the two indexes that bring them together.

    `values[key][value]` has the names of the pods with that label, for the keys that some group needs: which pods a new
    group has. `anchored[key, value]` has the groups that only pods with that label can be in: which groups a changed
    pod is in. Groups whose selector names no value are in `broad`.
    """

    def __init__(self, versions: Iterator[int]) -> None:
        self.pods: dict[str, Pod] = {}
        self.groups: dict[Selector, Group] = {}
        self._versions = versions
        self._values: dict[str, dict[str, set[str]]] = {}
        self._uses: Counter[str] = Counter()
        self._anchored: dict[tuple[str, str], list[Group]] = {}
        self._broad: list[Group] = []

    def upsert(self, pod: Pod) -> None:
        old = self.pods.get(pod.name)
        if old is not None and old.uid == pod.uid and old.first_ready not in (None, pod.first_ready):
            # A pod that was unready for a while tells when it came back; how long it took to start was seen before.
            pod = pod._replace(first_ready=old.first_ready)
        if old == pod:
            return
        if old is not None and old.labels == pod.labels and old.labels is not pod.labels:
            pod = pod._replace(labels=old.labels)
        self.pods[pod.name] = pod
        if old is None or old.labels is not pod.labels:
            self._index(old, pod)
        for group in self._groups_of(pod):
            group.put(pod)

    def remove(self, name: str) -> None:
        old = self.pods.pop(name, None)
        if old is not None:
            self._index(old, None)

    def add(self, namespace: str, selector: Selector) -> Group:
        pairs = selector.pairs
        for key in {key for key, _ in pairs}:
            if not self._uses[key]:
                values = self._values[key] = {}
                for pod in self.pods.values():
                    if key in pod.labels:
                        values.setdefault(pod.labels[key], set()).add(pod.name)
            self._uses[key] += 1
        names: Iterable[str] = self.pods
        if pairs:
            names = self._named(min(pairs, key=lambda pair: len(self._named(pair))))
        found = (self.pods[name] for name in names)
        group = Group(namespace, selector, (pod for pod in found if selector.matches(pod.labels)), self._versions)
        if pairs:
            # A label that thousands of groups share (part-of=shop) would cost thousands of matches an event.
            group.anchor = min(pairs, key=lambda pair: (len(self._anchored.get(pair, ())), len(self._named(pair))))
            self._anchored.setdefault(group.anchor, []).append(group)
        else:
            self._broad.append(group)
        self.groups[selector] = group
        return group

    def discard(self, group: Group) -> None:
        del self.groups[group.selector]
        if group.anchor is None:
            self._broad.remove(group)
        else:
            self._anchored[group.anchor].remove(group)
            if not self._anchored[group.anchor]:
                del self._anchored[group.anchor]
        for key in {key for key, _ in group.selector.pairs}:
            self._uses[key] -= 1
            if not self._uses[key]:
                del self._uses[key], self._values[key]

    def _named(self, pair: tuple[str, str]) -> set[str]:
        return self._values[pair[0]].get(pair[1], set())

    def _groups_of(self, pod: Pod) -> list[Group]:
        if not self.groups:
            return []
        candidates = self._broad.copy()
        for pair in pod.labels.items():
            candidates += self._anchored.get(pair, ())
        return [group for group in candidates if group.selector.matches(pod.labels)]

    def _index(self, old: Pod | None, new: Pod | None) -> None:
        for key, values in self._values.items():
            before, after = (None if pod is None else pod.labels.get(key) for pod in (old, new))
            if before == after:
                continue
            if old is not None and before is not None:
                values[before].discard(old.name)
                if not values[before]:
                    del values[before]
            if new is not None and after is not None:
                values.setdefault(after, set()).add(new.name)
        if old is not None:
            for group in self._groups_of(old):
                if new is None or not group.selector.matches(new.labels):
                    group.drop(old.name)


class PodCache:
    """All pods of the cluster: the sink of a reflector."""

    def __init__(self) -> None:
        self._namespaces: dict[str, _Namespace] = {}
        self._versions = count(1)

    def __len__(self) -> int:
        return sum(len(namespace.pods) for namespace in self._namespaces.values())

    def get(self, namespace: str, name: str) -> Pod | None:
        """One pod, if it exists."""
        found = self._namespaces.get(namespace)
        return None if found is None else found.pods.get(name)

    def group(self, namespace: str, selector: Selector) -> Group:
        """The group of a selector, shared by all who ask for it; each must `release` it once."""
        home = self._home(namespace)
        group = home.groups.get(selector) or home.add(namespace, selector)
        group.holders += 1
        return group

    def release(self, group: Group) -> None:
        """Give a group back; after the last one it is forgotten."""
        group.holders -= 1
        if group.holders == 0:
            self._namespaces[group.namespace].discard(group)
            self._tidy(group.namespace)

    def upsert(self, item: PodObject) -> None:
        """A pod is new or has changed."""
        pod = pod_of(item)
        self._home(pod.namespace).upsert(pod)

    def remove(self, key: Key) -> None:
        """A pod has gone."""
        namespace, name = key
        if namespace in self._namespaces:
            self._namespaces[namespace].remove(name)
            self._tidy(namespace)

    def keys(self) -> set[Key]:
        """Namespace and name of every pod."""
        return {(namespace, name) for namespace, home in self._namespaces.items() for name in home.pods}

    def _home(self, namespace: str) -> _Namespace:
        home = self._namespaces.get(namespace)
        if home is None:
            home = self._namespaces[namespace] = _Namespace(self._versions)
        return home

    def _tidy(self, namespace: str) -> None:
        home = self._namespaces[namespace]
        if not home.pods and not home.groups:
            del self._namespaces[namespace]
