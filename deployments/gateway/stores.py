"""What a gateway keeps outside of itself, opened as its arguments say."""

from __future__ import annotations

from deployments.contracts import secret_reference
from deployments.gateway.arguments import GatewayArguments
from deployments.gateway.prediction_events import PredictionEvents
from deployments.gateway.request_log import Records
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.writer import PredictionLog
from deployments.result_cache.opening import open_cache
from deployments.result_cache.port import ResultCache


def open_log(arguments: GatewayArguments, gateway: str) -> PredictionLog | None:
    """The gateway's part of the prediction log, or None if none is to be written.

    Raises:
        InvalidLocation: The location is none.
        SecretUnavailable: The keys for personal data are not where the arguments say.
    """
    if not arguments.request_log:
        return None
    reference = arguments.personal_data_keys
    keys = PersonalDataKeys.load(reference) if reference else None
    return PredictionLog(arguments.request_log, gateway, keys)


def records_of(arguments: GatewayArguments, log: PredictionLog | None) -> Records | None:
    """Where records of requests go: into the prediction log, and a sample into the log of the process."""
    return PredictionEvents(arguments.event_share, log) if arguments.event_share > 0 else log


def open_cache_of(arguments: GatewayArguments) -> ResultCache:
    """The result cache of the endpoints that want one.

    Raises:
        InvalidCacheUri: The URI names no store that is known.
        SecretUnavailable: The URI is not where the arguments say.
    """
    uri = secret_reference.given_or_resolved(arguments.cache)
    return open_cache(uri, arguments.cache_ttl_seconds, arguments.cache_entries)
