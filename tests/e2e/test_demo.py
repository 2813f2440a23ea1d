"""`make demo` as a person runs it: one command, nothing but Python."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo in a folder of its own, which is its temporary folder too.

    It gets every signal as a terminal would give it, even where the tests themselves were told to ignore some (nohup).
    """
    before = {number: signal.signal(number, lambda *_: None) for number in INTERRUPTIONS}
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "controller", "demo", *arguments],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_the_promised_latency_is_held_through_the_flash_crowd_and_the_report_tells_so(tmp_path: Path) -> None:
    began = time.monotonic()
    demo = start(tmp_path, "--picture", "demo.svg")
    output, _ = demo.communicate(timeout=170)
    assert demo.returncode == 0, output
    assert time.monotonic() - began < 120, "under two minutes"
    assert "held: the 95th percentile stayed at or below 300 ms" in output
    assert "scaling from 12 to" in output, "the last decision is shown in words"
    assert re.search(r"Capacity \(demand \d+ rps, \d+ ahead, [0-9.]+ a pod at the target\)", output), "what decided"
    assert re.search(r"response Capacity: [0-9.]+% of the requests late or failed, [0-9.]+ pod-hours", output)
    report = (tmp_path / "compositescaler-demo.html").read_text()
    assert "The promise was held" in report
    assert "<svg" in report
    assert (tmp_path / "demo.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    demo = start(tmp_path)
    me = psutil.Process(demo.pid)
    deadline = time.monotonic() + 60
    while not any("run" in child.cmdline() for child in me.children(recursive=True)):
        assert time.monotonic() < deadline, "the operator was not started"
        time.sleep(0.1)
    time.sleep(3)
    children = me.children(recursive=True)
    demo.send_signal(how)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130, output
    assert "stopped" in output
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert [each.name for each in tmp_path.iterdir()] == []
