import asyncio
import base64
import time
from datetime import UTC, datetime

import jwt
import pytest
from credentials import OPERATOR, key, policy
from key_server import KeyServer
from waiting import wait_until

from deployments.access import key_life
from deployments.access.access import Access
from deployments.access.audit import MemoryAuditLog
from deployments.access.errors import (
    AccessUnavailable,
    Forbidden,
    InvalidSecret,
    QuotaExceeded,
    RateLimited,
    StoreUnavailable,
    Unauthenticated,
    UnlistedRoute,
)
from deployments.access.key_store import MemoryKeyStore
from deployments.access.policy import AccessPolicy
from deployments.access.roles import Permission, Role
from deployments.access.stores import open_store
from deployments.contracts.secret_reference import SecretUnavailable


def bearer(token):
    return [(b"authorization", f"Bearer {token}".encode())]


def lets_in(access, headers):
    try:
        access.admit(headers, Permission.PREDICT)
    except Unauthenticated:
        return False
    return True


def test_a_request_is_let_in_by_key_role_and_route(begin, store, create):
    text = create("shop", Role.PREDICTOR).text
    access = begin(store)
    assert access.admit_route("POST", "/api/v1/predict", key(text)).name == "shop"
    with pytest.raises(Forbidden, match="may not change traffic"):
        access.admit_route("PUT", "/api/v1/admin/endpoints/x/traffic", key(text))
    with pytest.raises(UnlistedRoute):
        access.admit_route("GET", "/etc/passwd", key(text))


def test_a_key_that_is_made_or_revoked_elsewhere_is_noticed_by_every_gateway(tmp_path):
    uri = f"sqlite:///{tmp_path / 'access.db'}"
    administration = open_store(uri, create=True).keys
    gateways = [Access.open(policy(store=uri)) for _ in range(2)]
    for gateway in gateways:
        gateway.start()
    minted = key_life.create(administration, "shop", Role.PREDICTOR, OPERATOR, datetime.now(UTC))
    wait_until(lambda: all(lets_in(gateway, key(minted.text)) for gateway in gateways))
    key_life.revoke(administration, minted.key_id, OPERATOR, datetime.now(UTC))
    wait_until(lambda: not any(lets_in(gateway, key(minted.text)) for gateway in gateways))
    for gateway in gateways:
        gateway.close()


def test_a_store_that_comes_up_after_the_gateway_is_found(tmp_path):
    uri = f"sqlite:///{tmp_path / 'access.db'}"
    access = Access.open(policy(store=uri))
    access.start()
    with pytest.raises(AccessUnavailable):
        access.admit(key("rg_x"), Permission.PREDICT)
    store = open_store(uri, create=True).keys
    text = key_life.create(store, "shop", Role.PREDICTOR, OPERATOR, datetime.now(UTC)).text

    def let_in():
        try:
            return lets_in(access, key(text))
        except AccessUnavailable:
            return False

    wait_until(let_in)
    access.close()


@pytest.mark.parametrize(
    "headers",
    [pytest.param([], id="no-credential"), pytest.param(key("rg_old"), id="old-key")],
)
@pytest.mark.parametrize("path", ["/health", "/ready", "/v2/health/live", "/v2/health/ready"])
def test_health_is_told_to_anybody_and_details_to_callers(begin, store, create, path, headers):
    text = create("probe", Role.VIEWER).text
    access = begin(store)
    anybody = access.admit_route("GET", path, headers)
    assert (anybody.name, anybody.may(Permission.READ_HEALTH_DETAILS)) == ("anonymous", False)
    assert access.admit_route("GET", path, key(text)).may(Permission.READ_HEALTH_DETAILS)


class DeadStore(MemoryKeyStore):
    def revision(self):
        raise StoreUnavailable("memory", "it is down")


def test_a_gateway_without_its_store_starts_answers_health_and_lets_nobody_in(begin, caplog):
    access = begin(DeadStore())
    assert access.admit_route("GET", "/health", []).name == "anonymous"
    with pytest.raises(AccessUnavailable):
        access.admit(key("rg_x"), Permission.PREDICT)
    assert access.figures().keys_age_seconds is None


