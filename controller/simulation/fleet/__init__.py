"""Many runs of one workload in lockstep, a sync at a time: for the simulator, where the plant would be too slow."""

from controller.simulation.fleet.fleet import Fleet
from controller.simulation.fleet.flow import Conditions
from controller.simulation.fleet.metrics import Seen, quantile_of_histogram
from controller.simulation.fleet.record import Record
from controller.simulation.fleet.settings import (
    SYNC_SECONDS,
    FleetSettings,
    Noise,
    Reshape,
    Variant,
    reference_plant,
)

__all__ = [
    "SYNC_SECONDS",
    "Conditions",
    "Fleet",
    "FleetSettings",
    "Noise",
    "Record",
    "Reshape",
    "Seen",
    "Variant",
    "quantile_of_histogram",
    "reference_plant",
]
