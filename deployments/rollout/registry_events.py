"""What MLflow's webhooks say, and whether MLflow said it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from deployments.access.errors import Unauthenticated
from deployments.contracts.errors import MalformedRequest

FRESH_SECONDS = 300
"""How far a message's time may be from ours; MLflow repeats one for less long."""
SIGNATURE, TIMESTAMP, DELIVERY = "x-mlflow-signature", "x-mlflow-timestamp", "x-mlflow-delivery-id"
_ALIAS = "model_version_alias"


@dataclass(frozen=True, slots=True)
class MovedAlias:
    """An alias that was given or taken. To which version is not believed: the registry is asked."""

    model: str
    alias: str


def check_signature(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Refuse what was not signed with the secret, or too long ago.

    MLflow signs as the Standard Webhooks do: ``v1,`` and HMAC-SHA-256 (Base64) of delivery id, a dot, Unix time, a
    dot and the body.

    Args:
        secret: Shared with MLflow.
        headers: Names in lower case.
        body: As it came.
        now: Unix time.

    Raises:
        Unauthenticated: Says what is wrong with it.
    """
    sent = {name: headers.get(name, "") for name in (SIGNATURE, TIMESTAMP, DELIVERY)}
    missing = [name for name, value in sent.items() if not value]
    if missing:
        raise Unauthenticated(
            f"a webhook of MLflow has the headers {', '.join(sent)}; missing: {', '.join(missing)}"
        )
    signed = f"{sent[DELIVERY]}.{sent[TIMESTAMP]}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(b"v1," + wanted, sent[SIGNATURE].encode()):
        raise Unauthenticated(f"{SIGNATURE} does not fit the body and the secret that is shared with MLflow")
    # After the signature: what is signed was made by MLflow, and is a number.
    if abs(now - int(sent[TIMESTAMP])) > FRESH_SECONDS:
        raise Unauthenticated(f"{TIMESTAMP} is more than {FRESH_SECONDS} seconds from now")


def moved_alias(body: bytes) -> MovedAlias | None:
    """The alias that a message tells of; None for any other event.

    Raises:
        MalformedRequest: It is no message of MLflow.
    """
    try:
        message = orjson.loads(body)
        if message["entity"] != _ALIAS:
            return None
        return MovedAlias(str(message["data"]["name"]), str(message["data"]["alias"]))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise MalformedRequest("the body is no webhook of MLflow: entity, data.name, data.alias") from error
