"""The verbs: get, list, watch, create, update, patch, delete, on objects and their subresources.

One method per verb; each turns a parsed request into calls of the store and the life cycle, and their results into bytes.
"""

import base64
import binascii
import json
import random
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from controller.embedded.lifecycle import Lifecycle, WriteOptions
from controller.embedded.objects import Object, encode
from controller.embedded.patches import apply_patch
from controller.embedded.refusals import (
    Cause,
    Refusal,
    Undecodable,
    bad_request,
    expired,
    invalid,
    method_not_allowed,
    not_found,
)
from controller.embedded.request import Target, delete_options, parse_body, wants_table, write_options
from controller.embedded.resources import Catalog
from controller.embedded.scale import read_scale, with_replicas
from controller.embedded.selectors import Predicate, compile_field_selector, compile_label_selector
from controller.embedded.store import Change, Entry, Store, Watcher
from controller.embedded.tables import table
from controller.embedded.views import list_item, present, stored
from controller.embedded.watching import Watches, WatchStream

__all__ = ["Handlers"]

_TRUE = ("true", "1")
_LONGEST_WATCH = 1800.0


class Handlers:
    """The verbs on one store."""

    def __init__(self, store: Store, catalog: Catalog, lifecycle: Lifecycle, bookmark_interval: float) -> None:
        self._store = store
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._bookmark_interval = bookmark_interval
        self.watches = Watches()

    async def handle(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answers one resource request."""
        if request.method in ("GET", "HEAD"):
            if target.name:
                return self._get(request, target)
            if request.query.get("watch") in _TRUE:
                return await self._watch(request, target)
            return self._list(request, target)
        body = await request.read()
        if request.method == "POST" and not target.name:
            return self._create(request, target, body)
        if request.method == "PUT" and target.name:
            return self._update(request, target, body)
        if request.method == "PATCH" and target.name:
            return self._patch(request, target, body)
        if request.method == "DELETE" and not target.subresource:
            return self._delete(request, target, body) if target.name else self._delete_all(request, target, body)
        raise method_not_allowed()

    def _entry(self, target: Target) -> Entry:
        entry = self._store.collection(target.resource.storage).get(target.namespace, target.name)
        if entry is None:
            raise not_found(target.resource.group, target.resource.plural, target.name)
        return entry

    def _encoded(self, target: Target, entry: Entry) -> bytes:
        """The bytes of an object, or of its Scale."""
        resource = target.resource
        if target.subresource == "scale" and resource.scale:
            return encode(read_scale(resource.scale, entry.obj))
        return entry.encoded(resource.api_version, lambda obj: present(resource, obj))

    def _get(self, request: web.Request, target: Target) -> web.Response:
        entry = self._entry(target)
        if wants_table(request.headers.get("Accept", "")) and not target.subresource:
            metadata = {"resourceVersion": str(entry.revision)}
            return _json(encode(table(target.resource, [entry.obj], metadata, _include(request.query))))
        return _json(self._encoded(target, entry))

    def _predicate(self, target: Target, query: Mapping[str, str]) -> Predicate | None:
        labels = compile_label_selector(query.get("labelSelector", ""))
        fields = compile_field_selector(
            query.get("fieldSelector", ""), target.resource.selectable, target.resource.unsupported_field
        )
        if labels and fields:
            return lambda obj: labels(obj) and fields(obj)
        return labels or fields

    def _list(self, request: web.Request, target: Target) -> web.Response:
        query, resource = request.query, target.resource
        predicate = self._predicate(target, query)
        limit = _number(query, "limit", 0)
        revision, entries, start = self._page(target, query)
        remaining = entries[start:] if start else entries
        if predicate:
            remaining = [entry for entry in remaining if predicate(entry.obj)]
        page = remaining[:limit] if limit else remaining
        metadata: Object = {"resourceVersion": str(revision)}
        if len(page) < len(remaining):
            self._store.keep(resource.storage, target.namespace, revision, entries)
            metadata["continue"] = _token(revision, page[-1].key)
            if predicate is None:
                metadata["remainingItemCount"] = len(remaining) - len(page)
        if wants_table(request.headers.get("Accept", "")):
            return _json(encode(table(resource, (e.obj for e in page), metadata, _include(query))))
        head = encode({"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata})
        items = b",".join(list_item(resource, self._encoded(target, entry)) for entry in page)
        return _json(head[:-1] + b',"items":[' + items + b"]}")

    def _page(self, target: Target, query: Mapping[str, str]) -> tuple[int, list[Entry], int]:
        """The version of the list, all its entries, and where the asked-for page begins."""
        token, storage = query.get("continue", ""), target.resource.storage
        if not token:
            wanted = _number(query, "resourceVersion", 0)
            if wanted > self._store.revision:
                raise _too_new(wanted, self._store.revision)
            exact = query.get("resourceVersionMatch") == "Exact"
            revision, entries = self._store.snapshot(storage, target.namespace, wanted if exact else None)
            return revision, entries, 0
        revision, key = _parse_token(token)
        try:
            # A token that outlived its list goes on in the present, as its refusal (410) offered.
            version, entries = self._store.snapshot(storage, target.namespace, revision if revision >= 0 else None)
        except Refusal:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list "
                "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
                "the results. Continuing with the provided token results in an inconsistent list - objects that were "
                "created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
                _token(-1, key),
            ) from None
        return version, entries, next((i for i, entry in enumerate(entries) if entry.key > key), len(entries))

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query, resource = request.query, target.resource
        collection = self._store.collection(resource.storage)
        as_table = wants_table(request.headers.get("Accept", ""))
        include, headers = _include(query), iter([True])

        def render(entry: Entry) -> bytes:
            if not as_table:
                return self._encoded(target, entry)
            metadata = {"resourceVersion": str(entry.revision)}
            return encode(table(resource, [entry.obj], metadata, include, next(headers, False)))

        bookmarks = self._bookmark_interval if query.get("allowWatchBookmarks") in _TRUE else None
        stream = WatchStream(request, resource, render, lambda: self._store.revision, bookmarks)
        watcher = Watcher(target.namespace, self._predicate(target, query), stream.wake)
        revision = _number(query, "resourceVersion", 0)
        initial = query.get("sendInitialEvents") in _TRUE
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            raise _initial_events_without_match()
        if initial or (revision == 0 and query.get("sendInitialEvents") != "false"):
            for entry in collection.scan(target.namespace):
                watcher.offer(Change("ADDED", entry, None))
        else:
            try:
                for change in collection.since(revision or self._store.revision):
                    watcher.offer(change)
            except Refusal as too_old:
                watcher.close(too_old)
        timeout = float(_number(query, "timeoutSeconds", 0)) or random.uniform(1, 2) * _LONGEST_WATCH  # noqa: S311
        return await self.watches.run(stream, collection, watcher, watcher.drain(), timeout, initial)

    def _create(self, request: web.Request, target: Target, body: bytes) -> web.Response:
        resource, warnings = target.resource, list[str]()
        obj = stored(resource, parse_body(target, body, resource.kind, resource.api_version))
        namespace = target.namespace
        if resource.namespaced and not namespace:
            raise method_not_allowed()
        entry = self._lifecycle.create(resource, namespace, obj, write_options(request.query, warnings))
        return self._written(request, target, entry, 201, warnings)

    def _update(self, request: web.Request, target: Target, body: bytes) -> web.Response:
        resource, warnings = target.resource, list[str]()
        options = write_options(request.query, warnings)
        if target.subresource == "scale":
            return self._rescale(request, target, parse_body(target, body, "Scale", "autoscaling/v1"), options)
        obj = stored(resource, parse_body(target, body, resource.kind, resource.api_version))
        existing = self._store.collection(resource.storage).get(target.namespace, target.name)
        if existing is None and resource.create_on_update and not target.subresource:
            obj["metadata"].setdefault("name", target.name)
            created = self._lifecycle.create(resource, target.namespace, obj, options)
            return self._written(request, target, created, 201, warnings)
        entry = self._lifecycle.update(resource, self._entry(target), obj, options, target.subresource)
        return self._written(request, target, entry, 200, warnings)

    def _patch(self, request: web.Request, target: Target, body: bytes) -> web.Response:
        resource, warnings = target.resource, list[str]()
        options = write_options(request.query, warnings)
        current = self._entry(target)
        scaling = target.subresource == "scale"
        shown = json.loads(self._encoded(target, current))
        patched = apply_patch(request.content_type, shown, body, strategic=not resource.custom or scaling)
        kind, version = ("Scale", "autoscaling/v1") if scaling else (resource.kind, resource.api_version)
        patched = parse_body(target, encode(patched), kind, version)
        try:
            if scaling:
                return self._rescale(request, target, patched, options)
            entry = self._lifecycle.update(resource, current, stored(resource, patched), options, target.subresource)
        except Undecodable as refusal:
            raise refusal.as_patch() from refusal
        return self._written(request, target, entry, 200, warnings)

    def _rescale(self, request: web.Request, target: Target, scale: Object, options: WriteOptions) -> web.Response:
        paths, current = target.resource.scale, self._entry(target)
        assert paths is not None
        entry = self._lifecycle.update(target.resource, current, with_replicas(paths, current.obj, scale), options)
        return self._written(request, target, entry, 200, [])

    def _written(
        self, request: web.Request, target: Target, entry: Entry, status: int, warnings: list[str]
    ) -> web.Response:
        if wants_table(request.headers.get("Accept", "")) and not target.subresource:
            metadata = {"resourceVersion": str(entry.revision)}
            return _json(encode(table(target.resource, [entry.obj], metadata, _include(request.query))), status)
        response = _json(self._encoded(target, entry), status)
        for warning in warnings:
            response.headers.add("Warning", f'299 - "{warning.replace(chr(34), chr(92) + chr(34))}"')
        return response

    def _delete(self, request: web.Request, target: Target, body: bytes) -> web.Response:
        resource, entry = target.resource, self._entry(target)
        left = self._lifecycle.delete(resource, entry, delete_options(request.query, body))
        if left is not None or resource.graceful:
            return _json(self._encoded(target, left or entry))
        details = {"name": target.name, "group": resource.group, "kind": resource.plural}
        details["uid"] = entry.obj["metadata"]["uid"]
        details = {key: value for key, value in details.items() if value}
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return _json(encode({**head, "details": details}))

    def _delete_all(self, request: web.Request, target: Target, body: bytes) -> web.Response:
        resource, predicate = target.resource, self._predicate(target, request.query)
        options = delete_options(request.query, body)
        entries = list(self._store.collection(resource.storage).scan(target.namespace))
        deleted = [entry for entry in entries if predicate is None or predicate(entry.obj)]
        for entry in deleted:
            if self._store.collection(resource.storage).get(*entry.key) is entry:
                self._lifecycle.delete(resource, entry, options)
        items = b",".join(list_item(resource, self._encoded(target, entry)) for entry in deleted)
        metadata = {"resourceVersion": str(self._store.revision)}
        head = encode({"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata})
        return _json(head[:-1] + b',"items":[' + items + b"]}")


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def _include(query: Mapping[str, str]) -> str:
    return query.get("includeObject") or "Metadata"


def _number(query: Mapping[str, str], name: str, absent: int) -> int:
    text = query.get(name, "")
    if not text:
        return absent
    if not text.isdecimal():
        raise bad_request(f'Invalid value for query parameter {name}: "{text}"; write a number')
    return int(text)


def _initial_events_without_match() -> Refusal:
    message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    return invalid("meta.k8s.io", "ListOptions", "", [Cause("FieldValueForbidden", message, "resourceVersionMatch")])


def _too_new(wanted: int, current: int) -> Refusal:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details: dict[str, Any] = {"causes": [cause], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return Refusal(504, "Timeout", message, details)


def _token(revision: int, key: tuple[str, str]) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": revision, "start": list(key)}
    return base64.urlsafe_b64encode(encode(content)).decode().rstrip("=")


def _parse_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("continue key is not valid: write the token of the last list as it was given") from error
