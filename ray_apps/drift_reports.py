"""Reports that the monitor saves when drift is critical, beside the prediction log, for whoever the alert wakes.

A report takes ten seconds of a CPU and up to a gigabyte, of a busy version no more than of a quiet one. A
background task makes it: the monitor goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath

from deployments.contracts.distributions import PackageKey
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.wire import PoolDescription
from deployments.storage.location import Location
from monitoring.drift.judgement import VersionDrift
from monitoring.drift.limits import DriftLimits, Level
from ray_apps import background_task

FOLDER = "drift-reports"
PAUSE = timedelta(hours=6)
"""From one report on a version to the next."""
AGAIN_AFTER = timedelta(minutes=1)
"""One that could not be made is tried again: the first rows come half a minute late into the log."""
HOURS = 24.0
"""How far a report looks back."""
KEPT = 20
"""Reports of a model, the newest; the others go."""
DEFAULT_LIMITS = DriftLimits()
_MOMENT = "%Y%m%dT%H%M%SZ"
_log = logging.getLogger("raygate.monitor")

Save = Callable[[str, str, ModelVersion, datetime, DriftLimits], Awaitable[str]]
"""``save``, somewhere else."""


class DriftReports:
    """Asks for the reports; belongs to one event loop.

    Args:
        log: Root of the prediction log; empty saves nothing.
        elsewhere: Runs ``save`` in another process.
        limits: From which index on a feature is called drifted.
    """

    def __init__(self, log: str, elsewhere: Save | None = None, limits: DriftLimits = DEFAULT_LIMITS) -> None:
        self._root, self._save, self._limits = log, elsewhere or partial(background_task.run, save), limits
        self._not_before: dict[PackageKey, datetime] = {}
        self._running: set[asyncio.Task[None]] = set()

    def look(
        self,
        judged: Mapping[PackageKey, VersionDrift],
        packages: Mapping[PackageKey, PoolDescription],
        now: datetime,
    ) -> None:
        """Begin a report on every version of critical drift that had none lately; returns at once."""
        self._not_before = {key: moment for key, moment in self._not_before.items() if key in packages}
        for key, drift in judged.items():
            directory = packages[key].directory if key in packages else ""
            if not (self._root and directory and is_critical(drift)):
                continue
            if now >= self._not_before.get(key, now):
                self._not_before[key] = now + AGAIN_AFTER
                making = asyncio.get_running_loop().create_task(self._make(key, directory, now))
                self._running.add(making)
                making.add_done_callback(self._running.discard)

    async def _make(self, key: PackageKey, directory: str, now: datetime) -> None:
        name = ModelVersion(key[0], Version.parse(key[1]))
        try:
            saved = await self._save(self._root, directory, name, now, self._limits)
        except Exception as error:  # a report that is missing costs nobody anything else
            _log.warning("no drift report on %s: %s", name, error)
            return
        self._not_before[key] = now + PAUSE
        _log.info("drift of %s is critical: %s", name, saved)


def is_critical(drift: VersionDrift) -> bool:
    """Whether a feature or the scores have moved so far that an alert fires."""
    compared = [*drift.features.values(), *([drift.score] if drift.score else [])]
    return any(one.level is Level.CRITICAL for one in compared)


def save(log: str, directory: str, name: ModelVersion, now: datetime, limits: DriftLimits = DEFAULT_LIMITS) -> str:
    """Make a report and put it beside the log, unless there is one of lately.

    A monitor that has restarted does not know of it.

    Args:
        log: Root of the prediction log.
        directory: Of the version's package.
        name: The version.
        now: The present moment.
        limits: From which index on a feature is called drifted.

    Returns:
        Where the newest report is.

    Raises:
        NothingLogged: The log has no row of the version yet.
        StorageUnreachable: The log cannot be read, or the report not be written.
    """
    location, below = Location.of(log), f"{FOLDER}/{name.model}"
    known = location.files(f"{below}/{name.version}")
    if known and now - _moment(known[-1]) < PAUSE:
        return f"{location.shown}/{known[-1]}"
    import pyarrow as pa

    from deployments.runtime import package
    from ray_apps import version_report

    since = now - timedelta(hours=HOURS)
    text = version_report.page(log, package.load(Path(directory)), since, HOURS, limits)
    path = f"{below}/{name.version}/{now.astimezone(UTC):{_MOMENT}}.html"
    location.put(path, pa.py_buffer(text.encode()))
    for old in sorted(location.files(below), key=_moment)[:-KEPT]:
        location.delete(old)
    return f"{location.shown}/{path}"


def _moment(path: str) -> datetime:
    return datetime.strptime(PurePosixPath(path).stem, _MOMENT).replace(tzinfo=UTC)
