"""What a job has done, beside its output: the plan, one commit a unit, progress, and the end.

_raygate/plan.json            before anything else
_raygate/commits/00012.json   when the files of unit 12 are there, whole
_raygate/progress.json        every few seconds, for whoever asks
_SUCCESS                      when every unit is committed: the manifest of all files

A unit whose commit is there is never done again. One whose commit is missing is done again under the same names,
with the same rows and the same prediction ids, so that what an interrupted run left is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from deployments.batch import places
from deployments.batch.errors import OutputTaken
from deployments.batch.plan import Plan
from deployments.storage.location import Location

NOTES = "_raygate"
PLAN, PROGRESS, COMMITS = f"{NOTES}/plan.json", f"{NOTES}/progress.json", f"{NOTES}/commits"
REJECTED = "_rejected"
SUCCESS = "_SUCCESS"
_READERS = 16


class Document(BaseModel):
    """Base of what the ledger writes."""

    model_config = ConfigDict(frozen=True)


class WrittenFile(Document):
    """A file of the output."""

    path: str
    rows: int


class Commit(Document):
    """What became of one unit.

    Attributes:
        unit: Its number.
        files: Of the output.
        rows: Scored.
        rejected: Rows that were not.
        size: Bytes of the input.
        seconds: That its worker took.
        peak_memory: Most bytes that the worker's process ever held.
    """

    unit: int
    files: tuple[WrittenFile, ...]
    rows: int
    rejected: int
    size: int
    seconds: float
    peak_memory: int


class State(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Progress(Document):
    """How far a job is, for people.

    Attributes:
        state: As its last run left it.
        units: All.
        units_done: Committed, by this run or an earlier one.
        rows: Scored.
        rows_total: Of the input, where its files tell.
        rejected: Rows that were not scored.
        bytes_done: Of the input.
        bytes_total: Of the input.
        rows_per_second: Of this run, its start included.
        seconds: Of this run.
        peak_memory: Largest of the workers, in bytes.
        updated: When this was written.
        error: Why it failed, or empty.
    """

    state: State
    units: int
    units_done: int
    rows: int
    rows_total: int | None
    rejected: int
    bytes_done: int
    bytes_total: int
    rows_per_second: float
    seconds: float
    peak_memory: int
    updated: AwareDatetime
    error: str = ""


class Manifest(Progress):
    """The end of a job that succeeded: what a reader may rely on."""

    model: str
    versions: tuple[str, ...]
    files: tuple[WrittenFile, ...]


class Ledger:
    """The notes of one output.

    Args:
        output: Root of the output.
    """

    def __init__(self, output: Location) -> None:
        self.output = output

    def plan(self) -> Plan | None:
        """The plan that the output was begun with.

        Raises:
            OutputTaken: It is of another release.
        """
        content = self._read(PLAN)
        try:
            return None if content is None else Plan.model_validate_json(content)
        except ValidationError as error:
            raise OutputTaken(self.output.shown, "holds the plan of another release") from error

    def begin(self, plan: Plan) -> Plan:
        """Write the plan, or find it: from then on the output belongs to this job.

        Returns:
            The plan to follow: the one that was begun with, if there is one.

        Raises:
            OutputTaken: Something else is there.
            OutputUnwritable: It cannot be written.
        """
        begun = self.plan()
        if begun is not None:
            if reason := begun.difference(plan):
                raise OutputTaken(self.output.shown, reason)
            return begun
        with places.writing(self.output):
            if there := self.output.files(""):
                raise OutputTaken(self.output.shown, f"is not empty ({there[0]} ...)")
            self._put(PLAN, plan)
        return plan

    def commit(self, commit: Commit) -> None:
        """Record that a unit is done; its files must be there.

        Raises:
            OutputUnwritable: It cannot be written.
        """
        with places.writing(self.output):
            self._put(f"{COMMITS}/{commit.unit:05d}.json", commit)

    def commits(self) -> list[Commit]:
        """Every unit that is done.

        Raises:
            OutputUnwritable: The output cannot be read.
        """
        with places.writing(self.output), ThreadPoolExecutor(_READERS) as readers:
            contents = list(readers.map(self._read, self.output.files(COMMITS)))
        return [Commit.model_validate_json(content) for content in contents if content is not None]

    def tell(self, progress: Progress) -> None:
        """Say how far the job is.

        Raises:
            OutputUnwritable: It cannot be written.
        """
        with places.writing(self.output):
            self._put(PROGRESS, progress)

    def progress(self) -> Progress | None:
        """What was said last; None before the first word."""
        content = self._read(PROGRESS)
        return None if content is None else Progress.model_validate_json(content)

    def finish(self, manifest: Manifest) -> None:
        """Say that the output is complete.

        Raises:
            OutputUnwritable: It cannot be written.
        """
        with places.writing(self.output):
            self._put(SUCCESS, manifest)

    def manifest(self) -> Manifest | None:
        """What the output consists of, once it is complete."""
        content = self._read(SUCCESS)
        return None if content is None else Manifest.model_validate_json(content)

    def _put(self, path: str, document: BaseModel) -> None:
        self.output.put(path, pa.py_buffer(document.model_dump_json(by_alias=True).encode()))

    def _read(self, path: str) -> bytes | None:
        with places.writing(self.output):
            return self.output.get(path)


def files_of(commits: Iterable[Commit]) -> tuple[WrittenFile, ...]:
    """Files of the output, by unit."""
    return tuple(file for commit in sorted(commits, key=lambda one: one.unit) for file in commit.files)
