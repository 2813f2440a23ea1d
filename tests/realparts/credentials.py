"""Throw-away credentials for a control plane: the key that signs ServiceAccount tokens, and kubeconfig files.

Good for tests only. The server's own certificate is made by kube-apiserver itself.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

# SEC 1, C.4: ECPrivateKey ::= SEQUENCE { version 1, privateKey OCTET STRING (32), [0] parameters OID prime256v1 }.
# The public key is optional there and Go computes it, so a random number is enough and neither openssl nor a
# library is needed.
_EC_HEAD = bytes.fromhex("30310201010420")
_EC_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")


def signing_key() -> str:
    """A new P-256 private key as PEM; kube-apiserver accepts the same file as the public key."""
    number = 1 + secrets.randbelow(2**255)  # the order of the curve is just below 2**256
    encoded = base64.b64encode(_EC_HEAD + number.to_bytes(32) + _EC_TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{encoded}\n-----END EC PRIVATE KEY-----\n"


def write_kubeconfig(path: Path, *, url: str, ca: Path, token: str) -> Path:
    """Write a kubeconfig with one context (as JSON, which is YAML) that only its owner may read."""
    name = "test"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path
