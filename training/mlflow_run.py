"""The MLflow run of a version: parameters, metrics, lineage, the package's files, and a nested run a trial."""

from __future__ import annotations

import re
from typing import Any

from deployments.runtime.package import ModelPackage
from training import evaluation_report, lineage, package_trials

ARTIFACT = "package"


def finished(client: Any, experiment: str, package: ModelPackage) -> Any:
    """Return the package's run, made now if there is none; one that a crash left unfinished does not count."""
    query = f"tags.`{lineage.DIGEST_TAG}` = '{package.digest}' and attributes.status = 'FINISHED'"
    if found := client.search_runs([experiment], query, max_results=1):
        return found[0]
    run = client.create_run(experiment, run_name=_name(package), tags=lineage.tags(package))
    try:
        _log(client, run.info.run_id, package)
        client.log_artifacts(run.info.run_id, str(package.directory), ARTIFACT)
        _log_trials(client, experiment, run.info.run_id, package)
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")
    return client.get_run(run.info.run_id)


def _name(package: ModelPackage) -> str:
    return f"{package.metadata.model}_v{package.metadata.version}"


def _log(client: Any, run: str, package: ModelPackage) -> None:
    metadata = package.metadata
    for parameter, value in {"family": metadata.family, **metadata.parameters}.items():
        client.log_param(run, parameter, value)
    figures = dict(metadata.metrics)
    if metadata.parity.max_difference is not None:
        figures["parity_max_difference"] = metadata.parity.max_difference
    report = evaluation_report.read(package)
    if report is not None and report.one_row_milliseconds is not None:
        figures["one_row_milliseconds"] = report.one_row_milliseconds
    for variant in report.variants if report is not None else ():
        figures |= variant.figures
    for metric, figure in figures.items():
        client.log_metric(run, _metric_name(metric), figure)


def _metric_name(name: str) -> str:
    """Columns may be named with signs that MLflow refuses."""
    return re.sub(r"[^\w\-. /]", "_", name)


def _log_trials(client: Any, experiment: str, parent: str, package: ModelPackage) -> None:
    """One nested run for each parameter set that was tried."""
    from mlflow.entities import Metric, Param
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    for position, trial in enumerate(package_trials.read(package)):
        name = f"{_name(package)} trial {position}"
        run = client.create_run(experiment, run_name=name, tags={MLFLOW_PARENT_RUN_ID: parent})
        parameters = [Param(key, str(value)) for key, value in trial.parameters.items()]
        counted = {"rounds": float(trial.rounds)} if trial.rounds else {}
        figures = {} if trial.metric is None else {trial.metric_name: trial.metric, **counted}
        reached = [Metric(metric, figure, run.info.start_time, 0) for metric, figure in figures.items()]
        client.log_batch(run.info.run_id, metrics=reached, params=parameters)
        client.set_terminated(run.info.run_id, "FAILED" if trial.metric is None else "FINISHED")
