"""What callers of the tests show, and the policy that lets them in."""

from deployments.access.key_life import Actor
from deployments.access.policy import AccessPolicy

OPERATOR = Actor("ada@workshop", "command-line")


def policy(**options):
    return AccessPolicy.model_validate({"store": "sqlite:////unused", "refreshSeconds": 0.1, **options})


def key(text):
    return [(b"x-api-key", text.encode())]
