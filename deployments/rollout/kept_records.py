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

KEPT = "kept"
"""Folder under the log's root; neither readers nor retention look there."""
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
    """Copy the records of a rollout, segment by segment; again is no change.

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
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from deployments.prediction_log import catalogue, reader
    from deployments.prediction_log.errors import SegmentUnreadable
    from deployments.storage.errors import StorageUnreachable
    from deployments.storage.location import Location

    location, kept = Location.of(log_uri), 0
    for path in catalogue.predictions(location, model, None, *during):
        try:
            (table,) = reader.tables_of(location, [path], None, None)
        except SegmentUnreadable as error:  # it will not be better tomorrow, and others' records wait
            _log.warning("%s: a segment is not kept aside: %s", rollout, error)
            continue
        table = _impersonal(table.filter(pc.equal(table["experiment"], rollout)))
        if not table.num_rows:
            continue
        kept += table.num_rows
        try:
            with location.staged(f"{KEPT}/{rollout}/{PurePosixPath(path).name}") as file:
                pq.write_table(table, file)
        except OSError as error:
            raise StorageUnreachable(location.shown, str(error)) from error
    return kept


def _impersonal(table: pa.Table) -> pa.Table:
    from deployments.prediction_log.columns import ENCRYPTED

    personal = [field.name for field in table.schema if ENCRYPTED in (field.metadata or {})]
    return table.drop_columns([*personal, *(name for name in _PERSONAL if name in table.schema.names)])
