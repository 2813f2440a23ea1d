"""kopf's part of the operator: the watch of CompositeScalers, login, start-up and clean-up, and nothing else.

Its handlers return nothing and touch no patch, and its storages keep nothing, so that it never writes to an object. Why not more of it
is used is in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import kopf
import kubernetes.client
import kubernetes.config

from controller.api import GROUP, PLURAL, VERSION
from controller.operator.scalers import ScalerStore

__all__ = ["PAGE", "NoDiffBase", "NoProgress", "registry", "settings"]

#: So many CompositeScalers are listed at once.
PAGE: Final = 500


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled configuration: nothing is written, and no event costs a deep copy of the object."""

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """There never is one."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers, because ours finish at once."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        """There never is any."""

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Keep nothing."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing to remove."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Nothing to touch."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing of ours is in there."""
        return essence


def registry(
    store: ScalerStore,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    kubeconfig: Path | None,
) -> kopf.OperatorRegistry:
    """The handlers: `start` and `stop` what runs beside kopf, keep the store current, log in by the file if one is given."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def _start(**_: Any) -> None:
        await start()

    @kopf.on.cleanup(registry=registry)
    async def _stop(**_: Any) -> None:
        await stop()

    @kopf.on.login(registry=registry)
    async def _login(logger: Any, settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
        if kubeconfig is not None:
            return _connection(kubeconfig)
        return kopf.login_via_client(logger=logger, settings=settings)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def _seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        if event["type"] == "DELETED":
            store.remove((body["metadata"]["namespace"], body["metadata"]["name"]), body["metadata"]["uid"])
        else:
            store.upsert(body)

    return registry


def settings() -> kopf.OperatorSettings:
    """Standing alone, without Events or annotations of its own, in pages."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = PAGE
    settings.watching.server_timeout = 300
    settings.queueing.idle_timeout = 1
    settings.networking.request_timeout = 30
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    return settings


def _connection(kubeconfig: Path) -> kopf.ConnectionInfo:
    """The file that was asked for, even inside a pod, where kopf's own login would prefer the pod's account."""
    access = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(config_file=str(kubeconfig), client_configuration=access)
    header = access.get_api_key_with_prefix("authorization") or access.get_api_key_with_prefix("BearerToken") or ""
    scheme, _, token = header.rpartition(" ")
    return kopf.ConnectionInfo(
        server=access.host,
        ca_path=access.ssl_ca_cert,
        insecure=not access.verify_ssl,
        username=access.username or None,
        password=access.password or None,
        scheme=scheme or None,
        token=token or None,
        certificate_path=access.cert_file,
        private_key_path=access.key_file,
    )
