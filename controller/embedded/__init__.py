"""What the demo and the tests use where no cluster and no Prometheus can be had: an in-process API server and metrics source."""

from controller.embedded.apiserver import EmbeddedApiServer, RequestRecord
from controller.embedded.metrics_faults import Faults
from controller.embedded.metrics_source import EmbeddedMetricsSource
from controller.embedded.workloads import WorkloadSettings

__all__ = ["EmbeddedApiServer", "EmbeddedMetricsSource", "Faults", "RequestRecord", "WorkloadSettings"]
