"""The one vocabulary of why: conditions, Events, metrics, logs and status all use these words.

Words that HPA users already know keep HPA's spelling and meaning. A new reason is added here, with its sentence in the
place that decides it; never as a string elsewhere.
"""

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Why something is as it is; the value is what users read."""

    # A scaler that cannot work as written (condition Ready).
    ACCEPTED = "Accepted"
    INVALID_SPEC = "InvalidSpec"
    INVALID_ANNOTATION = "InvalidAnnotation"
    UNKNOWN_SOURCE = "UnknownSource"
    UNKNOWN_FAMILY = "UnknownFamily"
    FAILED_GET_SCALE = "FailedGetScale"
    NOT_SCALABLE = "NotScalable"
    TARGET_NOT_FOUND = "TargetNotFound"

    # Data (condition ScalingActive, and the state of one dimension).
    VALID_METRIC_FOUND = "ValidMetricFound"
    PARTIAL_METRICS = "PartialMetrics"
    NO_VALID_METRIC = "NoValidMetric"
    SCALING_DISABLED = "ScalingDisabled"
    INVALID_SELECTOR = "InvalidSelector"
    NO_PODS = "NoPods"
    NO_READY_PODS = "NoReadyPods"
    NO_DATA = "NoData"
    STALE = "Stale"
    TOO_FEW_SAMPLES = "TooFewSamples"
    NOT_A_NUMBER = "NotANumber"
    INFINITE = "Infinite"
    NEGATIVE = "Negative"
    MISSING_REQUEST = "MissingRequest"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_TIMEOUT = "SourceTimeout"
    SOURCE_ERROR = "SourceError"
    QUERY_REJECTED = "QueryRejected"
    PARTIAL_ANSWER = "PartialAnswer"
    ANSWER_TOO_LARGE = "AnswerTooLarge"
    NOT_ONE_SERIES = "NotOneSeries"
    NOT_A_VECTOR = "NotAVector"
    MALFORMED_ANSWER = "MalformedAnswer"
    NO_DEMAND = "NoDemand"

    # The rule that decided (the record), and HPA's condition reasons.
    AS_PROPOSED = "AsProposed"
    AT_TARGET = "AtTarget"
    UP_ONLY = "UpOnly"
    WITHIN_TOLERANCE = "WithinTolerance"
    WAITING_FOR_NODES = "WaitingForNodes"
    ADAPTIVE_HOLD = "AdaptiveHold"
    SCALE_UP_STABILIZED = "ScaleUpStabilized"
    SCALE_DOWN_STABILIZED = "ScaleDownStabilized"
    COOLDOWN = "Cooldown"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    ANOMALY_HOLD = "AnomalyHold"
    TOO_MANY_REPLICAS = "TooManyReplicas"
    TOO_FEW_REPLICAS = "TooFewReplicas"
    DESIRED_WITHIN_RANGE = "DesiredWithinRange"

    # Whether pods help (conditions ScalingIneffective and TargetUnreachable).
    PODS_HELP = "PodsHelp"
    PODS_DO_NOT_HELP = "PodsDoNotHelp"
    TARGETS_REACHABLE = "TargetsReachable"
    FLOOR_AT_TARGET = "FloorAtTarget"

    # What overrides the decision (condition ScalingBlocked).
    NOT_BLOCKED = "NotBlocked"
    PAUSED = "Paused"
    PAUSED_REPLICAS = "PausedReplicas"
    PAUSED_SCALE_IN = "PausedScaleIn"
    PAUSED_SCALE_OUT = "PausedScaleOut"
    DRY_RUN = "DryRun"
    STOPPED = "Stopped"
    RESUMED = "Resumed"
    # Whether the load is far from usual (condition AnomalyDetected).
    AS_USUAL = "AsUsual"
    ANOMALY_DETECTED = "AnomalyDetected"

    # Acting (condition AbleToScale).
    SUCCEEDED_GET_SCALE = "SucceededGetScale"
    READY_FOR_NEW_SCALE = "ReadyForNewScale"
    SUCCEEDED_RESCALE = "SucceededRescale"
    FAILED_UPDATE_SCALE = "FailedUpdateScale"

    # Events that are not also a condition's reason.
    SUCCESSFUL_RESCALE = "SuccessfulRescale"
    FAILED_RESCALE = "FailedRescale"
    SCALING_INEFFECTIVE = "ScalingIneffective"
    TARGET_UNREACHABLE = "TargetUnreachable"