def test_a_failure_that_lasts_is_logged_once(begin, caplog):
    begin(DeadStore(), refreshSeconds=0.1)
    time.sleep(0.5)
    assert sum("it is down" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("is_open", [False, True], ids=["secured", "open"])
def test_documentation_is_for_callers_unless_it_is_opened(begin, store, is_open):
    access = begin(store, openDocumentation=is_open)
    if is_open:
        assert access.admit_route("GET", "/openapi.json", []).name == "anonymous"
    else:
        with pytest.raises(Unauthenticated) as refused:
            access.admit_route("GET", "/openapi.json", [])
        assert refused.value.in_browser
    with pytest.raises(Unauthenticated) as refused:
        access.admit_route("POST", "/predict", [])
    assert not refused.value.in_browser


def test_a_browsers_password_reads_documentation_and_nothing_else(begin, store, create):
    password = base64.b64encode(f"ada:{create('shop').text}".encode())
    access, headers = begin(store), [(b"authorization", b"Basic " + password)]
    assert access.admit_route("GET", "/docs", headers).name == "shop"
    assert access.admit_route("GET", "/docs/static/swagger-ui.css", headers).name == "shop"
    with pytest.raises(Unauthenticated):
        access.admit_route("POST", "/predict", headers)


def test_requests_and_rows_over_a_callers_limits_are_refused_and_counted(begin, store, create):
    text = create("shop").text
    access = begin(store, limits={"callers": {"shop": {"requestsPerSecond": 0.001, "burst": 2, "rowsPerDay": 5}}})
    caller = access.admit(key(text), Permission.PREDICT)
    access.admit(key(text), Permission.PREDICT)
    with pytest.raises(RateLimited):
        access.admit(key(text), Permission.PREDICT)
    access.spend(caller, 5)
    with pytest.raises(QuotaExceeded):
        access.spend(caller, 1)
    with pytest.raises(Unauthenticated):
        access.admit([], Permission.PREDICT)
    assert access.figures().refused == {RateLimited: 1, QuotaExceeded: 1, Unauthenticated: 1}


def test_where_authentication_is_switched_off_everybody_is_an_admin():
    access = Access.open(AccessPolicy.model_validate({"mode": "insecure-local"}))
    access.start()
    caller = access.admit_route("DELETE", "/api/v1/admin/keys/1", [])
    assert (caller.name, caller.role) == ("local", Role.ADMIN)
    access.spend(caller, 10**9)
    access.close()


def test_starting_twice_is_starting_once(begin, store):
    begin(store).start()


def issuer(**options):
    return {"name": "login", "issuer": "https://login.example", "audiences": ["raygate"], **options}


@pytest.mark.parametrize(
    ("secret", "error", "said"),
    [
        pytest.param(None, SecretUnavailable, "env:RAYGATE_TEST_SECRET is not set", id="not-set"),
        pytest.param("short", InvalidSecret, "has 5 bytes; HS256 takes at least 32", id="too-short"),
    ],
)
def test_a_gateway_without_the_secret_of_an_issuer_does_not_begin(store, monkeypatch, secret, error, said):
    if secret:
        monkeypatch.setenv("RAYGATE_TEST_SECRET", secret)
    with pytest.raises(error, match=said):
        Access.on(
            policy(issuers=[issuer(algorithm="HS256", secret="env:RAYGATE_TEST_SECRET")]), store, MemoryAuditLog()
        )


def test_a_token_of_an_issuer_with_a_shared_secret_is_let_in(begin, store, monkeypatch):
    monkeypatch.setenv("RAYGATE_TEST_SECRET", "s" * 32)
    access = begin(store, issuers=[issuer(algorithm="HS256", secret="env:RAYGATE_TEST_SECRET")])
    claims = {"iss": "https://login.example", "aud": "raygate", "sub": "bob", "role": "admin"}
    token = jwt.encode({**claims, "exp": time.time() + 60}, "s" * 32, "HS256")
    assert access.admit(bearer(token), Permission.MANAGE_KEYS).role is Role.ADMIN


@pytest.fixture
def login():
    server = KeyServer()
    server.add("a")
    yield server
    server.may_answer.set()
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def with_login(begin, store, login, monkeypatch):
    monkeypatch.setattr("deployments.access.issuers.SHORTEST_PAUSE_SECONDS", 0.2)
    address = f"http://127.0.0.1:{login.server.server_port}/jwks"
    return begin(store, issuers=[issuer(algorithm="ES256", keySet=address)])


def test_a_token_of_an_issuer_with_a_key_set_is_let_in(with_login, login):
    assert with_login.admit(bearer(login.token("a")), Permission.PREDICT).name == "login:bob"


def test_an_issuers_new_key_is_fetched_once_while_requests_go_on(with_login, login):
    login.add("b")
    login.may_answer.clear()
    token, known = bearer(login.token("b")), bearer(login.token("a"))
    began = time.monotonic()
    for _ in range(100):
        assert not lets_in(with_login, token)
        assert lets_in(with_login, known)
    assert time.monotonic() - began < 5
    login.may_answer.set()
    wait_until(lambda: lets_in(with_login, token))
    assert login.asked <= 4


def test_a_key_that_its_issuer_withdraws_counts_no_more_after_the_next_reading(with_login, login):
    old = bearer(login.token("a"))
    assert lets_in(with_login, old)
    login.add("b")
    new = bearer(login.token("b"))
    del login.keys["a"]
    wait_until(lambda: lets_in(with_login, new))
    assert not lets_in(with_login, old)


def test_an_event_loop_is_never_held_up_by_an_issuer(with_login, login):
    """Many tokens with unknown keys while the issuer hangs: other work of the loop goes on."""
    login.add("b")
    login.may_answer.clear()
    token = bearer(login.token("b"))

    async def longest_pause():
        longest, last = 0.0, time.monotonic()
        for _ in range(200):
            lets_in(with_login, token)
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert asyncio.run(longest_pause()) < 1.0
