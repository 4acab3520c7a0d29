import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ray_apps.local import tls_listener
from ray_apps.local.tls_listener import TlsListener, TlsNotStarted


def write_certificate(directory, name):
    """A self-signed certificate of 127.0.0.1 and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    files = directory / f"{name}.pem", directory / f"{name}-key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        told = f"{self.headers['x-forwarded-proto']} {self.headers['x-forwarded-for']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def api():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def port():
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def listener(tmp_path, api, port):
    certificate, key = write_certificate(tmp_path, "first")
    return TlsListener("127.0.0.1", port, certificate, key, "127.0.0.1", api)


@pytest.fixture
def start(tmp_path):
    """Start listeners; all of them are ended."""
    started = []

    def run(listener, replaces=None):
        process = tls_listener.start(listener, tmp_path, {}, tmp_path / "tls.log", replaces)
        started.append(process)
        return process

    yield run
    for process in started:
        process.poll()
        tls_listener.stop(process.pid)
        process.wait(10)


def get(listener, context, **headers):
    return httpx.get(f"https://{listener.address}/", verify=context, headers=headers)


def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate))


def test_a_request_over_tls_1_3_reaches_the_api(listener, start):
    start(listener)
    with socket() as plain:
        plain.connect((listener.host, listener.port))
        with trusting(listener.certificate).wrap_socket(plain, server_hostname="127.0.0.1") as secured:
            assert secured.version() == "TLSv1.3"
    assert get(listener, trusting(listener.certificate)).text == "https 127.0.0.1"


def test_tls_1_2_is_refused(listener, start):
    start(listener)
    context = trusting(listener.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError, match=r"(?i)protocol version"):
        get(listener, context)


def test_plain_http_is_refused(listener, start):
    start(listener)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{listener.address}/")


def test_a_caller_cannot_invent_where_it_comes_from(listener, start):
    start(listener)
    response = get(
        listener, trusting(listener.certificate), **{"x-forwarded-for": "10.0.0.1", "x-forwarded-proto": "x"}
    )
    assert response.text == "https 127.0.0.1"


def test_a_renewed_certificate_comes_into_force_without_a_refused_connection(listener, start, tmp_path):
    first = start(listener)
    certificate, key = write_certificate(tmp_path, "second")
    renewed = TlsListener(listener.host, listener.port, certificate, key, listener.api_host, listener.api_port)
    both = trusting(listener.certificate)
    both.load_verify_locations(str(certificate))
    outcomes, ended = [], threading.Event()

    def keep_asking():
        while not ended.is_set():
            outcomes.append(get(listener, both).status_code)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    start(renewed, replaces=first.pid)
    first.wait(15)
    ended.set()
    asking.join(10)
    assert outcomes
    assert set(outcomes) == {200}
    assert get(renewed, trusting(certificate)).status_code == 200
    with pytest.raises(httpx.ConnectError):
        get(renewed, trusting(listener.certificate))


def test_a_stopped_listener_leaves_its_port(listener, start):
    process = start(listener)
    tls_listener.stop(process.pid)
    process.wait(10)
    with socket() as again:
        again.bind((listener.host, listener.port))


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(lambda files: files["key"].unlink(), "first-key.pem is not there", id="no-key"),
        pytest.param(
            lambda files: files["certificate"].write_text("x"), "listener.crt", id="no-certificate-in-file"
        ),
        pytest.param(
            lambda files: write_certificate(files["key"].parent, "other")[1].replace(files["key"]),
            "(?i)inconsistencies|mismatch",
            id="key-of-another-certificate",
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(listener, start, broken, said):
    broken({"certificate": listener.certificate, "key": listener.key})
    with pytest.raises(TlsNotStarted, match=said):
        start(listener)


def test_a_port_that_somebody_holds_is_an_error(listener, start):
    with socket() as holder:
        holder.bind((listener.host, listener.port))
        holder.listen()
        with pytest.raises(TlsNotStarted, match=r"(?i)bind|in use"):
            start(listener)


def test_the_configuration_survives_a_path_with_spaces_and_signs(listener, tmp_path):
    place = tmp_path / 'a "b" $HOME'
    place.mkdir()
    process = tls_listener.start(listener, place, {}, tmp_path / "tls.log")
    tls_listener.stop(process.pid)
    process.wait(10)
