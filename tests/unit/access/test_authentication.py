import base64
from datetime import timedelta

import pytest

from deployments.access import key_life
from deployments.access.authentication import Authenticator
from deployments.access.errors import AccessUnavailable, StoreUnavailable, Unauthenticated
from deployments.access.key_life import Actor
from deployments.access.key_store import MemoryKeyStore
from deployments.access.known_keys import KnownKeys
from deployments.access.roles import Role

OPERATOR = Actor("ada@workshop", "command-line")


def bearer(text, scheme="Bearer"):
    return [(b"host", b"localhost"), (b"authorization", f"{scheme} {text}".encode())]


@pytest.fixture
def known(memory_store, clock):
    return KnownKeys(memory_store, trust_seconds=60, now=clock, clock=clock)


@pytest.fixture
def authenticate(known):
    return Authenticator(known).authenticate


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda text: bearer(text), id="bearer"),
        pytest.param(lambda text: bearer(text, "bEARER"), id="scheme-in-any-case"),
        pytest.param(lambda text: [(b"x-api-key", text.encode())], id="header-of-its-own"),
    ],
)
def test_a_key_says_who_calls(mint, known, authenticate, headers):
    minted = mint("checkout", Role.OPERATOR)
    known.refresh()
    caller = authenticate(headers(minted.text))
    assert (caller.name, caller.role, caller.credential) == ("checkout", Role.OPERATOR, f"key:{minted.key_id}")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        pytest.param([], "send an API key", id="none"),
        pytest.param([(b"x-api-key", b"")], "send an API key", id="empty"),
        pytest.param([(b"authorization", b"Bearer ")], "send an API key", id="empty-bearer"),
        pytest.param([(b"authorization", b"Basic dTpw")], "must be 'Bearer'", id="another-scheme"),
        pytest.param([(b"x-api-key", b"a"), (b"authorization", b"Bearer b")], "not several", id="two"),
        pytest.param([(b"x-api-key", b"a"), (b"x-api-key", b"a")], "not several", id="the-same-twice"),
        pytest.param([(b"x-api-key", b"rg_\xff\x00")], "not known", id="bytes-of-no-text"),
        pytest.param([(b"x-api-key", b"hunter2")], "not known", id="something-else"),
    ],
)
def test_without_one_valid_credential_nobody_gets_in(known, authenticate, headers, said):
    known.refresh()
    with pytest.raises(Unauthenticated, match=said):
        authenticate(headers)


@pytest.mark.parametrize("user", [pytest.param("", id="no-user"), pytest.param("ada", id="some-user")])
def test_a_browser_sends_a_key_as_the_password_whoever_its_user_is(mint, known, authenticate, user):
    minted = mint("checkout")
    known.refresh()
    asked = bearer(base64.b64encode(f"{user}:{minted.text}".encode()).decode(), "Basic")
    assert authenticate(asked, in_browser=True).name == "checkout"
    with pytest.raises(Unauthenticated, match="must be 'Bearer'"):
        authenticate(asked)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param("%%%", "in base64", id="no-base64"),
        pytest.param("cmdfbm9wYXNzd29yZA==", "send an API key", id="no-password"),
        pytest.param("dTpodW50ZXIy", "not known", id="another-password"),
    ],
)
def test_a_password_that_is_no_key_lets_nobody_in(known, authenticate, sent, said):
    known.refresh()
    with pytest.raises(Unauthenticated, match=said):
        authenticate(bearer(sent, "Basic"), in_browser=True)


def test_a_key_that_differs_in_one_letter_is_refused_and_not_repeated(mint, known, authenticate):
    text = mint().text
    known.refresh()
    guess = text[:-1] + ("0" if text[-1] != "0" else "1")
    with pytest.raises(Unauthenticated) as refused:
        authenticate(bearer(guess))
    assert guess not in str(refused.value)


def test_a_key_expires_after_thirty_days_without_a_look_at_the_store(mint, known, authenticate, clock):
    minted = mint()
    clock.pass_by(days=30, seconds=-1)
    known.refresh()
    authenticate(bearer(minted.text))
    clock.pass_by(seconds=1)
    with pytest.raises(Unauthenticated):
        authenticate(bearer(minted.text))


def test_a_revoked_key_is_refused_after_the_next_refresh(mint, memory_store, known, authenticate, clock):
    minted = mint()
    known.refresh()
    key_life.revoke(memory_store, minted.key_id, OPERATOR, clock.today)
    authenticate(bearer(minted.text))
    known.refresh()
    with pytest.raises(Unauthenticated):
        authenticate(bearer(minted.text))


def test_a_revoked_key_is_refused_by_a_gateway_whose_clock_is_behind_the_revokers(
    mint, memory_store, known, authenticate, clock
):
    minted = mint()
    known.refresh()
    key_life.revoke(memory_store, minted.key_id, OPERATOR, clock.today + timedelta(seconds=0.2))
    known.refresh()
    clock.pass_by(seconds=1)
    known.refresh()
    with pytest.raises(Unauthenticated):
        authenticate(bearer(minted.text))


def test_a_gateway_that_began_with_its_clock_far_ahead_knows_the_keys_when_the_clock_is_right(
    mint, known, authenticate, clock
):
    minted = mint()
    clock.pass_by(days=3650)
    known.refresh()
    with pytest.raises(Unauthenticated):
        authenticate(bearer(minted.text))
    clock.pass_by(days=-3650)
    known.refresh()
    assert authenticate(bearer(minted.text)).name == "checkout"


def test_while_keys_overlap_both_are_the_same_caller(mint, memory_store, known, authenticate, clock):
    old = mint("checkout")
    new = key_life.rotate(memory_store, old.key_id, OPERATOR, clock.today, overlap=timedelta(seconds=30))
    known.refresh()
    assert authenticate(bearer(old.text)).name == authenticate(bearer(new.text)).name == "checkout"
    clock.pass_by(seconds=30)
    assert authenticate(bearer(new.text)).name == "checkout"
    with pytest.raises(Unauthenticated):
        authenticate(bearer(old.text))


class FailingStore(MemoryKeyStore):
    is_down = False

    def revision(self):
        if self.is_down:
            raise StoreUnavailable("memory", "it is down")
        return super().revision()


def test_while_the_store_is_down_the_last_known_keys_count_for_a_bounded_time(clock):
    store = FailingStore()
    known = KnownKeys(store, trust_seconds=60, now=clock, clock=clock)
    authenticate = Authenticator(known).authenticate
    text = key_life.create(store, "checkout", Role.PREDICTOR, OPERATOR, clock.today).text
    known.refresh()
    store.is_down = True
    clock.pass_by(seconds=60)
    with pytest.raises(StoreUnavailable):
        known.refresh()
    assert authenticate(bearer(text)).name == "checkout"
    clock.pass_by(seconds=1)
    with pytest.raises(AccessUnavailable, match="not answered for too long"):
        authenticate(bearer(text))
    store.is_down = False
    known.refresh()
    assert authenticate(bearer(text)).name == "checkout"


def test_before_keys_were_read_nobody_is_told_that_a_key_is_wrong(mint, authenticate):
    with pytest.raises(AccessUnavailable, match="not read yet"):
        authenticate(bearer(mint().text))


def test_a_store_that_did_not_change_is_not_read_again(mint, memory_store, known, monkeypatch):
    mint()
    known.refresh()
    monkeypatch.setattr(memory_store, "read", lambda: pytest.fail("read again"))
    known.refresh()
