"""The credential that this machine's commands send, and how a person learns of it."""

from __future__ import annotations

from datetime import UTC, datetime

from deployments.access.policy import Mode
from ray_apps import gateway_arguments
from ray_apps.cli import console
from ray_apps.local import local_key
from ray_apps.settings import Settings


def prepare(settings: Settings) -> None:
    """Make sure that the stack has a key for the person at this machine; a new one is shown, once.

    Raises:
        StoreUnavailable: The key store does not answer.
    """
    if not _is_asked_for(settings):
        console.warn("authentication is off: whoever reaches the API is an admin")
        return
    # Imported here: SQLAlchemy takes a quarter of a second that `status` and `down` need not wait for.
    from deployments.access.stores import open_store

    store = open_store(gateway_arguments.access_policy(settings).store, create=True)
    if settings.api_key is not None:
        return
    key = local_key.ensure(store.keys, settings.key_file, datetime.now(UTC))
    if key.is_new:
        console.say(f"API key for you, shown this once (role admin, 30 days): {key.text}")
        console.say(f"Commands on this machine take it from {settings.key_file}, which only you may read.")


def headers(settings: Settings) -> dict[str, str]:
    """Headers that carry the credential."""
    key = settings.api_key or local_key.read(settings.key_file)
    return {"authorization": f"Bearer {key}"} if key and _is_asked_for(settings) else {}


def reference(settings: Settings) -> str | None:
    """Where a process of the stack reads its credential; None where nobody is asked for one.

    Never the variable of this command: processes of the stack do not get it.
    """
    return f"file:{settings.key_file}" if _is_asked_for(settings) else None


def curl_option(settings: Settings) -> str:
    """The option of curl that sends the credential without showing it."""
    if not _is_asked_for(settings):
        return ""
    if settings.api_key is not None:
        return '-H "authorization: Bearer $RAYGATE_API_KEY"'
    return f'-H "authorization: Bearer $(cat {settings.key_file})"'


def _is_asked_for(settings: Settings) -> bool:
    return gateway_arguments.access_policy(settings).mode is Mode.KEYS
