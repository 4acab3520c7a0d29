"""``raygate signing-keys``: whose model packages are believed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.signing_keys import KeyDirectory
from ray_apps.cli import console
from ray_apps.settings import Settings

signing_keys = typer.Typer(help="Keys that sign model packages.", no_args_is_help=True)


def _keys() -> KeyDirectory:
    return KeyDirectory(Settings().signing_keys)


@signing_keys.command("list")
def show() -> None:
    """List the keys that are trusted, and which one signs."""
    keys = _keys()
    table = Table("key", "signs")
    for key in keys.trusted().ids:
        table.add_row(key, "yes" if key == keys.active_id() else "")
    console.out.print(table)
    console.say(f"keys are in {keys.directory}; to verify elsewhere, copy its folder trusted")


@signing_keys.command()
def rotate() -> None:
    """Make a new key that signs from now on; the older ones stay trusted until they are retired."""
    console.say(f"packages are signed with {_keys().create()} from now on")


@signing_keys.command()
def retire(key: Annotated[str, typer.Argument(help="Id of the key", show_default=False)]) -> None:
    """Stop trusting a key; what it signed must be signed anew (``resign``) to be believed."""
    _keys().retire(key)
    console.say(f"{key} is not trusted any more")


@signing_keys.command()
def resign() -> None:
    """Sign every package of the store with the key that signs now, if its signature is believed still."""
    from deployments.runtime import signature
    from ray_apps.train import signing_key

    settings, keys = Settings(), _keys()
    key, trusted = signing_key(settings), keys.trusted()
    store = ModelStore(settings.models)
    for model in store.models():
        for version in store.versions(model):
            directory = store.path(model, version)
            package.verify(directory, trusted=trusted)
            signature.write(directory, key)
            console.say(f"{model} {version} is signed with {key.key_id}")


@signing_keys.command()
def verify() -> None:
    """Verify every package of the store: its files and its signature."""
    store, trusted = ModelStore(Settings().models), _keys().trusted()
    for model in store.models():
        for version in store.versions(model):
            digest = package.verify(store.path(model, version), trusted=trusted)
            console.say(f"{model} {version} {digest[:12]} is as it was signed")
