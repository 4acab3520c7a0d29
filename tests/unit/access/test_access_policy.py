import inspect
import pickle

import pytest
from pydantic import ValidationError

from deployments.access import errors
from deployments.access.policy import AccessPolicy
from deployments.contracts.errors import RaygateError
from deployments.contracts.secret_reference import SecretUnavailable


def issuer(**options):
    base = {"name": "login", "issuer": "https://login.example", "audiences": ["raygate"], "algorithm": "RS256"}
    return {**base, "keySet": "https://login.example/jwks", **options}


def test_without_a_word_everybody_is_asked_who_they_are():
    with pytest.raises(ValidationError, match="mode keys needs a store"):
        AccessPolicy()


@pytest.mark.parametrize(
    "store",
    ["sqlite:////var/raygate/access.db", "postgresql://raygate@database/raygate", "env:STORE", "file:/run/store"],
)
def test_a_store_is_a_uri_or_where_one_is(store):
    assert AccessPolicy(store=store).store == store


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"store": "postgresql://raygate:hunter2@db/x"}, "has a password in it", id="password"),
        pytest.param({"store": "redis://db"}, "store must be sqlite", id="no-database"),
        pytest.param({"refreshSeconds": 0}, "refreshSeconds", id="restless-refresh"),
        pytest.param({"pepper": 1}, "pepper", id="unknown-field"),
        pytest.param({"issuers": [issuer(), issuer()]}, "same name", id="issuer-twice"),
        pytest.param({"issuers": [issuer(algorithm="none")]}, "algorithm", id="algorithm-none"),
        pytest.param({"issuers": [issuer(algorithm="HS256")]}, "HS256 takes secret", id="secret-and-key-set"),
        pytest.param({"issuers": [issuer(keySet=None)]}, "RS256 takes keySet", id="no-key-set"),
        pytest.param(
            {"issuers": [issuer(keySet="http://login.example/jwks")]}, "must be https", id="keys-in-clear"
        ),
        pytest.param(
            {"issuers": [issuer(keySet="http://localhost.evil.example/")]}, "must be https", id="not-local"
        ),
        pytest.param({"issuers": [issuer(keySet="file:jwks")]}, "must be https", id="relative-file"),
        pytest.param({"issuers": [issuer(audiences=[])]}, "audiences", id="no-audience"),
        pytest.param({"issuers": [issuer(roles={"x": "root"})]}, "roles", id="unknown-role"),
        pytest.param({"issuers": [issuer(leewaySeconds=3600)]}, "leewaySeconds", id="generous-leeway"),
        pytest.param({"limits": {"callers": {"x": {"burst": 5}}}}, "without requestsPerSecond", id="burst-alone"),
        pytest.param({"limits": {"roles": {"root": {}}}}, "root", id="limit-of-unknown-role"),
    ],
)
def test_a_policy_that_would_not_protect_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        AccessPolicy.model_validate({"store": "env:STORE", **wrong})


def test_a_policy_survives_the_way_to_the_gateway():
    policy = AccessPolicy.model_validate(
        {"store": "env:STORE", "issuers": [issuer()], "limits": {"roles": {"predictor": {"rowsPerDay": 5}}}}
    )
    assert AccessPolicy.model_validate(policy.model_dump(mode="json", by_alias=True)) == policy


EXAMPLES = {"str": "text", "bool": True, "int": 3, "float": 1.5, "tuple[str, ...]": ("GET", "PUT")}
KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, RaygateError)]


@pytest.mark.parametrize(
    "kind",
    [SecretUnavailable, *(kind for kind in KINDS if kind is not RaygateError)],
    ids=lambda kind: kind.__name__,
)
def test_every_refusal_survives_the_journey_between_processes(kind):
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    error = kind(*(EXAMPLES[parameter.annotation] for parameter in parameters))
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))
