"""The life of an object: created, updated, marked for deletion, finalized, collected with its owner.

Here are the rules of metadata that every client relies on: uid, generation, resourceVersion and its conflicts,
finalizers, owners, namespaces. Whether the content is right is `admission.py`'s business, how it is remembered the
store's.
"""

import copy
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.embedded.admission import admit, name_problems
from controller.embedded.builtin import initial_status
from controller.embedded.crds import crd_status, served_resources
from controller.embedded.objects import Object, dig, metadata_of, random_suffix, timestamp
from controller.embedded.refusals import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from controller.embedded.resources import Catalog, Resource
from controller.embedded.store import Entry, Store

__all__ = ["DeleteOptions", "Lifecycle", "WriteOptions"]

_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


@dataclass(frozen=True)
class WriteOptions:
    """`dryRun=All`, `fieldValidation`, and where warnings go."""

    dry_run: bool = False
    field_validation: str = "Warn"
    warn: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class DeleteOptions:
    """The body or the query of a DELETE."""

    dry_run: bool = False
    propagation: str = "Background"
    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None


class Lifecycle:
    """All writes to the store."""

    def __init__(self, store: Store, catalog: Catalog, seed: int | None = None) -> None:
        self._store = store
        self._catalog = catalog
        self._random = random.Random(seed)  # noqa: S311 - names, not secrets

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions = WriteOptions()) -> Entry:
        """Stores a new object; refuses a taken name (409), an unknown namespace (404), an invalid object (422)."""
        metadata = metadata_of(obj)
        if metadata.get("resourceVersion"):
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        if namespace:
            metadata["namespace"] = namespace
            home = self._store.collection("namespaces").get("", namespace)
            if home is None:
                raise not_found("", "namespaces", namespace)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix(self._random)
        if problems := name_problems(resource, metadata.get("name", "")):
            raise invalid(resource.group, resource.kind, metadata.get("name", ""), problems)
        for field in _SYSTEM_FIELDS:
            metadata.pop(field, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        if resource.generation:
            metadata["generation"] = 1
        if resource.status:
            status = initial_status(resource, obj)
            obj.pop("status", None)
            if status is not None:
                obj["status"] = status
        _drop_empty(metadata)
        for warning in admit(resource, obj, None, options.field_validation):
            options.warn(warning)
        if self._store.collection(resource.storage).get(namespace, metadata["name"]):
            raise already_exists(resource.group, resource.plural, metadata["name"])
        if options.dry_run:
            return Entry(obj, self._store.revision)
        return self._commit(resource, obj, None)

    def update(
        self,
        resource: Resource,
        current: Entry,
        obj: Object,
        options: WriteOptions = WriteOptions(),
        part: str = "",
    ) -> Entry:
        """Replaces an object, or only its `part` ("status"); refuses a stale version (409) and an invalid object (422).

        A write that changes nothing makes no new version. The last finalizer's removal completes a deletion.
        """
        self._check_version(resource, current, metadata_of(obj))
        previous = current.obj
        if part:
            updated = {key: value for key, value in previous.items() if key != part}
            updated = copy.deepcopy(updated)
            if part in obj:
                updated[part] = obj[part]
        else:
            updated = obj
            self._restore(resource, previous, updated)
            _drop_empty(updated["metadata"])
        for warning in admit(resource, updated, previous, options.field_validation, part):
            options.warn(warning)
        metadata = updated["metadata"]
        metadata["resourceVersion"] = previous["metadata"]["resourceVersion"]
        if resource.generation and _content(resource, updated) != _content(resource, previous):
            metadata["generation"] = previous["metadata"].get("generation", 0) + 1
        if updated == previous:
            return current
        if options.dry_run:
            return Entry(updated, current.revision)
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and not _awaits_kubelet(updated):
            self._remove(resource, current, "Background")
            return Entry(updated, self._store.revision)
        return self._commit(resource, updated, previous)

    def delete(self, resource: Resource, entry: Entry, options: DeleteOptions = DeleteOptions()) -> Entry | None:
        """Deletes an object; returns it while it only waits for finalizers or a kubelet, None when it is gone."""
        metadata = entry.obj["metadata"]
        for name, wanted, found in (
            ("UID", options.uid, metadata["uid"]),
            ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
        ):
            if wanted and wanted != found:
                why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"
                raise conflict(resource.group, resource.plural, metadata["name"], why)
        grace = _grace(resource, entry.obj, options.grace_seconds)
        if grace or metadata.get("finalizers"):
            if metadata.get("deletionTimestamp") and metadata.get("deletionGracePeriodSeconds", 0) <= grace:
                return entry
            if options.dry_run:
                return entry
            return self._mark(resource, entry, grace)
        if not options.dry_run:
            self._remove(resource, entry, options.propagation)
        return None

    def _mark(self, resource: Resource, entry: Entry, grace: int) -> Entry:
        marked = copy.deepcopy(entry.obj)
        metadata = marked["metadata"]
        metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if metadata.get("generation"):
            metadata["generation"] += 1
        return self._commit(resource, marked, entry.obj)

    def _remove(self, resource: Resource, entry: Entry, propagation: str) -> None:
        uid = entry.obj["metadata"]["uid"]
        if propagation == "Foreground":
            self._collect(uid)
        self._store.remove(resource.storage, entry)
        if propagation == "Orphan":
            self._orphan(uid)
        else:
            self._collect(uid)
        if resource.kind == "CustomResourceDefinition":
            self._unserve(entry.obj)
        if resource.kind == "Namespace":
            self._empty_namespace(entry.key[1])

    def _collect(self, uid: str) -> None:
        """Deletes what this owner alone kept alive."""
        for storage, key in self._store.dependents(uid):
            dependent, resource = self._store.collection(storage).get(*key), self._catalog.by_storage(storage)
            if dependent is None or resource is None:
                continue
            owners = dependent.obj["metadata"].get("ownerReferences") or []
            if not any(owner["uid"] != uid and self._store.alive(owner["uid"]) for owner in owners):
                self.delete(resource, dependent)

    def _orphan(self, uid: str) -> None:
        for storage, key in self._store.dependents(uid):
            dependent = self._store.collection(storage).get(*key)
            if dependent:
                orphan = copy.deepcopy(dependent.obj)
                owners = [owner for owner in orphan["metadata"]["ownerReferences"] if owner["uid"] != uid]
                orphan["metadata"]["ownerReferences"] = owners
                _drop_empty(orphan["metadata"])
                self._store.put(storage, orphan)

    def _empty_namespace(self, namespace: str) -> None:
        for storage, collection in self._store.collections():
            for entry in collection.scan(namespace):
                if collection.get(*entry.key):
                    self._store.remove(storage, entry)

    def _unserve(self, crd: Object) -> None:
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        storage = f"{plural}.{group}"
        for entry in self._store.collection(storage).scan():
            self._store.remove(storage, entry)
        self._catalog.replace(group, plural, [])

    def _commit(self, resource: Resource, obj: Object, previous: Object | None) -> Entry:
        if resource.kind == "CustomResourceDefinition":
            obj["status"] = crd_status(obj, (previous or {}).get("status"))
            served = served_resources(obj)
            self._catalog.replace(obj["spec"]["group"], obj["spec"]["names"]["plural"], served)
        return self._store.put(resource.storage, obj)

    def _check_version(self, resource: Resource, current: Entry, metadata: Object) -> None:
        name, present = current.key[1], current.obj["metadata"]
        if metadata.get("name", name) != name:
            wrong, right = metadata["name"], name
            raise bad_request(f"the name of the object ({wrong}) does not match the name on the URL ({right})")
        version = metadata.get("resourceVersion")
        if not version and not resource.unconditional_update:
            message = "Invalid value: 0: must be specified for an update"
            cause = Cause("FieldValueInvalid", message, "metadata.resourceVersion")
            raise invalid(resource.group, resource.kind, name, [cause])
        if version and version != present["resourceVersion"]:
            raise conflict(resource.group, resource.plural, name)
        uid = metadata.get("uid")
        if uid and uid != present["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {present['uid']}"
            raise conflict(resource.group, resource.plural, name, why)

    @staticmethod
    def _restore(resource: Resource, previous: Object, updated: Object) -> None:
        """Puts back what a client cannot change: the system's metadata, and status where it is a subresource."""
        metadata = updated["metadata"]
        for field in ("name", "namespace", *_SYSTEM_FIELDS):
            if field in previous["metadata"]:
                metadata[field] = previous["metadata"][field]
            else:
                metadata.pop(field, None)
        if resource.status:
            updated.pop("status", None)
            if "status" in previous:
                updated["status"] = copy.deepcopy(previous["status"])


def _drop_empty(metadata: Object) -> None:
    """Kubernetes leaves out what is empty; a client that reads `finalizers` must not find an empty list."""
    for field in ("annotations", "finalizers", "labels", "ownerReferences"):
        if field in metadata and not metadata[field]:
            del metadata[field]


def _content(resource: Resource, obj: Object) -> Object:
    """What a generation counts."""
    left_out = ("apiVersion", "kind", "metadata", *(["status"] if resource.status else []))
    return {key: value for key, value in obj.items() if key not in left_out}


def _awaits_kubelet(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionGracePeriodSeconds"))


def _grace(resource: Resource, obj: Object, wanted: int | None) -> int:
    """The seconds a deletion waits for a kubelet; 0 where none will come."""
    if not resource.graceful or not dig(obj, "spec", "nodeName"):
        return 0
    if dig(obj, "status", "phase") in ("Succeeded", "Failed"):
        return 0
    if wanted is not None:
        return wanted
    seconds = dig(obj, "spec", "terminationGracePeriodSeconds")
    return 30 if seconds is None else int(seconds)
