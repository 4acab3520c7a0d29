"""A double of the Kubernetes API: the RayCluster and its pods, as far as Ray's autoscaler asks for them."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PODS = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods(?:/(?P<name>[^/?]+))?(?:\?.*)?")
CLUSTER = re.compile(r"/apis/ray\.io/v1/namespaces/(?P<namespace>[^/]+)/rayclusters/(?P<name>[^/?]+)")


class RayClusterApi:
    """Serves one RayCluster over HTTPS, and takes the autoscaler's patches.

    Args:
        document: The RayCluster.
        pods: The pods of it at this moment, as Kubernetes would list them.
        address: Where the autoscaler finds it.
        directory: For its certificate.
    """

    def __init__(
        self, document: dict[str, Any], pods: Callable[[], list[dict[str, Any]]], address: str, directory: Path
    ) -> None:
        self.document, self._pods, self._address = document, pods, address
        self.patches: list[list[dict[str, Any]]] = []
        self.lock = threading.RLock()
        self._certificate, self._key = directory / "api.crt", directory / "api.key"

    def __enter__(self) -> RayClusterApi:
        _self_signed(self._address, self._certificate, self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        self._server = ThreadingHTTPServer((self._address, 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """How a container reaches it."""
        return {
            "KUBERNETES_SERVICE_HOST": self._address,
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self._server.server_address[1]),
            "RAY_KUBERAY_CA_CERT_PATH": str(self._certificate),
            "RAY_KUBERAY_CLIENT_CERT_PATH": str(self._certificate),
            "RAY_KUBERAY_CLIENT_KEY_PATH": str(self._key),
        }

    def answer(self, path: str) -> dict[str, Any] | None:
        """What a GET finds, or None."""
        if found := CLUSTER.fullmatch(path):
            with self.lock:
                known = self.document["metadata"]["name"] == found["name"]
                return json.loads(json.dumps(self.document)) if known else None
        if not (found := PODS.fullmatch(path)):
            return None
        if not found["name"]:
            return {"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": self._pods()}
        return next((pod for pod in self._pods() if pod["metadata"]["name"] == found["name"]), None)

    def patch(self, operations: list[dict[str, Any]]) -> dict[str, Any]:
        """Apply a JSON patch of replacements to the RayCluster."""
        with self.lock:
            self.patches.append(operations)
            for operation in operations:
                assert operation["op"] == "replace", operation
                *parents, last = operation["path"].strip("/").split("/")
                part: Any = self.document
                for step in parents:
                    part = part[int(step)] if isinstance(part, list) else part[step]
                part[last] = operation["value"]
            return self.document

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(api.answer(self.path))

            def do_PATCH(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._send(api.patch(json.loads(body)) if CLUSTER.fullmatch(self.path) else None)

            def _send(self, found: dict[str, Any] | None) -> None:
                body = json.dumps(found or {"kind": "Status", "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Keep quiet."""

        return Handler


def _self_signed(address: str, certificate: Path, key: Path) -> None:
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "1", "-subj", "/CN=kubernetes", "-addext", f"subjectAltName=IP:{address}",
        "-out", str(certificate), "-keyout", str(key),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
