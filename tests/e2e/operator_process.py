"""The operator as its own process, as a user runs it: a configuration file, a kubeconfig, nothing shared with the test."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families


class OperatorProcess:
    """Starts `compositescaler run` on a free port; its log lines are read as JSON."""

    def __init__(self, folder: Path, kubeconfig: Path, configuration: dict[str, Any]) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._configuration = {"logFormat": "json", "listen": "127.0.0.1:0", **configuration}
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> Path:
        """Everything that the present process wrote."""
        return self._folder / f"operator-{self._starts}.log"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._starts += 1
        config = self._folder / "configuration.yaml"
        config.write_text(yaml.safe_dump(self._configuration))
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "controller",
                    "run",
                    "--config",
                    str(config),
                    "--kubeconfig",
                    str(self._kubeconfig),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30
        while not self._port():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the operator did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> float:
        """SIGTERM; returns the seconds it took to end. It must end by itself and with status 0."""
        assert self._process is not None
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=20)
        assert status == 0, f"exit status {status}:\n{self.log.read_text()[-4000:]}"
        return time.monotonic() - started

    def kill(self) -> None:
        """SIGKILL: no chance to say good-bye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its endpoints."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port()}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Its metrics: name to sorted labels to value."""
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def _port(self) -> int | None:
        found = re.search(r"listening on port (\d+)", self.log.read_text())
        return int(found[1]) if found else None
