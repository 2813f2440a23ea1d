"""What the API server remembers: the present objects, one global counter of versions, and the recent past of each collection.

An entry is immutable; a write replaces it. Its bytes are made once per served version and shared by every list and every watch.
The store knows nothing of HTTP, of schemas or of what a write may change: that is `lifecycle.py`'s business. Not thread-safe: it belongs
to one event loop.
"""

from bisect import bisect_right
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from controller.embedded.objects import Object, encode, key_of, metadata_of
from controller.embedded.refusals import Refusal, expired
from controller.embedded.selectors import Predicate

__all__ = ["Change", "Collection", "Entry", "Key", "Store", "Watcher"]

Key: TypeAlias = tuple[str, str]

_SNAPSHOTS_KEPT = 64


class Entry:
    """One version of one object."""

    __slots__ = ("_encoded", "key", "obj", "revision")

    def __init__(self, obj: Object, revision: int) -> None:
        metadata_of(obj)["resourceVersion"] = str(revision)
        self.obj = obj
        self.key: Key = key_of(obj)
        self.revision = revision
        self._encoded: dict[str, bytes] = {}

    def encoded(self, api_version: str, present: Callable[[Object], Object]) -> bytes:
        """The object's JSON as that version serves it; `present` is called once per version."""
        text = self._encoded.get(api_version)
        if text is None:
            text = self._encoded[api_version] = encode(present(self.obj))
        return text

    def at(self, revision: int) -> "Entry":
        """The same content under a later version, as a deletion is reported."""
        return Entry({**self.obj, "metadata": dict(self.obj["metadata"])}, revision)


class Change(NamedTuple):
    """One write: ADDED, MODIFIED or DELETED, what is now (or was last), and what was before."""

    type: str
    entry: Entry
    previous: Entry | None


class Watcher:
    """One running watch: what it wants to see and what it has not yet sent."""

    def __init__(self, namespace: str, predicate: Predicate | None, wake: Callable[[], None]) -> None:
        self._namespace = namespace
        self._predicate = predicate
        self._wake = wake
        self._pending: list[tuple[str, Entry]] = []
        self.error: Refusal | None = None
        self.closed = False

    def sees(self, entry: Entry | None) -> bool:
        """Whether an object is within the watch's namespace and selectors."""
        if entry is None or (self._namespace and entry.key[0] != self._namespace):
            return False
        return self._predicate is None or self._predicate(entry.obj)

    def offer(self, change: Change) -> None:
        """Queues the change as this watch sees it: an object that leaves the selection was deleted, one that enters was added."""
        before, after = self.sees(change.previous), change.type != "DELETED" and self.sees(change.entry)
        if after:
            self._pending.append(("MODIFIED" if before else "ADDED", change.entry))
        elif before and change.previous is not None:
            gone = change.entry if change.type == "DELETED" else change.previous.at(change.entry.revision)
            self._pending.append(("DELETED", gone))
        else:
            return
        self._wake()

    def drain(self) -> list[tuple[str, Entry]]:
        """What is to be sent now."""
        pending, self._pending = self._pending, []
        return pending

    def close(self, error: Refusal | None = None) -> None:
        """Ends the stream after what is pending, with an ERROR event when there is an error."""
        self.error, self.closed = error, True
        self._wake()


class Collection:
    """All objects of one kind, whatever version they are served in, and their recent changes."""

    def __init__(self, history: int, floor: int) -> None:
        self._entries: dict[Key, Entry] = {}
        self._keys: list[Key] | None = []
        self._changes: deque[Change] = deque(maxlen=history)
        self.floor = floor
        self.watchers: set[Watcher] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, namespace: str, name: str) -> Entry | None:
        return self._entries.get((namespace, name))

    def scan(self, namespace: str = "") -> Iterator[Entry]:
        """The entries of one namespace, or of all, in the order of their keys."""
        if self._keys is None:
            self._keys = sorted(self._entries)
        keys = self._keys
        if not namespace:
            return iter([self._entries[key] for key in keys])
        low, high = bisect_right(keys, (namespace,)), bisect_right(keys, (namespace, "\U0010ffff"))
        return iter([self._entries[key] for key in keys[low:high]])

    def since(self, revision: int) -> list[Change]:
        """The changes after a version; refuses (410) when some of them are forgotten."""
        if revision < self.floor:
            raise expired(f"too old resource version: {revision} ({self.floor})")
        return [change for change in self._changes if change.entry.revision > revision]

    def apply(self, change: Change) -> None:
        """Makes the change the present and tells every watch."""
        if len(self._changes) == self._changes.maxlen:
            self.floor = self._changes[0].entry.revision
        self._changes.append(change)
        if change.type == "DELETED":
            del self._entries[change.entry.key]
            self._keys = None
        else:
            if change.type == "ADDED":
                self._keys = None
            self._entries[change.entry.key] = change.entry
        for watcher in self.watchers:
            watcher.offer(change)

    def forget(self, floor: int) -> None:
        """Drops the past up to a version."""
        self._changes.clear()
        self.floor = floor


