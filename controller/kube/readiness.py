"""Waiting for the CompositeScaler CRD: kopf with scanning disabled never notices one that is created later."""

import asyncio
import logging
from typing import Final

from controller.api.errors import NotFound, ServerError, TooManyRequests, Unreachable
from controller.kube.client import Client
from controller.kube.discovery import Discovery
from controller.kube.status import COMPOSITE_SCALERS

__all__ = ["crd_present", "wait_for_crd"]

POLL_SECONDS: Final = 2.0


async def crd_present(client: Client) -> bool:
    """Whether the server serves CompositeScalers now; raises a `KubernetesError` other than `NotFound`."""
    try:
        served = await Discovery(client).resolve(COMPOSITE_SCALERS.api_version, COMPOSITE_SCALERS.kind)
    except NotFound:
        return False
    return served.plural == COMPOSITE_SCALERS.plural


async def wait_for_crd(client: Client, log: logging.Logger, *, poll: float = POLL_SECONDS) -> None:
    """Return when the server serves CompositeScalers; says once what it is waiting for, and once that it is over.

    An API server that cannot be reached yet is waited for, too. Raises `Forbidden` when we may not even look.
    """
    said: type | None = None
    while True:
        try:
            if await crd_present(client):
                break
            reason: type = NotFound
            why = f"the API server at {client.host} has no CompositeScalers yet: kubectl apply -f crds/"
        except (Unreachable, ServerError, TooManyRequests) as error:
            reason, why = type(error), str(error)
        if reason is not said:
            log.warning("waiting: %s", why)
            said = reason
        await asyncio.sleep(poll)
    if said is not None:
        log.info("CompositeScalers are served: starting")
