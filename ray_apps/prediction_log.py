"""Care of the prediction log as a job: ``python -m ray_apps.prediction_log compact --uri s3://bucket/log``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from deployments.access.audit import Action
from deployments.contracts.errors import RaygateError
from deployments.prediction_log import care
from deployments.prediction_log.care import Each
from deployments.prediction_log.retention import Keeping
from deployments.storage.location import Location
from ray_apps import log_retention, ray_connection
from ray_apps.cli import audit
from ray_apps.job_log import JobLog
from ray_apps.local.lock import exclusive
from ray_apps.settings import Settings

LOCK = ".care.lock"
Result = TypeVar("Result")


def on_ray(work: Callable[[str], Result], directories: Sequence[str]) -> list[Result]:
    """Work on partitions as Ray tasks, as many at a time as the cluster has CPUs.

    Args:
        work: Must come to a result or raise nothing; it travels to the workers.
        directories: The partitions.
    """
    if not directories:
        return []
    import ray

    ray_connection.connect()
    task: Any = ray.remote(num_cpus=1)(lambda directory: work(directory))  # Ray takes functions, not partial ones
    results: list[Result] = ray.get([task.remote(directory) for directory in directories])
    return results


@contextmanager
def alone(location: Location) -> Iterator[None]:
    """Let one job at a time work on a log. In a bucket nothing can hold a lock: there the schedule has to.

    Raises:
        CommandRunning: Another job works on this log.
    """
    directory = location.directory
    if directory is None:
        yield
        return
    with exclusive(directory / LOCK):
        yield


def compact(location: Location, now: datetime, each: Each, keys_reference: str | None = None) -> str:
    """Join the small segments of every closed hour; says what was done (errors as for ``care.compact``)."""
    with alone(location):
        done = care.compact(location, now, each, keys_reference)
    before, after = sum(one.before for one in done), sum(one.after for one in done)
    return f"{len(done)} partitions: {before} segments became {after}"


def expire(location: Location, keeping: Keeping, now: datetime, each: Each) -> str:
    """Delete what is older than it is kept; says what was done (errors as for ``care.expire``)."""
    with alone(location):
        done = care.expire(location, keeping, now, each)
    own = ", ".join(f"{model} {days:g}" for model, days in sorted(keeping.of_models.items()))
    kept = f"kept for {keeping.days:g} days" + (f" ({own})" if own else "")
    return f"{done.partitions} partitions with {done.segments} segments are gone; {kept}"


def erase(location: Location, pseudonyms: Sequence[str], each: Each) -> str:
    """Take a person out; says what was done (errors as for ``care.erase``)."""
    with alone(location):
        done = care.erase(location, pseudonyms, each)
    return f"{done.predictions} predictions and {done.feedback} feedback records are erased"


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status is 0 if every partition is done."""
    options, settings = _parser().parse_args(arguments), Settings()
    log = JobLog("log-care", settings.log_level)
    try:
        location = Location.of(options.uri)
        with _recorded(settings, options, location, log) as told:
            told["done"] = done = _run(options, settings, location)
        log.tell(done)
    except RaygateError as error:
        log.fail(error)
        return 1
    return 0


def _recorded(
    settings: Settings, options: argparse.Namespace, location: Location, log: JobLog
) -> AbstractContextManager[dict[str, object]]:
    """Puts an erasure into the audit, where this process knows one; the other jobs do what a schedule decided."""
    if options.command != "erase" or settings.access_store is None:
        return nullcontext({})
    return audit.recorded(settings, Action.LOG_ERASED, f"log/{location.shown}", warn=log.tell)


def _run(options: argparse.Namespace, settings: Settings, location: Location) -> str:
    now = datetime.now(UTC)
    if options.command == "compact":
        return compact(location, now, on_ray, options.keys)
    if options.command == "expire":
        said = log_retention.of_controller(options.controller, settings.api_key) if options.controller else {}
        return expire(location, log_retention.keeping(options.days, options.model, said), now, on_ray)
    return erase(location, options.pseudonym, on_ray)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Take care of a prediction log, in parallel on a Ray cluster.")
    commands = parser.add_subparsers(dest="command", required=True)
    compacting = commands.add_parser("compact", help="join the small segments of every closed hour")
    compacting.add_argument(
        "--keys", help="put personal data under the first of these keys (env:NAME or file:/path, on every node)"
    )
    expiring = commands.add_parser("expire", help="delete what is too old")
    expiring.add_argument(
        "--days", type=float, help="how long the log is kept, but for endpoints that say otherwise; default 30"
    )
    expiring.add_argument(
        "--controller",
        help="base URL of the controller, which is asked with RAYGATE_API_KEY for the retentionDays of endpoints;"
        " without it --days counts for all",
    )
    expiring.add_argument("--model", help="only this model's predictions; otherwise all, and feedback")
    erasing = commands.add_parser("erase", help="take a person out")
    # Not the person's name: a job's command line is shown on the dashboard.
    erasing.add_argument(
        "--pseudonym", action="append", required=True, help="as `raygate log pseudonyms` prints them; repeat it"
    )
    for command in (compacting, expiring, erasing):
        command.add_argument("--uri", required=True, help="root of the log: a directory or s3://bucket/prefix")
    return parser


if __name__ == "__main__":
    sys.exit(main())
