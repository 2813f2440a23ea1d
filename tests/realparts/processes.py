"""Child processes of the real parts: free ports, start, wait until ready, stop, and the log's end on failure.

Knows nothing of Kubernetes or Prometheus. No child outlives the test run, not even one that was killed.
"""

from __future__ import annotations

import os
import random
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

# Below the range from which the kernel takes ports for outgoing connections: otherwise any connection on this
# machine could take the port of a server between choosing and binding it, or while a test has the server stopped.
_PORTS: Final = range(20_000, 30_000)
_POLL_SECONDS: Final = 0.02
_LOG_TAIL_LINES: Final = 25

# Replaces itself by the server after asking the kernel to kill it when its parent dies. A wrapper instead of
# preexec_fn, which is unsafe once threads run and which Python 3.12 warns about.
_GUARD: Final = """
import ctypes, os, sys
if sys.platform.startswith("linux"):
    PR_SET_PDEATHSIG, SIGKILL = 1, 9
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent died first")
os.execv(sys.argv[2], sys.argv[2:])
"""

# The kernel's "parent" is the thread that started the child, so children are started by one thread that lives as
# long as the interpreter: a server restarted inside asyncio.to_thread would die with that pool's thread.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starts-real-parts")


class PartDidNotStartError(Exception):
    """A server exited or stayed silent; the message carries the end of its log."""


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nobody listens on now."""
    ports: list[int] = []
    for port in random.sample(_PORTS, k=len(_PORTS)):
        with socket.socket() as probe:
            # As a Go server does: a connection that lingers in TIME_WAIT does not make a port taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"found only {len(ports)} of {count} free ports from {_PORTS.start} to {_PORTS.stop}")


class ChildProcess:
    """One server: started, watched while it becomes ready, stopped, and started again with the same arguments."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not exited."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; the log of an earlier run is kept above the new one."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already; stop it first")
        command = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *self._arguments]
        with self.log.open("ab") as output:

            def spawn() -> subprocess.Popen[bytes]:
                # A session of its own, so that Ctrl-C reaches pytest only and the servers are stopped in order.
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )

            self._process = _starter.submit(spawn).result()

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float = 60.0) -> None:
        """Return once `ready()`; raises `PartDidNotStartError` when the server exits first or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise PartDidNotStartError(f"{self.name} exited while starting. The end of its log:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise PartDidNotStartError(
                    f"{self.name} was not ready after {timeout_seconds:g} s. The end of its log:\n{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM without waiting, so that several servers can wind down together."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after the grace, and wait until it is gone; nothing happens if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines it wrote."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) or "(nothing)"


def http_ok(url: str, *, ca: Path | None = None, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET answers 200 now; a refused connection and a certificate not yet written are simply "no"."""
    try:
        context = None if ca is None else ssl.create_default_context(cafile=ca)
        request = urllib.request.Request(url, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=2.0, context=context) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as problem:
        problem.close()
        return False
    except OSError:
        return False
