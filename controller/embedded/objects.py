"""What every Kubernetes object has in common, as plain JSON: identity, labels, owners, time stamps.

Objects stay dictionaries here on purpose: an API server stores what it is given, of kinds it has never heard of.
"""

import json
import random
from datetime import UTC, datetime
from typing import Any, TypeAlias

__all__ = [
    "Object",
    "Owner",
    "dig",
    "encode",
    "key_of",
    "labels_of",
    "metadata_of",
    "random_suffix",
    "timestamp",
]

Object: TypeAlias = dict[str, Any]
Owner: TypeAlias = dict[str, Any]

# Kubernetes leaves out vowels and look-alikes so that no suffix spells a word.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def encode(obj: object) -> bytes:
    """The JSON text of an object, compact, as it goes over the wire."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def metadata_of(obj: Object) -> Object:
    """The object's metadata; created empty when it has none."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        metadata = obj["metadata"] = {}
    return metadata


def key_of(obj: Object) -> tuple[str, str]:
    """`(namespace, name)`; the namespace of a cluster-wide object is empty."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def labels_of(obj: Object) -> dict[str, str]:
    """The object's labels; empty when it has none."""
    return obj.get("metadata", {}).get("labels") or {}


def dig(obj: Any, *path: str) -> Any:
    """The value at a path of keys, or None where the path ends early."""
    for key in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(key)
    return obj


def timestamp(moment: datetime | None = None) -> str:
    """Now, or the given moment, in UTC and whole seconds, as Kubernetes writes `creationTimestamp`."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_suffix(rng: random.Random, length: int = 5) -> str:
    """The random end of a generated name."""
    return "".join(rng.choices(_SUFFIX_ALPHABET, k=length))