class Store:
    """All collections and the counter that orders their writes.

    `history` is the number of changes kept per collection; older ones answer 410.
    """

    def __init__(self, history: int = 10_000) -> None:
        self.revision = 1
        self._floor = 0
        self._collections: dict[str, Collection] = defaultdict(lambda: Collection(history, self._floor))
        self._snapshots: OrderedDict[tuple[str, str, int], list[Entry]] = OrderedDict()
        self._listeners: list[Callable[[str, Change], None]] = []
        self._dependents: dict[str, set[tuple[str, Key]]] = defaultdict(set)
        self._uids: set[str] = set()

    def collection(self, storage: str) -> Collection:
        """The collection of that name (`deployments.apps`), created when it is first asked for."""
        return self._collections[storage]

    def collections(self) -> list[tuple[str, Collection]]:
        return list(self._collections.items())

    def listen(self, listener: Callable[[str, Change], None]) -> None:
        """Calls the listener with the collection's name after every change, within the write."""
        self._listeners.append(listener)

    def put(self, storage: str, obj: Object) -> Entry:
        """Creates or replaces an object; gives it the next version."""
        collection = self.collection(storage)
        previous = collection.get(*key_of(obj))
        self.revision += 1
        entry = Entry(obj, self.revision)
        self._commit(storage, Change("MODIFIED" if previous else "ADDED", entry, previous))
        return entry

    def remove(self, storage: str, entry: Entry) -> Entry:
        """Deletes an object; returns its last content under the version of the deletion."""
        self.revision += 1
        last = entry.at(self.revision)
        self._commit(storage, Change("DELETED", last, entry))
        return last

    def dependents(self, uid: str) -> list[tuple[str, Key]]:
        """Collection and key of every object that names this owner."""
        return sorted(self._dependents.get(uid, ()))

    def alive(self, uid: str) -> bool:
        """Whether an object of that uid is there."""
        return uid in self._uids

    def snapshot(self, storage: str, namespace: str, revision: int | None = None) -> tuple[int, list[Entry]]:
        """The objects as they are now or, for a page after the first, as they were then; refuses a forgotten version (410)."""
        if revision is not None and revision != self.revision:
            entries = self._snapshots.get((storage, namespace, revision))
            if entries is None:
                raise expired("The resourceVersion for the provided list is too old.")
            return revision, entries
        return self.revision, list(self.collection(storage).scan(namespace))

    def keep(self, storage: str, namespace: str, revision: int, entries: list[Entry]) -> None:
        """Remembers a list for its further pages."""
        self._snapshots[storage, namespace, revision] = entries
        while len(self._snapshots) > _SNAPSHOTS_KEPT:
            self._snapshots.popitem(last=False)

    def compact(self) -> None:
        """Forgets the past: every version handed out before is too old from now on."""
        self.revision += 1
        self._floor = self.revision
        self._snapshots.clear()
        for collection in self._collections.values():
            collection.forget(self._floor)

    def _commit(self, storage: str, change: Change) -> None:
        if change.previous:
            self._note(change.previous, storage, present=False)
        if change.type != "DELETED":
            self._note(change.entry, storage, present=True)
        self.collection(storage).apply(change)
        for listener in self._listeners:
            listener(storage, change)

    def _note(self, entry: Entry, storage: str, *, present: bool) -> None:
        """Keeps the indexes of uids and of owners."""
        metadata = entry.obj["metadata"]
        note = set.add if present else set.discard
        note(self._uids, metadata.get("uid", ""))
        for owner in metadata.get("ownerReferences") or ():
            dependents = self._dependents[owner["uid"]]
            note(dependents, (storage, entry.key))
            if not dependents:
                del self._dependents[owner["uid"]]
