"""The plant's series in Prometheus' text format, and an HTTP endpoint that a Prometheus can scrape.

One job's worth of what cAdvisor, kube-state-metrics and an instrumented service export together, with the labels
`namespace`, `pod` and `container`. Scrape with `honor_labels: true`: those labels name the pods, not the endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

from controller.simulation.plant import Plant, Snapshot

__all__ = ["CONTENT_TYPE", "Family", "MetricsServer", "Series", "families", "render", "serve"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Series(NamedTuple):
    """One sample: the name with its suffix, labels and value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(NamedTuple):
    """Series of one metric with its kind and its help text."""

    name: str
    kind: str
    help: str
    series: list[Series]


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Every series of a snapshot, by metric."""
    settings = snapshot.settings
    labels = [
        (("namespace", pod.namespace), ("pod", pod.name), ("container", settings.container)) for pod in snapshot.pods
    ]

    def plain(name: str, kind: str, text: str, values: list[float]) -> Family:
        return Family(name, kind, text, [Series(name, of, v) for of, v in zip(labels, values, strict=True)])

    yield plain(
        "container_cpu_usage_seconds_total", "counter", "CPU seconds used.", [float(v) for v in snapshot.cpu_seconds]
    )
    yield plain(
        "container_memory_working_set_bytes",
        "gauge",
        "Working set in bytes.",
        [float(int(v)) for v in snapshot.memory_bytes],
    )

    requests = "kube_pod_container_resource_requests"
    amounts = (("cpu", "core", settings.cpu_request), ("memory", "byte", settings.memory_request))
    yield Family(
        requests,
        "gauge",
        "What the container requests.",
        [Series(requests, (*of, ("resource", r), ("unit", unit)), v) for of in labels for r, unit, v in amounts],
    )

    latency = "http_request_duration_seconds"
    bounds = [*(repr(float(bound)) for bound in settings.buckets), "+Inf"]
    histogram: list[Series] = []
    for row, of in enumerate(labels):
        counts = snapshot.buckets[row]
        histogram += (
            Series(f"{latency}_bucket", (*of, ("le", le)), float(count))
            for le, count in zip(bounds, counts, strict=True)
        )
        histogram.append(Series(f"{latency}_sum", of, float(snapshot.latency_seconds[row])))
        histogram.append(Series(f"{latency}_count", of, float(snapshot.requests[row])))
    yield Family(latency, "histogram", "Response time of the answered requests.", histogram)


def render(snapshot: Snapshot) -> str:
    """The text that a scrape gets, one line a series, without timestamps."""
    lines: list[str] = []
    for family in families(snapshot):
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for name, labels, value in family.series:
            pairs = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"{name}{{{pairs}}} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else repr(float(value))


class MetricsServer:
    """`GET /metrics` of one plant, in a thread of its own; use it as a context manager, or `close` it."""

    def __init__(self, plant: Plant, host: str, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.partition("?")[0] != "/metrics":
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                body = render(plant.snapshot()).encode()
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """A scrape every second is no news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="plant-metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where the series are."""
        return f"http://{self._server.server_address[0]!s}:{self.port}/metrics"

    def close(self) -> None:
        """Stop answering and wait for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(plant: Plant, port: int = 0, host: str = "127.0.0.1") -> MetricsServer:
    """Serve the plant's series at `/metrics`; port 0 takes a free one. Raises OSError when the port is taken."""
    return MetricsServer(plant, host, port)
