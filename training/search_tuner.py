"""A search as Ray Tune wants it: space, algorithm, scheduler."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from training.fitting import Subject
from training.search_plan import Search
from training.search_report import BEST, ROUNDS, VALUE
from training.search_space import Range

ROUNDS_PARAMETER = "n_estimators"
PROPOSED_AHEAD = 2
"""Trials a worker that may be proposed before the oldest of them is known: some take much longer than others."""
USUAL_ROUNDS = 100
"""Boosting rounds of the libraries where a document does not say how many."""


def tuner(trainable: Any, search: Search, subject: Subject, state: Path, mode: str, heard: tuple[Any, Any]) -> Any:
    """Return a tuner, ready to fit.

    Args:
        trainable: What a trial runs.
        search: What the document says.
        subject: What is fitted.
        state: Tune's own directory.
        mode: ``min`` or ``max``.
        heard: A callback and a stopper of Tune's.
    """
    _prepare_environment()
    from ray import tune

    progress, stopper = heard
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": search.cpus}),
        param_space={name: _domain(search, item) for name, item in search.space.items()},
        tune_config=tune.TuneConfig(
            search_alg=_algorithm(search, mode),
            scheduler=_scheduler(search, subject, mode),
            num_samples=1 if search.algorithm == "grid" else search.trials,
            reuse_actors=True,  # a new process a trial would spend most of its time on imports
        ),
        run_config=tune.RunConfig(
            name=state.name,
            storage_path=str(state.parent.absolute()),
            failure_config=tune.FailureConfig(max_failures=search.attempts - 1),
            stop=stopper,
            verbose=0,
            callbacks=[progress],
        ),
    )


def _prepare_environment() -> None:
    """Tune reads these when a run starts."""
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    # Interrupted, Tune would end the search and hand over what it has, as if that were all that was asked for.
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the new reporter prints even when told to be silent


def milestones(search: Search, subject: Subject) -> frozenset[int]:
    """Rounds at which a trial may be ended; to judge after each would cost more than the fit."""
    assert search.early_stopping is not None
    found, rounds = set(), search.early_stopping.first
    while rounds <= _most_rounds(search, subject):
        found.add(rounds)
        rounds *= search.early_stopping.factor
    return frozenset(found)


def _domain(search: Search, item: Range) -> Any:
    from ray import tune

    if search.algorithm == "grid":
        return tune.grid_search(list(item.grid()))
    if item.choice:
        return tune.choice(list(item.choice))
    if item.integer:  # Tune leaves the upper end out
        sample = tune.lograndint if item.log else tune.randint
        return sample(int(item.low), int(item.high) + 1)
    return (tune.loguniform if item.log else tune.uniform)(item.low, item.high)


def _algorithm(search: Search, mode: str) -> Any:
    """What proposes trials, no more than run at once: grid and random search ignore the bound of a TuneConfig."""
    from ray.tune.search import BasicVariantGenerator

    if search.algorithm != "optuna":
        return BasicVariantGenerator(max_concurrent=search.at_once, random_state=search.seed)
    import optuna
    from ray.tune.search import ConcurrencyLimiter
    from ray.tune.search.optuna import OptunaSearch

    from training.search_order import ResultsInOrder

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = OptunaSearch(metric=BEST, mode=mode, seed=search.seed)
    in_order = ResultsInOrder(sampler, lag=PROPOSED_AHEAD * search.at_once)
    return ConcurrencyLimiter(in_order, max_concurrent=search.at_once)


def _scheduler(search: Search, subject: Subject, mode: str) -> Any:
    if search.early_stopping is None:
        return None
    from ray.tune.schedulers import ASHAScheduler

    most = _most_rounds(search, subject)
    return ASHAScheduler(
        time_attr=ROUNDS,
        metric=VALUE,  # not the best so far: one that becomes worse with each round has nothing to go on for
        mode=mode,
        max_t=most + 1,
        grace_period=min(search.early_stopping.first, most),
        reduction_factor=search.early_stopping.factor,
    )


def _most_rounds(search: Search, subject: Subject) -> int:
    if (searched := search.space.get(ROUNDS_PARAMETER)) is not None:
        return int(max(searched.choice)) if searched.choice else int(searched.high)  # type: ignore[type-var,arg-type]
    return int(subject.parameters.get(ROUNDS_PARAMETER, USUAL_ROUNDS))
