"""Who is told of a rollout's decisions: ``spec.rollout.notify``."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from deployments.contracts.secret_reference import SecretReference
from deployments.contracts.traffic_policy import Frozen


class Channel(StrEnum):
    """How somebody is told."""

    WEBHOOK = "webhook"
    SLACK = "slack"


class Told(StrEnum):
    """What somebody is told of."""

    EVERY_DECISION = "every-decision"
    TROUBLE = "trouble"
    """What a person should look at: rolled back, paused, waiting for an approval, changed by hand."""


class Notification(Frozen):
    """One receiver.

    Attributes:
        channel: ``webhook`` gets the whole decision as JSON, ``slack`` a message.
        url: Where its URL is; a URL of this kind is a secret, so the file only refers to it.
        secret: Signs what a webhook gets (HMAC-SHA-256).
        about: What it is told of.
    """

    channel: Channel
    url: SecretReference
    secret: SecretReference | None = None
    about: Told = Field(default=Told.EVERY_DECISION)

    @model_validator(mode="after")
    def _slack_checks_no_signature(self) -> Notification:
        if self.channel is Channel.SLACK and self.secret is not None:
            raise ValueError("secret: Slack checks no signature; a webhook does")
        return self
