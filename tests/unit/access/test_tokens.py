import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deployments.access import signing_keys
from deployments.access import tokens as tokens_module
from deployments.access.errors import Unauthenticated
from deployments.access.policy import TokenIssuer
from deployments.access.roles import Role
from deployments.access.tokens import LARGEST_TOKEN_BYTES, SharedSecret, Tokens

SECRET = "0123456789abcdef" * 4
ISSUER = "https://login.example"
AUDIENCE = "raygate"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_entry(key, algorithm, key_id="k1", **more):
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig", **more}


RSA_ENTRY = public_entry(RSA_KEY, jwt.algorithms.RSAAlgorithm)
EC_ENTRY = public_entry(EC_KEY, jwt.algorithms.ECAlgorithm)


class FixedKeys:
    """Keys of a key set that is read once."""

    def __init__(self, algorithm, *entries):
        self.keys = signing_keys.parse(json.dumps({"keys": entries}).encode(), "login", algorithm)

    def find(self, key_id):
        return self.keys.get(key_id)


def issuer_of(algorithm, **options):
    source = {"secret": "env:SECRET"} if algorithm == "HS256" else {"keySet": "https://login.example/jwks"}
    document = {"name": "login", "issuer": ISSUER, "audiences": [AUDIENCE], "algorithm": algorithm}
    return TokenIssuer.model_validate({**document, **source, **options})


KEYS = {
    "HS256": (SECRET, SharedSecret(SECRET.encode())),
    "RS256": (RSA_KEY, FixedKeys("RS256", RSA_ENTRY)),
    "ES256": (EC_KEY, FixedKeys("ES256", EC_ENTRY)),
}


def accepting(algorithm, now=time.time, **options):
    tokens = Tokens(now)
    tokens.accept(issuer_of(algorithm, **options), KEYS[algorithm][1])
    return tokens


def signed(algorithm="RS256", key=None, headers=None, **claims):
    """A valid token; claims that are given as None are left out."""
    now = time.time()
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bob", "role": "predictor", "exp": now + 60, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(payload, key or KEYS[algorithm][0], algorithm, headers={"kid": "k1", **(headers or {})})


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_signed_token_says_who_calls(algorithm):
    caller = accepting(algorithm).caller(signed(algorithm).encode())
    assert (caller.name, caller.role, caller.credential) == ("login:bob", Role.PREDICTOR, "token:login")


def unsigned(**header):
    """A token with an ``alg`` of one's own choice and no signature."""
    head, body = {"typ": "JWT", "kid": "k1", **header}, jwt.decode(signed(), options={"verify_signature": False})
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, body))
    return b".".join([*parts, b""]).decode()


def confused():
    """A token signed with HMAC, the public RSA key taken for the secret (PyJWT itself would not sign it)."""
    import hashlib
    import hmac

    pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    message = unsigned(alg="HS256").removesuffix(".")
    signature = hmac.new(pem, message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def tampered(token):
    head, _, signature = token.split(".")
    body = {**jwt.decode(token, options={"verify_signature": False}), "role": "admin"}
    return ".".join([head, base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode(), signature])


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param(lambda: unsigned(alg="none"), "not valid", id="algorithm-none"),
        pytest.param(lambda: unsigned(alg="NoNe"), "not valid", id="algorithm-none-in-disguise"),
        pytest.param(confused, "not valid", id="public-key-as-shared-secret"),
        pytest.param(lambda: signed(key=OTHER_RSA_KEY), "not valid", id="another-key"),
        pytest.param(lambda: tampered(signed()), "not valid", id="changed-after-signing"),
        pytest.param(lambda: signed("ES256"), "not valid", id="another-algorithm"),
        pytest.param(lambda: signed(headers={"kid": "k2"}), "signing key", id="unknown-key-id"),
        pytest.param(lambda: signed(headers={"crit": ["x"], "x": 1}), "neither", id="unknown-critical-header"),
        pytest.param(lambda: signed(exp=time.time() - 31), "has expired", id="expired"),
        pytest.param(lambda: signed(exp=None), "lacks the claim exp", id="never-expires"),
        pytest.param(lambda: signed(exp="soon"), "not valid", id="expiry-is-no-number"),
        pytest.param(lambda: signed(nbf=time.time() + 60), "not valid yet", id="not-yet"),
        pytest.param(lambda: signed(aud="billing"), "another audience", id="another-audience"),
        pytest.param(lambda: signed(aud=None), "lacks the claim aud", id="no-audience"),
        pytest.param(lambda: signed(iss="https://evil.example"), "issuer are not accepted", id="another-issuer"),
        pytest.param(lambda: signed(iss=None), "issuer are not accepted", id="no-issuer"),
        pytest.param(lambda: signed(sub=None), "lacks the claim sub", id="no-subject"),
        pytest.param(lambda: signed(sub="x" * 201), "subject must be", id="long-subject"),
        pytest.param(lambda: signed(sub="a\nb"), "subject must be", id="subject-of-two-lines"),
        pytest.param(lambda: signed(role="root"), "names no role", id="unknown-role"),
        pytest.param(lambda: signed(role=None), "names no role", id="no-role"),
        pytest.param(lambda: signed(role={"a": 1}), "names no role", id="role-is-an-object"),
        pytest.param(lambda: signed(padding="x" * LARGEST_TOKEN_BYTES), "at most 8192 bytes", id="huge"),
        pytest.param(lambda: "not.a.token", "neither an API key nor a token", id="no-token"),
        pytest.param(lambda: "e30." * 100, "neither an API key nor a token", id="many-parts"),
        pytest.param(lambda: "\xff\xfe.a.b", "neither an API key nor a token", id="bytes-of-no-text"),
    ],
)
def test_a_token_is_refused_when_anything_about_it_is_wrong(token, said):
    with pytest.raises(Unauthenticated, match=said):
        accepting("RS256").caller(token().encode("latin-1"))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: unsigned(alg="none"), id="none"),
        pytest.param(lambda: signed("HS512", key=SECRET), id="another-hash-with-the-same-secret"),
    ],
)
def test_an_issuer_with_a_shared_secret_has_one_algorithm_too(token):
    with pytest.raises(Unauthenticated, match="not valid"):
        accepting("HS256").caller(token().encode())


