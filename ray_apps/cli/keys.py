"""Commands on API keys: ``raygate keys create``, ``list``, ``rotate``, ``revoke``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deployments.access.roles import Role
from ray_apps.cli import console, person
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.access.api_key import MintedKey
    from deployments.access.key_life import Actor
    from deployments.access.key_store import KeyStore

app = typer.Typer(help="API keys of callers.", no_args_is_help=True)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="URI of the key store, or env:NAME, file:/path; default: that of the settings",
        show_default=False,
    ),
]
KeyId = Annotated[str, typer.Argument(help="id of the key, as `raygate keys list` shows it")]
Days = Annotated[float, typer.Option("--days", min=0.001, max=366, help="until it expires")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="of the caller, such as checkout-service")],
    role: Annotated[Role, typer.Option(help="what the caller may do")] = Role.PREDICTOR,
    days: Days = 30.0,
    store: StoreOption = None,
) -> None:
    """Create a key for a new caller and print it, once."""
    from deployments.access import key_life

    minted = key_life.create(_keys(store), name, role, _actor(), datetime.now(UTC), timedelta(days=days))
    _show_once(minted)


@app.command("list")
def list_keys(
    everything: Annotated[bool, typer.Option("--all", help="expired and revoked keys too")] = False,
    store: StoreOption = None,
) -> None:
    """List keys; nobody can list their texts, which are kept nowhere."""
    now = datetime.now(UTC)
    table = Table("key id", "caller", "role", "created (UTC)", "expires (UTC)", "state", box=None)
    for key in _keys(store).read():
        if everything or key.state(now) == "live":
            table.add_row(key.key_id, key.name, key.role, _date(key.created), _date(key.expires), key.state(now))
    console.out.print(table)


@app.command()
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=8784, help="for how long the old key is valid yet")
    ] = 24.0,
    days: Days = 30.0,
    store: StoreOption = None,
) -> None:
    """Create a key in the place of another, which stays valid for a while, and print it, once."""
    from deployments.access import key_life

    minted = key_life.rotate(
        _keys(store),
        key_id,
        _actor(),
        datetime.now(UTC),
        overlap=timedelta(hours=overlap_hours),
        lifetime=timedelta(days=days),
    )
    _show_once(minted)


@app.command()
def revoke(key_id: KeyId, store: StoreOption = None) -> None:
    """Take a key back; gateways refuse it within seconds."""
    from deployments.access import key_life

    key_life.revoke(_keys(store), key_id, _actor(), datetime.now(UTC))
    console.say(f"Key {key_id} is revoked; gateways refuse it after their next refresh.")


def _keys(store: str | None) -> KeyStore:
    from deployments.access.stores import open_store

    return open_store(store or Settings().key_store, create=True).keys


def _actor() -> Actor:
    from deployments.access.key_life import Actor

    return Actor(person.at_this_machine(), "command-line")


def _show_once(minted: MintedKey) -> None:
    """The key alone on standard output, for scripts; what there is to say about it beside."""
    console.err.print(f"Key {minted.key_id}, shown this once; only its hash is kept:", soft_wrap=True)
    typer.echo(minted.text)


def _date(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")
