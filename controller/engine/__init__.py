"""The decision: arrays and settings in, replicas and the reasons for them out. Pure numpy; no I/O, no clock, no Kubernetes."""

from controller.engine.alarm import Alarm
from controller.engine.anomaly import Anomaly
from controller.engine.batch import Rules, Scalers, Watched
from controller.engine.decision import Decisions, Stage, evaluate
from controller.engine.law import Law
from controller.engine.learned import Learned
from controller.engine.overrides import Override, Overrides
from controller.engine.reasons import NONE, code, reason
from controller.engine.record import DimensionRecord, Record, record_of
from controller.engine.samples import History, Load, LoadKind, Samples

__all__ = [
    "NONE",
    "Alarm",
    "Anomaly",
    "Decisions",
    "DimensionRecord",
    "History",
    "Law",
    "Learned",
    "Load",
    "LoadKind",
    "Override",
    "Overrides",
    "Record",
    "Rules",
    "Samples",
    "Scalers",
    "Stage",
    "Watched",
    "code",
    "evaluate",
    "reason",
    "record_of",
]
