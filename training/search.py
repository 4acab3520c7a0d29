"""Looking for hyperparameters with Ray Tune, trials in parallel; a search that was cut off goes on."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.contracts.errors import PackagingFailed
from training import fitting, metric_name, search_progress, search_tuner, watched_fit
from training.fitting import Subject
from training.package_trials import Trial
from training.search_journal import Journal, Reports, key
from training.search_plan import Search
from training.search_progress import Listener, Tell
from training.search_report import BEST, BEST_ROUNDS, ROUNDS, Reporter
from training.search_tuner import ROUNDS_PARAMETER, USUAL_ROUNDS


@dataclass(frozen=True)
class Found:
    """The best hyperparameters.

    Attributes:
        parameters: Those that were looked for; with early stopping also the rounds after which the best trial was
            best. A model that is fitted with them reaches ``value``: it is one that was measured.
        metric: Its name.
        value: What they reached.
        trials: All that were tried.
    """

    parameters: dict[str, Any]
    metric: str
    value: float
    trials: tuple[Trial, ...]


def run(subject: Subject, search: Search, directory: Path, tell: Tell) -> Found:
    """Try hyperparameters on the Ray that this process is connected to.

    Args:
        subject: What is fitted; sent to the cluster once, not once a trial.
        search: Algorithm, space, number of trials.
        directory: Where the search keeps its state; if there is some, what is finished is not run again.
        tell: Told, after each trial, how many are done and the best value so far.

    Raises:
        PackagingFailed: No trial succeeded.
    """
    metric = search.metric or metric_name.usual(subject.data.task, subject.data.targets)
    mode = "min" if metric_name.lower_is_better(metric) else "max"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = _completed(subject, search, directory, metric, mode, tell)
    trials = tuple(_as_trial(results[position], metric) for position in range(len(results)))
    if all(trial.metric is None for trial in trials):
        reason = str(results.errors[0]).strip().splitlines()[-1]
        raise PackagingFailed(subject.family, f"every trial failed: {reason}")
    best = results.get_best_result(BEST, mode)
    figures = best.metrics or {}
    measured = {ROUNDS_PARAMETER: int(figures[BEST_ROUNDS])} if search.early_stopping else {}
    return Found({**(best.config or {}), **measured}, metric, float(figures[BEST]), trials)


def _completed(subject: Subject, search: Search, directory: Path, metric: str, mode: str, tell: Tell) -> Any:
    """Run a search, and again while workers were lost; what has finished is not run again.

    Tune tries a trial again whose worker dies while it runs, but not one that was about to begin.
    """
    from ray import tune

    journal, state = Journal(directory / "finished.jsonl"), directory / "tune"
    for _ in range(search.attempts):
        shutil.rmtree(state, ignore_errors=True)
        finished = journal.read()
        listener = Listener(tell, journal, len(finished))
        trainable = tune.with_parameters(
            _trial, subject=subject, search=search, metric=metric, mode=mode, finished=finished
        )
        with search_progress.listening(str(directory), mode, listener) as heard:
            results = search_tuner.tuner(trainable, search, subject, state, mode, heard).fit()
        if not any(_is_lost_worker(error) for error in results.errors):
            break
    return results


def _is_lost_worker(error: BaseException) -> bool:
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError)


def _trial(
    parameters: dict[str, Any],
    subject: Subject,
    search: Search,
    metric: str,
    mode: str,
    finished: dict[str, Reports],
) -> None:
    report, known = Reporter(mode), finished.get(key(parameters), ())
    for rounds, value in known:
        report(rounds, value)
    if search.early_stopping is not None:
        # One that was ended early may be let go on this time, if it is compared with others than before.
        if not known or known[-1][0] < _wanted_rounds(subject, parameters):
            watched_fit.fit(
                subject,
                parameters,
                search_tuner.milestones(search, subject),
                lambda rounds, figures: report(rounds, figures[metric]),
            )
    elif not known and search.folds:
        report(0, fitting.cross_validate(subject, parameters, search.folds)[metric])
    elif not known:
        report(0, fitting.validate(subject, parameters)[metric])


def _wanted_rounds(subject: Subject, parameters: dict[str, Any]) -> int:
    return int({**subject.parameters, **parameters}.get(ROUNDS_PARAMETER, USUAL_ROUNDS))


def _as_trial(result: Any, metric: str) -> Trial:
    parameters, figures = dict(result.config or {}), result.metrics or {}
    if result.error or BEST not in figures:
        return Trial(parameters, metric, None)
    return Trial(
        parameters, metric, float(figures[BEST]), rounds=int(figures[BEST_ROUNDS]), ended=int(figures[ROUNDS])
    )
