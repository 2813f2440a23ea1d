"""The store of CompositeScalers: what kopf's watch and our own resync feed, and the cycle reads.

An object that the models refuse is kept too, with the sentence that says why, so that its status can tell the user. What a scaler
asks for is prepared when the object changes, not every cycle.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from controller.api import CompositeScaler, InvalidManifest, Overrides, Reason, Spec, Status

__all__ = ["Key", "Problem", "Scaler", "ScalerStore"]

#: (namespace, name)
Key = tuple[str, str]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a scaler cannot work as it is: the reason of its condition, and the sentence."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Scaler:
    """One CompositeScaler as the API server has it; `spec` is missing where it is invalid, and `problem` then says why.

    `status` is what the object's status was when it was last seen: it seeds the memory after a start. `overrides` are what its annotations
    say; one that cannot be read is a problem, too.
    """

    key: Key
    uid: str
    generation: int
    resource_version: str
    spec: Spec | None
    problem: Problem | None
    status: Status
    overrides: Overrides = field(default_factory=Overrides)


class ScalerStore:
    """All CompositeScalers by key; `version` changes when a spec or an override comes, changes or goes."""

    def __init__(self) -> None:
        self._scalers: dict[Key, Scaler] = {}
        self._touched: set[Key] = set()
        self.version = 0

    def __len__(self) -> int:
        return len(self._scalers)

    def __contains__(self, key: Key) -> bool:
        return key in self._scalers

    def keys(self) -> Set[Key]:
        """The keys of all scalers."""
        return self._scalers.keys()

    def is_present(self, scaler: Scaler) -> bool:
        """Whether the object still exists; another one of the same name is not it."""
        known = self._scalers.get(scaler.key)
        return known is not None and known.uid == scaler.uid

    def is_current(self, scaler: Scaler) -> bool:
        """Whether the object still is what it was: neither deleted, nor created anew, nor edited, nor paused or resumed."""
        known = self._scalers.get(scaler.key)
        return known is not None and _asked(known) == _asked(scaler)

    def all(self) -> list[Scaler]:
        """Every scaler, in the order of their keys."""
        return [self._scalers[key] for key in sorted(self._scalers)]

    def upsert(self, obj: Mapping[str, Any]) -> None:
        """Take an object from a watch or a list; an echo of our own status write costs next to nothing."""
        metadata = obj["metadata"]
        key = (metadata["namespace"], metadata["name"])
        self._touched.add(key)
        if metadata.get("deletionTimestamp"):
            self.remove(key)
            return
        known = self._scalers.get(key)
        uid, generation = metadata["uid"], metadata.get("generation", 0)
        if known is not None and known.uid == uid and generation < known.generation:
            # An event that is later than the list that overtook it.
            return
        status = _status(obj)
        version = metadata.get("resourceVersion", "")
        same = known if known is not None and (known.uid, known.generation) == (uid, generation) else None
        if same is None or same.problem is not None:
            # A refused object is read again: a newer schema prunes what it hands out without a new generation.
            spec, problem = _parse(obj)
        else:
            spec, problem = same.spec, None
        # Annotations change without a new generation.
        overrides, misread = _overrides(metadata)
        problem = problem or misread
        if same is not None and (problem, overrides) == (same.problem, same.overrides):
            self._scalers[key] = replace(same, resource_version=version, status=status)
            return
        if problem is not None and (same is None or problem != same.problem):
            logger.warning(problem.message, extra={"namespace": key[0], "scaler": key[1], "reason": problem.reason})
        self._scalers[key] = Scaler(key, uid, generation, version, spec, problem, status, overrides)
        self.version += 1

    def remove(self, key: Key, uid: str | None = None) -> None:
        """Forget an object that is gone; with a `uid` only if it is that one, not its successor of the same name."""
        self._touched.add(key)
        known = self._scalers.get(key)
        if known is not None and uid in (None, known.uid):
            del self._scalers[key]
            self.version += 1

    def listing(self) -> None:
        """A list begins: what the watch says from now on is newer than what the list will say."""
        self._touched.clear()

    def resync(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Make the store equal to a full list: what the watch missed is added, what it kept too long goes.

        What was touched since `listing` stays as it is: an object that came meanwhile is not in the list, and one that
        went still is.
        """
        listed = {(obj["metadata"]["namespace"], obj["metadata"]["name"]): obj for obj in objects}
        newer = frozenset(self._touched)
        for key, obj in listed.items():
            if key not in newer:
                self.upsert(obj)
        for key in self._scalers.keys() - listed.keys() - newer:
            self.remove(key)
        self._touched.clear()


def _asked(scaler: Scaler) -> tuple[object, ...]:
    """Everything of an object that a decision is made for."""
    return scaler.uid, scaler.generation, scaler.overrides, scaler.problem


def _overrides(metadata: Mapping[str, Any]) -> tuple[Overrides, Problem | None]:
    try:
        return Overrides.parse(metadata.get("annotations")), None
    except InvalidManifest as error:
        return Overrides(), Problem(Reason.INVALID_ANNOTATION, str(error))


def _parse(obj: Mapping[str, Any]) -> tuple[Spec | None, Problem | None]:
    try:
        return CompositeScaler.parse(obj).spec, None
    except InvalidManifest as error:
        return None, Problem(Reason.INVALID_SPEC, str(error))


def _status(obj: Mapping[str, Any]) -> Status:
    try:
        return Status.parse(obj.get("status"))
    except InvalidManifest as error:
        # Somebody else wrote it, or a newer version did: what it remembers is lost, the scaler is not.
        logger.warning("cannot read the status: %s", error, extra={"scaler": obj["metadata"]["name"]})
        return Status()
