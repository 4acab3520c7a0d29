"""From a retraining document to a plan that can be carried out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from deployments.contracts.errors import InvalidDocument
from deployments.contracts.package import METADATA, ModelMetadata
from deployments.runtime import document, package
from deployments.runtime.model_store import ModelStore
from ray_apps.retraining import plan_check
from ray_apps.retraining.journal import AppliedPlan
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.ports import Serving
from training import config as training_config


def read(file: Path, serving: Serving, models: ModelStore, now: datetime) -> AppliedPlan:
    """Read a document as a plan that is put in force now, from this directory.

    Raises:
        UnknownEndpoint: Nothing of that name was applied.
        PackageNotFound: The store does not hold its stable version.
        InvalidDocument: It does not say what it must, or does not fit the training document or the model that is
            served.
    """
    plan = document.read(file, RetrainingPlan)
    trained = training_config.read(plan.training)
    stable = serving.stable(plan.endpoint)
    champion = models.find(stable.model, stable.version)
    problems = tuple(plan_check.problems(plan, trained, package.peek(champion, METADATA, ModelMetadata)))
    if problems:
        raise InvalidDocument(str(file), problems)
    return AppliedPlan(plan=plan, training=trained.model_dump_json(), directory=Path.cwd(), applied=now)
