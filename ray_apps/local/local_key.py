"""The API key of the person at this machine.

Its text lies in the state directory, readable by its owner alone, so that commands and pasted lines can use it;
the key store has its hash, like that of any other key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deployments import private_file
from deployments.access import api_key, key_life
from deployments.access.key_life import Actor
from deployments.access.key_store import KeyStore
from deployments.access.roles import Role

_NAME = "local"
RENEWED_BEFORE = timedelta(days=1)
_ACTOR = Actor("raygate up", "command-line")


@dataclass(frozen=True, slots=True)
class LocalKey:
    """The key that this machine's commands send.

    Attributes:
        text: What is sent.
        is_new: It was made just now and is to be shown.
    """

    text: str
    is_new: bool


def ensure(store: KeyStore, file: Path, now: datetime) -> LocalKey:
    """The key in the file, or a new one if there is none or it ends within a day.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    live = {key.digest: key for key in store.read() if key.state(now) == "live"}
    text = read(file)
    if text is not None:
        known = live.get(api_key.digest(text.encode()))
        if known is not None and known.expires - now > RENEWED_BEFORE:
            return LocalKey(text, is_new=False)
    old = next((key for key in live.values() if key.name == _NAME), None)
    if old is None:
        minted = key_life.create(store, _NAME, Role.ADMIN, _ACTOR, now)
    else:
        minted = key_life.rotate(store, old.key_id, _ACTOR, now, overlap=timedelta(0))
    private_file.write(file, f"{minted.text}\n")
    return LocalKey(minted.text, is_new=True)


def read(file: Path) -> str | None:
    """The key in the file, or None if there is no file."""
    try:
        return file.read_text().strip() or None
    except FileNotFoundError:
        return None
