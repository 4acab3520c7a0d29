"""Care of the prediction log as a job: ``python -m ray_apps.prediction_log compact --uri s3://bucket/log``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from deployments.contracts.errors import RaygateError
from deployments.prediction_log import care
from deployments.prediction_log.care import Each
from deployments.storage.location import Location
from ray_apps import ray_connection
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


def expire(location: Location, days: float, now: datetime, each: Each, model: str | None = None) -> str:
    """Delete what is older than so many days; says what was done (errors as for ``care.expire``)."""
    with alone(location):
        done = care.expire(location, days, now, each, model)
    return f"{done.partitions} partitions with {done.segments} segments are gone"


def erase(location: Location, pseudonyms: Sequence[str], each: Each) -> str:
    """Take a person out; says what was done (errors as for ``care.erase``)."""
    with alone(location):
        done = care.erase(location, pseudonyms, each)
    return f"{done.predictions} predictions and {done.feedback} feedback records are erased"


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status is 0 if every partition is done."""
    options = _parser().parse_args(arguments)
    log = JobLog("log-care", Settings().log_level)
    try:
        log.tell(_run(options, Location.of(options.uri)))
    except RaygateError as error:
        log.fail(error)
        return 1
    return 0


def _run(options: argparse.Namespace, location: Location) -> str:
    now = datetime.now(UTC)
    if options.command == "compact":
        return compact(location, now, on_ray, options.keys)
    if options.command == "expire":
        return expire(location, options.days, now, on_ray, options.model)
    return erase(location, options.pseudonym, on_ray)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Take care of a prediction log, in parallel on a Ray cluster.")
    commands = parser.add_subparsers(dest="command", required=True)
    compacting = commands.add_parser("compact", help="join the small segments of every closed hour")
    compacting.add_argument(
        "--keys", help="put personal data under the first of these keys (env:NAME or file:/path, on every node)"
    )
    expiring = commands.add_parser("expire", help="delete what is too old")
    expiring.add_argument("--days", type=float, required=True, help="how long the log is kept")
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
