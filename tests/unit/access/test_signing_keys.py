import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deployments.access import signing_keys
from deployments.access.errors import AccessUnavailable, InvalidKeySet
from deployments.access.signing_keys import SigningKeys

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC_KEY, LARGE_EC_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())


def entry(key, key_id, **more):
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, **more}


def key_set(*entries):
    return json.dumps({"keys": entries}).encode()


@pytest.mark.parametrize(
    ("algorithm", "entries", "kept"),
    [
        pytest.param("RS256", [entry(RSA_KEY, "a"), entry(EC_KEY, "b")], {"a"}, id="rsa-among-others"),
        pytest.param("ES256", [entry(RSA_KEY, "a"), entry(EC_KEY, "b")], {"b"}, id="elliptic-among-others"),
        pytest.param(
            "RS256",
            [entry(RSA_KEY, "a"), {"kty": "oct", "k": "c2VjcmV0", "kid": "c"}],
            {"a"},
            id="no-shared-secret",
        ),
        pytest.param(
            "RS256", [entry(RSA_KEY, "a"), entry(RSA_KEY, "b", use="enc")], {"a"}, id="none-for-encryption"
        ),
        pytest.param(
            "RS256",
            [entry(RSA_KEY, "a"), entry(RSA_KEY, "b", alg="RS512")],
            {"a"},
            id="none-for-another-algorithm",
        ),
        pytest.param("RS256", [entry(RSA_KEY, "a"), entry(SMALL_RSA_KEY, "b")], {"a"}, id="none-that-is-small"),
        pytest.param("RS256", [entry(RSA_KEY, "a"), {"kty": "RSA", "kid": "b"}], {"a"}, id="none-that-is-broken"),
        pytest.param("ES256", [entry(EC_KEY, "a"), entry(LARGE_EC_KEY, "b")], {"a"}, id="no-other-curve"),
    ],
)
def test_of_a_key_set_only_keys_for_the_algorithm_are_kept(algorithm, entries, kept):
    assert set(signing_keys.parse(key_set(*entries), "login", algorithm)) == kept


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"<html>", "is not a JSON Web Key Set", id="html"),
        pytest.param(b"[]", "is not a JSON Web Key Set", id="list"),
        pytest.param(b'{"keys": 1}', "is not a JSON Web Key Set", id="keys-are-a-number"),
        pytest.param(b'{"keys": ["x"]}', "is not a JSON Web Key Set", id="a-key-is-a-text"),
        pytest.param(b"[" * 100_000, "is not a JSON Web Key Set", id="deeply-nested"),
        pytest.param(b'{"keys": []}', "no RSA key of at least 2048 bits for RS256", id="empty"),
        pytest.param(key_set(entry(SMALL_RSA_KEY, "a")), "no RSA key of at least 2048 bits", id="only-small-keys"),
    ],
)
def test_a_key_set_that_cannot_be_used_is_refused(content, said):
    with pytest.raises(InvalidKeySet, match=said):
        signing_keys.parse(content, "login", "RS256")


class Source:
    """A key set that can change and can be away."""

    def __init__(self, *entries):
        self.content, self.asked = key_set(*entries), 0

    def __call__(self, location):
        self.asked += 1
        if self.content is None:
            raise OSError("gone")
        return self.content


@pytest.fixture
def source():
    return Source(entry(RSA_KEY, "a"))


@pytest.fixture
def changes():
    return []


@pytest.fixture
def keys(source, changes, clock):
    return SigningKeys("login", "https://x", "RS256", lambda: changes.append(1), source, clock)


def test_a_token_that_names_no_key_gets_the_only_one(keys, source):
    keys.read()
    assert keys.find(None) is keys.find("a")
    source.content = key_set(entry(RSA_KEY, "a"), entry(RSA_KEY, "b"))
    keys.read()
    assert keys.find(None) is None


def test_an_unknown_key_asks_for_another_reading_and_is_known_after_it(keys, source):
    asked = []
    keys.on_unknown_key(lambda: asked.append(1))
    keys.read()
    source.content = key_set(entry(RSA_KEY, "a"), entry(RSA_KEY, "b"))
    assert keys.find("b") is None
    assert asked == [1]
    keys.read()
    assert keys.find("b") is not None


def test_only_a_changed_key_set_is_told(keys, source, changes):
    keys.read()
    keys.read()
    assert changes == [1]
    source.content = key_set(entry(RSA_KEY, "b"))
    keys.read()
    assert changes == [1, 1]


@pytest.mark.parametrize("content", [None, b"<html>"], ids=["away", "nonsense"])
def test_while_the_key_set_cannot_be_read_the_last_keys_count_for_a_day(keys, source, clock, content):
    keys.read()
    source.content = content
    clock.pass_by(days=1)
    with pytest.raises(InvalidKeySet):
        keys.read()
    assert keys.find("a") is not None
    clock.pass_by(seconds=1)
    with pytest.raises(AccessUnavailable):
        keys.find("a")


def test_before_the_first_reading_nobody_is_told_that_a_token_is_wrong(keys):
    with pytest.raises(AccessUnavailable, match="issuer login"):
        keys.find("a")


@pytest.fixture
def web():
    """A web server; what it answers is set by the test: (status, headers, body)."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def test_a_key_set_comes_from_a_file_or_over_http(web, tmp_path):
    base, answers = web
    answers["/jwks"] = (200, {}, key_set(entry(RSA_KEY, "a")))
    file = tmp_path / "jwks.json"
    file.write_bytes(answers["/jwks"][2])
    assert signing_keys.fetch(f"{base}/jwks") == signing_keys.fetch(f"file:{file}") == answers["/jwks"][2]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((404, {}, b""), id="missing"),
        pytest.param((302, {"location": "/elsewhere"}, b""), id="redirection"),
        pytest.param((200, {}, b"x" * 1_000_001), id="endless"),
    ],
)
def test_what_is_no_plain_answer_of_bounded_size_is_refused(web, answer):
    base, answers = web
    answers["/jwks"] = answer
    with pytest.raises(httpx.HTTPError):
        signing_keys.fetch(f"{base}/jwks")
