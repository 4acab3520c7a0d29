"""Care of a whole log, partition by partition: compaction, retention, erasure.

How the work on the partitions is spread is the caller's choice: one after another, or as tasks of a Ray job. One
partition that fails keeps no other from being done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from deployments.contracts.errors import RaygateError
from deployments.prediction_log import catalogue, compaction, erasure, retention
from deployments.prediction_log.compaction import Compaction
from deployments.prediction_log.erasure import Erasure
from deployments.prediction_log.errors import LogCareIncomplete
from deployments.prediction_log.layout import FEEDBACK, PREDICTIONS
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.retention import Expiry, Keeping
from deployments.storage.location import Location

Result = TypeVar("Result")


class Each(Protocol):
    """Applies work to every partition; the results come in the order of the partitions."""

    def __call__(self, work: Callable[[str], Result], directories: Sequence[str]) -> list[Result]: ...  # noqa: D102


def one_by_one(work: Callable[[str], Result], directories: Sequence[str]) -> list[Result]:
    """Work on one partition after another, in this process."""
    return [work(directory) for directory in directories]


def compact(
    location: Location, now: datetime, each: Each = one_by_one, keys_reference: str | None = None
) -> list[Compaction]:
    """Join the small segments of every closed partition.

    Args:
        location: The log.
        now: The present moment.
        each: How the work is spread.
        keys_reference: Put personal data under the first of these keys (``env:NAME`` or ``file:/path``, which must
            lead to them wherever the work is done).

    Returns:
        What changed something.

    Raises:
        LogCareIncomplete: Some partitions could not be compacted; the others were.
        StorageUnreachable: The place cannot be listed.
    """
    closed = compaction.closed_partitions(location, now)
    done = _all_of(each, partial(_compact, location, keys_reference), closed)
    return [one for one in done if one.rows]


def expire(location: Location, keeping: Keeping, now: datetime, each: Each = one_by_one) -> Expiry:
    """Delete every partition that is older than it is kept.

    Args:
        location: The log.
        keeping: For how long.
        now: The present moment.
        each: How the work is spread.

    Raises:
        InvalidLogQuery: Days are not above 0.
        LogCareIncomplete: Some partitions could not be deleted; the others were.
        StorageUnreachable: The place cannot be listed.
    """
    old = retention.expired_partitions(location, keeping, now)
    done = _all_of(each, partial(retention.expire, location), old)
    return Expiry(sum(one.partitions for one in done), sum(one.segments for one in done))


def erase(location: Location, pseudonyms: Collection[str], each: Each = one_by_one) -> Erasure:
    """Take a person out of the log; may be killed and repeated at any time.

    First the ids are found, then feedback on them is erased, then the predictions: as long as feedback remains,
    the predictions that lead to it remain too. What gateways have not written yet is not reached: repeat it later.

    Args:
        location: The log.
        pseudonyms: Everything that may stand for the person (``PersonalDataKeys.pseudonyms``).
        each: How the work is spread.

    Raises:
        LogCareIncomplete: Some partitions could not be searched or rewritten; repeat it when they can.
        StorageUnreachable: The place cannot be listed.
    """
    directories = list(catalogue.partitions(location))
    predictions = [directory for directory in directories if directory.startswith(f"{PREDICTIONS}/")]
    feedback = [directory for directory in directories if directory.startswith(f"{FEEDBACK}/")]
    found = _all_of(each, partial(erasure.predictions_of, location, pseudonyms=pseudonyms), predictions)
    ids = sorted({one for some in found for one in some})
    told = partial(erasure.erase, location, column="prediction_id", values=ids)
    answered = partial(erasure.erase, location, column="unit", values=pseudonyms)
    taken_feedback = sum(_all_of(each, told, feedback if ids else []))
    return Erasure(sum(_all_of(each, answered, predictions)), taken_feedback)


def _all_of(each: Each, work: Callable[[str], Result], directories: Sequence[str]) -> list[Result]:
    """Results of all partitions, after all have been tried."""
    results: list[Result] = []
    problems: list[str] = []
    for outcome in each(partial(_attempt, work), directories):
        if isinstance(outcome, str):
            problems.append(outcome)
        else:
            results.extend(outcome)
    if problems:
        raise LogCareIncomplete(len(results), tuple(problems))
    return results


def _attempt(work: Callable[[str], Result], directory: str) -> list[Result] | str:
    """The result, or what went wrong: it must get through to a report even from another process."""
    try:
        return [work(directory)]
    except (RaygateError, OSError) as error:
        return f"{directory}: {error}"


def _compact(location: Location, keys_reference: str | None, directory: str) -> Compaction:
    # Keys are read where the work is done: what travels to a task may be seen on a dashboard.
    keys = None if keys_reference is None else PersonalDataKeys.load(keys_reference)
    return compaction.compact(location, directory, keys)
