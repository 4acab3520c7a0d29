"""Retraining of the local stack, put together."""

from __future__ import annotations

from datetime import UTC, datetime

from ray_apps import gateway_arguments
from ray_apps.admin_api import local_service
from ray_apps.retraining.journal import Journal
from ray_apps.retraining.local_serving import LocalServing
from ray_apps.retraining.training_jobs import TrainingJobs
from ray_apps.retraining.watch import Watch
from ray_apps.settings import Settings


def journal_of(settings: Settings) -> Journal:
    """What retraining with this state directory remembers."""
    return Journal(settings.state / "retraining.db")


def serving_of(settings: Settings) -> LocalServing:
    """The endpoints of the local stack."""
    return LocalServing(settings, local_service(settings))


def local_watch(settings: Settings) -> Watch:
    """Watches the endpoints of the local stack; jobs run where its batches do."""
    jobs = gateway_arguments.batch_policy(settings)
    return Watch(
        journal_of(settings),
        TrainingJobs(jobs.jobs_address, jobs.python, settings.state),
        serving_of(settings),
        lambda: datetime.now(UTC),
    )
