"""Identity of a prediction: a UUIDv7 that tells when and by which version it was made.

The last 16 of its random bits are a tag of endpoint and version, so that whoever gets feedback, days later and in
another gateway, knows the version without asking anybody. 58 random bits a millisecond remain. A version has a
second tag for what the split gave it: a bandit learns from nothing else, because who asks for a version, or is led
there by a rule, is no caller like any other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import uuid_utils

from deployments.contracts.model_version import Version

TAG_DIGITS = 4


@dataclass(frozen=True, slots=True)
class PredictionId:
    """What an id tells.

    Attributes:
        text: The id in its canonical form.
        at: When the prediction was made, UTC, to the millisecond.
        tag: Of endpoint and version.
    """

    text: str
    at: datetime
    tag: str


def tag_of(endpoint: str, version: Version, by_split: bool = False) -> str:
    """Four hex digits for an endpoint's version; two versions share one with a probability of 1 to 16,384.

    Args:
        endpoint: Name of the endpoint.
        version: That makes the prediction.
        by_split: Whether the split of an online request chose it. Ids of releases that did not tell the two apart
            read as if it had not.
    """
    made = f"{endpoint}@{version}/split" if by_split else f"{endpoint}@{version}"
    digest = hashlib.blake2b(made.encode(), digest_size=TAG_DIGITS // 2)
    return digest.hexdigest()


def make(tag: str) -> str:
    """A new id."""
    return str(uuid_utils.uuid7())[:-TAG_DIGITS] + tag


def read(text: str) -> PredictionId:
    """What an id tells.

    Raises:
        ValueError: It is not a UUIDv7.
    """
    value = UUID(text)
    if value.version != 7 or value.variant != RFC_4122:
        raise ValueError(f"not a UUIDv7: {value}")
    canonical = str(value)
    milliseconds = value.int >> 80
    try:
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"not a time: {milliseconds} ms") from None
    return PredictionId(canonical, at, canonical[-TAG_DIGITS:])
