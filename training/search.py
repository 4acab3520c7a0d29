"""Looking for hyperparameters with Ray Tune, trials in parallel."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime import columns as columnar
from deployments.runtime.native import NativeModel
from training import evaluation, families, preprocessing
from training.config import Search
from training.data import TrainingData
from training.metric_name import LOWER_IS_BETTER
from training.search_space import Range


@dataclass(frozen=True)
class Found:
    """The best hyperparameters.

    Attributes:
        parameters: Those that were looked for.
        metric: Value of the metric on the validation rows.
        trials: How many were tried.
    """

    parameters: dict[str, Any]
    metric: float
    trials: int


@dataclass(frozen=True)
class Subject:
    """What a trial fits: everything about a version but the hyperparameters that are looked for."""

    family: str
    parameters: dict[str, Any]
    schema: FeatureSchema
    data: TrainingData
    seed: int


def fit(subject: Subject, parameters: dict[str, Any]) -> Any:
    """Return a pipeline, fitted on the training rows."""
    family = families.family(subject.family)
    estimator = family.estimator(subject.data.task, {**subject.parameters, **parameters}, subject.seed)
    pipeline = preprocessing.pipeline(subject.schema, estimator, family.SCALES)
    return pipeline.fit(subject.data.train.features, subject.data.train.target)


def validate(subject: Subject, parameters: dict[str, Any]) -> dict[str, float]:
    """Fit with hyperparameters and return every metric on the validation rows."""
    data = subject.data
    dtypes = {str(name): dtype for name, dtype in data.train.features.dtypes.items()}
    model = NativeModel(fit(subject, parameters), subject.schema, data.task, data.classes, dtypes)
    scores = model.predict(columnar.from_frame(data.validation.features, subject.schema))
    return evaluation.evaluate(data.task, data.classes, 0.5, data.validation.target, scores)


def run(subject: Subject, search: Search, scratch: Path, on_trial: Callable[[int, float], None]) -> Found:
    """Try hyperparameters on the Ray that this process is connected to.

    Args:
        subject: What is fitted; sent to the cluster once, not once a trial.
        search: Algorithm, space, number of trials.
        scratch: Where Tune writes its files.
        on_trial: Told, after each trial, how many are done and the best value so far.

    Raises:
        PackagingFailed: No trial succeeded.
    """
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # Tune reads these when a run starts
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new reporter prints even when told to be silent
    from ray import tune

    mode = "min" if search.metric in LOWER_IS_BETTER else "max"

    def trial(parameters: dict[str, Any], subject: Subject) -> None:
        tune.report({search.metric: validate(subject, parameters)[search.metric]})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(trial, subject=subject), {"cpu": search.cpus}),
            param_space={name: _domain(search, name, item) for name, item in search.space.items()},
            tune_config=tune.TuneConfig(
                metric=search.metric,
                mode=mode,
                search_alg=_algorithm(search, mode),
                num_samples=1 if search.algorithm == "grid" else search.trials,
                max_concurrent_trials=search.parallel,
                reuse_actors=True,  # a new process a trial would spend most of its time on imports
            ),
            run_config=tune.RunConfig(
                name="search",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[_progress(search.metric, mode, on_trial)],
            ),
        )
        results = tuner.fit()
    if len(results.errors) == len(results):
        raise PackagingFailed(subject.family, f"every trial failed: {results.errors[0]}")
    best = results.get_best_result()
    return Found(dict(best.config or {}), float((best.metrics or {})[search.metric]), len(results))


def _domain(search: Search, name: str, item: Range) -> Any:
    from ray import tune

    if search.algorithm == "grid":
        try:
            return tune.grid_search(list(item.grid()))
        except ValueError as error:
            raise PackagingFailed(f"search.space.{name}", str(error)) from error
    if item.choice:
        return tune.choice(list(item.choice))
    if item.integer:  # Tune leaves the upper end out
        sample = tune.lograndint if item.log else tune.randint
        return sample(int(item.low), int(item.high) + 1)
    return (tune.loguniform if item.log else tune.uniform)(item.low, item.high)


def _algorithm(search: Search, mode: str) -> Any:
    if search.algorithm == "optuna":
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return OptunaSearch(metric=search.metric, mode=mode, seed=search.seed)
    from ray.tune.search import BasicVariantGenerator

    return BasicVariantGenerator(random_state=search.seed)


def _progress(metric: str, mode: str, on_trial: Callable[[int, float], None]) -> Any:
    from ray import tune

    values: list[float] = []

    class Progress(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            values.append(float(trial.last_result[metric]))
            on_trial(len(values), (max if mode == "max" else min)(values))

        def __reduce__(self) -> tuple[Any, ...]:
            # Tune pickles its callbacks with the state of the search; whom to tell is not a part of that.
            return tune.Callback, ()

    return Progress()
