"""What a document asks of a version against the question that its rows put, before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.contracts.errors import FieldProblem, InvalidDocument, PackagingFailed
from deployments.contracts.feature_schema import FeatureKind
from deployments.contracts.package import Task
from training import custom_metric, families, fitting, metric_name
from training.config import TrainedVersion, TrainingConfig
from training.decision import Decision
from training.fitting import Subject
from training.metric_name import COST
from training.search_plan import Search
from training.search_tuner import ROUNDS_PARAMETER
from training.variants import distilled
from training.variants.plan import Distilled

_GROUPS = (FeatureKind.CATEGORY, FeatureKind.BOOLEAN)
_OTHER_NAMES_OF_ROUNDS = {
    *("max_iter", "n_iter", "nrounds", "num_boost_round", "num_iteration", "num_iterations"),
    *("num_round", "num_rounds", "num_tree", "num_trees"),
}
"""LightGBM's: with one of them it does not look at the rounds that a search found."""


def require(config: TrainingConfig, wanted: TrainedVersion, subject: Subject) -> None:
    """Check that a version can be fitted, judged and decided as its document wants.

    Args:
        config: The document.
        wanted: A version of it.
        subject: What would be fitted for it.

    Raises:
        InvalidDocument: It cannot; every field is told, with what would be right.
        PackagingFailed: The family, or a student's, does not do this task or has no such parameter.
    """
    where = f"versions[{config.versions.index(wanted)}]."
    problems = (
        *_of_document(config, subject),
        *_of_gates("gates.", config, config.gates, subject),
        *_of_gates(f"{where}gates.", config, wanted.gates, subject),
        *_of_search(f"{where}search.", wanted.search, subject),
        *_of_variants(f"{where}variants", wanted, subject),
    )
    if problems:
        raise InvalidDocument("training config", problems)
    fitting.unfitted(subject, _some_of(wanted.search))
    for plan in wanted.variants:
        if isinstance(plan, Distilled):
            fitting.unfitted(distilled.student_of(subject, plan), {})


def _of_document(config: TrainingConfig, subject: Subject) -> Iterator[FieldProblem]:
    task = subject.data.task
    if config.decision != Decision() and task is not Task.BINARY:
        yield FieldProblem("decision", f"is for two labels, and this is a {_told(subject)}; leave it out")
    for name, path in config.metrics.items():
        try:
            custom_metric.load(path)
        except PackagingFailed as error:
            yield FieldProblem(f"metrics.{name}", f"{path}: {error.reason}")
    if config.fairness and task is not Task.BINARY:
        yield FieldProblem(
            "fairness", f"compares how two labels fall, and this is a {_told(subject)}; leave it out"
        )
    groups = [feature.name for feature in subject.schema.features if feature.kind in _GROUPS]
    if wrong := [name for name in config.fairness if name not in groups]:
        known = ", ".join(groups) or "none"
        yield FieldProblem(
            "fairness", f"{', '.join(wrong)} is no category or boolean among the features; those are {known}"
        )


def _of_gates(
    where: str, config: TrainingConfig, gates: Mapping[str, Any], subject: Subject
) -> Iterator[FieldProblem]:
    for name in gates:
        # What costs are for is told of ``decision``.
        if name not in config.metrics and name != COST and not metric_name.judges(name, subject.data.task):
            yield FieldProblem(f"{where}{name}", _judges_not(name, subject))


def _of_search(where: str, search: Search | None, subject: Subject) -> Iterator[FieldProblem]:
    if search is None:
        return
    if search.metric and not metric_name.judges(search.metric, subject.data.task):
        yield FieldProblem(f"{where}metric", _judges_not(search.metric, subject))
    if search.early_stopping is None:
        return
    if not isinstance(families.family(subject.family), families.WatchedFamily):
        yield FieldProblem(
            f"{where}early_stopping", f"a {subject.family} does not grow round by round; leave it out"
        )
    if aliases := sorted({*subject.parameters, *search.space} & _OTHER_NAMES_OF_ROUNDS):
        yield FieldProblem(
            f"{where}early_stopping", f"counts rounds by {ROUNDS_PARAMETER}; say that, not {', '.join(aliases)}"
        )
    if fitting.is_one_model_a_target(subject):
        yield FieldProblem(
            f"{where}early_stopping", f"{subject.family} makes a fit for each of several targets; leave it out"
        )


def _of_variants(where: str, wanted: TrainedVersion, subject: Subject) -> Iterator[FieldProblem]:
    for position, plan in enumerate(wanted.variants):
        if plan.metric is not None and not metric_name.judges(plan.metric, subject.data.task):
            yield FieldProblem(f"{where}[{position}].metric", _judges_not(plan.metric, subject))


def _judges_not(name: str, subject: Subject) -> str:
    task = subject.data.task
    return f"{name} does not judge a {_told(subject)}; {', '.join(metric_name.judging(task))} do"


def _told(subject: Subject) -> str:
    classes = subject.data.classes
    return f"{subject.data.task.value}" + (f" of {len(classes)} labels" if classes else "")


def _some_of(search: Search | None) -> dict[str, Any]:
    """One parameter set of a search's space: its names must be those of the family."""
    if search is None:
        return {}
    return {
        name: item.choice[0] if item.choice else (int(item.low) if item.integer else item.low)
        for name, item in search.space.items()
    }