def test_a_public_key_is_no_shared_secret_of_an_issuer_with_both_kinds_of_keys():
    tokens = accepting("RS256")
    tokens.accept(issuer_of("HS256", name="other", issuer="https://other.example"), KEYS["HS256"][1])
    with pytest.raises(Unauthenticated):
        tokens.caller(signed("HS256").encode())


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(lambda now: {"exp": now - 20}, id="expired-within-leeway"),
        pytest.param(lambda now: {"nbf": now + 20}, id="early-within-leeway"),
        pytest.param(lambda now: {"aud": ["billing", AUDIENCE]}, id="one-audience-of-several"),
    ],
)
def test_clocks_may_differ_a_little_and_audiences_may_be_several(claims):
    assert accepting("RS256").caller(signed(**claims(time.time())).encode()).name == "login:bob"


def test_not_before_can_be_required():
    tokens = accepting("RS256", requireNotBefore=True)
    with pytest.raises(Unauthenticated, match="lacks the claim nbf"):
        tokens.caller(signed().encode())
    assert tokens.caller(signed(nbf=time.time()).encode()).name == "login:bob"


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        pytest.param(
            "realm_access.roles", {"realm_access": {"roles": ["x", "ml-ops"]}}, id="list-inside-an-object"
        ),
        pytest.param("https://example.com/role", {"https://example.com/role": "ml-ops"}, id="name-with-dots"),
    ],
)
def test_the_role_comes_from_the_claim_that_the_issuer_uses(claim, claims):
    tokens = accepting("RS256", roleClaim=claim, roles={"ml-admins": "admin", "ml-ops": "operator"})
    assert tokens.caller(signed(**claims).encode()).role is Role.OPERATOR


def test_of_several_roles_the_first_of_the_configuration_counts():
    tokens = accepting("RS256", roles={"ml-admins": "admin", "ml-ops": "operator"})
    assert tokens.caller(signed(role=["ml-ops", "ml-admins"]).encode()).role is Role.ADMIN


def test_a_verified_token_is_not_verified_again_until_it_expires(clock, monkeypatch):
    tokens = accepting("RS256", now=clock)
    clock.today = clock.today.fromtimestamp(time.time(), clock.today.tzinfo)
    token = signed().encode()
    tokens.caller(token)
    with monkeypatch.context() as without_keys:
        without_keys.setattr(KEYS["RS256"][1], "keys", {})
        assert tokens.caller(token).name == "login:bob"
        clock.pass_by(seconds=91)
        with pytest.raises(Unauthenticated, match="signing key"):
            tokens.caller(token)


def test_when_keys_change_tokens_are_verified_anew(monkeypatch):
    tokens = accepting("RS256")
    token = signed().encode()
    tokens.caller(token)
    monkeypatch.setattr(KEYS["RS256"][1], "keys", {})
    tokens.forget()
    with pytest.raises(Unauthenticated):
        tokens.caller(token)


def test_however_many_tokens_are_shown_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(tokens_module, "REMEMBERED_TOKENS", 10)
    tokens = accepting("HS256")
    for number in range(15):
        tokens.caller(signed("HS256", sub=str(number)).encode())
    assert len(tokens._verified) == 10
