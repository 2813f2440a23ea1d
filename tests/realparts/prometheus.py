"""A real Prometheus server for a test: scrapes what it is told to, answers queries, can go away and come back.

Its configuration is written as JSON, which is YAML.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.realparts.parts import locate
from tests.realparts.processes import ChildProcess, free_ports, http_ok


class QueryError(Exception):
    """Prometheus refused a query; the message is its own."""


class PrometheusServer:
    """Prometheus on a free loopback port in a temporary folder, for the length of a `with` block.

    `scrape_targets` are "host:port" addresses, as a sequence (job "test") or as job name to sequence; all are
    scraped at `/metrics`. `rules` are rule groups as in a rules file. `extra_config` replaces or adds top-level
    keys of the configuration, except that its `scrape_configs` are added to the generated ones; `flags` are added
    to the command line.
    """

    def __init__(
        self,
        scrape_targets: Sequence[str] | Mapping[str, Sequence[str]] = (),
        scrape_interval: str = "1s",
        *,
        extra_config: Mapping[str, Any] | None = None,
        rules: Sequence[Mapping[str, Any]] = (),
        flags: Sequence[str] = (),
    ) -> None:
        self._binary = locate("prometheus")["prometheus"]
        jobs = scrape_targets if isinstance(scrape_targets, Mapping) else {"test": scrape_targets}
        extra = dict(extra_config or {})
        self._config = {
            "global": {"scrape_interval": scrape_interval, "evaluation_interval": scrape_interval},
            "rule_files": ["rules.json"],
            "scrape_configs": [
                *({"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in jobs.items()),
                *extra.pop("scrape_configs", ()),
            ],
            **extra,
        }
        self._rules = {"groups": list(rules)}
        self._flags = list(flags)
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder: Path | None = None
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """The temporary folder: `prometheus.log`, the configuration, and the samples under `data`."""
        if self._folder is None:
            raise RuntimeError("this Prometheus has no folder yet; use it in a `with` block")
        return self._folder

    def start(self) -> None:
        """Start it and wait until it is ready; after `stop` on the same address with the same samples."""
        try:
            if self._process is None:
                self._process = self._prepare()
            self._process.start()
            self._process.wait_until(lambda: http_ok(f"{self.url}/-/ready"))
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Stop it but keep its samples: an outage."""
        if self._process is not None:
            self._process.stop(grace_seconds=10.0)

    def close(self) -> None:
        """Stop it for good and remove its folder."""
        self.stop()
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def query(self, promql: str, time: float | None = None) -> list[dict[str, Any]]:
        """The series of an instant query, now or at a Unix time; `QueryError` if Prometheus refuses it."""
        fields = {"query": promql} if time is None else {"query": promql, "time": repr(time)}
        body = urllib.parse.urlencode(fields).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query", data=body, timeout=10.0) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise QueryError(f"{promql}: {json.load(refusal).get('error', refusal.reason)}") from refusal
        if data["resultType"] != "vector":
            raise QueryError(f"{promql} is a {data['resultType']}; write vector(...) around it")
        series: list[dict[str, Any]] = data["result"]
        return series

    def _prepare(self) -> ChildProcess:
        self._folder = Path(tempfile.mkdtemp(prefix="compositescaler-prometheus-"))
        (self._folder / "prometheus.json").write_text(json.dumps(self._config), encoding="utf-8")
        (self._folder / "rules.json").write_text(json.dumps(self._rules), encoding="utf-8")
        arguments = [
            str(self._binary),
            f"--config.file={self._folder / 'prometheus.json'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--scrape.discovery-reload-interval=50ms",  # by default the first scrape waits for 5 s
            *self._flags,
        ]
        return ChildProcess("prometheus", arguments, self._folder / "prometheus.log")
