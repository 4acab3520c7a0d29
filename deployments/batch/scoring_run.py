"""A whole run of a job: plan or resume, hand out the units that are missing, tell how far it is, finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from deployments.batch import places, planning
from deployments.batch.errors import NothingToScore, TooManyRejectedRows
from deployments.batch.job import BatchJob
from deployments.batch.ledger import REJECTED, Commit, Ledger, Manifest, Progress, State, files_of
from deployments.batch.plan import PackageReference, Plan
from deployments.batch.unit_scoring import UnitScorer
from deployments.batch.units import Unit
from deployments.contracts.errors import RaygateError
from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime.signature import TrustedKeys

TELL_SECONDS = 2.0


class Workers(Protocol):
    """Those who score units."""

    def score(self, plan: Plan, units: Sequence[Unit]) -> Iterator[Commit]:
        """Give the commit of every unit, in any order; the units' errors are raised here."""
        ...


class ThisProcess:
    """Scores one unit after the other, here: for tests, and for machines without Ray.

    Args:
        trusted: As for ``UnitScorer``.
    """

    def __init__(self, trusted: TrustedKeys | None = None) -> None:
        self._trusted = trusted

    def score(self, plan: Plan, units: Sequence[Unit]) -> Iterator[Commit]:
        """Give the commit of every unit, in order."""
        scorer = UnitScorer(plan, self._trusted)
        return map(scorer.score, units)


@dataclass
class _Tally:
    """What is done so far."""

    plan: Plan
    began: float
    commits: dict[int, Commit] = field(default_factory=dict)
    rows_before: int = 0

    def progress(self, state: State, clock: float, now: datetime, error: str = "") -> Progress:
        done = self.commits.values()
        rows = sum(one.rows for one in done)
        seconds = max(clock - self.began, 1e-9)
        return Progress(
            state=state,
            units=len(self.plan.units),
            units_done=len(self.commits),
            rows=rows,
            rows_total=self.plan.known_rows,
            rejected=self.rejected,
            bytes_done=sum(one.size for one in done),
            bytes_total=self.plan.size,
            rows_per_second=(rows - self.rows_before) / seconds,
            seconds=seconds,
            peak_memory=max((one.peak_memory for one in done), default=0),
            updated=now,
            error=error,
        )

    @property
    def rejected(self) -> int:
        return sum(one.rejected for one in self.commits.values())


class ScoringRun:
    """Runs one job on workers.

    Args:
        workers: Who scores.
        tell: Is told how far the job is, every two seconds.
        clock: Monotonic seconds.
        now: The time.
    """

    def __init__(
        self,
        workers: Workers,
        tell: Callable[[Progress], None] = lambda progress: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._workers, self._tell, self._clock, self._now = workers, tell, clock, now

    def run(
        self, job: BatchJob, packages: Sequence[PackageReference], schemas: Sequence[FeatureSchema]
    ) -> Manifest:
        """Score what is not scored yet; a job that is finished is not begun again.

        Args:
            job: What is asked for.
            packages: That score.
            schemas: Theirs.

        Returns:
            The files of the output, and figures.

        Raises:
            RaygateError: See ``planning.make_plan``, ``Ledger.begin`` and ``UnitScorer.score``. What is written
                by then is whole, and the same job goes on from there.
            TooManyRejectedRows: The units together have more than the job allows.
        """
        began = self._clock()
        ledger = Ledger(places.place(job.output, "output"))
        plan = ledger.begin(planning.make_plan(job, packages, schemas, self._now()))
        finished = ledger.manifest()
        if finished is not None:
            self._tell(finished)
            return finished
        tally = _Tally(plan, began, {one.unit: one for one in ledger.commits()})
        tally.rows_before = sum(one.rows for one in tally.commits.values())
        try:
            self._score(job, ledger, tally)
        except BaseException as error:
            state = State.FAILED if isinstance(error, Exception) else State.CANCELLED
            told = str(error) if isinstance(error, RaygateError) else type(error).__name__
            self._say(ledger, tally.progress(state, self._clock(), self._now(), told))
            raise
        progress = tally.progress(State.SUCCEEDED, self._clock(), self._now())
        manifest = Manifest(
            **progress.model_dump(),
            model=job.model,
            versions=tuple(str(package.version) for package in plan.packages),
            files=files_of(tally.commits.values()),
        )
        ledger.finish(manifest)
        self._say(ledger, progress)
        return manifest

    def _score(self, job: BatchJob, ledger: Ledger, tally: _Tally) -> None:
        self._check_rejected(job, ledger, tally)
        missing = [unit for unit in tally.plan.units if unit.number not in tally.commits]
        self._say(ledger, tally.progress(State.RUNNING, self._clock(), self._now()))
        told = self._clock()
        for commit in self._workers.score(tally.plan, missing) if missing else ():
            tally.commits[commit.unit] = commit
            self._check_rejected(job, ledger, tally)
            if self._clock() - told >= TELL_SECONDS:
                told = self._clock()
                self._say(ledger, tally.progress(State.RUNNING, told, self._now()))
        # Segments hold whole hours: that none of their requests is of the asked time is an answer too.
        if job.replay is None and not any(one.rows or one.rejected for one in tally.commits.values()):
            raise NothingToScore(job.input, "its files have no row")

    def _check_rejected(self, job: BatchJob, ledger: Ledger, tally: _Tally) -> None:
        if tally.rejected > job.max_rejected_rows:
            place = f"{ledger.output.shown}/{REJECTED}"
            raise TooManyRejectedRows(tally.rejected, job.max_rejected_rows, place)

    def _say(self, ledger: Ledger, progress: Progress) -> None:
        """Progress is for people: a moment in which it cannot be written stops nobody's scoring."""
        self._tell(progress)
        try:
            ledger.tell(progress)
        except RaygateError:
            return
