"""A real Kubernetes control plane for a test: etcd, kube-apiserver, kube-controller-manager and a simulated kubelet.

RBAC is on, so a ServiceAccount may do only what its role says. There is one node, `node-0`, and no scheduler: put
`nodeName: node-0` into a pod template. Pods get no ServiceAccount token mounted; ask for one with
`service_account_kubeconfig`. What pods do after that is in `stages`.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from tests.realparts.credentials import signing_key, write_kubeconfig
from tests.realparts.parts import locate
from tests.realparts.processes import ChildProcess, free_ports, http_ok
from tests.realparts.stages import stages

NODE: Final = "node-0"

# An API server waits for open watches to end by themselves; its data is thrown away anyway.
_GRACE_SECONDS: Final = 1.0

_AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class KubectlError(Exception):
    """kubectl exited with an error; the message is the command and what it wrote to stderr."""


class ControlPlane:
    """A control plane on free loopback ports in a temporary folder, for the length of a `with` block.

    `controllers=False` leaves out kube-controller-manager, the simulated kubelet and the node: objects then stay
    exactly as a test wrote them. A pod becomes Ready `pod_startup_seconds` after it was created, plus a uniform
    part of `pod_startup_jitter_seconds`. With `audit_log` every request is in `audit_log_path`, one JSON object per
    line.
    """

    def __init__(
        self,
        *,
        controllers: bool = True,
        pod_startup_seconds: float = 1.0,
        pod_startup_jitter_seconds: float = 0.0,
        audit_log: bool = False,
    ) -> None:
        self._binaries = locate("control_plane" if controllers else "api_server")
        self._controllers = controllers
        self._stages = stages(
            pod_startup_seconds=pod_startup_seconds, pod_startup_jitter_seconds=pod_startup_jitter_seconds
        )
        self._audit_log = audit_log
        etcd, etcd_peer, secure, manager, kwok = free_ports(5)
        self._etcd_url, self._etcd_peer_url = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{etcd_peer}"
        self._secure_port, self._manager_port, self._kwok_port = secure, manager, kwok
        self.url = f"https://127.0.0.1:{secure}"
        self.admin_token = secrets.token_hex(16)
        self._folder: Path | None = None
        self._started: list[ChildProcess] = []
        self._apiserver: ChildProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The temporary folder: `*.log` of every process, credentials, etcd's data."""
        if self._folder is None:
            raise RuntimeError("this control plane is not running; use it in a `with` block")
        return self._folder

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the administrator, who may do everything."""
        return self.folder / "admin.kubeconfig"

    @property
    def ca(self) -> Path:
        """The certificate authority of the API server, as PEM."""
        # kube-apiserver writes the certificate it made for itself and the authority that signed it into one file.
        return self.folder / "pki" / "apiserver.crt"

    @property
    def audit_log_path(self) -> Path:
        """One JSON object per finished request, if `audit_log` was asked for."""
        return self.folder / "audit.jsonl"

    def start(self) -> None:
        """Start everything and wait until it works; leaves nothing behind if it does not."""
        self._folder = Path(tempfile.mkdtemp(prefix="compositescaler-control-plane-"))
        try:
            self._write_files()
            etcd = self._start_process(
                "etcd",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={self._etcd_url}",
                f"--advertise-client-urls={self._etcd_url}",
                f"--listen-peer-urls={self._etcd_peer_url}",
                "--unsafe-no-fsync",  # nothing here has to survive a power cut
            )
            etcd.wait_until(lambda: http_ok(f"{self._etcd_url}/health"))
            self._apiserver = self._start_process("kube-apiserver", *self._apiserver_flags())
            self._wait_for_apiserver()
            if self._controllers:
                self._start_controllers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every process, clients before servers, wait for each, and remove the folder."""
        for process in self._started:
            if process.name in ("kube-controller-manager", "kwok"):
                process.ask_to_stop()
        for process in reversed(self._started):
            process.stop(_GRACE_SECONDS)
        self._started.clear()
        self._apiserver = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def stop_apiserver(self) -> None:
        """Take the API server away; etcd keeps the objects."""
        self._running_apiserver().stop(_GRACE_SECONDS)

    def start_apiserver(self) -> None:
        """Bring it back, ready, on the same address with the same objects, certificate and tokens."""
        self._running_apiserver().start()
        self._wait_for_apiserver()

    def restart_apiserver(self) -> None:
        """`stop_apiserver` and `start_apiserver`: every watch breaks, resource versions go on."""
        self.stop_apiserver()
        self.start_apiserver()

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the word subprocess.run uses
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator (another `--kubeconfig` among `args` wins); `KubectlError` if it fails."""
        base = [
            str(self._binaries["kubectl"]),
            f"--cache-dir={self.folder / 'kubectl'}",
            f"--kubeconfig={self.kubeconfig}",
        ]
        result = subprocess.run([*base, *args], input=input, capture_output=True, text=True, timeout=120, check=False)
        if check and result.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(args)}: {result.stderr.strip()}")
        return result

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig of an existing ServiceAccount, with a real token good for a day."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=24h").stdout.strip()
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, url=self.url, ca=self.ca, token=token)

    def _write_files(self) -> None:
        pki = self.folder / "pki"
        pki.mkdir()
        (pki / "service-accounts.key").write_text(signing_key(), encoding="utf-8")
        (pki / "tokens.csv").write_text(f'{self.admin_token},admin,admin,"system:masters"\n', encoding="utf-8")
        (self.folder / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY), encoding="utf-8")
        (self.folder / "stages.yaml").write_text(self._stages, encoding="utf-8")
        write_kubeconfig(self.kubeconfig, url=self.url, ca=self.ca, token=self.admin_token)

    def _apiserver_flags(self) -> list[str]:
        pki = self.folder / "pki"
        flags = [
            f"--etcd-servers={self._etcd_url}",
            f"--cert-dir={pki}",
            f"--secure-port={self._secure_port}",
            "--bind-address=127.0.0.1",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'service-accounts.key'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            f"--token-auth-file={pki / 'tokens.csv'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
        ]
        if self._audit_log:
            flags += [
                f"--audit-policy-file={self.folder / 'audit-policy.json'}",
                f"--audit-log-path={self.audit_log_path}",
                "--audit-log-mode=blocking",  # a request is in the log before its answer is seen
            ]
        return flags

    def _start_controllers(self) -> None:
        # No leader election: there is one, and it must not wait for a lease after a restart of the API server.
        self._start_process(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self.folder / 'pki' / 'service-accounts.key'}",
            "--leader-elect=false",
            "--kube-api-qps=500",  # by default it creates about 20 pods per second
            "--kube-api-burst=1000",
            f"--secure-port={self._manager_port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'controller-manager'}",
        )
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self.kubectl("create", "-f", "-", input=json.dumps(node))
        kwok = self._start_process(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{self._kwok_port}",
            "--node-ip=198.51.100.1",
            "--cidr=10.64.0.1/10",  # addresses for four million pods
            f"--config={self.folder / 'stages.yaml'}",
        )
        kwok.wait_until(self._node_is_ready)

    def _node_is_ready(self) -> bool:
        conditions = '{.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "node", NODE, f"--output=jsonpath={conditions}").stdout == "True"

    def _start_process(self, binary: str, *flags: str) -> ChildProcess:
        process = ChildProcess(binary, [str(self._binaries[binary]), *flags], self.folder / f"{binary}.log")
        self._started.append(process)
        process.start()
        return process

    def _running_apiserver(self) -> ChildProcess:
        if self._apiserver is None:
            raise RuntimeError("this control plane is not running; use it in a `with` block")
        return self._apiserver

    def _wait_for_apiserver(self) -> None:
        # With the token: a stranger on the same port would not know it.
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        self._running_apiserver().wait_until(lambda: http_ok(f"{self.url}/readyz", ca=self.ca, headers=headers))
