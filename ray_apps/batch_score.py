"""Batch scoring as a job: ``python -m ray_apps.batch_score --model M --version V --input I --output O``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from deployments.batch.errors import InvalidBatchJob
from deployments.batch.file_format import FileFormat
from deployments.batch.job import REJECTED_LIMIT, BatchJob
from deployments.batch.submission import JOB_ID_VARIABLE, JOB_VARIABLE
from deployments.contracts import secret_reference
from deployments.contracts.errors import FieldProblem, RaygateError, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.runtime.model_store import ModelStore
from ray_apps import ray_connection
from ray_apps.job_log import JobLog
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.batch.ledger import Manifest
    from deployments.batch.plan import PackageReference
    from deployments.contracts.feature_schema import FeatureSchema

_log = logging.getLogger("raygate.job")


class Cancelled(KeyboardInterrupt):
    """Somebody asked the job to stop."""


def score(job: BatchJob, settings: Settings) -> Manifest:
    """Run a job on the Ray that this process can reach, or on one of its own.

    Raises:
        RaygateError: What stops the job; what was written by then is whole, and the same job goes on from there.
    """
    from deployments.batch.ray_workers import RayWorkers
    from deployments.batch.scoring_run import ScoringRun
    from deployments.runtime import trust
    from ray_apps.cli.batch_progress import BatchProgressLine

    packages, schemas = packages_of(job, ModelStore(settings.models, settings.signers))
    workers = RayWorkers(settings.batch.workers, trust.keys_at(settings.signers))
    ray_connection.connect()
    with BatchProgressLine() as line:
        return ScoringRun(workers, line.tell).run(job, packages, schemas)


def packages_of(job: BatchJob, store: ModelStore) -> tuple[list[PackageReference], list[FeatureSchema]]:
    """The packages that score a job, with their digests, and their feature schemas.

    Raises:
        PackageNotFound: The store does not hold a version; the error names those that it holds.
        PackageRejected: A package is damaged, or nobody vouches for it whom the store believes.
    """
    from deployments.batch.plan import PackageReference

    versions = (
        [job.version] if job.version else sorted({version for version, _ in _policy(job).slots} | _ruled(job))
    )
    packages, schemas = [], []
    for version in versions:
        loaded = store.load(job.model, version)
        packages.append(PackageReference(version=version, directory=str(loaded.directory), digest=loaded.digest))
        schemas.append(loaded.schema)
    return packages, schemas


def policy_of(endpoint: str, settings: Settings) -> TrafficPolicy:
    """The policy in force of an endpoint of the local stack.

    Raises:
        UnknownEndpoint: Nothing of that name was applied.
    """
    from deployments.rollout.endpoint_store import EndpointStore

    wanted = EndpointStore(settings.state / "endpoints.db").endpoints()
    if endpoint not in wanted:
        raise UnknownEndpoint(endpoint, tuple(wanted))
    return wanted[endpoint].policy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; the exit status is 0 if the output is complete."""
    signal.signal(signal.SIGTERM, _cancel)
    settings = Settings()
    log = JobLog("batch-scoring", settings.log_level)
    try:
        job = _job(arguments, settings)
    except RaygateError as error:
        log.fail(error)
        return 2
    try:
        manifest = score(job, settings)
    except RaygateError as error:
        log.fail(error)
        _call_back(job, settings, {"status": "failed", "error": str(error)})
        return 1
    except KeyboardInterrupt:
        _call_back(job, settings, {"status": "cancelled"})
        return 130
    log.tell(
        f"{manifest.rows} rows scored, {manifest.rejected} rejected, into {len(manifest.files)} files; "
        f"{manifest.rows_per_second:,.0f} rows/s, largest worker {manifest.peak_memory / 1024**2:,.0f} MiB"
    )
    figures = manifest.model_dump(mode="json", include={"rows", "rejected", "seconds", "rows_per_second"})
    _call_back(job, settings, {"status": "succeeded", **figures})
    return 0


def _job(arguments: Sequence[str] | None, settings: Settings) -> BatchJob:
    document = os.environ.get(JOB_VARIABLE)
    try:
        if document is not None and not (arguments or sys.argv[1:]):
            return BatchJob.model_validate_json(document)
        given = vars(_parser().parse_args(arguments))
        endpoint = given.pop("endpoint")
        policy = None if endpoint is None else policy_of(endpoint, settings)
        if policy is not None:
            given["model"] = policy.model
        if given["model"] is None:
            raise InvalidBatchJob((FieldProblem("--model", "is required, or --endpoint"),))
        return BatchJob(policy=policy, **given)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> InvalidBatchJob:
    """What pydantic says of a job, in our words."""
    return InvalidBatchJob(
        tuple(
            FieldProblem(".".join(map(str, found["loc"])) or "job", found["msg"].removeprefix("Value error, "))
            for found in error.errors()
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Score files by a model version, or by an endpoint's split.")
    parser.add_argument("--model", help="registered model")
    parser.add_argument("--version", type=Version.parse, help="the version that scores every row")
    parser.add_argument("--endpoint", help="in place of model and version: its split decides for every row")
    parser.add_argument("--input", required=True, help="file or prefix: a path, or s3://bucket/key")
    parser.add_argument("--output", required=True, help="directory or prefix, empty or of this very job")
    parser.add_argument("--output-format", type=FileFormat, help="default: that of the input")
    parser.add_argument("--partition-by", help="column whose values become folders")
    parser.add_argument(
        "--header-columns",
        type=_pairs,
        default={},
        metavar="x-user-id=user_id,...",
        help="columns that stand for request headers in sticky assignment and rules",
    )
    parser.add_argument("--rows-per-file", type=int, default=250_000, help="of the output, about")
    parser.add_argument("--explanations", action="store_true", help="explain every row")
    parser.add_argument("--max-rejected-rows", type=int, default=REJECTED_LIMIT)
    parser.add_argument("--callback-url", help="gets the end state")
    return parser


def _pairs(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if any(not (name and separator and column) for name, separator, column in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not header=column,header=column")
    return {name.strip().lower(): column for name, _, column in pairs}


def _policy(job: BatchJob) -> TrafficPolicy:
    assert job.policy is not None, "a job has a version or a policy"
    return job.policy


def _ruled(job: BatchJob) -> set[Version]:
    return {rule.version for rule in _policy(job).rules}


def _cancel(number: int, frame: FrameType | None) -> None:
    raise Cancelled


def _call_back(job: BatchJob, settings: Settings, end: dict[str, Any]) -> None:
    """Tell the end; that nobody takes it changes nothing of it."""
    if job.callback_url is None:
        return
    from deployments.batch import callback

    policy = settings.batch
    job_id = os.environ.get(JOB_ID_VARIABLE, job.identity)
    document = {
        "job_id": job_id,
        "model": job.model,
        "output_file": job.output,
        "finished": datetime.now(UTC).isoformat(),
        **end,
    }
    try:
        policy.check_callback(job.callback_url)
        assert policy.callback_secret is not None, "check_callback refuses without"
        callback.deliver(job.callback_url, document, job_id, secret_reference.resolve(policy.callback_secret))
    except RaygateError as error:
        _log.warning("%s", error)


if __name__ == "__main__":
    sys.exit(main())
