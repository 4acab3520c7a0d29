"""The metrics port: Prometheus text over HTTP, from a thread of its own."""

from __future__ import annotations

import logging
import socket
import socketserver
from collections.abc import Iterable
from threading import Event, Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

PATH = "/metrics"


class MetricsServer:
    """Serves ``/metrics`` as soon as the port is free, and until it is stopped.

    An update of the monitor overlaps with the replica that it replaces, which holds the port until it has
    drained. So binding is tried again and again, in the background: a replica that waited for it in its
    constructor would never become healthy, and the old one would never leave.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int, retry_seconds: float = 0.5) -> None:
        """Prepare a server; nothing is bound yet.

        Args:
            registry: What is exposed.
            host: Address to listen on.
            port: 0 takes a free one, see ``wait_until_bound``.
            retry_seconds: Pause between two attempts to bind.
        """
        self._app = _only_metrics(make_wsgi_app(registry))
        self._host, self._port, self._retry_seconds = host, port, retry_seconds
        self._stopping, self._bound = Event(), Event()
        self._server: WSGIServer | None = None
        self._thread = Thread(target=self._run, name="metrics-server", daemon=True)

    def start(self) -> None:
        """Begin to bind; returns at once."""
        self._thread.start()

    def wait_until_bound(self, timeout: float) -> int:
        """The port that is listened on.

        Raises:
            TimeoutError: It could not be bound within ``timeout`` seconds.
        """
        if not self._bound.wait(timeout) or self._server is None:
            raise TimeoutError(f"{self._host}:{self._port} could not be bound within {timeout:g} s")
        return self._server.server_port

    def stop(self) -> None:
        """Free the port; may be called more than once, and before ``start``."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        if self._bound.is_set() and self._server is not None:
            self._server.shutdown()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        server = self._bind()
        if server is None:
            return
        with server:
            self._server = server
            self._bound.set()
            if not self._stopping.is_set():
                server.serve_forever(poll_interval=0.1)

    def _bind(self) -> WSGIServer | None:
        said = ""
        while not self._stopping.is_set():
            try:
                return make_server(
                    self._host, self._port, self._app, server_class=_server_class(self._host), handler_class=_Quiet
                )
            except OSError as error:
                if str(error) != said:
                    said = str(error)
                    logger.warning("metrics port %s:%s: %s; trying again", self._host, self._port, said)
                self._stopping.wait(self._retry_seconds)
        return None


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # The base class asks a name server for its own name, which takes seconds where none answers.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _ServerOnIPv6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _ServerOnIPv6 if ":" in host else _Server


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line a scrape helps nobody."""


def _only_metrics(expose: WSGIApplication) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == PATH:
            return expose(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"only {PATH} is here\n".encode()]

    return application
