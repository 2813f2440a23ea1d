"""A CompositeScaler as the object that an Event is about."""

from __future__ import annotations

from controller.api import GROUP, KIND, VERSION
from controller.kube import Regarding
from controller.operator.scalers import Scaler

__all__ = ["reference"]


def reference(scaler: Scaler) -> Regarding:
    """The reference for an Event's involvedObject."""
    namespace, name = scaler.key
    return Regarding(KIND, namespace, name, scaler.uid, f"{GROUP}/{VERSION}")
