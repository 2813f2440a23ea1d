"""Writing a CompositeScaler's status: nothing else of the object is ever touched."""

from collections.abc import Mapping
from typing import Final

from controller.kube.client import MERGE_PATCH, Client
from controller.kube.discovery import Resource
from controller.kube.scale import FIELD_MANAGER

__all__ = ["COMPOSITE_SCALERS", "patch_status"]

COMPOSITE_SCALERS: Final = Resource(
    "compositescaler.io", "v1alpha1", "compositescalers", "CompositeScaler", namespaced=True, scalable=False
)


async def patch_status(client: Client, namespace: str, name: str, status: Mapping[str, object]) -> None:
    """Merge `status` into the object's: what is not named stays, None removes, lists are replaced whole.

    Raises a `KubernetesError`; `NotFound` means that the object has gone.
    """
    await client.request(
        "PATCH",
        COMPOSITE_SCALERS.path(namespace, name, "status"),
        query={"fieldManager": FIELD_MANAGER},
        body={"status": dict(status)},
        content_type=MERGE_PATCH,
    )
