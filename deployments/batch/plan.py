"""The plan of a job: written once, before anything else, and followed by every run of the job."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deployments.batch.file_format import FileFormat
from deployments.batch.job import BatchJob
from deployments.batch.units import InputFile, Unit
from deployments.contracts.model_version import Version


class PackageReference(BaseModel):
    """A package that scores, by its digest: a version that was replaced meanwhile is refused.

    Attributes:
        version: Number of the version.
        directory: Where every worker finds it.
        digest: Of the package.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version
    directory: str
    digest: str


class Plan(BaseModel):
    """What is read, by which packages, in which units.

    Attributes:
        job: What was asked for.
        planned: When; part of every prediction id.
        packages: One a version.
        input_format: Of every file of the input.
        output_format: Of every file of the output.
        files: Of the input, as they were.
        units: All of them, in order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: BatchJob
    planned: AwareDatetime
    packages: tuple[PackageReference, ...]
    input_format: FileFormat
    output_format: FileFormat
    files: tuple[InputFile, ...]
    units: tuple[Unit, ...]

    @property
    def key(self) -> str:
        """Tells this job's rows from those of every other: goes into prediction ids and draws."""
        return f"{self.job.identity}/{self.planned.isoformat()}"

    @property
    def size(self) -> int:
        """Bytes of the input."""
        return sum(file.size for file in self.files)

    @property
    def known_rows(self) -> int | None:
        """Rows of the input, if its files tell before they are read."""
        counts = [slice_.rows for unit in self.units for slice_ in unit.slices]
        return None if None in counts else sum(count or 0 for count in counts)

    def difference(self, other: Plan) -> str:
        """Why another plan is not that of the same job on the same input; empty if it is."""
        if self.job.identity != other.job.identity:
            return "holds the beginning of another job"
        if self.packages != other.packages:
            return "was begun with other packages of the same versions"
        if self.files != other.files:
            mine, theirs = {file.path: file for file in self.files}, {file.path: file for file in other.files}
            changed = sorted(path for path in mine.keys() | theirs.keys() if mine.get(path) != theirs.get(path))
            return f"was begun when the input was another: {', '.join(changed[:5])} changed since"
        return ""
