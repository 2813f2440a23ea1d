"""The plant, a Deployment under the load of a real trace, for the demo and the end-to-end test; and the simulator beside it."""

from controller.simulation.exposition import (
    CONTENT_TYPE,
    Family,
    MetricsServer,
    Series,
    families,
    render,
    serve,
)
from controller.simulation.figures import Figures, Spread
from controller.simulation.fleet import Fleet, FleetSettings, Record, Seen
from controller.simulation.latency import SATURATION, Service, Sojourn, sustainable
from controller.simulation.plant import Plant, Snapshot
from controller.simulation.pods import PodRef
from controller.simulation.policies import POLICIES, UnknownPolicy, policy_of
from controller.simulation.run import Policy, simulate
from controller.simulation.scenarios import SCENARIOS, Scenario, UnknownScenario, scenario_of
from controller.simulation.settings import PlantSettings, Schedule
from controller.simulation.traces import InvalidTrace, Trace, a_day, flash_crowd
from controller.simulation.truth import Judgement, Second, demanded
from controller.simulation.workload import PlantRunner

__all__ = [
    "CONTENT_TYPE",
    "POLICIES",
    "SATURATION",
    "SCENARIOS",
    "Family",
    "Figures",
    "Fleet",
    "FleetSettings",
    "InvalidTrace",
    "Judgement",
    "MetricsServer",
    "Plant",
    "PlantRunner",
    "PlantSettings",
    "PodRef",
    "Policy",
    "Record",
    "Scenario",
    "Schedule",
    "Second",
    "Seen",
    "Series",
    "Service",
    "Snapshot",
    "Sojourn",
    "Spread",
    "Trace",
    "UnknownPolicy",
    "UnknownScenario",
    "a_day",
    "demanded",
    "families",
    "flash_crowd",
    "policy_of",
    "render",
    "scenario_of",
    "serve",
    "simulate",
    "sustainable",
]
