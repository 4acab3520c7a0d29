"""Commands on the prediction log: ``raygate log show``, ``gaps``, ``compact``, ``expire``, ``erase``, keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from deployments.access.audit import Action
from ray_apps.cli import audit, console
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.prediction_log.personal_data import PersonalDataKeys
    from deployments.storage.location import Location

app = typer.Typer(help="The prediction log: what was asked, answered and why.", no_args_is_help=True)

SHOWN = ("timestamp", "prediction_id", "version", "stage", "outcome", "prediction", "probability", "latency_ms")

Uri = Annotated[
    str | None,
    typer.Option(
        envvar="RAYGATE_LOG_URI",
        help="root of the log: a directory or s3://bucket/prefix; default: prediction-log in the state directory",
        show_default=False,
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        envvar="RAYGATE_LOG_KEYS",
        help="keys for personal data: env:NAME or file:/path; default: log.key in the state directory",
        show_default=False,
    ),
]


@app.command()
def show(
    prediction_id: Annotated[
        str | None, typer.Argument(help="show all of this prediction", show_default=False)
    ] = None,
    uri: Uri = None,
    model: Annotated[str | None, typer.Option(help="only this registered model", show_default=False)] = None,
    version: Annotated[
        str | None, typer.Option(help="only what this version answered", show_default=False)
    ] = None,
    hours: Annotated[float, typer.Option(min=0.001, help="how far to look back")] = 1.0,
    last: Annotated[int, typer.Option(min=1, help="how many predictions")] = 20,
    decrypt: Annotated[bool, typer.Option("--decrypt", help="show personal data in clear")] = False,
    keys: Keys = None,
) -> None:
    """Show one prediction, or the latest ones."""
    from deployments.prediction_log import reader

    if prediction_id is not None:
        found = _decrypted(_uri(uri), prediction_id, keys) if decrypt else reader.find(_uri(uri), prediction_id)
        if found is None:
            console.warn(f"{prediction_id} is not in the log: not written yet, not sampled, expired or erased")
            raise typer.Exit(1)
        for name, value in found.items():
            console.say(f"{name}: {value}")
        return
    since = datetime.now(UTC) - timedelta(hours=hours)
    rows = reader.read(_uri(uri), model=model, version=version, since=since, columns=SHOWN)
    table = Table(*SHOWN)
    for row in rows.sort_by([("timestamp", "ascending")]).slice(max(0, rows.num_rows - last)).to_pylist():
        table.add_row(*("" if row[name] is None else str(row[name]) for name in SHOWN))
    console.out.print(table)


@app.command()
def gaps(
    uri: Uri = None,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="how far to look back", show_default=False)
    ] = None,
) -> None:
    """Count requests that are missing from the log, by gateway."""
    from deployments.prediction_log.gaps import missing

    since = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    table = Table("gateway", "first", "last", "missing")
    for gateway, one in missing(_uri(uri), since=since).items():
        table.add_row(gateway, str(one.first), str(one.last), str(one.missing))
    console.out.print(table)


@app.command()
def compact(
    uri: Uri = None,
    reencrypt: Annotated[bool, typer.Option("--reencrypt", help="put personal data under the first key")] = False,
    keys: Keys = None,
) -> None:
    """Join the small segments of every closed hour."""
    from deployments.prediction_log.care import one_by_one
    from deployments.storage.location import Location
    from ray_apps import prediction_log

    location, now = Location.of(_uri(uri)), datetime.now(UTC)
    if not reencrypt:
        console.say(prediction_log.compact(location, now, one_by_one))
        return
    reference = _keys_reference(keys)
    _administer(
        Action.LOG_REENCRYPTED, location, lambda: prediction_log.compact(location, now, one_by_one, reference)
    )


@app.command()
def expire(
    days: Annotated[
        float | None,
        typer.Option(help="how long the log is kept, but for endpoints that say otherwise; default 30"),
    ] = None,
    uri: Uri = None,
    model: Annotated[str | None, typer.Option(help="only this model's predictions", show_default=False)] = None,
) -> None:
    """Delete what is too old, whole hours at a time; endpoints' retentionDays count for their models."""
    from deployments.prediction_log.care import one_by_one
    from deployments.storage.location import Location
    from ray_apps import log_retention, prediction_log

    location, now = Location.of(_uri(uri)), datetime.now(UTC)
    keeping = log_retention.keeping(days, model, log_retention.of_stack(Settings()))
    _administer(
        Action.LOG_EXPIRED,
        location,
        lambda: prediction_log.expire(location, keeping, now, one_by_one),
        model=model,
    )


@app.command()
def erase(
    unit: Annotated[
        str, typer.Option(prompt="Unit to erase (as it was sent)", help="asked for, if it is left out")
    ],
    uri: Uri = None,
    keys: Keys = None,
) -> None:
    """Take a person out: predictions for a sticky unit, and feedback on them."""
    from deployments.prediction_log.care import one_by_one
    from deployments.storage.location import Location
    from ray_apps import prediction_log

    location = Location.of(_uri(uri))
    # The audit keeps nothing of who it was: it would outlive what is erased.
    _administer(
        Action.LOG_ERASED,
        location,
        lambda: prediction_log.erase(location, _keys(keys).pseudonyms(unit), one_by_one),
    )


@app.command()
def pseudonyms(
    unit: Annotated[str, typer.Option(prompt="Unit (as it was sent)", help="asked for, if it is left out")],
    keys: Keys = None,
) -> None:
    """Print what stands for a sticky unit in the log, one line a key."""
    for pseudonym in _keys(keys).pseudonyms(unit):
        console.say(pseudonym)


@app.command("new-key")
def new_key() -> None:
    """Print a new key for personal data. Put it in front of the old ones."""
    from deployments.prediction_log.personal_data import new_key

    console.say(new_key())


def _administer(action: Action, location: Location, work: Callable[[], str], **detail: object) -> None:
    """Do something to a log that the audit must know of, and say what was done."""
    with audit.recorded(Settings(), action, f"log/{location.shown}", detail) as told:
        told["done"] = done = work()
    console.say(done)


def _decrypted(uri: str, prediction_id: str, keys: str | None) -> dict[str, Any] | None:
    """A prediction with its personal data in clear; that somebody looked is in the audit, what they saw is not."""
    from deployments.prediction_log import reader

    with audit.recorded(Settings(), Action.LOG_DECRYPTED, f"prediction/{prediction_id}"):
        return reader.find(uri, prediction_id, keys=_keys(keys))


def _uri(given: str | None) -> str:
    return given or str(Settings().state / "prediction-log")


def _keys(given: str | None) -> PersonalDataKeys:
    from deployments.prediction_log.personal_data import PersonalDataKeys

    return PersonalDataKeys.load(_keys_reference(given))


def _keys_reference(given: str | None) -> str:
    return given or f"file:{Settings().state / 'log.key'}"
