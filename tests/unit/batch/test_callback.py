import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployments.batch import callback
from deployments.batch.errors import CallbackFailed

END = {"job_id": "batch-1", "status": "succeeded"}


class Receiver(HTTPServer):
    """Answers with the given statuses, one a request, and remembers what came."""

    def __init__(self, statuses):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses, self.got = list(statuses), []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/done"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((dict(self.headers.items()), body))
        status = self.server.statuses.pop(0)
        self.send_response(status)
        self.send_header("location", self.server.url)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def receiver():
    servers = []

    def start(*statuses):
        server = Receiver(statuses)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def deliver(server, pauses=None):
    pauses = [] if pauses is None else pauses
    return callback.deliver(server.url, END, "batch-1", "secret", pause=pauses.append, now=lambda: 1000.0)


def test_a_receiver_can_verify_who_sent_what_and_when(receiver):
    server = receiver(200)
    assert deliver(server) == 1
    headers, body = server.got[0]
    assert json.loads(body) == END
    expected = hmac.new(b"secret", b"1000." + body, hashlib.sha256).hexdigest()
    assert headers["x-raygate-signature"] == f"sha256={expected}"
    assert (headers["x-raygate-timestamp"], headers["x-raygate-delivery"]) == ("1000", "batch-1")


def test_it_is_sent_again_with_longer_pauses_until_it_is_taken(receiver):
    server, pauses = receiver(500, 503, 429, 204), []
    assert deliver(server, pauses) == 4
    assert pauses == [1, 2, 4]
    assert len({body for _, body in server.got}) == 1


def test_after_six_attempts_it_is_given_up(receiver):
    server = receiver(*[500] * 6)
    with pytest.raises(CallbackFailed, match="after 6 attempts: answered 500"):
        deliver(server)


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404])
def test_a_refusal_is_final_and_a_redirect_is_followed_nowhere(receiver, status):
    server = receiver(status)
    with pytest.raises(CallbackFailed, match=f"after 1 attempts: answered {status}"):
        deliver(server)
    assert len(server.got) == 1


def test_a_receiver_that_is_not_there_is_told_of(receiver):
    server = receiver()
    server.shutdown()
    server.server_close()
    with pytest.raises(CallbackFailed, match="ConnectError"):
        deliver(server)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        pytest.param("https://hooks.example/a\nb", "a receiver|https://hooks.example", id="a-line-break"),
        pytest.param("hooks.example/a", "a receiver", id="no-scheme"),
        pytest.param("ftp://hooks.example/a", "a receiver", id="another-scheme"),
    ],
)
def test_what_is_no_url_is_given_up_at_once_and_told_without_its_path(url, told):
    with pytest.raises(CallbackFailed, match=f"({told}).*after 1 attempts: is no URL") as failed:
        callback.deliver(url, END, "batch-1", None, pause=lambda seconds: pytest.fail("it will be none later"))
    assert "/a" not in str(failed.value)
