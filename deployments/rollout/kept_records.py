"""The records of a rollout that failed, kept aside: retention must not take the evidence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from deployments.contracts.errors import RaygateError
from deployments.rollout.announcement import ROLLOUT
from deployments.rollout.control_database import Decision
from deployments.rollout.state import Phase

if TYPE_CHECKING:
    import pyarrow as pa

    from deployments.storage.location import Location

KEPT = "kept"
"""Folder under the log's root; neither readers nor retention look there."""
COMPLETE = "_complete"
"""Says how many records are there. Segments are compacted later: copied again they would be there twice."""
WRITTEN_AFTER = timedelta(seconds=90)
"""By then every gateway has written what it was asked until the rollback."""
_PERSONAL = ("unit", "caller")
_log = logging.getLogger("raygate.controller")


class KeptRecords:
    """Copies what both versions were asked, without what is personal: an erasure does not look there either.

    Args:
        log_uri: Root of the prediction log.
        clock: Time in UTC.
    """

    def __init__(self, log_uri: str, clock: Callable[[], datetime]) -> None:
        self._uri, self._clock = log_uri, clock

    def take(self, number: int, decision: Decision) -> bool:
        """Keep the records of one rollback; see ``decision_follower.Take``."""
        told = decision.detail
        if decision.action != f"{ROLLOUT}{Phase.ROLLED_BACK}" or "started" not in told:
            return True
        if self._clock() - decision.at < WRITTEN_AFTER:
            return False
        rollout, model, started = str(told["rollout"]), str(told["model"]), str(told["started"])
        try:
            kept = keep(self._uri, model, rollout, (datetime.fromisoformat(started), decision.at))
        except RaygateError as error:
            _log.warning("%s: its records are not kept aside yet: %s", rollout, error)
            return False
        _log.info("%s: %d records are kept aside under %s/%s/%s", rollout, kept, self._uri, KEPT, rollout)
        return True


def keep(log_uri: str, model: str, rollout: str, during: tuple[datetime, datetime]) -> int:
    """Copy the records of a rollout, segment by segment, and note that all are there; then again is no change.

    Args:
        log_uri: Root of the prediction log.
        model: Whose versions were asked.
        rollout: Its name.
        during: From its start to its end.

    Returns:
        How many.

    Raises:
        RaygateError: The log cannot be read or written.
    """
    # Imported here, because they load Arrow.
    import pyarrow as pa

    from deployments.prediction_log import catalogue
    from deployments.prediction_log.errors import SegmentUnreadable
    from deployments.storage.errors import StorageUnreachable
    from deployments.storage.location import Location

    location, complete = Location.of(log_uri), f"{KEPT}/{rollout}/{COMPLETE}"
    if (told := location.get(complete)) is not None:
        return int(told)
    kept = 0
    try:
        for path in catalogue.predictions(location, model, None, *during):
            try:
                kept += _keep_segment(location, path, rollout)
            except (SegmentUnreadable, pa.ArrowInvalid) as error:
                # It will not be better tomorrow, and others wait.
                _log.warning("%s: a segment is not kept aside: %s", rollout, error)
        location.put(complete, pa.py_buffer(str(kept).encode()))
    except OSError as error:
        raise StorageUnreachable(location.shown, str(error)) from error
    return kept


def _keep_segment(location: Location, path: str, rollout: str) -> int:
    """Copy the rollout's rows of one segment, a row group at a time: one of an hour may be larger than memory."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from deployments.prediction_log import segment

    with segment.opened(location, path) as file:
        asked = [
            pc.equal(file.read_row_group(group, ["experiment"])["experiment"], rollout)
            for group in range(file.num_row_groups)
        ]
        groups = [group for group, chosen in enumerate(asked) if pc.any(chosen).as_py()]
        if not groups:
            return 0
        names = [field.name for field in file.schema_arrow if not _is_personal(field)]
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        with (
            location.staged(f"{KEPT}/{rollout}/{PurePosixPath(path).name}") as copy,
            pq.ParquetWriter(copy, schema) as writer,
        ):
            for group in groups:
                writer.write_table(file.read_row_group(group, names).filter(asked[group]))
    return sum(int(pc.sum(asked[group]).as_py()) for group in groups)


def _is_personal(field: pa.Field) -> bool:
    from deployments.prediction_log.columns import ENCRYPTED

    return field.name in _PERSONAL or ENCRYPTED in (field.metadata or {})
