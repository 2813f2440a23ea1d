"""The patch formats: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and Kubernetes' strategic merge patch.

Server-side apply is not offered; it answers 415, as a server without it would.
"""

import copy
import json
from typing import Any

import jsonpatch
import jsonpointer

from controller.embedded.objects import Object
from controller.embedded.refusals import bad_request, unprocessable, unsupported_media_type
from controller.embedded.strategic import strategic_merge

__all__ = ["JSON_PATCH", "MERGE_PATCH", "STRATEGIC_PATCH", "apply_patch"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


def apply_patch(content_type: str, obj: Object, body: bytes, strategic: bool) -> Object:
    """The patched copy of an object; `strategic` is whether its kind understands strategic merge patches.

    Refuses a format that is not offered (415), a body that is no patch (400), a patch that does not apply (422).
    """
    accepted = [JSON_PATCH, MERGE_PATCH, *([STRATEGIC_PATCH] if strategic else [])]
    if content_type not in accepted:
        raise unsupported_media_type(accepted)
    try:
        patch = json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    if content_type == JSON_PATCH:
        return _json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"error decoding patch: a {content_type} is an object, not {type(patch).__name__}")
    if content_type == MERGE_PATCH:
        merged: Object = _merge(obj, patch)
        return merged
    return strategic_merge(obj, patch)


def _merge(obj: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _json_patch(obj: Object, patch: Any) -> Object:
    if not isinstance(patch, list):
        raise bad_request(f"error decoding patch: a {JSON_PATCH} is a list of operations, not {type(patch).__name__}")
    try:
        patched = jsonpatch.JsonPatch(patch).apply(obj)
    except jsonpatch.InvalidJsonPatch as error:
        raise bad_request(f"error decoding patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise unprocessable() from error
    if not isinstance(patched, dict):
        raise unprocessable()
    return patched
