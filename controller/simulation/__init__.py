"""The plant: a Deployment under the load of a real trace, for the demo, the end-to-end test and the simulator."""

from controller.simulation.exposition import (
    CONTENT_TYPE,
    Family,
    MetricsServer,
    Series,
    families,
    render,
    serve,
)
from controller.simulation.latency import SATURATION, Service, Sojourn, sustainable
from controller.simulation.plant import Plant, Snapshot
from controller.simulation.pods import PodRef
from controller.simulation.settings import PlantSettings, Schedule
from controller.simulation.traces import InvalidTrace, Trace, flash_crowd
from controller.simulation.truth import Judgement, Second, demanded
from controller.simulation.workload import PlantRunner

__all__ = [
    "CONTENT_TYPE",
    "SATURATION",
    "Family",
    "InvalidTrace",
    "Judgement",
    "MetricsServer",
    "Plant",
    "PlantRunner",
    "PlantSettings",
    "PodRef",
    "Schedule",
    "Second",
    "Series",
    "Service",
    "Snapshot",
    "Sojourn",
    "Trace",
    "demanded",
    "families",
    "flash_crowd",
    "render",
    "serve",
    "sustainable",
]
