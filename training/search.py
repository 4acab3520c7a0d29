"""Looking for hyperparameters with Ray Tune, trials in parallel; a search that was cut off goes on."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from training import families, fitting, search_progress, search_tuner
from training.fitting import Subject
from training.metric_name import MetricName, lower_is_better
from training.package_trials import Trial
from training.search_journal import Journal, Reports, key
from training.search_plan import Search
from training.search_progress import Listener, Tell
from training.search_tuner import ROUNDS, ROUNDS_PARAMETER, USUAL_ROUNDS


@dataclass(frozen=True)
class Found:
    """The best hyperparameters.

    Attributes:
        parameters: Those that were looked for.
        metric: Its name.
        value: What they reached.
        trials: All that were tried.
    """

    parameters: dict[str, Any]
    metric: str
    value: float
    trials: tuple[Trial, ...]


def default_metric(task: Task, targets: tuple[str, ...] = ()) -> MetricName:
    """What is optimised if a document does not say; errors of several targets have units of their own."""
    if targets:
        return "r2"
    return "rmse" if task is Task.REGRESSION else "roc_auc"


def run(subject: Subject, search: Search, directory: Path, tell: Tell) -> Found:
    """Try hyperparameters on the Ray that this process is connected to.

    Args:
        subject: What is fitted; sent to the cluster once, not once a trial.
        search: Algorithm, space, number of trials.
        directory: Where the search keeps its state; if there is some, what is finished is not run again.
        tell: Told, after each trial, how many are done and the best value so far.

    Raises:
        PackagingFailed: The family cannot do what the search wants, or no trial succeeded.
    """
    metric = search.metric or default_metric(subject.data.task, subject.data.targets)
    mode = "min" if lower_is_better(metric) else "max"
    if search.early_stopping and not isinstance(families.family(subject.family), families.WatchedFamily):
        raise PackagingFailed(subject.family, "does not grow round by round; leave early_stopping out")
    if search.early_stopping and fitting.is_one_model_a_target(subject):
        raise PackagingFailed(subject.family, "makes a fit for each target; leave early_stopping out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = _completed(subject, search, directory, metric, mode, tell)
    trials = tuple(_as_trial(results[position], metric) for position in range(len(results)))
    if all(trial.metric is None for trial in trials):
        reason = str(results.errors[0]).strip().splitlines()[-1]
        raise PackagingFailed(subject.family, f"every trial failed: {reason}")
    best = results.get_best_result(metric, mode)
    return Found(dict(best.config or {}), metric, float((best.metrics or {})[metric]), trials)


def _completed(subject: Subject, search: Search, directory: Path, metric: str, mode: str, tell: Tell) -> Any:
    """Run a search, and again while workers were lost; what has finished is not run again.

    Tune tries a trial again whose worker dies while it runs, but not one that was about to begin.
    """
    from ray import tune

    journal, state = Journal(directory / "finished.jsonl"), directory / "tune"
    for _ in range(search.attempts):
        shutil.rmtree(state, ignore_errors=True)
        finished = journal.read()
        progress = search_progress.callback(str(directory), metric, mode, Listener(tell, journal, len(finished)))
        trainable = tune.with_parameters(_trial, subject=subject, search=search, metric=metric, finished=finished)
        results = search_tuner.tuner(trainable, search, subject, state, metric, mode, progress).fit()
        if not any(_is_lost_worker(error) for error in results.errors):
            break
    return results


def _is_lost_worker(error: BaseException) -> bool:
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def _trial(
    parameters: dict[str, Any], subject: Subject, search: Search, metric: str, finished: dict[str, Reports]
) -> None:
    from ray import tune

    known = finished.get(key(parameters), ())
    for rounds, value in known:
        tune.report({metric: value, ROUNDS: rounds})
    if search.early_stopping is not None:
        # One that was ended early may be let go on this time, if it is compared with others than before.
        if not known or known[-1][0] < _wanted_rounds(subject, parameters):
            fitting.fit_watched(
                subject,
                parameters,
                search_tuner.milestones(search, subject),
                lambda rounds, figures: tune.report({metric: figures[metric], ROUNDS: rounds}),
            )
    elif not known and search.folds:
        tune.report({metric: fitting.cross_validate(subject, parameters, search.folds)[metric]})
    elif not known:
        tune.report({metric: fitting.validate(subject, parameters)[metric]})


def _wanted_rounds(subject: Subject, parameters: dict[str, Any]) -> int:
    return int({**subject.parameters, **parameters}.get(ROUNDS_PARAMETER, USUAL_ROUNDS))


def _as_trial(result: Any, metric: str) -> Trial:
    figures = result.metrics or {}
    value = None if result.error else figures.get(metric)
    return Trial(
        dict(result.config or {}), metric, None if value is None else float(value), int(figures.get(ROUNDS, 0))
    )
