"""Commands on batches: ``raygate batch submit``, ``status``, ``cancel``, ``list``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from deployments.batch.job import REJECTED_LIMIT, BatchJob, LoggedRequests, documents_of
from deployments.contracts.model_version import Version
from ray_apps import gateway_arguments
from ray_apps.cli import batch_options, console, person
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.batch.service import BatchService, BatchStatus

app = typer.Typer(help="Score files: batches as Ray jobs.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(help="as `raygate batch submit` and `list` show it")]
Json = Annotated[bool, typer.Option("--json", help="for scripts")]
_POLL_SECONDS = 2.0


@app.command()
def submit(
    output: batch_options.Output,
    input_: batch_options.Input = None,
    model: batch_options.Model = None,
    version: batch_options.OneVersion = None,
    endpoint: batch_options.Endpoint = None,
    output_format: batch_options.OutputFormat = None,
    partition_by: batch_options.PartitionBy = None,
    rows_per_file: batch_options.RowsPerFile = 250_000,
    header_column: batch_options.HeaderColumns = None,
    explanations: batch_options.Explanations = False,
    documents: batch_options.Documents = False,
    max_rejected_rows: batch_options.MaxRejectedRows = REJECTED_LIMIT,
    callback_url: batch_options.CallbackUrl = None,
    replay: batch_options.Replay = False,
    since: batch_options.Moment = None,
    until: batch_options.Moment = None,
    key: batch_options.Key = None,
    wait: batch_options.Wait = False,
) -> None:
    """Submit a batch to the stack's Ray, or to the one that RAYGATE_BATCH names."""
    from ray_apps.batch_score import policy_of

    settings = Settings()
    policy = None if endpoint is None else policy_of(endpoint, settings)
    with _invalid_job_told():
        job = BatchJob(
            model=model or (policy.model if policy else ""),
            version=None if version is None else Version.parse(version),
            policy=policy,
            input=batch_options.whole(input_ or (settings.prediction_log if replay else "")),
            output=batch_options.whole(output),
            output_format=output_format,
            partition_by=partition_by,
            rows_per_file=rows_per_file,
            header_columns=_columns(header_column or []),
            explanations=explanations,
            max_rejected_rows=max_rejected_rows,
            replay=_logged_requests(since, until, settings) if replay else None,
            documents=documents_of(policy, "--documents") if documents else None,
            callback_url=callback_url,
        )
    _submit(job, key, wait, settings)


@app.command()
def status(job_id: JobId, as_json: Json = False) -> None:
    """Show how far a batch is."""
    service = _service(Settings())
    found = service.status(service.jobs.get(job_id))
    if as_json:
        typer.echo(found.model_dump_json())
        return
    for name, value in found.model_dump(mode="json", exclude={"progress"}, exclude_none=True).items():
        if value != "":
            console.say(f"{name}: {value}")
    if found.progress is not None:
        console.say(_figures(found))


@app.command()
def cancel(job_id: JobId) -> None:
    """Stop a batch; the same batch, submitted again, goes on from what it has committed."""
    _service(Settings()).jobs.cancel(job_id)
    console.say(f"{job_id} is asked to stop.")


@app.command("list")
def list_batches(as_json: Json = False) -> None:
    """List the batches that Ray remembers, the newest first."""
    service = _service(Settings())
    found = [service.status(batch) for batch in service.jobs.all()]
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    table = Table("job", "status", "model", "rows", "rows/s", "submitted (UTC)", "output", box=None)
    for one in found:
        rows, pace = (
            (f"{one.progress.rows:,}", f"{one.progress.rows_per_second:,.0f}") if one.progress else ("", "")
        )
        table.add_row(one.job_id, one.status, one.model, rows, pace, _time(one.submitted), one.output_file)
    console.out.print(table)


@contextmanager
def _invalid_job_told() -> Iterator[None]:
    """Say in our words what pydantic says of a job.

    Raises:
        InvalidBatchJob: There is none.
    """
    try:
        yield
    except ValidationError as error:
        from ray_apps.batch_score import invalid

        raise invalid(error) from error


def _logged_requests(since: datetime | None, until: datetime | None, settings: Settings) -> LoggedRequests:
    keys = settings.log_keys or f"file:{settings.state / 'log.key'}"
    return LoggedRequests(since=_utc(since), until=_utc(until), keys=keys)


def _submit(job: BatchJob, key: str | None, wait: bool, settings: Settings) -> None:
    service = _service(settings)
    found = service.submit(job, person.at_this_machine(), key, job.model_dump_json(by_alias=True))
    console.say(f"{found.job_id} {found.status}, done at about {_time(found.estimated_completion)}")
    if wait:
        _wait(service, found.job_id)


def _wait(service: BatchService, job_id: str) -> None:
    with console.step(job_id) as tell:
        while not (found := service.status(service.jobs.get(job_id))).status.is_end:
            if found.progress is not None:
                tell(_figures(found))
            time.sleep(_POLL_SECONDS)
    console.say(f"{found.status}: {found.error or _figures(found)}")
    if found.status != "succeeded":
        raise typer.Exit(1)


def _service(settings: Settings) -> BatchService:
    from deployments.batch.service import BatchService
    from deployments.batch.submission import BatchJobs

    policy = gateway_arguments.batch_policy(settings)
    return BatchService(BatchJobs(policy.jobs_address, policy.python))


def _figures(found: BatchStatus) -> str:
    progress = found.progress
    if progress is None:
        return ""
    of = "" if progress.rows_total is None else f" of {progress.rows_total:,}"
    return f"{progress.rows:,}{of} rows, {progress.rejected:,} rejected, {progress.rows_per_second:,.0f} rows/s"


def _columns(pairs: list[str]) -> dict[str, str]:
    found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(found) != len(pairs):
        raise typer.BadParameter("must be header=column", param_hint="--header-column")
    return {name.lower(): column for name, column in found.items()}


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
